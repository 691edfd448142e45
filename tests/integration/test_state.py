# SPDX-License-Identifier: Apache-2.0
"""State files of every release open, and go on from where they were. `python3 test_state.py make` makes this release's:
it is run once, when a release is made, and its file is kept for good in tests/fixtures."""
import glob
import gzip
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest

from harness import ROOT, TIDEGATE, Daemon, TestCase, free_port, post, until

FIXTURES = os.path.join(ROOT, "tests", "fixtures")
SOURCE = """
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {name: hooks}
spec:
  webhook:
    build: {endpoint: /build, method: POST, port: "PORT"}
    scan: {endpoint: /scan, method: POST, port: "PORT"}
"""
# Waits for both; a parameter of each shows which events it fired with.
SENSOR = """
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {name: release}
spec:
  dependencies:
    - {name: build, eventSourceName: hooks, eventName: build}
    - {name: scan, eventSourceName: hooks, eventName: scan}
  triggers:
    - template:
        name: publish
        conditions: build && scan
        argoWorkflow:
          operation: submit
          source:
            resource:
              apiVersion: argoproj.io/v1alpha1
              kind: Workflow
              metadata: {generateName: publish-}
              spec:
                entrypoint: main
                arguments: {parameters: [{name: build, value: none}, {name: scan, value: none}]}
                templates:
                  - name: main
                    container: {image: busybox, command: [echo], args: ["{{workflow.parameters.build}} {{workflow.parameters.scan}}"]}
          parameters:
            - {src: {dependencyName: build, dataKey: body.id}, dest: spec.arguments.parameters.0.value}
            - {src: {dependencyName: scan, dataKey: body.id}, dest: spec.arguments.parameters.1.value}
"""
FINISHED = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: finished}
spec:
  entrypoint: main
  templates:
    - name: main
      steps:
        - - {name: say, template: say, arguments: {parameters: [{name: word, value: "{{item}}"}]}, withItems: [one, two]}
    - name: say
      inputs: {parameters: [{name: word}]}
      container: {image: busybox, command: [echo], args: ["{{inputs.parameters.word}}"]}
"""
WAITING = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: waiting}
spec:
  entrypoint: main
  templates:
    - name: main
      steps:
        - - {name: before, template: say}
        - - {name: approve, template: approve}
        - - {name: after, template: say}
    - {name: approve, suspend: {}}
    - {name: say, container: {image: busybox, command: [echo], args: [said]}}
"""


def send(port, event, identity):
    status, _ = post(port, "/" + event, json.dumps({"id": identity}), {"Content-Type": "application/json"})
    assert status == 200, status


def names(daemon):
    return {w["metadata"]["name"]: w["status"].get("phase") for w in daemon.list()}


def suspended(daemon):
    nodes = daemon.get("waiting")["status"].get("nodes", {}).values()
    return any(n["type"] == "Suspend" and n["phase"] == "Running" for n in nodes)


def make():
    """A finished workflow, one that waits for somebody, a sensor that has one of two events, and a fired pair before."""
    version = subprocess.run([TIDEGATE, "version", "--short"], capture_output=True, text=True, check=True).stdout.split()[-1].lstrip("v")
    port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        d = Daemon(directory, {"source.yaml": SOURCE.replace("PORT", str(port)), "sensor.yaml": SENSOR}).start()
        d.cli("submit", "-", "--wait", data=FINISHED)
        d.cli("submit", "-", data=WAITING)
        until(lambda: suspended(d), 30, "the suspended step")
        send(port, "build", "b1")
        send(port, "scan", "s1")
        until(lambda: any(n.startswith("publish-") and p == "Succeeded" for n, p in names(d).items()), 30, "the first release")
        send(port, "build", "b2")
        d.stop()
        db = sqlite3.connect(os.path.join(d.state, "tidegate.db"))
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("VACUUM")
        db.close()
        with open(os.path.join(d.state, "tidegate.db"), "rb") as f, open(os.path.join(FIXTURES, f"state-{version}.db.gz"), "wb") as out:
            out.write(gzip.compress(f.read(), 9, mtime=0))


class State(TestCase):
    def opened(self, fixture):
        d = self.daemon({}, start=False)
        os.makedirs(d.state, mode=0o700)
        with gzip.open(fixture) as f, open(os.path.join(d.state, "tidegate.db"), "wb") as out:
            shutil.copyfileobj(f, out)
        return d

    def test_every_release_goes_on(self):
        fixtures = sorted(glob.glob(os.path.join(FIXTURES, "state-*.db.gz")))
        self.assertTrue(fixtures)
        for fixture in fixtures:
            with self.subTest(os.path.basename(fixture)):
                self.goes_on(fixture)

    def goes_on(self, fixture):
        port = free_port()
        d = self.opened(fixture)
        d.write("source.yaml", SOURCE.replace("PORT", str(port)))
        d.write("sensor.yaml", SENSOR)
        d.start()
        nodes = d.get("finished")["status"]["nodes"].values()
        self.assertEqual(sorted(n["displayName"] for n in nodes if n["type"] == "Pod"), ["say(0:one)", "say(1:two)"])
        # What had ended before there was an index is in it.
        ended = {name for name, phase in names(d).items() if phase == "Succeeded"}
        self.assertEqual(set(d.cli("list", "--status", "Succeeded", "-o", "name").stdout.split()), ended)
        self.assertEqual(set(d.cli("list", "-p", "build=b1", "-o", "name").stdout.split()), ended - {"finished"})
        events = [json.loads(x) for x in d.cli("events", "-o", "json").stdout.splitlines()]
        self.assertEqual(sum(x["verdict"] == "fired" for e in events for x in e["decisions"]), 2)  # both of the pair
        # The suspended workflow goes on, the half-satisfied conditions are still half satisfied.
        d.cli("resume", "waiting")
        until(lambda: names(d)["waiting"] == "Succeeded", 30, "the end of what waited")
        before = names(d)
        send(port, "scan", "s2")
        new = until(lambda: names(d).keys() - before.keys(), 30, "the second release")
        arguments = d.get(new.pop())["spec"]["arguments"]["parameters"]
        self.assertEqual({p["name"]: p["value"] for p in arguments}, {"build": "b2", "scan": "s2"})
        d.stop()

    def test_a_newer_one_is_refused_untouched(self):
        d = self.opened(sorted(glob.glob(os.path.join(FIXTURES, "state-*.db.gz")))[-1])
        path = os.path.join(d.state, "tidegate.db")
        db = sqlite3.connect(path)
        db.execute("PRAGMA user_version = 1000")
        db.close()
        with open(path, "rb") as f:
            before = f.read()
        done = subprocess.run([TIDEGATE, "serve", "--state", d.state, "--listen", "127.0.0.1:0"], capture_output=True, text=True, timeout=30)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, "1000")
        with open(path, "rb") as f:
            self.assertEqual(f.read(), before)


if __name__ == "__main__":
    if sys.argv[1:] == ["make"]:
        make()
    else:
        unittest.main()
