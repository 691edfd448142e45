# SPDX-License-Identifier: Apache-2.0
"""sensors: what an event costs by the sensors that there are, by their filters, and by the dependencies of a condition."""
import re

from common import ROUNDS, SECONDS, free_port, notes, number, out, serve, source_manifest, tool

def sensor(i, source):
    """It stops every event with a filter: what counts is the way there."""
    return f"""---
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {{name: s{i}}}
spec:
  dependencies:
    - {{name: push, eventSourceName: {source}, eventName: push, filters: {{data: [{{path: body.branch, type: string, value: [other]}}]}}}}
  triggers:
    - template: {{name: log, log: {{}}}}
"""


def per_event(port):
    """Microseconds, with 64 connections that keep it busy."""
    return 1e6 / number(out([tool("load"), str(port), "/push", "64", SECONDS]), r"^(\d+) req/s")


def many(work):
    """10,000 sensors of which one wants the event, and that one alone."""
    ours, theirs = free_port(), free_port()
    one = sensor(0, "bench")
    others = "".join(sensor(i, f"other{i}") for i in range(1, 10000))
    with serve(work, "many", ours, source_manifest(ours) + one + others), serve(work, "one", theirs, source_manifest(theirs) + one):
        for _ in range(ROUNDS):
            yield per_event(ours), per_event(theirs)


def condition(work):
    """Eight dependencies, asked once; against what Argo Events' own code was measured to take, in ns."""
    for _ in range(ROUNDS):
        text = out([tool("join_cost")])
        yield number(text, r"condition of 8: ([\d.]+) ns"), 300.0
    notes.append(text.strip().splitlines()[-1])


# What Argo Events' own code was measured to take for the same, in ns, by the bytes of the body.
ARGO_FILTER = {("data", 144): 1726, ("data", 1178): 2747, ("data", 65700): 64000, ("regex", 1178): 5705, ("exprs", 1178): 7148, ("script", 144): 137618,
               ("script", 1178): 143063}
_filters = []


def filters():
    """What filter_cost sees, in ns: {(kind, bytes): (for the first sensor, for the next)}, a round each; all measures share them."""
    if not _filters:
        for _ in range(ROUNDS):
            seen = re.findall(r"^(\w+) (\d+): first (\d+) ns, next (\d+) ns", out([tool("filter_cost")]), re.M)
            _filters.append({(kind, int(size)): (float(first), float(following)) for kind, size, first, following in seen})
    return _filters


def filter_cost(kind, size, following=False):
    """The measure of a kind of filter on a body that nobody has looked at, or that somebody has."""
    def measure(_work):
        for seen in filters():
            yield seen[kind, size][following], ARGO_FILTER[kind, size]
    return measure
