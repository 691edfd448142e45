# SPDX-License-Identifier: Apache-2.0
"""Workflows that wait because as many run as may: their order, what they show, and that a kill loses none of it."""
import os
import subprocess
import unittest

from harness import TIDEGATE, TestCase, scaled, until

POSTPONED = "Workflow processing has been postponed because too many workflows are already running"

# It runs until somebody resumes it.
WORKFLOW = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: NAME, namespace: NAMESPACE}
spec:
  entrypoint: main
  priority: PRIORITY
  templates:
  - name: main
    suspend: {}
"""


class Queue(TestCase):
    def settings(self, text):
        path = os.path.join(self.directory, "settings.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def submit(self, d, *names, priority=0, ns="default"):
        text = "---".join(WORKFLOW.replace("NAMESPACE", ns).replace("NAME", n).replace("PRIORITY", str(priority)) for n in names)
        d.cli("submit", "-", data=text)

    def phases(self, d, ns="default"):
        return {w["metadata"]["name"]: w["status"]["phase"]
                for w in d.api("GET", f"/api/v1/workflows/{ns}")[1]["items"] or []}

    def finish(self, d, name, ns="default"):
        d.cli("resume", name, "-n", ns)
        path = f"/api/v1/workflows/{ns}/{name}"
        until(lambda: d.api("GET", path)[1]["status"]["phase"] == "Succeeded", 60, f"the end of {name}")

    def test_order_and_what_is_shown(self):
        d = self.daemon({}, "--config", self.settings("workflowParallelism: 2\n"))
        self.submit(d, "a", "b", "c", "d")
        self.submit(d, "urgent", priority=5)
        want = {"a": "Running", "b": "Running", "c": "Pending", "d": "Pending", "urgent": "Pending"}
        self.assertEqual(self.phases(d), want)
        status = d.get("c")["status"]
        self.assertEqual(status["message"], POSTPONED)
        self.assertNotIn("startedAt", status)
        d.kill()
        d.start()
        self.assertEqual(self.phases(d), want)
        self.finish(d, "a")
        self.assertEqual(self.phases(d), {**want, "a": "Succeeded", "urgent": "Running"})
        d.kill()
        d.start()
        self.finish(d, "b")
        self.assertEqual(self.phases(d)["c"], "Running")
        self.assertEqual(d.get("c")["status"].get("message", ""), "")
        self.assertEqual(self.phases(d)["d"], "Pending")

    def test_what_people_do_to_one_that_waits(self):
        d = self.daemon({}, "--config", self.settings("workflowParallelism: 1\n"))
        self.submit(d, "a", "b", "c", "d", "e")
        d.cli("terminate", "b")
        self.assertEqual(d.get("b")["status"]["phase"], "Failed")
        self.assertEqual(d.get("b")["status"]["message"], "Stopped with strategy 'Terminate'")
        d.cli("delete", "c")
        d.cli("suspend", "d")
        self.assertEqual(self.phases(d), {"a": "Running", "b": "Failed", "d": "Pending", "e": "Pending"})
        self.finish(d, "a")
        self.assertEqual(self.phases(d)["d"], "Running")  # suspended, it counts, as in Argo
        self.assertNotIn("nodes", d.get("d")["status"])
        d.cli("terminate", "d")
        self.assertEqual(self.phases(d)["e"], "Running")
        d.cli("retry", "b")  # waits like a new one
        self.assertEqual(d.get("b")["status"]["message"], POSTPONED)
        d.kill()
        d.start()
        self.finish(d, "e")
        self.assertEqual(self.phases(d)["b"], "Running")
        self.finish(d, "b")

    def test_logs_of_one_that_waits_are_followed_to_its_end(self):
        d = self.daemon({}, "--config", self.settings("workflowParallelism: 1\n"))
        self.submit(d, "a", "b")
        follow = subprocess.Popen([TIDEGATE, "logs", "-f", "b", "--state", d.state], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(follow.kill)
        self.finish(d, "a")
        self.assertIsNone(follow.poll())
        self.finish(d, "b")
        self.assertEqual(follow.wait(60), 0)

    def test_namespaces(self):
        d = self.daemon({}, "--config", self.settings(
            "namespaceParallelism: 1\nnamespaces: [{name: wide, parallelism: 2}]\n"))
        self.submit(d, "a", "b")
        self.submit(d, "a", "b", "c", ns="wide")
        self.assertEqual(self.phases(d), {"a": "Running", "b": "Pending"})
        self.assertEqual(self.phases(d, "wide"), {"a": "Running", "b": "Running", "c": "Pending"})
        self.finish(d, "b", "wide")
        self.assertEqual(self.phases(d, "wide")["c"], "Running")
        self.assertEqual(self.phases(d)["b"], "Pending")

    def test_many_wait_in_little_memory(self):
        """What waits is an entry in a queue: thousands of them add next to nothing to the daemon."""
        d = self.daemon({}, "--config", self.settings("workflowParallelism: 1\n"))
        self.submit(d, "first")
        rounds, each = scaled(4, 40), 250

        def memory():
            with open(f"/proc/{d.process.pid}/status", encoding="ascii") as f:
                return next(int(x.split()[1]) for x in f if x.startswith("VmRSS"))

        self.submit(d, *[f"w0-{i}" for i in range(each)])
        before = memory()
        for k in range(1, rounds):
            self.submit(d, *[f"w{k}-{i}" for i in range(each)])
        until(lambda: d.api("GET", "/tidegate/v1/status")[1]["workflowsWaiting"] == rounds * each, 60, "all to wait")
        more = memory() - before
        with open(TIDEGATE, "rb") as f:
            sanitized = b"__asan_" in f.read()  # which keeps what was freed
        if not sanitized:
            self.assertLess(more, 8 * 1024 + (rounds - 1) * each, "KiB: more than 1 KiB for each workflow that waits")
        d.kill()
        d.start()
        self.finish(d, "first")
        self.assertEqual(d.get("w0-0")["status"]["phase"], "Running")


if __name__ == "__main__":
    unittest.main()
