# SPDX-License-Identifier: Apache-2.0
"""scale: many nodes, many workflows, and what they weigh."""
import json
import os
import re
import statistics
import time
import urllib.request

from common import (ROUNDS, fan_makefile, fan_out, free_port, notes, number, out, pss_kib, run_workflow, serve, timed, tool, workflow_head,
                    write)

ONE = {"workflow": {"metadata": {"generateName": "one-"}, "spec": {"entrypoint": "main", "templates": [
    {"name": "main", "container": {"image": "any", "command": ["/bin/true"]}}]}}}
NO_SOURCES = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: nothing}\n"


def nodes(_work):
    sizes = ("100000", "10000", "1000")
    rounds = [[number(out([tool("nodes"), n]), r"([\d.]+) us/node") for n in sizes] for _ in range(ROUNDS)]
    seen = [statistics.median(r[i] for r in rounds) for i in range(len(sizes))]
    notes.append(f"us a node at 1,000: {seen[2]:.2f}, at 10,000: {seen[1]:.2f}, at 100,000: {seen[0]:.2f}")
    yield from ((large, small) for large, _, small in rounds)


def loop(work):
    path, makefile = write(work, "loop.yaml", fan_out(5000)), write(work, "loop.mk", fan_makefile(5000))
    for _ in range(ROUNDS):
        yield run_workflow(work, path, "off"), timed(["make", "-s", "-j2", "-f", makefile])


def captured(n):
    return workflow_head("captured", "[/bin/echo, \"1\"]") + f"""    - name: use
      inputs: {{parameters: [{{name: all}}]}}
      container: {{image: any, command: [/bin/true]}}
    - name: main
      steps:
        - - {{name: one, template: nothing, withSequence: {{count: "{n}"}}}}
        - - name: two
            template: use
            arguments: {{parameters: [{{name: all, value: "{{{{steps.one.outputs.result}}}}"}}]}}
"""


def results(work):
    path = write(work, "captured.yaml", captured(1000))
    makefile = write(work, "captured.mk", fan_makefile(1000, f"/bin/echo 1 >{work}/result-$@"))
    for _ in range(ROUNDS):
        yield run_workflow(work, path, "off"), timed(["make", "-s", "-j2", "-f", makefile])


def shell_loop(n):
    return timed(["sh", "-c", f"i=0; while [ $i -lt {n} ]; do /bin/true; i=$((i+1)); done"])


def submitted(port, n, body, connections=16):
    """Seconds until all were accepted, and until all had ended."""
    text = out([tool("submit"), str(port), str(n), str(connections), "1", body])
    return number(text, r"accepted ([\d.]+)"), number(text, r"finished ([\d.]+)")


def workflows_at_once(work, n):
    port, body = free_port(), write(work, "one.json", json.dumps(ONE))
    with serve(work, f"submit-{n}", port, NO_SOURCES, listen=port) as server:
        submitted(port, 100, body)
        before, most = pss_kib(server.p.pid), 0
        for _ in range(ROUNDS):
            _, took = submitted(port, n, body)
            most = max(most, pss_kib(server.p.pid))
            yield took, shell_loop(n)
        after = server.settled()
    notes.append(f"memory: {before / 1024:.1f} MiB before, {most / 1024:.1f} right after a round, {after / 1024:.1f} when idle again")


def workflows(work):
    times = []
    for pair in workflows_at_once(work, 1000):
        times.append(pair[0])
        yield pair
    notes.append(f"{60000 / statistics.median(times):,.0f} workflows a minute")


def burst(work):
    yield from workflows_at_once(work, 5000)


LOOP = 20000


