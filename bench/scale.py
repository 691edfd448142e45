# SPDX-License-Identifier: Apache-2.0
"""scale: many nodes, many workflows, and what they weigh."""
import json
import statistics

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
