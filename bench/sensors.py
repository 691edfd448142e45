# SPDX-License-Identifier: Apache-2.0
"""sensors: what an event costs by the sensors that there are, by their filters, and by the dependencies of a condition."""
import os
import re

from common import ROUNDS, SECONDS, TIDEGATE, free_port, notes, number, out, serve, source_manifest, timed, tool, write

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


# ---- events that are stored ------------------------------------------------------------------------------------------------

STORED = 100000
PATH, VALUE = "body.id", "[05]0$"  # a fiftieth of what `load` sends


def counting_sensor(value):
    """Fires for the events of which a number ends so."""
    return sensor(0, "bench").replace("path: body.branch", f"path: {PATH}").replace("value: [other]", f'value: ["{value}"]')


def backtest(work):
    """Two sensors over 100,000 stored events, against SQLite that reads them and one filter."""
    port, state = free_port(), os.path.join(work, "stored.state")
    with serve(work, "stored", port, source_manifest(port)):
        seen = out([tool("load"), str(port), "/push", "64", "60", str(STORED)])
    before, after = (write(work, f"{name}.yaml", counting_sensor(value)) for name, value in (("before", VALUE), ("after", "(0|5)0$")))
    database = os.path.join(state, "tidegate.db")
    for _ in range(ROUNDS):
        took = timed([TIDEGATE, "backtest", after, "--against", before, "--state", state, "--since", "1h"])
        yield took, timed([tool("stored"), database, PATH, VALUE])
    notes.append(f"{number(seen, r'answers (.+?) ') / took:,.0f} events a second; stored: {out([tool('stored'), database, PATH, VALUE]).strip()}")
