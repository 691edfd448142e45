# SPDX-License-Identifier: Apache-2.0
"""tidegate backtest: an edited sensor over the events that a daemon has stored, with the daemon at work, and without one."""
import json
import os
import sqlite3

from checksums import crc32c
from harness import TestCase, free_port, scaled

SOURCE = """\
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {name: hook}
spec: {webhook: {push: {endpoint: /push, method: POST, port: "%d"}, ok: {endpoint: /ok, method: POST, port: "%d"}}}
"""
SENSOR = """\
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {name: s}
spec:
  dependencies:
    - {name: push, eventSourceName: hook, eventName: push, filters: {data: [{path: body.ref, type: string, value: [main]}]}}
    - {name: ok, eventSourceName: hook, eventName: ok}
  triggers:
    - template:
        name: tell
        conditions: push
        log: {}
    - template:
        name: build
        conditions: push
        k8s:
          operation: create
          source: {resource: {apiVersion: argoproj.io/v1alpha1, kind: Workflow, metadata: {generateName: w-}, spec: {suspend: true, entrypoint: m,
            arguments: {parameters: [{name: n, value: "0"}]}, templates: [{name: m, container: {image: busybox, command: ["true"]}}]}}}
          parameters: [{src: {dependencyName: push, dataKey: body.n}, dest: spec.arguments.parameters.0.value}]
"""


