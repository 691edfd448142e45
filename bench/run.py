#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bench/run.py [NAME...]: each measure beside its peer, interleaved, median of 5, as a ratio.

On a shared machine only ratios of the same minute hold: ours and theirs run in turn, with the same client and, where the
kernel allows it, in the same real-time class (chrt -r). Ingest is a rate, ours over theirs, to be at least; the others are
times or sizes, ours over theirs, to be at most. The exit code is 1 if a floor is missed, 2 if something could not be measured.
A line below a measure, with no verdict, says what else was seen in the same runs.
"""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

import artifacts
import feeds
import kafka
import scale
import sensors
from common import (BIN, ROUNDS, RT, SECONDS, TIDEGATE, Server, fan_makefile, fan_out, free_port, notes, number, out, run_workflow,
                    serve, source_manifest, timed, tool, workflow_head, write)

# ---- manifests ------------------------------------------------------------------------------------------------------

def sensor_manifest(branch, command):
    """Submits a workflow of one step for events of a branch: a filter, and a parameter from the event."""
    return f"""---
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {{name: bench}}
spec:
  dependencies:
    - name: push
      eventSourceName: bench
      eventName: push
      filters: {{data: [{{path: body.branch, type: string, value: [{branch}]}}]}}
  triggers:
    - template:
        name: start
        argoWorkflow:
          operation: submit
          source:
            resource:
              apiVersion: argoproj.io/v1alpha1
              kind: Workflow
              metadata: {{generateName: bench-}}
              spec:
                entrypoint: main
                arguments: {{parameters: [{{name: repository, value: none}}]}}
                templates:
                  - name: main
                    container: {{image: any, command: {command}}}
          parameters:
            - src: {{dependencyName: push, dataKey: body.repository.name}}
              dest: spec.arguments.parameters.0.value
"""


def call_manifest(target):
    """Calls a URL with a value of the event."""
    return f"""---
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {{name: call}}
spec:
  dependencies:
    - name: push
      eventSourceName: bench
      eventName: push
      filters: {{data: [{{path: body.branch, type: string, value: [main]}}]}}
  triggers:
    - template:
        name: call
        http:
          url: http://127.0.0.1:{target}/in
          payload:
            - src: {{dependencyName: push, dataKey: body.repository.name}}
              dest: v
