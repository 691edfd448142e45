# SPDX-License-Identifier: Apache-2.0
"""Sources of objects: `resource` over workflows and the other objects of the daemon itself, through kills at any moment."""
import contextlib
import json
import os
import sqlite3
import unittest

from harness import TestCase, scaled, until

SOURCE = """apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {name: objects}
spec:
  resource:
"""
WORKFLOWS = "group: argoproj.io, version: v1alpha1, resource: workflows"
FLOW = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: NAME, labels: {team: TEAM}}
spec: {entrypoint: main, templates: [{name: main, suspend: {DURATION}}]}
"""
CHAIN = """---
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {name: chain}
spec:
  dependencies: [{name: d, eventSourceName: objects, eventName: ended}]
  triggers:
  - template:
      name: next
      argoWorkflow:
        operation: submit
        parameters: [{src: {dependencyName: d, dataKey: body.metadata.name}, dest: spec.arguments.parameters.0.value}]
        source:
          resource:
            apiVersion: argoproj.io/v1alpha1
            kind: Workflow
            metadata: {generateName: second-}
            spec:
              entrypoint: main
              arguments: {parameters: [{name: of, value: ""}]}
              templates: [{name: main, suspend: {duration: "0"}}]
"""


def config_map(name, value):
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, labels: {{team: a}}}}\ndata: {{key: \"{value}\"}}\n"


def events(d, subject):
    """The data of all events of an entry, oldest first, as they are on disk."""
    with contextlib.closing(sqlite3.connect(f"file:{d.state}/tidegate.db?mode=ro", uri=True)) as db:
        return [json.loads(row[0]) for row in db.execute("SELECT data FROM bus_event WHERE subject = ? ORDER BY key", (subject,))]


def told(d, subject):
    return [(e["type"], e["body"]["metadata"]["name"]) for e in events(d, subject)]


class Resource(TestCase):
    def submit(self, d, name, team="a", duration='duration: "0"'):
        path = os.path.join(self.directory, name + ".yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(FLOW.replace("NAME", name).replace("TEAM", team).replace("DURATION", duration))
        d.cli("submit", path)

    def settled(self, d, subject, wanted):
        until(lambda: len(told(d, subject)) >= len(wanted), 60, f"{wanted} of {subject}")
        self.assertEqual(told(d, subject), wanted)

    def test_the_life_of_a_workflow(self):
        d = self.daemon({"m.yaml": SOURCE + f"    all: {{{WORKFLOWS}, eventTypes: [ADD, UPDATE, DELETE], metadata: {{k: v}}}}\n"
                                            f"    gone: {{{WORKFLOWS}, eventTypes: [DELETE]}}\n"})
        self.submit(d, "w", duration="")
        until(lambda: told(d, "all"), what="the first event")
        d.cli("resume", "w")
        until(lambda: events(d, "all")[-1]["body"]["status"].get("phase") == "Succeeded", what="the end")
        d.cli("delete", "w")
        until(lambda: told(d, "gone") == [("DELETE", "w")], what="the deletion")
        until(lambda: told(d, "all")[-1][0] == "DELETE", what="the deletion")
        all_ = events(d, "all")
        self.assertEqual(list(all_[0]), ["type", "body", "oldBody", "group", "version", "resource", "metadata"])
        self.assertEqual([all_[0][k] for k in ("oldBody", "group", "version", "resource", "metadata")],
                         [None, "argoproj.io", "v1alpha1", "workflows", {"k": "v"}])
        self.assertEqual(all_[0]["body"]["kind"], "Workflow")
        self.assertEqual(set(t for t, _ in told(d, "all")[1:-1]), {"UPDATE"})
        last = all_[-2]
        self.assertEqual((last["oldBody"]["status"]["phase"], last["body"]["status"]["phase"]), ("Running", "Succeeded"))
        self.assertIsNone(all_[-1]["oldBody"])
        self.assertEqual(all_[-1]["body"]["status"]["phase"], "Succeeded")

    def test_filters(self):
        d = self.daemon({"m.yaml": SOURCE + f"""
    prefix: {{{WORKFLOWS}, eventTypes: [ADD], filter: {{prefix: a-}}}}
    label: {{{WORKFLOWS}, eventTypes: [ADD], filter: {{labels: [{{key: team, operation: in, value: "x,b"}}, {{key: none, operation: "!"}}]}}}}
    field: {{{WORKFLOWS}, eventTypes: [ADD], filter: {{fields: [{{key: metadata.name, operation: ==, value: "^b.*1$"}}]}}}}
    other: {{{WORKFLOWS}, eventTypes: [ADD], filter: {{fields: [{{key: metadata.name, operation: "!=", value: "^b"}}]}}}}
    old: {{{WORKFLOWS}, eventTypes: [ADD], filter: {{createdBy: "2020-01-01T00:00:00Z"}}}}
    elsewhere: {{{WORKFLOWS}, eventTypes: [ADD], namespace: none}}
    # As a watch by labels sees it: a workflow is added when it comes to have them, and deleted when it has them no more.
    ended: {{{WORKFLOWS}, eventTypes: [ADD], filter: {{labels: [{{key: workflows.argoproj.io/phase, operation: ==, value: Succeeded}}]}}}}
    began: {{{WORKFLOWS}, eventTypes: [DELETE], filter: {{labels: [{{key: workflows.argoproj.io/phase, value: Running}}]}}}}
    every: {{{WORKFLOWS}, eventTypes: [ADD]}}
