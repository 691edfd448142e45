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

    def test_calendar_ticks(self):
        d = self.daemon({"calendar.yaml": read("calendar", "calendar.yaml").replace("interval: 10s", "interval: 1s")})
        until(lambda: len(d.cli("events", "clock/tick", "-o", "json").stdout.splitlines()) >= 2, 20, "two ticks")

    def test_demo(self):
        done = subprocess.run(["sh", os.path.join(EXAMPLES, "git-push", "demo.sh")], capture_output=True, text=True, timeout=120,
                              env={**os.environ, "TIDEGATE": TIDEGATE})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        commit = re.search(r"done: ([0-9a-f]{40}) was cloned", done.stdout).group(1)
        self.assertIn(f"commit {commit}", done.stdout)
        self.assertIn("refs/heads/feature", done.stdout)


if __name__ == "__main__":
    unittest.main()
