# SPDX-License-Identifier: Apache-2.0
"""Real payloads: every push, pull_request, release and workflow_run of the npm package @octokit/webhooks-examples, signed.

Each is accepted, stored once and dispatched by the sensor's dependency for its kind; a flipped byte in body or signature is refused
and leaves nothing behind; a redelivery is the same event.
"""
import glob
import http.client
import json
import os
import sys
import unittest

from harness import FULL, ROOT, TestCase, free_port, sign, until

PACKAGE = os.path.join(ROOT, "build", "npm", "node_modules", "@octokit", "webhooks-examples")
KINDS = ("push", "pull_request", "release", "workflow_run")
SECRET = "It's a Secret to Everybody"

SOURCE = """
apiVersion: v1
kind: Secret
metadata: {name: github}
stringData: {secret: "It's a Secret to Everybody"}
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {name: github}
spec:
  github:
    hook:
      repositories: [{owner: octocat, names: [hello-world]}]
      webhook: {endpoint: /hook, method: POST, port: "PORT"}
      webhookSecret: {name: github, key: secret}
      contentType: json
"""


def sensor():
    dependencies = "".join(f"""
    - name: {kind.replace("_", "-")}
      eventSourceName: github
      eventName: hook
      filters: {{data: [{{path: "body.X-GitHub-Event", type: string, value: ["^{kind}$"]}}]}}""" for kind in KINDS)
    triggers = "".join(f"""
    - template: {{name: {kind.replace("_", "-")}, conditions: {kind.replace("_", "-")}, log: {{}}}}""" for kind in KINDS)
    return f"""
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {{name: kinds}}
spec:
  dependencies:{dependencies}
  triggers:{triggers}
"""


def corpus(kinds):
    """(kind, delivery id, payload) of every example."""
    for path in sorted(glob.glob(os.path.join(PACKAGE, "*", "index.json"))):
        folder = os.path.basename(os.path.dirname(path))
        with open(path, encoding="utf-8") as f:
            for entry in json.load(f):
                if entry["name"] in kinds:
                    for i, example in enumerate(entry["examples"]):
                        yield entry["name"], f"{folder}-{entry['name']}-{i}", json.dumps(example, ensure_ascii=False).encode()


HERE = FULL or os.path.isdir(PACKAGE)
if not HERE:
    print("not run: the payloads of @octokit/webhooks-examples; make integration installs them", file=sys.stderr)


@unittest.skipUnless(HERE, "make integration installs @octokit/webhooks-examples")
class Corpus(TestCase):
    def setUp(self):
        super().setUp()
        self.port = free_port()
        self.d = self.daemon({"source.yaml": SOURCE.replace("PORT", str(self.port)), "sensor.yaml": sensor()})
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        self.addCleanup(self.connection.close)

    def deliver(self, kind, delivery, body, signature=None):
        self.connection.request("POST", "/hook", body, {
            "Content-Type": "application/json", "X-GitHub-Event": kind, "X-GitHub-Delivery": delivery,
            "X-Hub-Signature-256": signature or sign(SECRET, body)})
        r = self.connection.getresponse()
        return r.status, r.read().decode(), r.getheader("X-Tidegate-Event-Id")

    def events(self):
        return [json.loads(x) for x in self.d.cli("events", "--limit", "1000", "-o", "json").stdout.splitlines()]

    def test_every_payload(self):
        sent = {}
        for kind, delivery, body in corpus(KINDS):
            status, text, event = self.deliver(kind, delivery, body)
            self.assertEqual((status, text), (200, "success"), delivery)
            self.assertNotIn(event, sent)
            sent[event] = (kind, delivery, body)
        self.assertGreaterEqual(len(sent), 90)
        for kind in KINDS:
            self.assertTrue(any(k == kind for k, _, _ in sent.values()), kind)
        # A redelivery is the same event, in this life of the daemon and in the next.
        for event, (kind, delivery, body) in list(sent.items())[::10]:
            self.assertEqual(self.deliver(kind, delivery, body), (200, "success", event))
        self.d.kill()
        self.d.start()
        self.connection.close()
        for event, (kind, delivery, body) in list(sent.items())[::10]:
            self.assertEqual(self.deliver(kind, delivery, body), (200, "success", event))

        def decided():
            got = self.events()
            return got if len(got) >= len(sent) and all(x["decisions"] for x in got) else None

        stored = until(decided, 60, "a decision on every event")
        self.assertEqual(sorted(x["id"] for x in stored), sorted(sent))  # each once, and nothing else
        for x in stored:
            fired = [d["dependency"] for d in x["decisions"] if d["verdict"] == "fired"]
            self.assertEqual(fired, [sent[x["id"]][0].replace("_", "-")], sent[x["id"]][1])

    def test_other_kinds_are_filtered(self):
        self.assertEqual(self.deliver("issues", "i-1", b'{"action":"opened"}')[:2], (200, "success"))
        x = until(lambda: (lambda e: e and e[0]["decisions"] and e)(self.events()), 20, "the decision")[0]
        self.assertEqual({d["verdict"] for d in x["decisions"]}, {"filtered"})

    def test_a_flipped_byte(self):
        refused = 0
        for n, (kind, delivery, body) in enumerate(corpus(KINDS)):
            signature = sign(SECRET, body)
            at = n * 7919 % len(body)
            flipped = body[:at] + bytes([body[at] ^ 1]) + body[at + 1:]
            self.assertEqual(self.deliver(kind, delivery, flipped, signature)[:2], (400, "payload signature check failed"))
            digit = 7 + n * 31 % 64
            other = signature[:digit] + ("0" if signature[digit] != "0" else "1") + signature[digit + 1:]
            self.assertEqual(self.deliver(kind, delivery, body, other)[:2], (400, "payload signature check failed"))
            refused += 2
        self.assertGreaterEqual(refused, 180)
        self.assertEqual(self.events(), [])


if __name__ == "__main__":
    unittest.main()
