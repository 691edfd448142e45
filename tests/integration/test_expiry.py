# SPDX-License-Identifier: Apache-2.0
"""Finished workflows and what their pods left go when they are to: ttlStrategy, podGC, retentionPolicy; over restarts and kills."""
import os
import unittest

from harness import TestCase, until


def workflow(name, ttl=None, pod_gc=None, code=0, labels=None):
    spec = {"entrypoint": "main", "templates": [
        {"name": "main", "steps": [[{"name": "a", "template": "a"}, {"name": "b", "template": "b"}]]},
        {"name": "a", "metadata": {"labels": {"keep": "yes"}}, "container": {"image": "busybox", "command": ["echo", "said a"]}},
        {"name": "b", "container": {"image": "busybox", "command": ["sh", "-c", f"echo said b; exit {code}"]}}]}
    if ttl:
        spec["ttlStrategy"] = ttl
    if pod_gc:
        spec["podGC"] = pod_gc
    return {"metadata": {"name": name}, "spec": spec}


class Expiry(TestCase):
    def create(self, d, *args, **more):
        status, made = d.api("POST", "/api/v1/workflows/default", {"workflow": workflow(*args, **more)})
        self.assertEqual(status, 200, made)

    def state(self, d, name):
        """The phase of a workflow that has ended, None before; "gone"."""
        status, w = d.api("GET", f"/api/v1/workflows/default/{name}")
        return "gone" if status == 404 else w["status"].get("finishedAt") and w["status"]["phase"]

    def files(self, d, name):
        path = os.path.join(d.state, "tasks", "default", name)
        return sorted(n for n in os.listdir(path) if not n.startswith(".")) if os.path.isdir(path) else []

    def settings(self, text):
        path = os.path.join(self.directory, "settings.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return ("--config", path)

    def test_ttl_by_phase_and_over_restarts(self):
        d = self.daemon({})
        self.create(d, "good", {"secondsAfterSuccess": 1, "secondsAfterFailure": 1000, "secondsAfterCompletion": 1000})
        self.create(d, "bad", {"secondsAfterSuccess": 1, "secondsAfterFailure": 1000, "secondsAfterCompletion": 1}, code=1)
        self.create(d, "done", {"secondsAfterCompletion": 1}, code=1)
        self.create(d, "later", {"secondsAfterCompletion": 4})
        self.create(d, "stays")
        until(lambda: self.state(d, "good") == "gone" and self.state(d, "done") == "gone", 60, "the end of their time")
        until(lambda: not self.files(d, "good") and not self.files(d, "done"), 60, "the end of their files")
        self.assertEqual(self.state(d, "bad"), "Failed")
        until(lambda: self.state(d, "later"), 60, "the end of a workflow")
        d.kill()
        d.start()
        until(lambda: self.state(d, "later") == "gone", 60, "the end of its time, counted on after a kill")
        self.assertEqual(self.state(d, "stays"), "Succeeded")
        self.assertEqual(len(self.files(d, "stays")), 2)

    def test_a_retry_takes_the_time_back(self):
        d = self.daemon({})
        self.create(d, "again", {"secondsAfterFailure": 2}, code=1)
        self.create(d, "clock", {"secondsAfterFailure": 3}, code=1)
        until(lambda: self.state(d, "again"), 60, "its end")
        w = d.api("GET", "/api/v1/workflows/default/again")[1]
        if d.api("PUT", "/api/v1/workflows/default/again/retry", {})[0] != 200:
            self.skipTest("this machine took two seconds for a request")
        until(lambda: self.state(d, "again") == "Failed", 60, "its second end")
        second = d.api("GET", "/api/v1/workflows/default/again")[1]
        self.assertGreaterEqual(second["status"]["finishedAt"], w["status"]["finishedAt"])
        until(lambda: self.state(d, "again") == "gone" and self.state(d, "clock") == "gone", 60, "the end of their time")

    def test_pod_gc(self):
        d = self.daemon({})
        quick = {"deleteDelayDuration": "0s"}
        self.create(d, "each", pod_gc={"strategy": "OnPodCompletion", **quick}, code=1)
        self.create(d, "good", pod_gc={"strategy": "OnPodSuccess", **quick}, code=1)
        self.create(d, "chosen", pod_gc={"strategy": "OnWorkflowCompletion", **quick, "labelSelector": {"matchExpressions": [{"key": "keep", "operator": "DoesNotExist"}]}})
        self.create(d, "failed", pod_gc={"strategy": "OnWorkflowSuccess", **quick}, code=1)
        self.create(d, "whole", pod_gc={"strategy": "OnWorkflowSuccess", **quick})
        until(lambda: not self.files(d, "each") and self.state(d, "each"), 60, "both logs to go")
        until(lambda: len(self.files(d, "good")) == 1 and self.state(d, "good"), 60, "the good one's log to go")
        until(lambda: len(self.files(d, "chosen")) == 1 and self.state(d, "chosen"), 60, "the one without the label to go")
        until(lambda: not self.files(d, "whole") and self.state(d, "whole"), 60, "all to go")
        self.assertIn("-b-", self.files(d, "good")[0])
        self.assertIn("-a-", self.files(d, "chosen")[0])
        until(lambda: self.state(d, "failed"), 60, "its end")
        self.assertEqual(len(self.files(d, "failed")), 2)
        self.assertEqual(len(d.api("GET", "/api/v1/workflows/default/whole")[1]["status"]["nodes"]), 4)
        self.assertIn("said b", d.cli("logs", "failed").stdout)

    def test_retention_by_count(self):
        d = self.daemon({}, *self.settings("retentionPolicy: {completed: 2, failed: 0}\n"))
        for i in range(5):
            self.create(d, f"good{i}")
            until(lambda: self.state(d, f"good{i}"), 60, "its end")
        self.create(d, "bad", code=1)
        until(lambda: [i for i in range(5) if self.state(d, f"good{i}") != "gone"] == [3, 4], 60, "all but the last two to go")
        until(lambda: self.state(d, "bad") == "gone", 60, "the failed one to go")
        until(lambda: not self.files(d, "good0"), 60, "their files to go")
        self.assertEqual(len(self.files(d, "good4")), 2)

    def test_retention_by_age_counts_from_the_start_too(self):
        d = self.daemon({})
        self.create(d, "old")
        until(lambda: self.state(d, "old"), 60, "its end")
        d.stop()
        d.options = self.settings("retentionPolicy: {age: 1s}\n")
        d.start()
        until(lambda: self.state(d, "old") == "gone", 60, "the old one to go")
        self.create(d, "new")
        until(lambda: self.state(d, "new") == "gone", 60, "the new one to go")

    def test_a_watch_is_told(self):
        d = self.daemon({})
        self.create(d, "seen", {"secondsAfterCompletion": 2})
        done = d.cli("wait", "seen", check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_kill_leaves_no_files(self):
        """The rows are gone, the process was killed before the files were: the next start removes them."""
        import sqlite3
        d = self.daemon({})
        self.create(d, "w")
        until(lambda: self.state(d, "w"), 60, "its end")
        d.stop()
        db = sqlite3.connect(os.path.join(d.state, "tidegate.db"))
        with db:
            for table, column in (("workflow", "id"), ("workflow_spec", "id"), ("node", "workflow"), ("workflow_tag", "id"), ("workflow_tag_new", "id")):
                db.execute(f"DELETE FROM {table} WHERE {column} = 1")
            db.execute("INSERT INTO due (at, what, workflow, name) VALUES (0, 3, 1, 'default/w')")
        db.close()
        self.assertEqual(len(self.files(d, "w")), 2)
        d.start()
        self.assertEqual(self.files(d, "w"), [])
        removed = os.path.join(d.state, "tasks", ".removed")
        until(lambda: not os.listdir(removed), 60, "the folder of removed ones to be empty")


if __name__ == "__main__":
    unittest.main()
