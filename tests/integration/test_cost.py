# SPDX-License-Identifier: Apache-2.0
"""What a run does not use costs it nothing: which libraries are in a process, seen from outside."""
import os
import subprocess
import unittest

from harness import TIDEGATE, TestCase, free_port, post, until

HTTP_TRIGGER = """
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {name: source}
spec:
  webhook:
    push: {endpoint: /push, method: POST, port: "%d"}
---
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {name: sensor}
spec:
  dependencies: [{name: push, eventSourceName: source, eventName: push}]
  triggers:
    - template:
        name: call
        http: {url: "http://127.0.0.1:%d/", method: POST}
"""
CONNECTORS = ("libcurl", "librdkafka", "libpaho", "libcrypto", "libssl")


def mapped(pid):
    with open(f"/proc/{pid}/maps", encoding="utf-8") as f:
        return {os.path.basename(line.split()[-1]) for line in f if line.rstrip().endswith(tuple("0123456789")) and "/lib" in line}


def has(libraries, name):
    return any(x.startswith(name) for x in libraries)


class Libraries(TestCase):
    def test_a_command_that_serves_nothing_loads_no_server_and_no_tls(self):
        # With LD_TRACE_LOADED_OBJECTS the loader prints what it would load at the start, and stops.
        done = subprocess.run([TIDEGATE, "version"], env={**os.environ, "LD_TRACE_LOADED_OBJECTS": "1"}, capture_output=True, text=True,
                              check=True)
        self.assertIn("libsqlite3", done.stdout)
        for name in (*CONNECTORS, "libmicrohttpd", "libgnutls"):
            self.assertNotIn(name, done.stdout)

    def test_an_idle_daemon_has_no_connector_and_the_first_call_loads_curl(self):
        source = free_port()
        d = self.daemon({"all.yaml": HTTP_TRIGGER % (source, free_port())}, "--auth", "none")
        libraries = mapped(d.process.pid)
        self.assertTrue(has(libraries, "libmicrohttpd"), libraries)
        for name in CONNECTORS:
            self.assertFalse(has(libraries, name), name)
        self.assertEqual(post(source, "/push", "{}", {"Content-Type": "application/json"})[0], 200)
        until(lambda: has(mapped(d.process.pid), "libcurl"), what="libcurl in the daemon")


if __name__ == "__main__":
    unittest.main()
