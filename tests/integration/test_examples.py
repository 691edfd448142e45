# SPDX-License-Identifier: Apache-2.0
"""Every example is accepted by lint; the workflows run; what is to be served is served."""
import glob
import http.server
import json
import os
import re
import subprocess
import threading
import unittest

from harness import ROOT, TIDEGATE, TestCase, free_port, post, until

EXAMPLES = os.path.join(ROOT, "examples")


def read(*path):
    with open(os.path.join(EXAMPLES, *path), encoding="utf-8") as f:
        return f.read()


class Examples(TestCase):
    def test_lint_has_nothing_to_say(self):
        done = subprocess.run([TIDEGATE, "lint", "--strict", EXAMPLES], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_workflows_run(self):
        files = sorted(glob.glob(os.path.join(EXAMPLES, "*.yaml")))
        self.assertGreater(len(files), 3)
        for path in files:
            with self.subTest(path=path):
                done = subprocess.run([TIDEGATE, "run", path], capture_output=True, text=True, timeout=60)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_dag_passes_results_on(self):
        done = subprocess.run([TIDEGATE, "run", "-o", "json", os.path.join(EXAMPLES, "dag.yaml")], capture_output=True, text=True, timeout=60)
        nodes = json.loads(done.stdout)["status"]["nodes"].values()
        report = next(n for n in nodes if n["displayName"] == "d")
        self.assertEqual({p["name"]: p["value"] for p in report["inputs"]["parameters"]}, {"b": "6", "c": "8"})

    def test_webhook_makes_a_workflow_and_a_call(self):
        told = []

        class Sink(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args):
                pass

        sink = http.server.HTTPServer(("127.0.0.1", 0), Sink)
        threading.Thread(target=sink.serve_forever, daemon=True).start()
        self.addCleanup(sink.server_close)
        self.addCleanup(sink.shutdown)
        port = free_port()
        d = self.daemon({"webhook.yaml": read("webhook", "webhook.yaml").replace('"12000"', f'"{port}"'),
                         "sensor.yaml": read("webhook", "sensor.yaml").replace(":12001", f":{sink.server_port}")})
        self.assertEqual(post(port, "/hello", b'{"who":"world"}', {"Content-Type": "application/json"})[0], 200)
        until(lambda: told, 20, "the call")
        self.assertEqual(told[0], {"who": "world"})
        name = until(lambda: d.cli("list", "-o", "name").stdout.strip(), 20, "the workflow")
        d.cli("wait", name)
        self.assertIn("Hello, world!", d.cli("logs", name).stdout)

    def test_a_sensor_explains_itself(self):
        d = self.daemon({"review.yaml": read("explain", "review.yaml").replace('"12000"', f'"{free_port()}"')})

        def asked(entry, data, code, *texts):
            event = d.cli("emit", f"hooks/{entry}", "-d", json.dumps(data)).stdout.strip()

            def answer():
                done = d.cli("explain", "review", "--event", event, check=False)
                return done.stdout if done.returncode == code else None
            shown = until(answer, 20, f"exit code {code} for {data}")
            for text in texts:
                self.assertIn(text, shown)
            return event

        pull = {"number": 7, "action": "closed", "draft": False}
        asked("pull", pull, 3, "exprs filter !draft: holds with draft = false", 'data filter body.action: want "opened" or "reopened", got "closed"', "review.yaml:")
        asked("pull", {**pull, "draft": True}, 3, "exprs filter !draft: does not hold with draft = true", "not looked at")
        opened = asked("pull", {**pull, "action": "opened"}, 3, "did not fire: it waits for approval (key 7)")
        asked("approval", {"number": 7}, 0, "fired")
        self.assertIn("fired", d.cli("explain", "review", "--event", opened).stdout)
        self.assertIn("joins: 0 keys", d.cli("explain", "review").stdout)

    def test_calendar_ticks(self):
        d = self.daemon({"calendar.yaml": read("calendar", "calendar.yaml").replace("interval: 10s", "interval: 1s")})
        until(lambda: len(d.cli("events", "clock/tick", "-o", "json").stdout.splitlines()) >= 2, 20, "two ticks")

    def test_cron_reports(self):
        d = self.daemon({"nightly.yaml": read("cron", "nightly.yaml")})
        self.assertIn("02:30:00", d.cli("cron", "next", "nightly").stdout)
        done = d.cli("cron", "backfill", "nightly", "--from", "2026-07-01T00:30:00Z", "--to", "2026-07-02").stdout
        name = re.search(r"(nightly-\d+) Succeeded", done).group(1)
        self.assertIn("the report of 2026-07-01T00:30:00Z", d.cli("logs", name).stdout)

    def test_demo(self):
        done = subprocess.run(["sh", os.path.join(EXAMPLES, "git-push", "demo.sh")], capture_output=True, text=True, timeout=120,
                              env={**os.environ, "TIDEGATE": TIDEGATE})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        commit = re.search(r"done: ([0-9a-f]{40}) was cloned", done.stdout).group(1)
        self.assertIn(f"commit {commit}", done.stdout)
        self.assertIn("refs/heads/feature", done.stdout)


if __name__ == "__main__":
    unittest.main()
