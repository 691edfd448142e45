# SPDX-License-Identifier: Apache-2.0
"""What the settings say of every workflow: workflowDefaults below it, workflowRestrictions on what it is made from."""
import os
import unittest

from harness import TestCase, until

TEMPLATE = """
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: greet}
spec:
  entrypoint: main
  priority: 7
  arguments: {parameters: [{name: who, value: template}]}
  templates:
    - name: main
      container: {image: busybox, command: [echo], args: ["{{workflow.parameters.who}} {{workflow.parameters.site}}"]}
"""
DEFAULTS = """
workflowDefaults:
  metadata: {labels: {site: north, team: all}, annotations: {note: default}}
  spec:
    priority: 3
    activeDeadlineSeconds: 600
    arguments: {parameters: [{name: site, value: north}, {name: who, value: default}]}
    hooks: {exit: {template: bye}}
    templates: [{name: bye, container: {image: busybox, command: [echo, bye]}}]
"""


class Policy(TestCase):
    def served(self, settings):
        path = os.path.join(self.directory, "settings.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(settings)
        return self.daemon({"greet.yaml": TEMPLATE}, "--config", path)

    def run_one(self, d, spec, labels=None):
        status, made = d.api("POST", "/api/v1/workflows/default", {"workflow": {"metadata": {"generateName": "w-", "labels": labels or {}}, "spec": spec}})
        self.assertEqual(status, 200, made)
        name = made["metadata"]["name"]
        return d.ended(name, 60)

    def test_defaults(self):
        d = self.served(DEFAULTS)
        plain = self.run_one(d, {"entrypoint": "main", "arguments": {"parameters": [{"name": "who", "value": "own"}]}, "templates": [
            {"name": "main", "container": {"image": "busybox", "command": ["echo"], "args": ["{{workflow.parameters.who}} {{workflow.parameters.site}}"]}}]}, {"team": "a"})
        self.assertEqual(plain["status"]["phase"], "Succeeded", plain["status"])
        self.assertEqual({k: plain["metadata"]["labels"][k] for k in ("site", "team")}, {"site": "north", "team": "a"})
        self.assertEqual(plain["metadata"]["annotations"]["note"], "default")
        self.assertEqual((plain["spec"]["priority"], plain["spec"]["activeDeadlineSeconds"]), (3, 600))
        self.assertIn("own north", d.cli("logs", plain["metadata"]["name"]).stdout)
        self.assertIn("bye", d.cli("logs", plain["metadata"]["name"]).stdout)
        by_ref = self.run_one(d, {"workflowTemplateRef": {"name": "greet"}})
        self.assertEqual(by_ref["status"]["phase"], "Succeeded", by_ref["status"])
        stored = by_ref["status"]["storedWorkflowTemplateSpec"]
        self.assertEqual((stored["priority"], stored["activeDeadlineSeconds"]), (7, 600))
        self.assertNotIn("priority", by_ref["spec"])
        self.assertEqual(by_ref["metadata"]["labels"]["site"], "north")
        self.assertIn("template north", d.cli("logs", by_ref["metadata"]["name"]).stdout)

    def test_wrong_defaults_are_an_error_of_the_settings(self):
        with self.assertRaisesRegex(AssertionError, "workflowDefaults.spec"):
            self.served("workflowDefaults: {spec: {entrypiont: main}}\n")

    def test_restrictions(self):
        for mode in ("Strict", "Secure"):
            with self.subTest(mode):
                d = self.served(f"workflowRestrictions: {{templateReferencing: {mode}}}\n")
                spec = {"entrypoint": "m", "templates": [{"name": "m", "suspend": {}}]}
                status, body = d.api("POST", "/api/v1/workflows/default", {"workflow": {"metadata": {"name": "x"}, "spec": spec}})
                self.assertEqual((status, body["message"]), (403, "workflows must use workflowTemplateRef to be executed when the controller is in reference mode"))
                ref = {"workflowTemplateRef": {"name": "greet"}, "arguments": {"parameters": [{"name": "site", "value": "s"}]}}
                self.assertEqual(self.run_one(d, {**ref, "priority": 1})["status"]["phase"], "Succeeded")
                status, body = d.api("POST", "/api/v1/workflows/default", {"workflow": {"metadata": {"name": "x"}, "spec": {**ref, "onExit": "m"}}})
                self.assertEqual(status, 403, body)
                self.assertIn("spec.onExit", body["message"])
                d.stop()


if __name__ == "__main__":
    unittest.main()
