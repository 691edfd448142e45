# SPDX-License-Identifier: Apache-2.0
"""Results of memoized templates: used by later workflows, kept over kill -9, read from ConfigMaps of the manifests."""
import json
import os
import unittest

from harness import TestCase

# Every run of the command gives another result, so whoever has the same one did not run it.
WORKFLOW = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: memo-}
spec:
  entrypoint: work
  templates:
  - name: work
    memoize: {key: KEY, cache: {configMap: {name: CACHE}}}
    container:
      image: busybox
      command: [sh, -c]
      args: ["cat /proc/sys/kernel/random/uuid > /tmp/out"]
    outputs: {parameters: [{name: out, valueFrom: {path: /tmp/out}}]}
"""
SEEDED = """
apiVersion: v1
kind: ConfigMap
metadata:
  name: seeded
  labels: {workflows.argoproj.io/configmap-type: Cache}
data:
  old: '{"nodeID":"other-1","outputs":{"parameters":[{"name":"out","value":"from-the-file"}]},"creationTimestamp":"2026-01-01T00:00:00Z","lastHitTimestamp":"2026-01-01T00:00:00Z"}'
  broken: '{"nodeID"'
---
apiVersion: v1
kind: ConfigMap
metadata: {name: unlabelled}
data: {}
"""


class Memoize(TestCase):
    def run_one(self, d, cache, key):
        text = WORKFLOW.replace("KEY", key).replace("CACHE", cache)
        name = d.submit(text)
        w = d.ended(name, 60)
        node = w["status"]["nodes"][w["metadata"]["name"]]
        return node, next((p["value"] for p in node.get("outputs", {}).get("parameters", [])), None)

    def settings(self, text):
        path = os.path.join(self.directory, "settings.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def test_results_are_used_by_others_and_survive_a_kill(self):
        d = self.daemon({})
        node, first = self.run_one(d, "results", "a")
        self.assertEqual(node["memoizationStatus"], {"hit": False, "key": "a", "cacheName": "results"})
        d.kill()
        d.start()
        node, second = self.run_one(d, "results", "a")
        self.assertEqual((node["type"], node["phase"], second), ("Pod", "Succeeded", first), json.dumps(node))
        self.assertEqual(node["memoizationStatus"]["hit"], True)
        self.assertNotEqual(self.run_one(d, "results", "b")[1], first)
        self.assertNotEqual(self.run_one(d, "others", "a")[1], first)

    def test_config_maps_of_the_manifests(self):
        d = self.daemon({"caches.yaml": SEEDED})
        node, value = self.run_one(d, "seeded", "old")
        self.assertEqual((value, node["memoizationStatus"]["hit"]), ("from-the-file", True))
        _, value = self.run_one(d, "seeded", "new")
        self.assertEqual(self.run_one(d, "seeded", "new")[1], value)
        node, _ = self.run_one(d, "seeded", "broken")
        self.assertIn("malformed cache entry: could not unmarshal JSON", node["message"])
        node, _ = self.run_one(d, "unlabelled", "a")
        self.assertEqual(node["phase"], "Error")
        self.assertEqual(node["message"], "memoization configmap doesn't have workflows.argoproj.io/configmap-type label, refusing to use it")

    def test_what_nobody_uses_goes(self):
        d = self.daemon({}, "--config", self.settings("cacheMaxIdle: 1ns\n"))
        first = self.run_one(d, "results", "a")[1]
        self.assertNotEqual(self.run_one(d, "results", "a")[1], first)


if __name__ == "__main__":
    unittest.main()
