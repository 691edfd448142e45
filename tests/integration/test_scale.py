# SPDX-License-Identifier: Apache-2.0
"""Many steps and many workflows: what waits, in what order it goes, and what it costs. Work is counted, never timed."""
import os
import unittest

from harness import TestCase, until

HEAD = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: NAME}
spec:
  entrypoint: main
  volumes: [{name: shared, hostPath: {path: "DIRECTORY"}}]
  templates:
    - name: step
      inputs: {parameters: [{name: i}]}
      container:
        image: any
        command: [sh, -c]
        args: ["echo NAME {{inputs.parameters.i}} >> DIRECTORY/journal; while [ ! -e DIRECTORY/go ]; do sleep 0.02; done"]
        volumeMounts: [{name: shared, mountPath: "DIRECTORY"}]
"""
LOOP = """
    - name: main
      steps:
        - - name: one
            template: step
            arguments: {parameters: [{name: i, value: "{{item}}"}]}
            withSequence: {count: "COUNT"}
"""


class Line(TestCase):
    def setUp(self):
        super().setUp()
        self.shared = os.path.join(self.directory, "shared")
        os.makedirs(self.shared)
        os.chmod(self.shared, 0o777)

    def put(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def loop(self, name, count):
        text = (HEAD + LOOP).replace("NAME", name).replace("DIRECTORY", self.shared).replace("COUNT", str(count))
        return self.put(name + ".yaml", text)

    def serve(self, parallelism):
        settings = self.put("settings.yaml", f"hostPaths: [{self.directory}]\nparallelism: {parallelism}\n")
        return self.daemon({}, "--config", settings, "--auth", "none")

    def journal(self):
        path = os.path.join(self.shared, "journal")
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as f:
            return f.read().split("\n")[:-1]

    def go(self):
        with open(os.path.join(self.shared, "go"), "w", encoding="utf-8"):
            pass

    def ended(self, d, name):
        w = until(lambda: (lambda w: w["status"].get("finishedAt") and w)(d.get(name)), 120, f"the end of {name}")
        return w["status"]

    def test_workflows_take_turns_and_steps_of_one_keep_their_order(self):
        d = self.serve(1)
        d.cli("submit", self.loop("large", 20))
        until(lambda: len(self.journal()) == 1, what="the first step")
        d.cli("submit", self.loop("small", 2))
        self.go()
        for name in ("large", "small"):
            self.assertEqual(self.ended(d, name)["phase"], "Succeeded")
        lines = self.journal()
        self.assertEqual([x for x in lines if x.startswith("large")], [f"large {i}" for i in range(20)])
        self.assertLess(lines.index("small 1"), 6, lines)

    def test_a_step_in_line_that_is_stopped_never_starts(self):
        d = self.serve(1)
        d.cli("submit", self.loop("large", 10))
        until(lambda: len(self.journal()) == 1, what="the first step")
        d.cli("stop", "large")
        status = self.ended(d, "large")
        self.assertEqual(status["phase"], "Failed")
        self.assertEqual(sum(n["type"] == "Pod" and n["phase"] == "Failed" for n in status["nodes"].values()), 10)
        self.go()
        d.cli("submit", self.loop("other", 1))
        self.assertEqual(self.ended(d, "other")["phase"], "Succeeded")
        self.assertEqual(self.journal(), ["large 0", "other 0"])

    def test_the_line_is_there_again_after_a_kill(self):
        d = self.serve(2)
        d.cli("submit", self.loop("large", 12))
        until(lambda: len(self.journal()) == 2, what="the first two steps")
        d.kill()
        d.start()
        self.assertEqual(d.get("large")["status"]["phase"], "Running")
        self.go()
        self.assertEqual(self.ended(d, "large")["phase"], "Succeeded")
        self.assertEqual(sorted(self.journal()), sorted(f"large {i}" for i in range(12)))


if __name__ == "__main__":
    unittest.main()
