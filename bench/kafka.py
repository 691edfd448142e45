# SPDX-License-Identifier: Apache-2.0
"""kafka: a topic into the durable log, beside librdkafka's bare consumer with the same group commit. The broker is librdkafka's own."""
import contextlib
import os
import sqlite3
import subprocess
import time

from common import ROUNDS, RT, free_port, number, out, serve, tool

MESSAGES, PARTITIONS = 200000, 24  # such a broker keeps five megabytes of a partition


def source(address, group):
    return f"""apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {{name: bench}}
spec:
  kafka:
    push: {{url: "{address}", topic: bench, jsonBody: true, consumerGroup: {{groupName: {group}, oldest: true}}}}
"""


@contextlib.contextmanager
def broker():
    p = subprocess.Popen(RT + [tool("kafka"), "serve", str(MESSAGES), str(PARTITIONS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL, text=True)
    try:
        address = p.stdout.readline().strip()
        if not address:
            raise RuntimeError("the broker does not serve")
        yield address
    finally:
        p.stdin.close()
        p.wait()


# Two look-ups: asked for both at once, SQLite reads the whole table, and the writer's log cannot begin anew meanwhile.
STORED = "SELECT coalesce((SELECT max(key) FROM bus_event) - (SELECT min(key) FROM bus_event) + 1, 0)"


def intake(work, name, address):
    """Messages a second, from the first to the last that is stored."""
    port = free_port()
    with serve(work, name, port, source(address, name), listen=port), \
            contextlib.closing(sqlite3.connect(f"file:{os.path.join(work, name + '.state')}/tidegate.db?mode=ro", uri=True)) as db:
        end = time.monotonic() + 300
        while db.execute(STORED).fetchone()[0] < MESSAGES:
            if time.monotonic() > end:
                raise RuntimeError("not all messages came")
            time.sleep(0.05)
        first, last, n = db.execute("SELECT min(time), max(time), count(*) FROM bus_event").fetchone()
    if n != MESSAGES:
        raise RuntimeError(f"{n} events of {MESSAGES} messages")
    return n / ((last - first) / 1e9)


def kafka(work):
    with broker() as address:
        for i in range(ROUNDS):
            yield intake(work, f"kafka{i}", address), number(
                out([tool("kafka"), "bare", address, f"bare{i}", str(MESSAGES), os.path.join(work, "kafka.log")]), r"^(\d+) messages/s")
