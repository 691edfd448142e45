# SPDX-License-Identifier: Apache-2.0
"""WorkflowEventBindings: events sent to the API start workflows from templates."""
import http.client
import json
import unittest

from harness import TestCase

MANIFESTS = {"template.yaml": """
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: say}
spec:
  entrypoint: main
  arguments: {parameters: [{name: message, value: nothing}, {name: raw, value: nothing}]}
  templates:
  - name: main
    inputs: {parameters: [{name: message}]}
    container: {image: x, command: [echo, "{{inputs.parameters.message}}"]}
""", "bindings.yaml": """
apiVersion: argoproj.io/v1alpha1
kind: WorkflowEventBinding
metadata: {name: on-message}
spec:
  event: {selector: 'discriminator == "chat" && payload.message != "" && metadata["x-room"] == ["a", "b"]'}
  submit:
    workflowTemplateRef: {name: say}
    metadata: {generateName: 'payload.who + "-"', labels: {from: payload.who, constant: '"yes"'}, annotations: {ns: namespace}}
    arguments:
      parameters:
      - {name: message, valueFrom: {event: payload.message}}
      - {name: raw, valueFrom: {event: '{"n": payload.n, "list": [1, payload.message]}'}}
---
apiVersion: argoproj.io/v1alpha1
kind: WorkflowEventBinding
metadata: {name: on-fault}
spec:
  event: {selector: 'discriminator == "fault" && payload.a.b > 1'}
  submit: {workflowTemplateRef: {name: say}}
---
apiVersion: argoproj.io/v1alpha1
kind: WorkflowEventBinding
metadata: {name: also-on-fault}
spec:
  event: {selector: 'discriminator == "fault"'}
  submit: {workflowTemplateRef: {name: say}}
"""}


class Dispatch(TestCase):
    def send(self, d, path, payload, headers=()):
        c = http.client.HTTPConnection("127.0.0.1", d.port, timeout=30)
        c.putrequest("POST", "/api/v1/events/" + path)
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        for name, value in (("Authorization", "Bearer " + d.token), ("Content-Length", str(len(body))), *headers):
            c.putheader(name, value)
        c.endheaders(body)
        r = c.getresponse()
        answer = json.loads(r.read())
        c.close()
        return r.status, answer

    def test_selector_metadata_and_parameters(self):
        d = self.daemon(MANIFESTS)
        payload = {"message": "hi \"there\"", "who": "ann", "n": 2}
        rooms = [("X-Room", "a"), ("x-room", "b")]
        self.assertEqual(self.send(d, "default/chat", payload, rooms), (200, {}))
        self.assertEqual(self.send(d, "default/other", payload, rooms), (200, {}))
        self.assertEqual(self.send(d, "default/chat", payload), (200, {}))
        workflows = d.list()
        self.assertEqual(len(workflows), 1)
        w = workflows[0]
        self.assertTrue(w["metadata"]["name"].startswith("ann-"), w["metadata"])
        labels = w["metadata"]["labels"]
        self.assertEqual([labels["from"], labels["constant"], labels["workflows.argoproj.io/workflow-event-binding"],
                          labels["workflows.argoproj.io/workflow-template"]], ["ann", "yes", "on-message", "say"])
        self.assertEqual(w["metadata"]["annotations"]["ns"], "default")
        parameters = {p["name"]: p["value"] for p in w["spec"]["arguments"]["parameters"]}
        self.assertEqual(parameters["message"], payload["message"])
        self.assertEqual(json.loads(parameters["raw"]), {"n": 2, "list": [1, payload["message"]]})

    def test_a_binding_that_fails_does_not_keep_another_from_it(self):
        d = self.daemon(MANIFESTS)
        status, answer = self.send(d, "default/fault", {"a": None})
        self.assertEqual(status, 400, answer)
        self.assertIn('WorkflowEventBinding "on-fault"', answer["message"])
        self.assertIn("spec.event.selector", answer["message"])
        self.assertEqual([w["metadata"]["labels"]["workflows.argoproj.io/workflow-event-binding"] for w in d.list()], ["also-on-fault"])

    def test_the_same_event_again_over_a_kill(self):
        d = self.daemon(MANIFESTS)
        key = [("Idempotency-Key", "k1")]
        self.assertEqual(self.send(d, "default/fault", {"a": {"b": 0}}, key), (200, {}))
        d.kill()
        d.start()
        self.assertEqual(self.send(d, "default/fault", {"a": {"b": 0}}, key), (200, {}))
        self.assertEqual(len(d.list()), 1)
        self.assertEqual(self.send(d, "default/fault", {"a": {"b": 0}}), (200, {}))
        self.assertEqual(len(d.list()), 2)

    def test_payloads(self):
        d = self.daemon(MANIFESTS)
        self.assertEqual(self.send(d, "default/none", b"")[0], 200)
        self.assertEqual(self.send(d, "default/", b"[1]")[0], 200)
        self.assertEqual(self.send(d, "default/x", b"{no json")[0], 400)
        self.assertEqual(self.send(d, "default/x", b'"' + b"x" * (2 << 20) + b'"')[0], 413)
        self.assertEqual(d.list(), [])


if __name__ == "__main__":
    unittest.main()
