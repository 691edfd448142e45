# SPDX-License-Identifier: Apache-2.0
"""Volumes of real workflows: claims over a kill and until they go, files made of other objects, names with variables; and volumes that mean harm."""
import json
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

# Artifacts at paths in volumes. What a step checks makes it fail.
LAID = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: laid}
spec:
  entrypoint: main
  volumeClaimTemplates: [{metadata: {name: w}}]
  templates:
  - name: main
    steps:
    - - {name: make, template: make}
    - - {name: put, template: put, arguments: &given {artifacts: [{name: d, from: "{{steps.make.outputs.artifacts.d}}"}]}}
    - - {name: look, template: look, arguments: {parameters: [{name: is, value: made-more-text-more}]}}
    - - {name: again, template: put, arguments: *given}
    - - {name: swap, template: swap, arguments: *given}
    - - {name: set, template: set, arguments: *given}
  - name: make
    container: {image: busybox, command: [sh, -c, "mkdir /tmp/d && printf made- >/tmp/d/a"]}
    outputs: {artifacts: [{name: d, path: /tmp/d}]}
  - name: put
    inputs: {artifacts: [{name: d, path: /w/deep/er/d/}, {name: t, path: /w/sub/t, raw: {data: text-}}, {name: no, path: /w/no, optional: true}]}
    container:
      image: busybox
      command: [sh, -ec, "test $(cat /w/deep/er/d/a) = made-; test $(cat /w/sub/t) = text-; printf more- >>/w/deep/er/d/a; printf more >>/w/sub/t; test ! -e /w/no"]
      volumeMounts: [{name: w, mountPath: /w}, {name: w, mountPath: /w/sub, subPath: of/it}]
  - name: look
    inputs: {parameters: [{name: is}]}
    container:
      image: busybox
      command: [sh, -ec, "test $(cat /w/deep/er/d/a)$(cat /w/of/it/t) = {{inputs.parameters.is}}"]
      volumeMounts: [{name: w, mountPath: /w}]
  - name: swap
    inputs: {artifacts: [{name: d, path: /w/of/it/t}, {name: t, path: /w/deep/er/d, raw: {data: text}}]}
    container:
      image: busybox
      command: [sh, -ec, "test $(cat /w/of/it/t/a)$(cat /w/deep/er/d) = made-text"]
      volumeMounts: [{name: w, mountPath: /w/}]
  - name: set
    inputs: {artifacts: [{name: d, path: /v/d}, {name: m, path: /m/text, raw: {data: text}}]}
    volumes: [{name: v, emptyDir: {}}, {name: m, emptyDir: {medium: Memory}}]
    initContainers: [{name: first, image: busybox, command: [sh, -ec, "test $(cat /v/d/a) = made-"], volumeMounts: [{name: v, mountPath: /v}]}]
    containerSet:
      volumeMounts: [{name: v, mountPath: /v//}, {name: m, mountPath: /m}]
      containers:
      - {name: one, image: busybox, command: [sh, -ec, "test $(cat /v/d/a) = made-; printf one >>/v/d/a"]}
      - {name: main, image: busybox, command: [sh, -ec, "test $(cat /v/d/a)$(cat /m/text) = made-onetext"], dependencies: [one]}
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

    def test_artifacts_in_volumes_are_files_of_theirs(self):
        """Whoever mounts the volume finds them, as in Argo: a later step, the other containers of the pod. What was there is replaced."""
        d = self.daemon({})
        d.cli("submit", "-", data=LAID)
        nodes = self.ended(d, "laid")["status"]["nodes"].values()
        self.assertEqual({n["displayName"]: n["phase"] for n in nodes if n["phase"] != "Succeeded"}, {}, [n.get("message") for n in nodes])

    def outcomes(self, d, volumes, claims=(), scripts=None, mounts=None, inputs=None):
        """{name: node} of a step for each volume, which mounts it at /m."""
        templates = [{"name": "main", "steps": [[{"name": n, "template": n, "continueOn": {"error": True, "failed": True}} for n in volumes]]}]
        for n, v in volumes.items():
            templates.append({"name": n, "inputs": {"artifacts": (inputs or {}).get(n, [])}, "volumes": [dict({"name": "v"}, **v)] if v else [], "container": {
                "image": "busybox", "command": ["sh", "-c", (scripts or {}).get(n, "true")],
                "volumeMounts": [dict({"name": "v", "mountPath": "/m"}, **(mounts or {}).get(n, {}))]}})
        spec = {"entrypoint": "main", "templates": templates, "volumeClaimTemplates": list(claims)}
        name = d.cli("submit", "-", "-o", "name", data=json.dumps({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"generateName": "v-"}, "spec": spec})).stdout.strip()
        return {n["displayName"]: n for n in self.ended(d, name)["status"]["nodes"].values() if n["type"] == "Pod"}

    def refused(self, nodes, why):
        for name, words in why.items():
            with self.subTest(name):
                self.assertEqual(nodes[name]["phase"], "Error", nodes[name].get("message"))
                self.assertIn(words, nodes[name]["message"])

    def test_files_that_mean_harm(self):
        def conf(path, **more):
            return {"configMap": {"name": "conf", "items": [dict({"key": "a", "path": path}, **more)]}}

        def both(*paths):
            return {"projected": {"sources": [{"configMap": {"name": "conf", "items": [{"key": k, "path": p}]}} for k, p in zip("ab", paths)]}}

        out = "must be relative and without .."
        volumes = {"up": (conf("../x"), out), "absolute": (conf("/etc/x"), out), "up-later": (conf("a/../../x"), out), "dots": (conf(".."), out),
                   "name-too-long": (conf("n" * 300), "File name too long"), "path-too-long": (conf("n/" * 2500 + "x"), "longer than"),
                   "downward-up": ({"downwardAPI": {"items": [{"path": "../x", "fieldRef": {"fieldPath": "metadata.name"}}]}}, out),
                   "clash": (both("x", "x/y"), "write x/y of a volume"), "clash-back": (both("x/y", "x"), "write x of a volume"),
                   "size": ({"emptyDir": {"sizeLimit": "lots"}}, "sizeLimit"), "size-negative": ({"emptyDir": {"sizeLimit": "-1"}}, "sizeLimit"),
                   "size-memory": ({"emptyDir": {"medium": "Memory", "sizeLimit": "1e99"}}, "sizeLimit")}
        d = self.daemon({"objects.yaml": OBJECTS})
        nodes = self.outcomes(d, {n: v for n, (v, _) in volumes.items()} | {"same": both("x", "x")},
                              scripts={"same": 'test "$(cat /m/x)" = "beta "'})
        self.refused(nodes, {n: why for n, (_, why) in volumes.items()})
        self.assertEqual(nodes["same"]["phase"], "Succeeded", nodes["same"].get("message"))  # the last source counts, as in Kubernetes
        name = {"fieldRef": {"fieldPath": "metadata.name"}}
        for v in (conf("x", mode=0o1000), conf("x", mode=0o4755), conf("x", mode=-1), {"secret": {"secretName": "sec", "defaultMode": 0o7777}},
                  {"projected": {"defaultMode": 512, "sources": [{"secret": {"name": "sec"}}]}}, {"downwardAPI": {"items": [dict({"path": "x", "mode": 99999}, **name)]}}):
            with self.subTest(v):
                with self.assertRaisesRegex(AssertionError, "error: .*[mM]ode: "):
                    self.outcomes(d, {"one": v})

    def test_claims_and_paths_that_mean_harm(self):
        host, outside = os.path.join(self.directory, "host"), os.path.join(self.directory, "outside")
        for path in (host, outside):
            os.mkdir(path)
        os.symlink(outside, os.path.join(host, "link"))
        os.symlink("../outside", os.path.join(host, "up"))
        settings = os.path.join(self.directory, "settings.yaml")
        with open(settings, "w", encoding="utf-8") as f:
            f.write(f"hostPaths: [{host}]\n")
        d = self.daemon({}, "--config", settings)

        def claim(name):
            return {"persistentVolumeClaim": {"claimName": name}}

        def at(path, kind=""):
            return {"hostPath": {"path": path, "type": kind}}

        no_name, no_path = "cannot be the name of a claim", "is not allowed"
        whys = {"slash": (claim("a/b"), no_name), "dots": (claim(".."), no_name), "up": (claim("../../x"), no_name), "hidden": (claim(".workflows"), no_name),
                "long": (claim("n" * 300), no_name), "foreign": (claim("none-of-mine"), "not found"),
                "by-link": (at(host + "/link"), no_path), "by-dots": (at(host + "/../outside"), no_path), "beside": (at(host + "-2", "DirectoryOrCreate"), "No such file"),
                "made-by-link": (at(host + "/link/made", "DirectoryOrCreate"), "No such file"), "file-by-link": (at(host + "/up/made", "FileOrCreate"), "No such file"),
                "made-by-dots": (at(host + "/../outside/made", "DirectoryOrCreate"), "No such file"), "relative": (at("host"), "must be an absolute path")}
        subs = {"sub-link": "link", "sub-link-below": "link/made", "sub-up": "up/made", "sub-dots": "a/../../outside", "sub-absolute": outside, "sub-long": "n" * 300}
        words = {"sub-dots": "must be relative and without ..", "sub-absolute": "must be relative and without ..", "sub-long": "File name too long"}
        nodes = self.outcomes(d, {n: v for n, (v, _) in whys.items()} | {n: at(host) for n in subs}, mounts={n: {"subPath": p} for n, p in subs.items()})
        self.refused(nodes, {n: why for n, (_, why) in whys.items()} | {n: words.get(n, "leads out of the volume") for n in subs})
        self.assertEqual(os.listdir(outside), [])
        self.assertFalse(os.path.exists(host + "-2"))
        for name in ("../../x", "a/b", ".hidden", "n" * 300):
            with self.subTest(name):
                with self.assertRaisesRegex(AssertionError, "cannot be the name of a volume"):
                    self.outcomes(d, {"one": None}, claims=[{"metadata": {"name": name}}], mounts={"one": {"name": name}})

    def test_artifacts_in_volumes_lead_nowhere_else(self):
        host, outside = os.path.join(self.directory, "host"), os.path.join(self.directory, "outside")
        for path in (host, outside):
            os.mkdir(path)
        os.symlink(outside, os.path.join(host, "link"))
        os.symlink(os.path.join(outside, "victim"), os.path.join(host, "last"))
        settings = os.path.join(self.directory, "settings.yaml")
        with open(settings, "w", encoding="utf-8") as f:
            f.write(f"hostPaths: [{host}]\n")
        d = self.daemon({}, "--config", settings)
        paths = {"link": "/m/link/x", "last": "/m/last", "read-only": "/m/x"}
        nodes = self.outcomes(d, {n: {"hostPath": {"path": host}} for n in paths}, scripts={"last": "test $(cat /m/last) = text"}, mounts={"read-only": {"readOnly": True}},
                              inputs={n: [{"name": "x", "path": path, "raw": {"data": "text"}}] for n, path in paths.items()})
        self.refused(nodes, {"link": "artifact in the volume at /m/link/x", "read-only": "mount /m/x"})
        self.assertEqual(nodes["last"]["phase"], "Succeeded", nodes["last"].get("message"))
        self.assertEqual((os.listdir(outside), sorted(os.listdir(host)), os.path.islink(os.path.join(host, "last"))), ([], ["last", "link"], False))

    def test_two_workflows_share_a_claim(self):
        claim = 'apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: shared}\nspec: {}\n'
        d = self.daemon({"claim.yaml": claim})
        one, two = {"persistentVolumeClaim": {"claimName": "shared"}}, {"persistentVolumeClaim": {"claimName": "shared", "readOnly": True}}
        self.assertEqual(self.outcomes(d, {"put": one}, scripts={"put": "echo kept >/m/f"})["put"]["phase"], "Succeeded")
        nodes = self.outcomes(d, {"get": two, "again": two}, scripts={"get": "test $(cat /m/f) = kept", "again": "! touch /m/g"})
        self.assertEqual([n["phase"] for n in nodes.values()], ["Succeeded"] * 2, [n.get("message") for n in nodes.values()])


if __name__ == "__main__":
    unittest.main()
