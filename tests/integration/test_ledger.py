# SPDX-License-Identifier: Apache-2.0
"""The ledger: many connections post signed events while the daemon is killed; every acknowledged event counts exactly once."""
import collections
import contextlib
import http.client
import http.server
import json
import random
import signal
import sqlite3
import threading
import time
import unittest

from harness import TestCase, free_port, scaled, sign, until

SECRET = "ledger-secret"
CONNECTIONS = scaled(48, 64)
EVENTS = scaled(600, 20000)
KILLS = scaled(2, 5)

SOURCE = """
apiVersion: v1
kind: Secret
metadata: {name: github-webhook}
stringData: {secret: ledger-secret}
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {name: github}
spec:
  github:
    push:
      repositories: [{owner: demo, names: [app]}]
      webhook: {endpoint: /push, port: "PORT", method: POST}
      events: [push]
      webhookSecret: {name: github-webhook, key: secret}
"""

# Its one step is skipped, so that the workflow is done at once: this is about creating it.
SENSOR_WORKFLOW = """
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {name: ledger}
spec:
  dependencies: [{name: push, eventSourceName: github, eventName: push}]
  triggers:
    - template:
        name: made
        argoWorkflow:
          operation: submit
          source:
            resource:
              apiVersion: argoproj.io/v1alpha1
              kind: Workflow
              metadata: {generateName: ledger-}
              spec:
                entrypoint: main
                arguments: {parameters: [{name: id, value: none}]}
                templates:
                  - name: main
                    steps: [[{name: never, template: nothing, when: "1 == 2"}]]
                  - name: nothing
                    suspend: {}
          parameters:
            - {src: {dependencyName: push, dataKey: body.number}, dest: spec.arguments.parameters.0.value}
"""

SENSOR_HTTP = """
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {name: ledger}
spec:
  dependencies: [{name: push, eventSourceName: github, eventName: push}]
  triggers:
    - retryStrategy: {steps: 50, duration: 100ms}
      template:
        name: told
        http:
          url: http://127.0.0.1:SINK/sink
          method: POST
          payload:
            - {src: {dependencyName: push, dataKey: body.number}, dest: number}
"""


class Sender(threading.Thread):
    """One connection: posts its share, again after every failure, until each was answered 2xx."""

    def __init__(self, port, numbers, ledger):
        super().__init__(daemon=True)
        self.port, self.numbers, self.ledger = port, numbers, ledger
        self.connection = None

    def attempt(self, number, body):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        self.connection.request("POST", "/push", body, {
            "Content-Type": "application/json", "X-GitHub-Event": "push", "X-GitHub-Delivery": f"delivery-{number}",
            "X-Hub-Signature-256": sign(SECRET, body)})
        r = self.connection.getresponse()
        r.read()
        return r.status

    def run(self):
        try:
            self.send_all()
        finally:
            if self.connection:
                self.connection.close()

    def send_all(self):
        for number in self.numbers:
            body = json.dumps({"ref": "refs/heads/main", "number": str(number), "pad": "x" * 300}).encode()
            while not self.ledger.give_up.is_set():
                self.ledger.count("sent")
                try:
                    status = self.attempt(number, body)
                except (OSError, http.client.HTTPException):
                    self.connection.close()
                    self.connection = None
                    time.sleep(0.01)  # the daemon was killed; it is on its way back
                    continue
                if 200 <= status < 300:
                    self.ledger.acknowledge(number)
                    break
                self.ledger.count(f"status {status}")
                time.sleep(0.01)


class Ledger:
    def __init__(self):
        self.lock = threading.Lock()
        self.counts = collections.Counter()
        self.acknowledged = set()
        self.give_up = threading.Event()

    def count(self, what):
        with self.lock:
            self.counts[what] += 1

    def acknowledge(self, number):
        with self.lock:
            self.acknowledged.add(number)


class Sink(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received(json.loads(body)["number"], {k.lower(): v for k, v in self.headers.items()})
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


class SinkServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, address):
        """A connection that the killed daemon left: that is the point of the test."""