"""})
        for name, team in (("a-1", "a"), ("b-1", "b"), ("b-2", "b")):
            self.submit(d, name, team, duration="")
            d.cli("resume", name)
        self.settled(d, "every", [("ADD", "a-1"), ("ADD", "b-1"), ("ADD", "b-2")])
        self.settled(d, "ended", [("ADD", "a-1"), ("ADD", "b-1"), ("ADD", "b-2")])
        self.settled(d, "prefix", [("ADD", "a-1")])
        self.settled(d, "label", [("ADD", "b-1"), ("ADD", "b-2")])
        self.settled(d, "field", [("ADD", "b-1")])
        self.settled(d, "other", [("ADD", "a-1")])
        self.settled(d, "began", [("DELETE", "a-1"), ("DELETE", "b-1"), ("DELETE", "b-2")])
        for none in ("old", "elsewhere"):
            self.assertEqual(told(d, none), [])

    def test_what_was_there_before_is_told_once(self):
        """Also when the daemon is killed meanwhile and started again: never twice, as Argo does at every start."""
        d = self.daemon({"none.yaml": config_map("cm", "1")})
        n = scaled(70, 500)
        wanted = []
        for i in range(n):
            self.submit(d, f"w-{i:03}")
            wanted.append(("ADD", f"w-{i:03}"))
        until(lambda: len(d.list()) == n and all(w["status"]["phase"] == "Succeeded" for w in d.list()), 120, "their end")
        d.write("m.yaml", SOURCE + f"    all: {{{WORKFLOWS}, eventTypes: [ADD]}}\n    new: {{{WORKFLOWS}, eventTypes: [ADD], filter: {{afterStart: true}}}}\n")
        until(lambda: told(d, "all"), what="the first ones")
        d.kill()
        d.start()
        until(lambda: len(told(d, "all")) >= n, 60, "all of them")
        d.kill()
        d.start()
        self.submit(d, "after")
        self.settled(d, "all", wanted + [("ADD", "after")])
        self.settled(d, "new", [("ADD", "after")])

    def test_a_workflow_that_ended_starts_the_next_through_kills(self):
        """Each that ends starts exactly one, wherever the daemon is killed between the end of the first and the start of the second."""
        d = self.daemon({"m.yaml": SOURCE + f"    ended: {{{WORKFLOWS}, eventTypes: [ADD], filter: {{afterStart: true, prefix: first-,"
                                            " labels: [{key: workflows.argoproj.io/phase, operation: ==, value: Succeeded}]}}\n" + CHAIN})
        names = []
        for kill in range(scaled(6, 40)):
            for i in range(5):
                names.append(f"first-{kill}-{i}")
                self.submit(d, names[-1])
            d.kill()
            d.start()

        def seconds():
            found = [w for w in d.list() if w["metadata"]["name"].startswith("second-")]
            return found if len(found) >= len(names) and all(w["status"].get("phase") == "Succeeded" for w in found) else None

        until(seconds, 120, "a second one of each")
        of = sorted(w["spec"]["arguments"]["parameters"][0]["value"] for w in seconds())
        self.assertEqual(of, sorted(names))

    def test_objects_of_the_configuration(self):
        """What changed while nothing ran is told at the next start, with what it was before."""
        d = self.daemon({"cm.yaml": config_map("one", "1"), "m.yaml": SOURCE + """
    maps: {version: v1, resource: configmaps, eventTypes: [ADD, UPDATE, DELETE]}
    later: {version: v1, resource: configmaps, eventTypes: [ADD], filter: {afterStart: true}}
    sources: {group: argoproj.io, version: v1alpha1, resource: eventsources, eventTypes: [ADD]}
"""})
        self.settled(d, "maps", [("ADD", "one")])
        self.settled(d, "sources", [("ADD", "objects")])
        d.write("cm.yaml", config_map("one", "2"))
        until(lambda: len(told(d, "maps")) == 2, what="the change")
        last = events(d, "maps")[-1]
        self.assertEqual((last["type"], last["oldBody"]["data"], last["body"]["data"], last["group"]), ("UPDATE", {"key": "1"}, {"key": "2"}, ""))
        d.kill()
        d.write("cm.yaml", config_map("two", "<3>"))
        d.start()
        until(lambda: len(told(d, "maps")) == 4, what="what came meanwhile")
        self.assertEqual(told(d, "maps")[:2] + sorted(told(d, "maps")[2:]), [("ADD", "one"), ("UPDATE", "one"), ("ADD", "two"), ("DELETE", "one")])
        self.settled(d, "later", [("ADD", "two")])
        d.kill()
        d.write("cm2.yaml", config_map("three", "4"))
        d.start()
        until(lambda: len(told(d, "maps")) >= 5, what="the third one")
        self.assertEqual(told(d, "maps")[4:], [("ADD", "three")])

    def test_a_chain_that_leads_to_itself_lets_others_go_on(self):
        d = self.daemon({"m.yaml": SOURCE + f"    ended: {{{WORKFLOWS}, eventTypes: [ADD]}}\n" + CHAIN})
        self.submit(d, "seed")
        until(lambda: len(told(d, "ended")) > 20, 60, "a few rounds")
        self.submit(d, "another")
        until(lambda: ("ADD", "another") in told(d, "ended"), 60, "the other one")
        d.cli("get", "another")

    def test_what_is_not_told_of_is_refused(self):
        path = os.path.join(self.directory, "m.yaml")
        for entry, text in (("version: v1, resource: pods", "there is no cluster to watch"), ("version: v1, resource: secrets", "secrets are not told of"),
                            ("group: argoproj.io, version: v1, resource: workflows", 'are of group "argoproj.io" and version v1alpha1')):
            with open(path, "w", encoding="utf-8") as f:
                f.write(SOURCE + f"    e: {{{entry}, eventTypes: [ADD]}}\n")
            d = self.daemon({}, start=False)
            self.assertIn(text, d.cli("lint", path, check=False).stdout + d.cli("lint", path, check=False).stderr)


if __name__ == "__main__":
    unittest.main()
