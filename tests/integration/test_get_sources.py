# SPDX-License-Identifier: Apache-2.0
"""What the daemon tells of its event sources: `tidegate get eventsources`, metrics, and the events themselves."""
import json
import socket
import unittest
import urllib.request

from harness import TestCase, free_port, until

SOURCE = """
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {name: NAME}
spec:
  webhook:
    push: {endpoint: /push, port: "PORT", method: POST}
"""


class GetSourcesTest(TestCase):
    def metric(self, d, name, source):
        for line in d.api("GET", "/metrics")[1].decode().splitlines():
            if line.startswith(f'{name}{{eventsource_name="{source}"'):
                return float(line.rsplit(" ", 1)[1])
        return None

    def state(self, d, name):
        return json.loads(d.cli("get", "eventsources", name, "-o", "json").stdout)[0]

    def test_a_source_that_cannot_run_says_why_and_runs_when_it_can(self):
        port, other = free_port(), socket.create_server(("0.0.0.0", 0))
        taken = other.getsockname()[1]
        d = self.daemon({"good.yaml": SOURCE.replace("NAME", "good").replace("PORT", str(port)),
                         "bad.yaml": SOURCE.replace("NAME", "bad").replace("PORT", str(taken))})
        self.assertEqual(self.state(d, "good")["state"], "running")
        self.assertEqual(self.metric(d, "tidegate_eventsource_up", "good"), 1)
        bad = until(lambda: (lambda s: s if s["state"] == "failed" else None)(self.state(d, "bad")), 30, "the failure")
        self.assertIn(str(taken), bad["error"])
        self.assertEqual(self.metric(d, "tidegate_eventsource_up", "bad"), 0)
        self.assertGreaterEqual(self.metric(d, "tidegate_eventsource_failures_total", "bad"), 1)
        table = d.cli("get", "es").stdout
        self.assertIn("default/bad/push", table)
        self.assertIn("default/good/push", table)
        other.close()
        good = until(lambda: (lambda s: s if s["state"] == "running" else None)(self.state(d, "bad")), 120, "it to run")
        self.assertIn(str(taken), good["lastError"])
        self.assertEqual(self.metric(d, "tidegate_eventsource_up", "bad"), 1)
        self.assertEqual(d.cli("get", "eventsources", "-o", "name").stdout.split(), ["bad", "good"])
        missing = d.cli("get", "eventsources", "goood", check=False)
        self.assertEqual(missing.returncode, 4)
        self.assertIn('no eventsource "goood"', missing.stderr)

    def test_what_an_event_carries(self):
        port = free_port()
        d = self.daemon({"good.yaml": SOURCE.replace("NAME", "good").replace("PORT", str(port))})
        for body in (b'{"a":1}', b'{"a":2}'):
            urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/push", body, {"Content-Type": "application/json"})).read()
        events = [json.loads(line) for line in d.cli("events", "--data", "-o", "json").stdout.splitlines()]
        self.assertEqual([e["data"]["body"]["a"] for e in events], [1, 2])
        one = d.cli("events", "--id", events[1]["id"], "--data").stdout
        self.assertIn('"body":{"a":2}', one)
        self.assertNotIn('"body":{"a":1}', one)


if __name__ == "__main__":
    unittest.main()