class LedgerTest(TestCase):
    def send_all(self, d, port):
        """Posts everything over CONNECTIONS connections while the daemon is killed KILLS times."""
        ledger = Ledger()
        senders = [Sender(port, range(i, EVENTS, CONNECTIONS), ledger) for i in range(CONNECTIONS)]
        rng = random.Random(7)
        for s in senders:
            s.start()
        try:
            for kill in range(KILLS):
                target = EVENTS * (kill + rng.random()) / (KILLS + 1)
                until(lambda: len(ledger.acknowledged) >= target, 300, f"{target:.0f} acknowledged events")
                d.kill()
                d.start()
            until(lambda: len(ledger.acknowledged) == EVENTS, 600, "the last acknowledgement")
        finally:
            ledger.give_up.set()
            for s in senders:
                s.join(30)
        return ledger

    def report(self, kind, ledger, created):
        """created: Counter of numbers. Prints the ledger's line and judges it."""
        lost = [n for n in ledger.acknowledged if str(n) not in created]
        double = {n: c for n, c in created.items() if c > 1}
        invented = [n for n in created if not n.isdigit() or int(n) >= EVENTS]
        print(f"\nledger, {kind}: sent {ledger.counts['sent']} acknowledged {len(ledger.acknowledged)} created {sum(created.values())} "
              f"lost {len(lost)} duplicate {sum(double.values()) - len(double)} invented {len(invented)} "
              f"({CONNECTIONS} connections, {KILLS} kills)", flush=True)
        self.assertEqual(len(ledger.acknowledged), EVENTS)
        self.assertEqual(lost, [])
        self.assertEqual(invented, [])
        return double

    def workflow_numbers(self, d):
        created = collections.Counter()
        offset, path = "", "/api/v1/workflows/default?listOptions.limit=1000&fields=metadata,items.spec.arguments"
        while True:
            status, page = d.api("GET", path + (f"&listOptions.continue={offset}" if offset else ""))
            self.assertEqual(status, 200, page)
            for w in page["items"] or []:
                created[w["spec"]["arguments"]["parameters"][0]["value"]] += 1
            offset = page["metadata"].get("continue")
            if not offset:
                return created

    def test_workflow_trigger_is_exactly_once(self):
        port = free_port()
        d = self.daemon({"source.yaml": SOURCE.replace("PORT", str(port)), "sensor.yaml": SENSOR_WORKFLOW})
        ledger = self.send_all(d, port)
        with contextlib.suppress(AssertionError):  # who is missing, the report says
            until(lambda: sum(self.workflow_numbers(d).values()) >= EVENTS, 300, "the workflows")
        double = self.report("workflow trigger", ledger, self.workflow_numbers(d))
        self.assertEqual(double, {})

    def burst(self, d, clients, numbers):
        """More requests than a turn handles, all there when the daemon looks."""
        d.process.send_signal(signal.SIGSTOP)
        for client, number in zip(clients, numbers):
            body = json.dumps({"number": str(number)}).encode()
            client.request("POST", "/push", body, {"Content-Type": "application/json", "X-GitHub-Event": "push",
                                                   "X-GitHub-Delivery": f"delivery-{number}", "X-Hub-Signature-256": sign(SECRET, body)})
        d.process.send_signal(signal.SIGCONT)

    def test_an_event_and_what_it_causes_are_one_transaction(self):
        """Whoever looks between two commits, as a kill does, sees no event without its workflow."""
        port = free_port()
        d = self.daemon({"source.yaml": SOURCE.replace("PORT", str(port)), "sensor.yaml": SENSOR_WORKFLOW})
        clients = [http.client.HTTPConnection("127.0.0.1", port, timeout=60) for _ in range(100)]
        halves = []
        with contextlib.closing(sqlite3.connect(f"file:{d.state}/tidegate.db?mode=ro", uri=True)) as db:
            for round_ in range(1, 21):
                self.burst(d, clients, range(len(clients) * (round_ - 1), len(clients) * round_))
                events = 0
                while events < len(clients) * round_:
                    events, workflows = db.execute("SELECT (SELECT count(*) FROM bus_event), (SELECT count(*) FROM workflow)").fetchone()
                    if events != workflows:
                        halves.append((events, workflows))
                for c in clients:
                    with contextlib.closing(c.getresponse()) as r:
                        self.assertEqual((r.status, bool(r.read())), (200, True))
        for c in clients:
            c.close()
        self.assertEqual(halves, [])

    def test_http_trigger_loses_nothing_and_repeats_with_the_same_id(self):
        port = free_port()
        calls, lock = collections.defaultdict(list), threading.Lock()
        sink = SinkServer(("127.0.0.1", 0), Sink)

        def received(number, headers):
            with lock:
                calls[number].append(headers)

        sink.received = received
        threading.Thread(target=sink.serve_forever, daemon=True).start()
        self.addCleanup(sink.server_close)
        self.addCleanup(sink.shutdown)
        d = self.daemon({"source.yaml": SOURCE.replace("PORT", str(port)),
                         "sensor.yaml": SENSOR_HTTP.replace("SINK", str(sink.server_port))})
        ledger = self.send_all(d, port)
        with contextlib.suppress(AssertionError):
            until(lambda: len(calls) >= EVENTS, 300, "the calls")
        created = collections.Counter({n: len(c) for n, c in calls.items()})
        double = self.report("http trigger", ledger, created)
        for number in double:
            ids = {h.get("x-tidegate-firing-id") for h in calls[number]}
            self.assertEqual(len(ids), 1, f"event {number} was delivered under several ids: {ids}")
            self.assertNotIn(None, ids)


if __name__ == "__main__":
    unittest.main()
