# SPDX-License-Identifier: Apache-2.0
"""Many steps and many workflows: what waits, in what order it goes, and what it costs. Work is counted, never timed."""
import http.client
import json
import os
import re
import unittest

from harness import TestCase, scaled, until

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
        w = d.ended(name)
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

    def test_workflows_wait_outside_while_the_line_of_steps_is_long(self):
        d = self.serve(2)
        d.cli("submit", self.loop("large", 1100))
        until(lambda: len(self.journal()) == 2, what="the first two steps")
        for i in range(3):
            d.cli("submit", self.loop(f"later-{i}", 1))
        d.kill()
        d.start()
        for i in range(3):
            status = d.get(f"later-{i}")["status"]
            self.assertEqual(status["phase"], "Pending")
            self.assertIn("postponed", status["message"])
            self.assertNotIn("nodes", status)
        self.assertEqual(len(d.list()), 4)
        d.cli("terminate", "later-1")
        self.go()
        self.assertEqual(self.ended(d, "later-0")["phase"], "Succeeded")
        self.assertEqual(self.ended(d, "later-1")["phase"], "Failed")
        self.assertEqual(self.ended(d, "later-2")["phase"], "Succeeded")
        self.assertEqual(self.ended(d, "large")["phase"], "Succeeded")
        lines = self.journal()
        self.assertEqual(len(lines), 1102)
        self.assertNotIn("later-1 0", lines)


ONE = {"workflow": {"metadata": {"generateName": "one-"}, "spec": {"entrypoint": "main", "templates": [
    {"name": "main", "container": {"image": "any", "command": ["/bin/true"]}}]}}}


class Memory(TestCase):
    def anonymous_kib(self, d):
        with open(f"/proc/{d.process.pid}/smaps_rollup", encoding="ascii") as f:
            return int(re.search(r"^Pss_Anon:\s+(\d+)", f.read(), re.M).group(1))

    def ended(self, d):
        text = d.api("GET", "/metrics")[1].decode()
        return sum(int(x) for x in re.findall(r'^argo_workflows_total_count{phase="Succeeded",namespace="default"} (\d+)', text, re.M))

    def submit(self, d, n):
        c = http.client.HTTPConnection("127.0.0.1", d.port, timeout=60)
        for _ in range(n):
            c.request("POST", "/api/v1/workflows/default", json.dumps(ONE))
            answer = c.getresponse()
            answer.read()
            self.assertEqual(answer.status, 200)
        c.close()

    def test_what_is_done_weighs_nothing(self):
        """Three rounds of as many workflows: the second and the third add no more than the caches of the store."""
        n = scaled(1000, 2000)
        d = self.daemon({}, "--auth", "none", "--sandbox", "off")
        first = 0
        for i in range(3):
            self.submit(d, n)
            until(lambda i=i: self.ended(d) == n * (i + 1), 300, "the end of a round")
            # A workflow in memory is some twenty KiB, its smallest part four; the caches are two MiB each.
            limit = first + (4 << 10) if first else n * 8
            until(lambda limit=limit: self.anonymous_kib(d) < limit, 60, f"less than {limit} KiB after round {i + 1}")
            first = first or self.anonymous_kib(d)


ENDLESS = {"workflow": {"metadata": {"name": "endless"}, "spec": {"entrypoint": "main", "templates": [
    {"name": "main", "dag": {"tasks": [{"name": "a", "template": "main"}, {"name": "b", "template": "main"}]}}]}}}


class Growth(TestCase):
    """A template that calls itself twice: a hundred levels of it are 2^100 nodes."""

    def serve(self, nodes):
        path = os.path.join(self.directory, "settings.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(f"workflowNodes: {nodes}\n")
        return self.daemon({}, "--config", path, "--auth", "none", "--sandbox", "off")

    def submit(self, d, what):
        status, body = d.api("POST", "/api/v1/workflows/default", what)
        self.assertEqual(status, 200, body)
        return body["metadata"]["name"]

    def status(self, d, name):
        return d.api("GET", f"/api/v1/workflows/default/{name}?fields=status.phase,status.message")[1]["status"]

    def another_is_served(self, d):
        name = self.submit(d, ONE)
        until(lambda: self.status(d, name)["phase"] == "Succeeded", 60, "the end of the other workflow")
        self.assertEqual(d.api("GET", "/healthz")[0], 200)
        self.assertEqual(self.status(d, "endless")["phase"], "Running")

    def test_it_keeps_nobody_waiting_and_can_be_stopped(self):
        d = self.serve(100000000)
        self.submit(d, ENDLESS)
        self.another_is_served(d)
        d.kill()
        d.start()
        self.another_is_served(d)
        self.assertEqual(d.stop(), 0)
        d.start()
        self.another_is_served(d)
        d.cli("terminate", "endless")
        until(lambda: self.status(d, "endless")["phase"] == "Failed", 60, "the end of what was terminated")

    def peak_kib(self, d, path, method="GET"):
        """What the memory grows by while that is answered."""
        def field(name):
            with open(f"/proc/{d.process.pid}/status", encoding="ascii") as f:
                return int(re.search(rf"^{name}:\s+(\d+)", f.read(), re.M).group(1))
        with open(f"/proc/{d.process.pid}/clear_refs", "w", encoding="ascii") as f:
            f.write("5")  # the peak is what is
        before = field("VmRSS")
        status, body = d.api(method, path)
        self.assertEqual(status, 200, body)
        return field("VmHWM") - before

    def test_who_wants_no_nodes_does_not_pay_for_them(self):
        """It took half a minute to say the phase of a million nodes, and nobody else was served."""
        d = self.serve(100000)
        self.submit(d, {"workflow": {"metadata": {"name": "wide"}, "spec": {"entrypoint": "main", "templates": [
            {"name": "main", "steps": [[{"name": "a", "template": "waits", "withSequence": {"count": "20000"}}]]}, {"name": "waits", "suspend": {}}]}}})
        until(lambda: len(d.get("wide")["status"].get("nodes", {})) == 20002, 60, "all nodes")
        base, uid = "/api/v1/workflows/default", d.get("wide")["metadata"]["uid"]
        paths = [f"{base}{x}" for x in ("/wide?fields=status.phase", "/wide?fields=-status.nodes", "?fields=items.status.phase", "?fields=-items.status.nodes")]
        self.assertGreater(self.peak_kib(d, base + "/wide"), 8000)
        self.are_light(d, paths)
        self.assertLess(self.peak_kib(d, base + "/wide/suspend?fields=metadata", "PUT"), 5000)
        d.cli("terminate", "wide")
        until(lambda: self.status(d, "wide")["phase"] == "Failed", 60, "its end")
        self.are_light(d, paths + [f"/api/v1/archived-workflows/{uid}?fields=metadata"])

    def are_light(self, d, paths):
        for path in paths:
            d.api("GET", path)  # for what is made once
            self.assertLess(self.peak_kib(d, path), 5000, path)

    def test_it_ends_by_a_limit_that_it_names(self):
        d = self.serve(3000)
        self.submit(d, ENDLESS)
        until(lambda: self.status(d, "endless")["phase"] == "Error", 60, "the end of what is too large")
        w = d.get("endless")
        self.assertIn("3000 nodes, which is what workflowNodes in the settings allows", w["status"]["message"])
        self.assertEqual(len(w["status"]["nodes"]), 3000)
        self.assertEqual(sum("workflowNodes" in n.get("message", "") for n in w["status"]["nodes"].values()), 1)


if __name__ == "__main__":
    unittest.main()
