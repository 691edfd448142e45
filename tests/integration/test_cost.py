# SPDX-License-Identifier: Apache-2.0
"""What a run does not use costs it nothing: which libraries are in a process, and what is written, seen from outside."""
import contextlib
import os
import sqlite3
import statistics
import struct
import subprocess
import unittest

from harness import TIDEGATE, TestCase, free_port, post, scaled, until

PUSH = """
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
"""
HTTP_TRIGGER = PUSH + """        name: call
        http: {url: "http://127.0.0.1:%d/", method: POST}
"""
CONNECTORS = ("libcurl", "librdkafka", "libpaho", "libnats", "libhiredis", "librabbitmq", "liblua", "libjq", "libcrypto", "libssl")


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


ONE_STEP = PUSH + """        name: start
        argoWorkflow:
          operation: submit
          source:
            resource:
              apiVersion: argoproj.io/v1alpha1
              kind: Workflow
              metadata: {generateName: one-, labels: {team: a}}
              spec:
                entrypoint: main
                templates: [{name: main, container: {image: any, command: ["true"]}}]
"""


def commits(state):
    """Pages of each commit in the write-ahead log, oldest first."""
    with open(os.path.join(state, "tidegate.db-wal"), "rb") as f:
        log = f.read()
    sizes, pages, at = [], 0, 32
    while log[at + 8:at + 16] == log[16:24]:  # the salts: later frames are of an earlier round
        pages += 1
        if struct.unpack_from(">I", log, at + 4)[0]:
            sizes.append(pages)
            pages = 0
        at += 24 + 4096
    return sizes


class Pages(TestCase):
    """A page written is what a commit costs: one for each table and index that must know, and no more."""

    def finished(self, d):
        """Workflows whose end is on disk."""
        with contextlib.closing(sqlite3.connect(f"file:{d.state}/tidegate.db?mode=ro", uri=True)) as db:
            return db.execute("SELECT count(*) FROM workflow WHERE finished IS NOT NULL").fetchone()[0]

    def test_a_workflow_of_one_step_writes_few_pages(self):
        port = free_port()
        d = self.daemon({"all.yaml": ONE_STEP % port}, "--auth", "none")
        ends, starts = [], []
        for i in range(scaled(7, 15)):  # a page is split now and then: most of them count
            self.assertEqual(post(port, "/push", "{}", {"Content-Type": "application/json"})[0], 200)
            until(lambda i=i: self.finished(d) == i + 1, 60, "its end")
            seen = commits(d.state)
            ends.append(seen[-1])
            starts.append(max(seen[-3:]))  # on a slow machine there is one between them: that the step has started
        self.assertLessEqual(statistics.median(ends), 7, f"end: workflow, node, its tags, what is open, finished, listed, found by uid: {ends}")
        self.assertLessEqual(statistics.median(starts), 11, "start: event with its id, cursor, decision with its event; workflow with name and key, "
                             f"what is open, its specification, node: {starts}")


if __name__ == "__main__":
    unittest.main()
