# SPDX-License-Identifier: Apache-2.0
"""Hera, the Python SDK of Argo Workflows, at our API: hera/pipeline.py does what its users do."""
import json
import os
import subprocess
import unittest

from harness import ROOT, TestCase, installed


class Hera(TestCase):
    maxDiff = None

    def test_what_its_users_do(self):
        python = installed("hera", "env", "bin", "python")
        d = self.daemon({})
        script = os.path.join(ROOT, "tests", "integration", "hera", "pipeline.py")
        done = subprocess.run([python, script, f"http://127.0.0.1:{d.port}", d.token], capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr + d.log())
        seen = json.loads(done.stdout)
        self.assertIn("NotFound", seen.pop("deleted"))
        self.assertIn("AlreadyExists", seen.pop("twice"))
        table = str(b"0,0\n1,1\n2,4\n3,9\n")  # how Hera gives an artifact
        self.assertEqual(seen, {
            "phase": "Succeeded", "sum": "14", "table": table, "table, by uid": table, "of the team": [True], "archived": True,
            "failed": ["Failed", "main: Error (exit code 3)"], "retried": "Running", "resubmitted": True,
            "suspended": True, "resumed": "Succeeded", "stopped": "Failed",
            "template": ["etl", "etl", "etl"], "submitted": "3",
            "cron": ["nightly", "nightly"], "crons": ["nightly"], "cron suspended": True, "cron resumed": False, "cron updated": ["0 3 * * *"], "no crons": [],
        })


if __name__ == "__main__":
    unittest.main()
