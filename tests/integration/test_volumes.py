# SPDX-License-Identifier: Apache-2.0
"""Volumes of real workflows: claims over a kill and until they go, files made of other objects, names with variables."""
import os
import unittest

from harness import TestCase, until


def workflow(name, code=0, strategy=None):
    mount = [{"name": "work", "mountPath": "/work"}]
    spec = {"entrypoint": "main", "volumeClaimTemplates": [{"metadata": {"name": "work"}}], "templates": [
        {"name": "main", "steps": [[{"name": "put", "template": "put"}], [{"name": "get", "template": "get"}]]},
        {"name": "put", "container": {"image": "busybox", "command": ["sh", "-c", "echo kept >/work/f"], "volumeMounts": mount}},
        {"name": "get", "container": {"image": "busybox", "command": ["sh", "-c", f"cat /work/f && exit {code}"], "volumeMounts": mount}}]}
    if strategy:
        spec["volumeClaimGC"] = {"strategy": strategy}
    return {"metadata": {"name": name}, "spec": spec}


# What the workflow's volumes say is put in for each step: from the step before, from the step's own inputs.
NAMED = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: named-}
spec:
  entrypoint: main
  volumes:
  - {name: "{{inputs.parameters.volume}}", configMap: {name: conf, items: [{key: "{{steps.one.outputs.parameters.key}}", path: file}]}}
  - name: all
    projected:
      sources:
      - configMap: {name: conf, items: [{key: b, path: sub/b, mode: 256}]}
      - secret: {name: sec}
      - downwardAPI: {items: [{path: cpu, resourceFieldRef: {containerName: main, resource: limits.cpu, divisor: 1m}}]}
  templates:
  - name: main
    steps:
    - - {name: one, template: one}
    - - {name: two, template: two, arguments: {parameters: [{name: volume, value: mine}]}}
  - name: one
    container: {image: busybox, command: [sh, -c, "printf a >/tmp/key"]}
    outputs: {parameters: [{name: key, valueFrom: {path: /tmp/key}}]}
  - name: two
    inputs: {parameters: [{name: volume}]}
    container:
      image: busybox
      command: [sh, -ec, "cat /mine/file /all/sub/b /all/pass /all/cpu; stat -c %a /all/sub/b"]
      resources: {limits: {cpu: 500m}}
      volumeMounts: [{name: "{{inputs.parameters.volume}}", mountPath: /mine}, {name: all, mountPath: /all}]
"""
OBJECTS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: conf}
data: {a: "alpha ", b: "beta "}
---
apiVersion: v1
kind: Secret
metadata: {name: sec}
stringData: {pass: "hidden "}
"""


class Volumes(TestCase):
    def claims(self, d):
        path = os.path.join(d.state, "claims", ".workflows", "default")
        return sorted(os.listdir(path)) if os.path.isdir(path) else []

    def ended(self, d, name):
        return until(lambda: (lambda w: w["status"].get("finishedAt") and w)(d.get(name)), 120, "its end")

    def test_claims_of_workflows_go_when_they_are_to(self):
        d = self.daemon({})
        for name, code, strategy in (("good", 0, None), ("bad", 1, None), ("any", 1, "OnWorkflowCompletion")):
            self.assertEqual(d.api("POST", "/api/v1/workflows/default", {"workflow": workflow(name, code, strategy)})[0], 200)
        status = {name: self.ended(d, name)["status"] for name in ("good", "bad", "any")}
        self.assertEqual([status[n]["phase"] for n in ("good", "bad", "any")], ["Succeeded", "Failed", "Failed"])
        self.assertEqual(status["bad"]["persistentVolumeClaims"], [{"name": "work", "persistentVolumeClaim": {"claimName": "bad-work"}}])
        self.assertNotIn("persistentVolumeClaims", status["any"])
        d.kill()
        d.start()
        until(lambda: self.claims(d) == ["bad"], 120, "the end of the claims")
        self.assertEqual(d.api("DELETE", "/api/v1/workflows/default/bad")[0], 200)
        until(lambda: self.claims(d) == [], 120, "the end of the claim with its workflow")

    def test_volumes_name_variables(self):
        d = self.daemon({"objects.yaml": OBJECTS})
        name = d.cli("submit", "-", "-o", "name", data=NAMED).stdout.strip()
        self.assertEqual(self.ended(d, name)["status"]["phase"], "Succeeded")
        logs = [os.path.join(at, n) for at, _, names in os.walk(os.path.join(d.state, "tasks", "default", name)) for n in names if "two" in n and n.endswith(".log")]
        with open(logs[0], encoding="utf-8") as f:
            said = [line.split(" ", 1)[1].rstrip("\n") for line in f if not line.startswith("#")]
        self.assertEqual(said, ["alpha beta hidden 500400"])


if __name__ == "__main__":
    unittest.main()
