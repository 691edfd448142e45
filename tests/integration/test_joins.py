# SPDX-License-Identifier: Apache-2.0
"""Joins under kill -9: what fires is what the order of the events in the log says, as if nobody had died.

Events of four dependencies come over several connections at once; the daemon is killed at moments of chance and started again. The
log then holds what was taken in, in its order and with its times; a model of a few lines goes through it and says which events
fire together. Each firing names its workflow after its events, so a firing that is lost, done twice or made of other events shows.

TIDEGATE_JOIN_EVENTS and TIDEGATE_JOIN_KILLS set the size.
"""
import json
import os
import random
import socket
import sqlite3
import threading
import unittest

from harness import TestCase, free_port, scaled, until

EVENTS = int(os.environ.get("TIDEGATE_JOIN_EVENTS", scaled(3000, 20000)))
KILLS = int(os.environ.get("TIDEGATE_JOIN_KILLS", scaled(4, 12)))
CONNECTIONS, BATCH = 4, 25
MINUTE = 60 * 10**9

SOURCE = """
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {name: hooks}
spec:
  webhook:
""" + "".join(f"    {x}: {{endpoint: /{x}, method: POST, port: \"PORT\"}}\n" for x in "abcd")

SENSOR = """
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {name: joined}
spec:
  dependencies:
""" + "".join(f"    - {{name: {x}, eventSourceName: hooks, eventName: {x}}}\n" for x in "abcd") + """
  triggers:
    - template:
        name: together
        conditions: a && b && (c || d)
        conditionsReset: [{byTime: {cron: "* * * * *"}}]
        argoWorkflow:
          operation: submit
          source:
            resource:
              apiVersion: argoproj.io/v1alpha1
              kind: Workflow
              metadata: {name: w}
              spec:
                entrypoint: main
                templates:
                  - {name: main, steps: [[{name: never, template: nothing, when: "false"}]]}
                  - {name: nothing, suspend: {}}
          parameters:
""" + "".join(f"            - {{src: {{dependencyName: {x}, dataTemplate: '-{{{{.Input.body.n}}}}', value: '-x'}}, "
              "dest: metadata.name, operation: append}\n" for x in "abcd")


def firings(log):
    """The model: [(dependency, number, time)] in the order of the log -> names of workflows, in order."""
    waiting, fired = {}, []
    for dependency, number, time in log:
        tick = time // MINUTE * MINUTE
        waiting = {d: (n, t) for d, (n, t) in waiting.items() if t >= tick}
        waiting[dependency] = number, time
        if "a" in waiting and "b" in waiting and ("c" in waiting or "d" in waiting):
            fired.append("-".join(["w"] + [waiting[d][0] if d in waiting else "x" for d in "abcd"]))
            waiting = {}
    return fired


class Sender(threading.Thread):
    """Posts events of all dependencies in batches until it is told to end; whatever is not answered is left behind."""

    def __init__(self, number, port):
        super().__init__(daemon=True)
        self.prefix, self.port, self.count, self.answered, self.ended = number, port, 0, 0, False
        self.random = random.Random(number)

    def request(self):
        self.count += 1
        body = json.dumps({"n": f"{self.prefix}c{self.count}"})
        return (f"POST /{self.random.choice('abcd')} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}").encode()

    def batches(self, s):
        while not self.ended:
            s.sendall(b"".join(self.request() for _ in range(BATCH)))
            got, seen = b"", 0
            while seen < BATCH:
                more = s.recv(65536)
                if not more:
                    return
                got += more
                seen = got.count(b"HTTP/1.1 200")
            self.answered += BATCH

    def run(self):
        while not self.ended:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=60) as s:
                    self.batches(s)
            except OSError:
                threading.Event().wait(0.02)  # it is dead just now


class Joins(TestCase):
    def read(self, sql):
        db = sqlite3.connect(f"file:{self.database()}?mode=ro", uri=True)
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()

    def database(self):
        return next(os.path.join(self.d.state, x) for x in os.listdir(self.d.state) if x.endswith(".db"))

    def test_firings_under_kill_are_those_of_the_log(self):
        port = free_port()
        self.d = self.daemon({"source.yaml": SOURCE.replace("PORT", str(port)), "sensor.yaml": SENSOR})
        senders = [Sender(i + 1, port) for i in range(CONNECTIONS)]
        for s in senders:
            s.start()
        chance = random.Random(7)
        try:
            for kill in range(KILLS):
                goal = EVENTS * (kill + 1) // (KILLS + 1) + chance.randrange(20)
                until(lambda g=goal: sum(s.answered for s in senders) >= g, 600, f"{goal} events")
                self.d.kill()
                self.d.start()
            until(lambda: sum(s.answered for s in senders) >= EVENTS, 600, f"{EVENTS} events")
        finally:
            for s in senders:
                s.ended = True
        for s in senders:
            s.join(60)
        self.d.stop()
        log = [(subject, json.loads(data)["body"]["n"], time)
               for subject, data, time in self.read("SELECT subject, data, time FROM bus_event ORDER BY key")]
        got = [name for (name,) in self.read("SELECT name FROM workflow ORDER BY id")]
        want = firings(log)
        self.assertGreaterEqual(len(log), EVENTS)
        self.assertEqual([x for x in got if x not in set(want)], [], "fired, and should not")
        self.assertEqual([x for x in want if x not in set(got)], [], "should have fired")
        self.assertEqual(got, want)
        self.assertEqual(self.read("SELECT count(*) FROM firing"), [(0,)])  # none was given up: none came twice
        print(f"{len(log)} events, {KILLS} kills, {len(got)} firings")


if __name__ == "__main__":
    unittest.main()
