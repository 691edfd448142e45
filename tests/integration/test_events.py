# SPDX-License-Identifier: Apache-2.0
"""Events from the webhook to the workflow; reload of manifests; what `events` says about each."""
import json
import signal
import unittest

from harness import TestCase, free_port, post, sign, until

SOURCE = """
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {name: hooks}
spec:
  webhook:
    hello: {endpoint: /hello, method: POST, port: "PORT"}
"""
SENSOR = """
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {name: greeter}
spec:
  dependencies:
    - name: hello
      eventSourceName: hooks
      eventName: hello
      filters: {data: [{path: body.who, type: string, value: [world, you]}]}
  triggers:
    - template:
        name: greet
        argoWorkflow:
          operation: submit
          source:
            resource:
              apiVersion: argoproj.io/v1alpha1
              kind: Workflow
              metadata: {generateName: greet-}
              spec:
                entrypoint: main
                arguments: {parameters: [{name: who, value: nobody}]}
                templates:
                  - name: main
                    container: {image: busybox, command: [echo], args: ["hello {{workflow.parameters.who}}"]}
          parameters:
            - {src: {dependencyName: hello, dataKey: body.who}, dest: spec.arguments.parameters.0.value}
"""


class Events(TestCase):
    def setUp(self):
        super().setUp()
        self.port = free_port()
        self.d = self.daemon({"source.yaml": SOURCE.replace("PORT", str(self.port)), "sensor.yaml": SENSOR})

    def hello(self, who):
        return post(self.port, "/hello", json.dumps({"who": who}), {"Content-Type": "application/json"})

    def events(self):
        return [json.loads(x) for x in self.d.cli("events", "-o", "json").stdout.splitlines()]

    def decided(self, n):
        return until(lambda: (lambda e: len(e) >= n and all(x["decisions"] for x in e) and e)(self.events()), 20, f"{n} decisions")

    def test_a_request_becomes_a_workflow_and_the_other_is_explained(self):
        self.assertEqual(self.hello("world")[0], 200)
        name = until(lambda: self.d.cli("list", "-o", "name").stdout.strip(), 20, "the workflow")
        self.d.cli("wait", name)
        self.assertIn("hello world", self.d.cli("logs", name).stdout)
        self.assertEqual(self.hello("stranger")[0], 200)
        events = self.decided(2)
        fired, filtered = events[0]["decisions"][0], events[1]["decisions"][0]
        self.assertEqual((fired["verdict"], fired["sensor"]), ("fired", "greeter"))
        self.assertIn(name, json.dumps(fired["result"]))
        self.assertEqual(filtered["verdict"], "filtered")
        self.assertIn("body.who", filtered["reason"])
        self.assertEqual(len(self.d.list()), 1)

    def test_emit_goes_the_same_way(self):
        event = self.d.cli("emit", "hooks/hello", "-d", json.dumps({"who": "you"})).stdout.strip()
        self.assertEqual(self.decided(1)[0]["id"], event)
        name = until(lambda: self.d.cli("list", "-o", "name").stdout.strip(), 20, "the workflow")
        self.d.cli("wait", name)
        wrong = self.d.cli("emit", "hooks/helo", check=False)
        self.assertEqual(wrong.returncode, 4)
        self.assertIn("hello", wrong.stderr)

    def test_a_bad_change_keeps_the_old_set_and_a_good_one_is_taken(self):
        self.d.write("sensor.yaml", SENSOR.replace("dependencies:", "dependenciez:"))
        until(lambda: "the old ones stay in force" in self.d.log(), 20, "the refusal")
        self.assertRegex(self.d.log(), r"sensor\.yaml:6:3: error: .*dependenciez")
        self.hello("world")
        until(lambda: self.d.cli("list", "-o", "name").stdout.strip(), 20, "the old sensor's workflow")
        self.d.write("sensor.yaml", SENSOR.replace("[world, you]", "[moon]"))
        until(lambda: "manifests read again" in self.d.log(), 20, "the change")
        self.hello("moon")
        until(lambda: len(self.d.list()) == 2, 20, "the new sensor's workflow")

    def test_status_says_how_sources_and_sensors_are(self):
        self.assertEqual(self.hello("world")[0], 200)
        self.decided(1)
        status = json.loads(self.d.cli("status", "-o", "json").stdout)
        self.assertEqual([(s["eventSource"], s["event"], s["state"]) for s in status["sources"]], [("hooks", "hello", "running")])
        self.assertEqual([(s["name"], s["fired"]) for s in status["sensors"]], [("greeter", 1)])
        self.assertRegex(self.d.cli("status").stdout, r"default/hooks/hello +webhook +running")

    def test_a_wrong_jq_program_is_told_before_any_event(self):
        self.d.write("other.yaml", SENSOR.replace("greeter", "wrong").replace("      filters:", "      transform: {jq: '.body | nothing(1)'}\n      filters:"))
        self.d.process.send_signal(signal.SIGHUP)
        line = until(lambda: [x for x in self.d.log().splitlines() if "jq program" in x], 60, "the log")[0]
        for part in ("level=error", "sensor=default/wrong", "dependency=hello", "nothing/1 is not defined"):
            self.assertIn(part, line)

    def test_hangup_reads_again(self):
        self.d.process.send_signal(signal.SIGHUP)
        until(lambda: "manifests read again" in self.d.log(), 20, "the reading")
        self.assertEqual(self.hello("world")[0], 200)

    def test_a_port_moves_with_its_manifest(self):
        other = free_port()
        self.d.write("source.yaml", SOURCE.replace("PORT", str(other)))
        until(lambda: "manifests read again" in self.d.log(), 20, "the change")
        self.port = other
        self.assertEqual(self.hello("world")[0], 200)


GITHUB = """
apiVersion: v1
kind: Secret
metadata: {name: hook}
stringData: {secret: s3cret}
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {name: github}
spec:
  github:
    any:
      repositories: [{owner: demo, names: [app]}]
      webhook: {endpoint: /github, port: "PORT", method: POST}
      events: ["*"]
      webhookSecret: {name: hook, key: secret}
"""


class Signatures(TestCase):
    def test_a_flipped_byte_is_refused_and_nothing_is_stored(self):
        port = free_port()
        d = self.daemon({"source.yaml": GITHUB.replace("PORT", str(port))})
        body = json.dumps({"ref": "refs/heads/main"}).encode()
        headers = {"Content-Type": "application/json", "X-GitHub-Event": "push", "X-GitHub-Delivery": "d-1", "X-Hub-Signature-256": sign("s3cret", body)}
        flipped = bytes([body[0], body[1] ^ 1]) + body[2:]
        self.assertEqual(post(port, "/github", flipped, headers)[0], 400)
        wrong = dict(headers, **{"X-Hub-Signature-256": headers["X-Hub-Signature-256"][:-1] + ("0" if headers["X-Hub-Signature-256"][-1] != "0" else "1")})
        self.assertEqual(post(port, "/github", body, wrong)[0], 400)
        self.assertEqual(d.cli("events", "-o", "json").stdout, "")
        self.assertEqual(post(port, "/github", body, headers)[0], 200)
        self.assertEqual(post(port, "/github", body, headers)[0], 200)
        self.assertEqual(len(d.cli("events", "-o", "json").stdout.splitlines()), 1, "a redelivery is the same event")


if __name__ == "__main__":
    unittest.main()
