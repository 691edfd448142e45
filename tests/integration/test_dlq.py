# SPDX-License-Identifier: Apache-2.0
"""Dead letters at the command line: listed, shown, tried again after the target was repaired, dropped."""
import http.server
import json
import threading
import unittest

from harness import TestCase, until

SENSOR = """
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {name: hooks}
spec:
  webhook:
    a: {endpoint: /a, method: POST, port: "12000"}
---
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {name: caller}
spec:
  dependencies:
    - {name: a, eventSourceName: hooks, eventName: a}
  triggers:
    - template:
        name: call
        http:
          url: http://127.0.0.1:PORT/in
          payload:
            - {src: {dependencyName: a, dataKey: body.v, useRawData: true}, dest: v}
"""


class Target(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.calls.append((self.headers["X-Tidegate-Firing-Id"], json.loads(body)))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


class DeadLetters(TestCase):
    def setUp(self):
        super().setUp()
        self.target = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Target)
        self.target.calls, self.target.status = [], 404
        threading.Thread(target=self.target.serve_forever, daemon=True).start()
        self.addCleanup(self.target.server_close)
        self.addCleanup(self.target.shutdown)
        self.d = self.daemon({"sensor.yaml": SENSOR.replace("PORT", str(self.target.server_address[1]))})

    def letters(self, *args):
        return json.loads(self.d.cli("dlq", "list", "-o", "json", *args).stdout or "[]")

    def emit(self, data):
        return self.d.cli("emit", "hooks/a", "-d", json.dumps(data)).stdout.strip()

    def test_retry_after_the_repair(self):
        events = [self.emit({"v": i}) for i in range(3)] + [self.emit({"w": 1})]
        until(lambda: len(self.letters()) == 4, what="four dead letters")
        self.assertEqual(4, len(self.letters("--sensor", "caller", "--trigger", "call")))
        refused = self.letters("--reason", "answered 404")
        self.assertEqual(events[:3], [x["events"][0]["id"] for x in refused])
        self.assertIn("REASON", self.d.cli("dlq", "list").stdout)
        shown = json.loads(self.d.cli("dlq", "show", refused[1]["id"], "-o", "json").stdout)
        self.assertEqual({"v": 1}, shown["events"][0]["data"]["body"])
        self.assertIn("tidegate_dead_letters{sensor_name=\"caller\",trigger_name=\"call\"} 4", self.d.api("GET", "/metrics")[1].decode())
        self.d.kill()  # letters are on disk
        self.d.start()
        self.target.status = 200
        self.assertEqual("3 tried again\n", self.d.cli("dlq", "retry", "--reason", "answered 404").stdout)
        until(lambda: len(self.target.calls) == 6, what="three more calls")
        self.assertEqual({x[0] for x in self.target.calls[:3]}, {x[0] for x in self.target.calls[3:]})
        until(lambda: len(self.letters()) == 1, what="one dead letter")
        self.assertEqual(2, self.d.cli("dlq", "drop", check=False).returncode)
        self.assertEqual("1 dropped\n", self.d.cli("dlq", "drop", self.letters()[0]["id"]).stdout)
        self.assertEqual("No dead letters found\n", self.d.cli("dlq", "list").stdout)


if __name__ == "__main__":
    unittest.main()