"""


def chain(n):
    steps = "".join(f"        - - {{name: s{i}, template: nothing}}\n" for i in range(n))
    return workflow_head("chain") + "    - name: main\n      steps:\n" + steps


def chain_makefile(n):
    rules = "".join(f"t{i}: {'t' + str(i - 1) if i else ''}\n\t@/bin/true\n" for i in range(n))
    return f"all: t{n - 1}\n{rules}.PHONY: all {' '.join(f't{i}' for i in range(n))}\n"


# ---- the measures ---------------------------------------------------------------------------------------------------
# Each yields pairs (ours, theirs).

def load(port, connections):
    return number(out([tool("load"), str(port), "/push", str(connections), SECONDS]), r"^(\d+) req/s")


def ingest(work, connections=64):
    ours, theirs = free_port(), free_port()
    with serve(work, "ingest", ours, source_manifest(ours) + sensor_manifest("other", "[/bin/true]")), \
            Server([tool("bare"), str(theirs), os.path.join(work, "bare.log")], theirs):
        for _ in range(ROUNDS):
            yield load(ours, connections), load(theirs, connections)


def answer(work):
    ours, theirs = free_port(), free_port()
    with serve(work, "answer", ours, source_manifest(ours) + sensor_manifest("other", "[/bin/true]")), \
            Server([tool("bare"), str(theirs), os.path.join(work, "bare.log")], theirs):
        for _ in range(ROUNDS):
            yield tuple(number(out([tool("load"), str(p), "/push", "1", "1"]), r"p50 ([\d.]+)") for p in (ours, theirs))


def react(work):
    ours, theirs = free_port(), free_port()
    name = f"tidegate-bench-{os.getpid()}"
    command = f'["{tool("mark")}", "{name}"]'
    with serve(work, "react", ours, source_manifest(ours) + sensor_manifest("main", command)), \
            Server([tool("bare"), str(theirs), os.path.join(work, "bare.log"), tool("mark"), name], theirs):
        for _ in range(ROUNDS):
            yield tuple(number(out([tool("react"), str(p), "/push", "200", name]), r"p50 ([\d.]+)") for p in (ours, theirs))


def call(work):
    ours, theirs, called, other = free_port(), free_port(), free_port(), free_port()
    with serve(work, "call", ours, source_manifest(ours) + call_manifest(called)):
        for _ in range(ROUNDS):
            with Server([tool("bare"), str(theirs), os.path.join(work, "bare.log"), f":{other}"], theirs):
                yield tuple(number(out([tool("react"), str(p), "/push", "200", f":{t}"]), r"p50 ([\d.]+)")
                            for p, t in ((ours, called), (theirs, other)))


def fan(work):
    path, makefile = write(work, "fan.yaml", fan_out(1000)), write(work, "fan.mk", fan_makefile(1000))
    for _ in range(ROUNDS):
        yield run_workflow(work, path, "off"), timed(["make", "-s", "-j2", "-f", makefile])


BWRAP = "seq 1000 | xargs -P2 -n1 bwrap --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp --unshare-pid --die-with-parent /bin/true"


def fan_sandbox(work):
    path = write(work, "fan.yaml", fan_out(1000))
    for _ in range(ROUNDS):
        yield run_workflow(work, path, "require"), timed(["sh", "-c", BWRAP])


def chained(work):
    path, makefile = write(work, "chain.yaml", chain(100)), write(work, "chain.mk", chain_makefile(100))
    for _ in range(ROUNDS):
        yield run_workflow(work, path, "off"), timed(["make", "-s", "-j2", "-f", makefile])


_startups = {}


def startups(work):
    """Start-up and memory come out of the same runs."""
    if not _startups:
        ours, theirs = free_port(), free_port()
        path = write(work, "start.yaml", source_manifest(ours) + sensor_manifest("other", "[/bin/true]"))
        hooks = write(work, "hooks.json", '[{"id": "push", "execute-command": "/bin/true", "http-methods": ["POST"], '
                      '"trigger-rule": {"match": {"type": "value", "value": "other", "parameter": {"source": "payload", "name": "branch"}}}}]')
        a = [tool("startup"), str(ours), "POST", "/push", TIDEGATE, "serve", "--state", os.path.join(work, "start.state"), "--listen",
             f"127.0.0.1:{free_port()}", "--auth", "none", "--sandbox", "off", path]
        b = [tool("startup"), str(theirs), "POST", "/hooks/push", shutil.which("webhook") or "webhook", "-hooks", hooks, "-ip",
             "127.0.0.1", "-port", str(theirs)]
        out(a)  # makes the state directory: a start is a start again
        runs = [(out(a), out(b)) for _ in range(ROUNDS)]
        for key, pattern in (("ms", r"ms ([\d.]+)"), ("pss", r"pss_kib (\d+)")):
            _startups[key] = [(number(x, pattern), number(y, pattern)) for x, y in runs]
    return _startups


def memory(work):
    yield from startups(work)["pss"]


def startup(work):
    yield from startups(work)["ms"]


ARGO = "Argo Events' own code, as measured"
FILTERS = [(name, title, ARGO, "us", 1e-3, sensors.filter_cost(*which), False, 0.5, goal) for name, title, which, goal in (
    ("filter", "data filter, 144 B", ("data", 144), 0.2),
    ("filter-checked", "the same, body known to be JSON", ("data", 144, True), 0.2),
    ("filter-1k", "data filter, 1.15 KB", ("data", 1178), 1 / 17),
    ("filter-1k-checked", "the same, body known to be JSON", ("data", 1178, True), 1 / 17),
    ("filter-64k", "data filter, 65 KB", ("data", 65700), 1 / 17),
    ("filter-64k-checked", "the same, body known to be JSON", ("data", 65700, True), 1 / 17),
    ("regex", "3 data filters, 1 a regex, 1.15 KB", ("regex", 1178), 0.2),
    ("exprs", "exprs filter, 1.15 KB", ("exprs", 1178), 0.2),
    ("script", "script filter, 144 B", ("script", 144), 0.2),
    ("script-1k", "script filter, 1.15 KB", ("script", 1178), 0.2),
)]

# name, title, peer, unit, factor for printing, measure, at least?, floor, goal
MEASURES = [
    ("ingest", "durable ingest, 64 connections", "bare group-commit server", "req/s", 1, ingest, True, 0.4, 0.7),
    ("answer", "durable answer, 1 connection", "the same", "ms", 1, answer, False, 2.0, 1.3),
    ("react", "event to started process, sandbox off", "bare server that spawns after its fdatasync", "ms", 1, react, False, 2.0, 1.15),
    ("call", "event to HTTP trigger's target", "bare server that calls after its fdatasync", "ms", 1, call, False, 2.5, 1.3),
    ("fan", "1,000-step fan-out, sandbox off", "make -j2", "s", 1, fan, False, 2.5, 1.3),
    ("fan-sandbox", "1,000-step fan-out, sandbox on", "bubblewrap under xargs -P2", "s", 1, fan_sandbox, False, 1.2, 0.7),
    ("chain", "100-step chain", "make", "s", 1, chained, False, 3.0, 1.5),
    ("nodes", "cost per node, 100,000 no-op nodes", "1,000 no-op nodes", "us", 1, scale.nodes, False, 1.3, 1.1),
    ("loop", "5,000-member loop, sandbox off", "make -j2", "s", 1, scale.loop, False, 2.5, 1.3),
    ("results", "1,000-step loop, results captured", "make -j2, results in files", "s", 1, scale.results, False, 2.5, 1.3),
    ("workflows", "1,000 workflows of one step", "a shell loop of the command", "s", 1, scale.workflows, False, 3.0, 1.5),
    ("burst", "5,000 workflows submitted at once", "a shell loop of the command", "s", 1, scale.burst, False, 3.0, 1.5),
    ("queued", "memory with 100,000 workflows queued", "10,000 queued", "MiB", 1 / 1024, scale.queued, False, 10.0, 5.0),
    ("flat", "memory after 100,000 workflows, idle", "after 100", "MiB", 1 / 1024, scale.flat, False, 3.0, 1.5),
    ("recovery", "restart with 100,000 queued", "with none", "ms", 1000, scale.recovery, False, 100, 15),
    ("finished", "20,000 finished nodes in memory", "20,000 waiting nodes", "MiB", 1 / 1024, scale.finished_nodes, False, 1.3, 0.5),
    *FILTERS,
    ("condition", "condition of 8 dependencies", ARGO, "ns", 1, sensors.condition, False, 0.5, 0.2),
    ("sensors", "event with 10,000 sensors, one matches", "with one sensor", "us", 1, sensors.many, False, 1.5, 1.15),
    ("kafka", "Kafka topic to durable log", "librdkafka's bare consumer, group commit", "msg/s", 1, kafka.kafka, True, 0.15, 0.3),
    ("backtest", "backtest of 100,000 events", "SQLite alone, and one filter", "s", 1, sensors.backtest, False, 6.0, 3.0),
    ("mqtt", "MQTT QoS 1 to the durable bus", "bare paho", "msg/s", 1, feeds.mqtt, True, 0.15, 0.25),
    ("sources-idle", "memory of 30 idle sources (Pss)", "no sources", "MiB", 1 / 1024, feeds.idle, False, 4.0, 2.5),
    ("storm", "200 sources come back", "the longest wait between attempts", "s", 1, feeds.storm, False, 2.0, 1.2),
    ("artifact", "an artifact of 1 GiB, step to step", "cp, and sync", "s", 1, artifacts.through, False, 8.0, 3.0),
    ("artifact-tree", "10,000 small files, step to step", "tar -cz, tar -xz, and sync", "s", 1, artifacts.tree, False, 2.5, 1.0),
    ("s3", "an artifact of 1 GiB to S3", "curl to the same server", "s", 1, artifacts.upload, False, 4.0, 1.5),
    ("memory", "idle memory (Pss)", "Debian's webhook", "MiB", 1 / 1024, memory, False, 2.0, 0.9),
    ("startup", "start-up to first 200", "Debian's webhook", "ms", 1, startup, False, 3.0, 0.9),
]


def judge(ratio, at_least, floor, goal):
    reaches = (lambda limit: ratio >= limit) if at_least else (lambda limit: ratio <= limit)
    return "goal" if reaches(goal) else "floor" if reaches(floor) else "MISSED"


def main():
    wanted = sys.argv[1:] or [m[0] for m in MEASURES]
    unknown = set(wanted) - {m[0] for m in MEASURES}
    if unknown:
        sys.exit(f"no measure {', '.join(sorted(unknown))}; there are {', '.join(m[0] for m in MEASURES)}")
    print(f"class: {'round robin' if RT else 'normal (chrt is not permitted: expect noise)'}; median of {ROUNDS}; "
          f"{os.cpu_count()} processors", flush=True)
    code = 0
    with tempfile.TemporaryDirectory(prefix="work-", dir=BIN) as work:
        for name, title, peer, unit, factor, measure, at_least, floor, goal in MEASURES:
            if name not in wanted:
                continue
            try:
                pairs = list(measure(work))
            except (RuntimeError, OSError, AttributeError, subprocess.TimeoutExpired) as e:
                print(f"{title:<40} NOT MEASURED: {e}", flush=True)
                code = 2
                continue
            ours, theirs = (statistics.median(p[i] for p in pairs) for i in (0, 1))
            ratio = statistics.median(a / b for a, b in pairs)
            verdict = judge(ratio, at_least, floor, goal)
            code = max(code, verdict == "MISSED")
            sign = ">=" if at_least else "<="
            print(f"{title:<40} {ratio:6.2f}x  ours {ours * factor:10.3f} {unit:<6} {peer} {theirs * factor:.3f} {unit}"
                  f"  (floor {sign} {floor:.2g}x, goal {sign} {goal:.2g}x: {verdict})", flush=True)
            for note in notes:
                print(f"{'':<40} {note}", flush=True)
            notes.clear()
    return code


if __name__ == "__main__":
    sys.exit(main())
