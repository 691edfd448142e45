# SPDX-License-Identifier: Apache-2.0
"""Fields whose only effect is that a step can ask for them, and what is said of containers that are not here."""
import json
import os
import subprocess
import unittest

from harness import TIDEGATE, TestCase

ACCOUNT = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: who}
spec:
  entrypoint: main
  serviceAccountName: runner
  templates:
    - name: main
      steps:
        - [{name: own, template: own}, {name: workflow, template: workflow}]
        - [{name: asked, template: asked, arguments: {parameters: [{name: x, value: "{{steps.own.outputs.result}}, {{steps.workflow.outputs.result}}"}]}}]
    - name: own
      serviceAccountName: special
      script: &asks
        image: host
        command: [sh]
        source: echo "$ACCOUNT {{workflow.serviceAccountName}}"
        env: [{name: ACCOUNT, valueFrom: {fieldRef: {apiVersion: v1, fieldPath: spec.serviceAccountName}}}]
    - {name: workflow, script: *asks}
    - {name: asked, inputs: {parameters: [{name: x}]}, script: {image: host, command: ["true"], source: ""}}
"""

PATCHED = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: patched}
spec:
  entrypoint: main
  podSpecPatch: |
    initContainers:
    - {name: init, resources: {requests: {memory: 2Gi}}}
    - {name: more, image: host, command: [sh, -c, "echo more >>/w/said"], volumeMounts: [{name: w, mountPath: /w}]}
    containers:
    - {name: wait, resources: {limits: {memory: 1Gi}}}
  volumes: [{name: w, emptyDir: {}}]
  templates:
    - name: main
      steps:
        - [{name: own, template: own}]
        - [{name: asked, template: asked, arguments: {parameters: [{name: x, value: "{{steps.own.outputs.result}}"}]}}]
    - name: own
      initContainers: [{name: first, image: host, command: [sh, -c, "echo first >>/w/said"], volumeMounts: [{name: w, mountPath: /w}]}]
      script: {image: host, command: [sh], source: "sort /w/said | xargs", volumeMounts: [{name: w, mountPath: /w}]}
    - {name: asked, inputs: {parameters: [{name: x}]}, script: {image: host, command: ["true"], source: ""}}
"""


class Fields(TestCase):
    def results(self, manifest):
        path = os.path.join(self.directory, "workflow.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(manifest)
        done = subprocess.run([TIDEGATE, "run", "-o", "json", path], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        nodes = json.loads(done.stdout)["status"]["nodes"].values()
        return next(n for n in nodes if n["displayName"] == "asked")["inputs"]["parameters"][0]["value"]

    def test_service_account(self):
        self.assertEqual(self.results(ACCOUNT), "special runner, runner runner")

    def test_a_patch_of_containers_that_only_argo_has(self):
        self.assertEqual(self.results(PATCHED), "first more")


if __name__ == "__main__":
    unittest.main()