class Backtest(TestCase):
    def setUp(self):
        super().setUp()
        port = free_port()
        self.d = self.daemon({"source.yaml": SOURCE % (port, port), "sensor.yaml": SENSOR})

    def emit(self, event, data):
        return self.d.cli("emit", f"hook/{event}", "-d", json.dumps(data)).stdout.strip()

    def edited(self, *changes):
        text = SENSOR
        for old, new in changes:
            self.assertIn(old, text)
            text = text.replace(old, new)
        path = os.path.join(self.directory, "edited.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def backtest(self, path, *args, code=None):
        done = self.d.cli("backtest", path, "-o", "json", *args, check=False)
        if code is not None:
            self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def test_what_comes_goes_and_changes(self):
        main = self.emit("push", {"ref": "main", "n": "1"})
        dev = self.emit("push", {"ref": "dev", "n": "2"})
        same = self.backtest(self.edited(), code=0)
        self.assertEqual((same["events"], same["taken"], same["same"], same["differences"]), (2, 2, 2, []))
        self.assertEqual((same["before"], same["after"]), ({"firings": 2, "errors": 0},) * 2)
        got = self.backtest(self.edited(("value: [main]", "value: [dev]")), code=3)
        self.assertEqual((got["come"], got["go"], got["change"], got["same"], got["deployed"]), (2, 2, 0, 0, True))
        self.assertEqual({(x["what"], x["trigger"], x["events"][0]["event"]) for x in got["differences"]},
                         {("goes", "tell", main), ("goes", "build", main), ("comes", "tell", dev), ("comes", "build", dev)})
        self.assertEqual(next(x for x in got["differences"] if x["what"] == "comes" and x["trigger"] == "build")
                         ["sends"]["resource"]["spec"]["arguments"]["parameters"][0]["value"], "2")
        got = self.backtest(self.edited(("dataKey: body.n", "dataKey: body.ref"), ("generateName: w-", "generateName: v-")), code=3)
        self.assertEqual((got["come"], got["go"], got["change"], got["same"]), (0, 0, 1, 1))
        self.assertEqual(got["differences"][0]["changes"], [
            {"path": "resource.metadata.generateName", "from": "w-", "to": "v-"},
            {"path": "resource.spec.arguments.parameters[0].value", "from": "1", "to": "main"}])

    def test_for_people(self):
        one = self.emit("push", {"ref": "main", "n": "1"})
        done = self.d.cli("backtest", self.edited(("value: [main]", "value: [main, x]"), ("log: {}", "log: {intervalSeconds: 5}")), check=False)
        self.assertEqual(done.returncode, 3)
        lines = done.stdout.splitlines()
        self.assertRegex(lines[0], r"^default/s, \S+Z to \S+Z: 1 events, 1 of them for it$")
        self.assertEqual(lines[1:3], ["before: 2 firings", "after: 2 firings"])
        self.assertRegex(lines[3], rf"^~ tell  \S+Z  push {one}$")
        self.assertEqual(lines[4:], ["    settings.intervalSeconds: nothing -> 5", "1 the same, 0 come, 0 go, 1 change"])

    def test_joins_and_time(self):
        for n in range(3):
            self.emit("push", {"ref": "main", "n": str(n)})
        ok = self.emit("ok", {})
        got = self.backtest(self.edited(("name: build\n        conditions: push", "name: build\n        conditions: push && ok")), code=3)
        self.assertEqual((got["before"]["firings"], got["after"]["firings"], got["come"], got["go"], got["same"]), (6, 4, 1, 3, 3))
        came = next(x for x in got["differences"] if x["what"] == "comes")
        self.assertEqual([x["dependency"] for x in came["events"]], ["push", "ok"])
        self.assertEqual(came["events"][1]["event"], ok)
        # the quiet time is over long before --until, though not yet now
        text = self.edited(("        log: {}\n", "        log: {}\n      debounce: {quiet: 1h}\n"))
        self.assertEqual(self.backtest(text)["after"]["firings"], 3)
        self.assertEqual(self.backtest(text, "--until", "2200-01-01T00:00:00Z")["after"]["firings"], 4)

    def test_errors_are_counted(self):
        event = self.emit("push", {"ref": "main", "n": "1"})
        got = self.backtest(self.edited(("dataKey: body.n", "dataKey: body.none")), code=3)
        self.assertEqual((got["after"]["firings"], got["after"]["errors"], got["go"]), (1, 1, 1))
        self.assertIn(event, got["after"]["firstError"])
        self.assertIn("body.none does not exist", got["after"]["firstError"])

    def test_a_sensor_that_is_not_deployed(self):
        self.emit("push", {"ref": "main", "n": "1"})
        got = self.backtest(self.edited(("metadata: {name: s}", "metadata: {name: new}")), code=3)
        self.assertEqual((got["deployed"], got["sensor"], got["come"], got["go"]), (False, "new", 2, 0))

    def test_limit(self):
        for n in range(5):
            self.emit("push", {"ref": "dev", "n": str(n)})
        path = self.edited(("value: [main]", "value: [dev]"))
        self.assertEqual(len(self.backtest(path, "--limit", "3", code=3)["differences"]), 3)
        self.assertEqual(len(self.backtest(path, "--limit", "0", code=3)["differences"]), 10)
        self.assertIn("... and 7 more: --limit 0 shows all", self.d.cli("backtest", path, "--limit", "3", check=False).stdout)

    def test_only_the_time_that_is_asked_for(self):
        self.emit("push", {"ref": "main", "n": "1"})
        self.assertEqual(self.backtest(self.edited(), "--since", "48h", "--until", "24h", code=0)["events"], 0)
        done = self.d.cli("backtest", self.edited(), "--since", "1h", "--until", "2h", check=False)
        self.assertEqual((done.returncode, done.stderr), (2, "tidegate: --since is not before --until\n"))
        self.assertEqual(self.d.cli("backtest", self.edited(), "--since", "soon", check=False).returncode, 2)

    def test_wrong_manifests(self):
        done = self.d.cli("backtest", self.edited(("conditions: push", "condition: push")), check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn('unknown field "condition"', done.stderr)
        done = self.d.cli("backtest", self.edited(), "--sensor", "other", check=False)
        self.assertEqual((done.returncode, done.stderr), (4, "tidegate: there is no Sensor other among the manifests\n"))

    def test_it_does_not_need_the_daemon_nor_change_anything(self):
        self.emit("push", {"ref": "main", "n": "1"})
        path, old = self.edited(("value: [main]", "value: [dev]")), os.path.join(self.directory, "old.yaml")
        with open(old, "w", encoding="utf-8") as f:
            f.write(SENSOR)
        want = self.backtest(path, code=3)
        for stop in (self.d.kill, self.d.stop):
            stop()
            done = self.d.cli("backtest", path, check=False)
            self.assertEqual(done.returncode, 7, done.stderr)
            self.assertIn("--against FILE", done.stderr)
            got = self.backtest(path, "--against", old, code=3)
            self.assertEqual([x["sends"] for x in got["differences"]], [x["sends"] for x in want["differences"]])
            self.d.start()
        decisions = self.d.cli("events", "-o", "json").stdout
        self.assertEqual(len(decisions.splitlines()), 1)

    def test_many_events_while_the_daemon_takes_more(self):
        """Put into the log by hand: what counts is that all pages are read, each once."""
        self.emit("push", {"ref": "main", "n": "1"})
        self.d.stop()
        n = scaled(3000, 100000)
        self.fill(n)
        self.d.start()
        got = self.backtest(self.edited(("value: [main]", "value: [dev]")), "--limit", "1", code=3)
        self.assertEqual((got["events"], got["taken"], got["before"]["firings"], got["after"]["firings"]), (n + 1, n + 1, n + 2, n))
        self.emit("push", {"ref": "main", "n": "1"})
        self.assertEqual(self.backtest(self.edited(), code=0)["events"], n + 2)

    def fill(self, n):
        """Half of them of main, as copies of the one event with other places and checksums."""
        state = os.path.join(self.d.state, "tidegate.db")
        with sqlite3.connect(state) as db:
            row = db.execute("SELECT key, time, pos, source, subject, type, content_type FROM bus_event").fetchone()
            rows = []
            for i in range(1, n + 1):
                data = json.dumps({"header": {}, "body": {"ref": ("main", "dev")[i % 2], "n": str(i)}}).encode()
                rows.append((row[0] + i, row[1] + i, row[2] + i, f"{i:032x}", row[3], row[4], row[5], row[6], data))
            for r in rows:
                db.execute("INSERT INTO bus_event (key, time, pos, crc, id, source, subject, type, content_type, data) VALUES (?,?,?,?,?,?,?,?,?,?)",
                           (*r[:3], checksum(r), *r[3:]))
            db.execute("UPDATE bus_cursor SET seq = -1")
        db.close()


def checksum(r):
    """As bus/sqlite.c has it: key, time and pos, then each text with its length before it; -1: there is none."""
    key, time, pos, ident, source, subject, kind, content_type, data = r
    crc = 0
    for number in (key, time, pos):
        crc = crc32c(number.to_bytes(8, "little", signed=True), crc)
    for text in (ident, source, subject, kind, content_type, None, None, data):
        raw = text.encode() if isinstance(text, str) else text
        crc = crc32c((len(raw) if raw is not None else -1).to_bytes(8, "little", signed=True), crc)
        crc = crc32c(raw or b"", crc)
    return crc
