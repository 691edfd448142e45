# SPDX-License-Identifier: Apache-2.0
"""docs/new-source.md is true: the file and the line that it shows make a kind of source that runs."""
import json
import os
import socket
import subprocess
import unittest

import harness
from harness import TestCase, free_port, until

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

MANIFEST = """
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {name: datagrams}
spec:
  udp:
    metrics: {port: PORT, jsonBody: true, metadata: {from: here}}
"""


class NewSourceTest(TestCase):
    def build(self):
        done = subprocess.run(["make", "-s", "-C", ROOT, "new-source", f"NEW_SOURCE={self.directory}/new"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return os.path.join(self.directory, "new", "tidegate")

    def test_the_kind_of_the_page_works(self):
        binary, before = self.build(), harness.TIDEGATE
        self.addCleanup(setattr, harness, "TIDEGATE", before)
        harness.TIDEGATE = binary
        port = free_port()
        d = self.daemon({"udp.yaml": MANIFEST.replace("PORT", str(port))})
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b'{"load": 0.5}', ("127.0.0.1", port))
            s.sendto(b"no JSON", ("127.0.0.1", port))
        lines = until(lambda: d.cli("events", "--data", "-o", "json").stdout.splitlines(), 30, "the event")
        data = [json.loads(line)["data"] for line in lines]
        self.assertEqual(data, [{"from": "127.0.0.1", "body": {"load": 0.5}, "metadata": {"from": "here"}}])
        self.assertEqual(d.stop(), 0)


if __name__ == "__main__":
    unittest.main()
