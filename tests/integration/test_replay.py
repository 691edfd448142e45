# SPDX-License-Identifier: Apache-2.0
"""replay and emit --like: events that are stored come in once more, as new ones that name the first."""
import json
import os

from harness import TestCase, free_port, until
from test_backtest import SOURCE

SENSOR = """\
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {name: NAME}
spec:
  dependencies:
    - {name: push, eventSourceName: hook, eventName: push, filters: {data: [{path: body.ref, type: string, value: [main]}]}}
  triggers:
    - template: TEMPLATE
"""
LOG = "{name: tell, log: {}}"
WORKFLOW = """{name: make, k8s: {operation: create, source: {resource: {apiVersion: argoproj.io/v1alpha1, kind: Workflow,
          metadata: {generateName: w-}, spec: {suspend: true, entrypoint: m, arguments: {parameters: [{name: n, value: "0"}]},
          templates: [{name: m, container: {image: busybox, command: ["true"]}}]}}},
          parameters: [{src: {dependencyName: push, dataKey: body.n}, dest: spec.arguments.parameters.0.value}]}}"""


class Again(TestCase):
    def setUp(self):
        super().setUp()
        port = free_port()
        self.d = self.daemon({"source.yaml": SOURCE % (port, port), "one.yaml": SENSOR.replace("NAME", "one").replace("TEMPLATE", WORKFLOW),
                              "two.yaml": SENSOR.replace("NAME", "two").replace("TEMPLATE", WORKFLOW)})

    def emit(self, data, event="push", *args):
        return self.d.cli("emit", f"hook/{event}", "-d", json.dumps(data)).stdout.strip()

    def event(self, ident):
        """The event with its decisions, once there are some."""
        def look():
            got = [json.loads(line) for line in self.d.cli("events", "-o", "json", "--limit", "1000").stdout.splitlines()]
            return next((x for x in got if x["id"] == ident and x["decisions"]), None)
        return until(look, what="decisions about " + ident)

    def numbers(self):
        return sorted(w["spec"]["arguments"]["parameters"][0]["value"] for w in self.d.list())

    def replay(self, *args, code=0):
        done = self.d.cli("replay", *args, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def test_a_replay_is_a_new_event(self):
        first = self.emit({"ref": "main", "n": "1"})
        line = self.replay(first).stdout.split()
        self.assertEqual((line[0], line[1]), (first, "hook/push"))
        again = self.event(line[3])
        self.assertNotEqual(line[3], first)
        self.assertEqual((again["replayOf"], again["source"], again["subject"], again["type"]), (first, "hook", "push", "webhook"))
        self.assertEqual([x["verdict"] for x in again["decisions"]], ["fired", "fired"])
        self.assertEqual(self.numbers(), ["1"] * 4)
        self.assertIn(f"  replay of {first}\n", self.d.cli("events").stdout)

    def test_for_one_sensor_alone(self):
        first = self.emit({"ref": "main", "n": "1"})
        made = self.replay(first, "--sensor", "two").stdout.split()[3]
        again = self.event(made)
        self.assertEqual([(x["sensor"], x["verdict"]) for x in again["decisions"]], [("two", "fired")])
        self.assertEqual(again["replayFor"], "two")
        self.assertEqual(self.numbers(), ["1"] * 3)
        # a replay of a replay names the one that it is of, and is for all
        third = self.event(self.replay(made).stdout.split()[3])
        self.assertEqual((third["replayOf"], len(third["decisions"])), (made, 2))
        self.assertNotIn("replayFor", third)

    def test_it_survives_a_kill(self):
        first = self.emit({"ref": "main", "n": "1"})
        made = self.replay(first, "--sensor", "one").stdout.split()[3]
        self.d.kill()
        self.d.start()
        self.assertEqual([(x["sensor"], x["verdict"]) for x in self.event(made)["decisions"]], [("one", "fired")])
        self.assertEqual(self.numbers(), ["1"] * 3)

    def test_since(self):
        ids = [self.emit({"ref": "main", "n": str(n)}) for n in range(3)]
        self.emit({}, "ok")
        for _ in range(2):  # what came by a replay is not replayed
            lines = [line.split() for line in self.replay("--since", "1h", "--sensor", "one").stdout.splitlines()]
            self.assertEqual([line[0] for line in lines], ids)
        self.assertEqual(self.numbers(), ["0"] * 4 + ["1"] * 4 + ["2"] * 4)
        dry = self.replay("--since", "1h", "--sensor", "one", "--dry-run").stdout.splitlines()
        self.assertEqual([(line.split()[0], line.split()[3]) for line in dry], [(ident, "-") for ident in ids])
        self.assertEqual(self.replay("--since", "2h", "--until", "1h", "--sensor", "one").stderr, "no events\n")
        self.assertEqual(len(self.numbers()), 12)

    def test_triggers_that_act_outside_need_a_yes(self):
        first = self.emit({"ref": "main", "n": "1"})
        self.d.write("two.yaml", SENSOR.replace("NAME", "two").replace("TEMPLATE", LOG))
        until(lambda: "log" in self.d.cli("replay", first, check=False).stderr, what="the new manifest")
        done = self.replay(first, code=2)
        self.assertEqual(done.stderr, "tidegate: triggers that act outside may fire once more: two/tell (log); --yes if that is meant, --dry-run shows "
                         "the events\n")
        self.assertEqual(self.replay(first, "--dry-run").stdout.split()[0], first)
        self.replay(first, "--sensor", "one")
        made = self.replay(first, "--yes").stdout.split()[3]
        self.assertEqual(sorted((x["sensor"], x["trigger"]) for x in self.event(made)["decisions"]), [("one", "make"), ("two", "tell")])

    def test_what_cannot_be_replayed(self):
        first, ok = self.emit({"ref": "main", "n": "1"}), self.emit({}, "ok")
        self.assertIn("there is no event none in namespace default", self.replay("none", code=4).stderr)
        self.assertIn("sensor one does not depend on hook/ok", self.replay(ok, "--sensor", "one", code=2).stderr)
        self.replay(first, "--sensor", "none", code=4)
        for args in ((), (first, "--since", "1h"), ("--since", "1h"), (first, "--until", "1h")):
            self.replay(*args, code=2)
        self.assertEqual(self.numbers(), ["1", "1"])

    def test_emit_like(self):
        first = self.emit({"ref": "dev", "n": "1", "list": [1, 2]})
        self.assertEqual({x["verdict"] for x in self.event(first)["decisions"]}, {"filtered"})
        done = self.d.cli("emit", "--like", first, "--set", "body.ref=main", "--set", "body.n=7", "--set", "body.list.-1=three", "--set", 'body.new={"a":1}')
        made = done.stdout.strip()
        again = self.event(made)
        self.assertEqual((again["likeOf"], again["type"]), (first, "webhook"))
        self.assertNotIn("replayOf", again)
        self.assertEqual(self.numbers(), ["7", "7"])
        same = self.d.cli("emit", "--like", made).stdout.strip()
        self.assertEqual(self.event(same)["size"], again["size"])
        self.assertIn(f"  like {first}\n", self.d.cli("events").stdout)

    def test_emit_like_that_cannot_be(self):
        first = self.emit({"ref": "dev", "n": "1"})
        for args, code, text in ((("--like", "none"), 4, "there is no event none"), (("--like", first, "--set", "body"), 2, "write it as path=value"),
                                 (("--like", first, "-d", "x"), 2, "--like takes"), (("--like", first, "hook/push"), 2, "--like takes"),
                                 (("--set", "a=b"), 2, "which event?"), (("hook/push", "--set", "a=b"), 2, "--set changes"), ((), 2, "which event?"),
                                 (("--like", first, "--set", "=b"), 2, "--set =b")):
            with self.subTest(args):
                done = self.d.cli("emit", *args, check=False)
                self.assertEqual(done.returncode, code, done.stderr)
                self.assertIn(text, done.stderr)

    def test_a_test_is_recorded(self):
        ids = [self.emit({"ref": "main", "n": "1"}), self.emit({"ref": "dev", "n": 'quotes " and\n---\nlines'})]
        manifest, test = os.path.join(self.d.manifests, "one.yaml"), os.path.join(self.directory, "one.test.yaml")
        text = self.d.cli("test", "--record", ids[1], "--record", ids[0], manifest).stdout
        for part in (ids[0], ids[1], "verdict: filtered", "verdict: fired", "generateName: w-", "trigger: make"):
            self.assertIn(part, text)
        self.assertLess(text.index(ids[0]), text.index(ids[1]))

        def hold(content):
            with open(test, "w", encoding="utf-8") as f:
                f.write(content)
            return self.d.cli("test", test, check=False).stdout.splitlines()

        self.assertEqual(hold(text), ["1 of 1 hold"])
        self.assertIn("verdict: filtered", text)
        self.assertEqual(hold(text.replace("verdict: filtered", "verdict: waiting"))[-1], "0 of 1 hold")
        self.assertIn("there is no event none", self.d.cli("test", "--record", "none", manifest, check=False).stderr)

    def test_a_source_that_is_gone(self):
        first = self.emit({"ref": "main", "n": "1"})
        self.d.write("source.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: nothing}\n")
        until(lambda: self.d.cli("emit", "hook/push", check=False).returncode, what="the source to go")
        self.replay(first, "--sensor", "one")
        self.assertEqual(self.numbers(), ["1"] * 3)