def nodes_made(port):
    """Of the workflow with most of them."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/workflows/default?fields=items.status.progress") as f:
        return max(int(w.get("status", {}).get("progress", "0/0").split("/")[1]) for w in json.load(f)["items"])


def finished_nodes(work):
    """A loop of no-op steps and a gate behind it, so that the workflow stays while all its nodes are done."""
    port, path = free_port(), os.path.join(work, "open-loop")
    spec = gate(path)
    spec["workflow"]["spec"]["entrypoint"] = "all"
    spec["workflow"]["spec"]["templates"] += [
        {"name": "nothing", "container": {"image": "any", "command": ["/bin/true"]}},
        {"name": "all", "steps": [[{"name": "one", "template": "nothing", "withSequence": {"count": str(LOOP)}}], [{"name": "two", "template": "main"}]]}]
    body, one = write(work, "loop.json", json.dumps(spec)), write(work, "one.json", json.dumps(ONE))
    with serve(work, "finished", port, NO_SOURCES, listen=port) as server:
        submitted(port, 100, one)
        idle = server.settled()
        accepted(port, 1, body, 1)
        while nodes_made(port) < LOOP:
            time.sleep(0.1)
        waiting = server.settled()
        while steps_done(port) < LOOP + 100:
            time.sleep(0.1)
        done = server.settled()
        write(work, "open-loop", "")
        out([tool("submit"), str(port), "0", "0", "101", one])
        time.sleep(2)
        after = server.settled()
    notes.append(f"{(done - idle) * 1024 / LOOP:.0f} bytes a finished node while its workflow runs, {(waiting - idle) * 1024 / LOOP:.0f} a waiting one; "
                 f"{after / 1024:.1f} MiB when the workflow is done, {idle / 1024:.1f} before")
    yield done - idle, waiting - idle


# ---- 100,000 workflows that wait ----------------------------------------------------------------------------------------

MANY = 100000
_queue = {}


def gate(path):
    """A workflow whose step runs until there is such a file: it keeps a place, so that all others wait."""
    step = {"image": "any", "command": ["/bin/sh", "-c", f"until [ -e {path} ]; do sleep 0.1; done"]}
    return {"workflow": {"metadata": {"generateName": "gate-"},
                         "spec": {"entrypoint": "main", "templates": [{"name": "main", "container": step}]}}}


def steps_done(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as f:
        return sum(int(n) for n in re.findall(r'^argo_workflows_pods_total_count\{phase="Succeeded".*\} (\d+)', f.read().decode(), re.M))


def accepted(port, n, body, connections=64):
    return number(out([tool("submit"), str(port), str(n), str(connections), "0", body]), r"accepted ([\d.]+)")


def queue(work):
    """Fills the queue behind closed gates, kills the daemon, starts it again, opens the gates, and waits until all are done."""
    if _queue:
        return _queue
    port, body, path = free_port(), write(work, "one.json", json.dumps(ONE)), os.path.join(work, "open")
    gates = write(work, "gate.json", json.dumps(gate(path)))
    settings = write(work, "queue.settings.yaml", "parallelism: 4\n")

    def start():
        return serve(work, "queue", port, NO_SOURCES, listen=port, options=("--config", settings))

    def taken(server):
        server.p.kill()
        server.p.wait()
        began = time.monotonic()
        again = start()
        return again, time.monotonic() - began

    server = start()
    submitted(port, 100, body)
    _queue["idle"] = server.settled()
    _queue["empty"] = []
    for _ in range(3):
        server, took = taken(server)
        _queue["empty"].append(took)
    accepted(port, 4, gates, 1)
    accepted(port, MANY // 10, body)
    _queue["tenth"] = server.settled()
    _queue["accepting"] = accepted(port, MANY - MANY // 10, body)
    _queue["all"] = server.settled()
    _queue["full"] = []
    for _ in range(3):
        server, took = taken(server)
        _queue["full"].append(took)
    write(work, "open", "")
    began = time.monotonic()
    out([tool("submit"), str(port), "0", "0", str(MANY + 4), body])
    _queue["draining"] = time.monotonic() - began
    time.sleep(2)
    _queue["after"] = server.settled()
    with server:
        pass
    return _queue


def queued(work):
    q = queue(work)
    notes.append(f"{(q['all'] - q['idle']) * 1024 / MANY:.0f} bytes a queued workflow at {MANY:,}; {MANY * 0.9 / q['accepting']:,.0f} accepted a second")
    yield q["all"], q["tenth"]


def flat(work):
    q = queue(work)
    notes.append(f"{MANY:,} workflows done in {q['draining']:.0f} s after a kill -9")
    yield q["after"], q["idle"]


def recovery(work):
    q = queue(work)
    yield from zip(q["full"], q["empty"])
