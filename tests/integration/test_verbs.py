# SPDX-License-Identifier: Apache-2.0
"""What verbs leave in the objects: a resubmission, a retry, a stop."""
import unittest

from harness import TestCase, until

WORKFLOW = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {GENERATE, labels: {team: blue}, annotations: {note: kept}}
spec:
  entrypoint: main
  activeDeadlineSeconds: 0
  arguments: {parameters: [{name: code, value: "1"}]}
  templates:
  - name: main
    container: {image: busybox, command: [sh, -c, "exit {{workflow.parameters.code}}"]}
"""
LABEL = "workflows.argoproj.io/"


class Verbs(TestCase):
    def setUp(self):
        super().setUp()
        self.d = self.daemon({})

    def finished(self, name):
        def look():
            w = self.d.get(name)
            return w if w["status"].get("finishedAt") else None
        return until(look, 60, f"the end of {name}")

    def submit(self, generate):
        return self.d.cli("submit", "-", "-o", "name", data=WORKFLOW.replace("GENERATE", generate)).stdout.strip()

    def test_resubmit_makes_a_new_one(self):
        for generate, prefix in (("name: first", "first-"), ("generateName: many-", "many-")):
            old = self.finished(self.submit(generate))
            name = old["metadata"]["name"]
            self.assertEqual(old["status"]["phase"], "Failed")
            new = self.finished(self.d.cli("resubmit", name, "-o", "name").stdout.strip())
            meta = new["metadata"]
            self.assertTrue(meta["name"].startswith(prefix) and meta["name"] != name, meta["name"])
            self.assertNotEqual(meta["uid"], old["metadata"]["uid"])
            self.assertEqual((meta["labels"]["team"], meta["annotations"]["note"]), ("blue", "kept"))
            self.assertEqual(meta["labels"][LABEL + "resubmitted-from-workflow"], name)
            self.assertNotIn("activeDeadlineSeconds", new["spec"])
            self.assertNotIn("shutdown", new["spec"])
            self.assertEqual(new["status"]["message"], "main: Error (exit code 1)")
            self.assertEqual(self.d.get(name), old)

    def test_resubmit_with_other_values(self):
        name = self.submit("name: first")
        self.finished(name)
        new = self.finished(self.d.cli("resubmit", name, "-p", "code=0", "-o", "name").stdout.strip())
        self.assertEqual((new["status"]["phase"], new["metadata"]["labels"][LABEL + "completed"]), ("Succeeded", "true"))

    def test_labels_follow_the_workflow(self):
        name = self.submit("name: first")
        labels = self.finished(name)["metadata"]["labels"]
        self.assertEqual((labels[LABEL + "phase"], labels[LABEL + "completed"]), ("Failed", "true"))
        self.d.cli("retry", name, "-p", "code=0")
        done = until(lambda: (lambda w: w if w["status"]["phase"] == "Succeeded" else None)(self.d.get(name)), 60, "its success")
        labels = done["metadata"]["labels"]
        self.assertEqual((labels[LABEL + "phase"], labels[LABEL + "completed"]), ("Succeeded", "true"))


if __name__ == "__main__":
    unittest.main()
