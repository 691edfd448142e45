# SPDX-License-Identifier: Apache-2.0
"""estimatedDuration: as long as the last successful run of the same template took, also after a restart and its deletion."""
import unittest

from harness import TestCase, until

TEMPLATE = """
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: slow}
spec:
  entrypoint: main
  arguments: {parameters: [{name: code, value: "0"}]}
  templates:
    - name: main
      steps: [[{name: wait, template: wait}, {name: quick, template: quick}]]
    - name: wait
      container: {image: busybox, command: [sh, -c, "sleep 2; exit {{workflow.parameters.code}}"]}
    - name: quick
      container: {image: busybox, command: ["true"]}
"""


class Estimates(TestCase):
    def run_one(self, d, name, code=0):
        body = {"resourceKind": "WorkflowTemplate", "resourceName": "slow", "submitOptions": {"name": name, "parameters": [f"code={code}"]}}
        self.assertEqual(d.api("POST", "/api/v1/workflows/default/submit", body)[0], 200)
        early = until(lambda: (lambda s: s.get("nodes") and s)(d.get(name)["status"]), 60, "its nodes")
        done = until(lambda: (lambda s: s.get("finishedAt") and s)(d.get(name)["status"]), 60, "its end")
        return early, done

    def nodes(self, status):
        return {n["displayName"]: n.get("estimatedDuration", 0) for n in status["nodes"].values()}

    def test_by_the_last_success(self):
        d = self.daemon({"slow.yaml": TEMPLATE})
        early, done = self.run_one(d, "first")
        self.assertNotIn("estimatedDuration", done)
        d.cli("delete", "first")
        for again in ("second", "third"):
            early, done = self.run_one(d, again)
            self.assertGreaterEqual(early["estimatedDuration"], 1)
            self.assertGreaterEqual(self.nodes(early)["wait"], 1)
            self.assertEqual(self.nodes(done)["wait"], self.nodes(early)["wait"])
            self.assertEqual(done["estimatedDuration"], early["estimatedDuration"])
            d.kill()
            d.start()
            self.assertEqual(d.get(again)["status"]["estimatedDuration"], early["estimatedDuration"])
        self.assertEqual(self.run_one(d, "bad", 1)[1]["phase"], "Failed")


if __name__ == "__main__":
    unittest.main()
