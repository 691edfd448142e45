# SPDX-License-Identifier: Apache-2.0
"""argoWorkflow and k8s triggers against the real engine: operations on workflows, objects that come and go, policy.k8s, and a daemon that is
killed in between."""
import json
import os
import sqlite3
import unittest

from harness import Daemon, TestCase, free_port, post, scaled, until
from test_services import HOOK


SENSOR = """
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {name: %s}
spec:
  dependencies:
  - name: d
    eventSourceName: hook
    eventName: e
    filters: {data: [{path: body.do, type: string, value: ["^%s$"]}]}
  triggers:
  - template:
      name: t
%s
"""

VERB = """
      argoWorkflow:
        operation: %s
        args: %s
        source: {resource: {apiVersion: argoproj.io/v1alpha1, kind: Workflow, metadata: {name: x}}}
        parameters: [{src: {dependencyName: d, dataKey: body.name}, dest: metadata.name}]
"""

GATE = """
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: gate}
spec:
  entrypoint: main
  arguments: {parameters: [{name: exit, value: "0"}]}
  templates:
  - name: main
    steps:
    - - {name: wait, template: wait}
    - - {name: run, template: run}
  - name: wait
    suspend: {}
  - name: run
    container: {image: busybox, command: [sh, -c, "exit {{workflow.parameters.exit}}"]}
---
"""


def sensor(name, body):
    return "---" + SENSOR % (name, name, body)


def verb(name, args="[]"):
    return sensor(name, VERB % (name, args))


class Operations(TestCase):
    def serve(self, text):
        self.hook = free_port()
        d = self.daemon = Daemon(self.directory, {"all.yaml": (HOOK + text).replace("PORT", str(self.hook))})
        self.addCleanup(d.stop)
        return d.start()

    def send(self, do, **more):
        status, _ = post(self.hook, "/e", json.dumps(dict(more, do=do)).encode(), {"Content-Type": "application/json"})
        self.assertEqual(status, 200)

    def sensors(self):
        return [x["metadata"]["name"] for x in self.daemon.api("GET", "/api/v1/sensors/default")[1]["items"]]

    def phase(self, name):
        return self.daemon.get(name)["status"].get("phase")

    def workflows(self):
        return self.daemon.list() or []

    def node(self, name, display):
        return next((n for n in self.daemon.get(name)["status"].get("nodes", {}).values() if n["displayName"] == display), None)

    def waiting(self, name):
        until(lambda: (self.node(name, "wait") or {}).get("phase") == "Running", what="its gate")

    def test_a_workflow_from_its_beginning_to_its_end_by_events(self):
        self.serve(GATE + sensor("start", """
      argoWorkflow:
        operation: submit-from
        args: [-p, exit=3, --name, w, -l, team=a]
        source: {resource: {apiVersion: argoproj.io/v1alpha1, kind: WorkflowTemplate, metadata: {name: gate}}}
""") + verb("suspend") + verb("resume") + verb("retry", "[-p, exit=0]") + verb("resubmit", "[-p, exit=0]") + verb("stop", "['--message=enough']") + verb("terminate"))
        self.send("start")
        until(lambda: self.workflows(), what="the workflow")
        self.waiting("w")
        labels = self.daemon.get("w")["metadata"]["labels"]
        self.assertEqual(("start", "t", "a", "gate"), (labels["events.argoproj.io/sensor"], labels["events.argoproj.io/trigger"], labels["team"],
                                                       labels["workflows.argoproj.io/workflow-template"]))
        self.send("suspend", name="w")
        until(lambda: self.daemon.get("w")["spec"].get("suspend"), what="the suspension")
        self.send("resume", name="w")
        until(lambda: self.phase("w") == "Failed", what="the failure")
        self.send("retry", name="w")
        until(lambda: self.phase("w") == "Succeeded", what="the second try")
        self.send("resubmit", name="w")
        until(lambda: len(self.workflows()) == 2, what="the second workflow")
        second = next(x["metadata"]["name"] for x in self.workflows() if x["metadata"]["name"] != "w")
        self.waiting(second)
        self.send("stop", name=second)
        until(lambda: self.phase(second) == "Failed", what="the stop")
        self.assertIn("enough", json.dumps(self.daemon.get(second)["status"]))
        self.send("resubmit", name=second)
        until(lambda: len(self.workflows()) == 3, what="the third workflow")
        third = next(x["metadata"]["name"] for x in self.workflows() if x["metadata"]["name"] not in ("w", second))
        self.waiting(third)
        self.send("terminate", name=third)
        until(lambda: self.phase(third) == "Failed", what="the end of the third")

    def test_a_missing_workflow_is_a_dead_letter(self):
        self.serve(verb("stop"))
        self.send("stop", name="nobody")
        letters = until(lambda: json.loads(self.daemon.cli("dlq", "list", "-o", "json").stdout), what="the dead letter")
        self.assertEqual(letters[0]["reason"], 'workflows.argoproj.io "nobody" not found')

    def test_objects_that_events_make_are_in_force_and_stay(self):
        """A template, a sensor for it, and the end of both."""
        d = self.serve(sensor("template", """
      k8s:
        operation: create
        source:
          inline: |
            apiVersion: argoproj.io/v1alpha1
            kind: WorkflowTemplate
            metadata: {name: made}
            spec: {entrypoint: main, templates: [{name: main, suspend: {duration: "0"}}]}
""") + sensor("sensor", """
      k8s:
        source:
          resource:
            apiVersion: argoproj.io/v1alpha1
            kind: Sensor
            metadata: {name: second}
            spec:
              dependencies: [{name: d, eventSourceName: hook, eventName: e, filters: {data: [{path: body.do, type: string, value: ["^go$"]}]}}]
              triggers:
              - template:
                  name: t
                  argoWorkflow:
                    operation: submit-from
                    source: {resource: {apiVersion: argoproj.io/v1alpha1, kind: WorkflowTemplate, metadata: {name: made}}}
""") + sensor("away", """
      k8s:
        operation: delete
        source: {resource: {apiVersion: argoproj.io/v1alpha1, kind: Sensor, metadata: {name: second}}}
"""))
        self.send("template")
        until(lambda: d.cli("template", "get", "made", check=False).returncode == 0, what="the template")
        self.assertIn("sensor template", d.cli("template", "history", "made").stdout)
        self.send("sensor")
        until(lambda: "second" in self.sensors(), what="the sensor")
        until(lambda: '"sensor started" sensor=default/second' in d.log(), what="the sensor at work")
        self.send("go")
        until(lambda: len(self.workflows()) == 1, what="its workflow")
        d.kill()
        d.start()
        self.send("go")
        until(lambda: len(self.workflows()) == 2, what="its second workflow")
        self.send("away")
        until(lambda: "second" not in self.sensors(), what="the end of the sensor")

    def test_a_policy_waits_for_the_end_of_the_workflow(self):
        """Over the death of the daemon; what failed is tried again with a workflow of its own."""
        d = self.serve(sensor("run", """
      argoWorkflow:
        operation: submit
        source:
          resource:
            apiVersion: argoproj.io/v1alpha1
            kind: Workflow
            metadata: {generateName: run-}
            spec: {workflowTemplateRef: {name: gate}}
    policy: {k8s: {labels: {workflows.argoproj.io/phase: Succeeded}, errorOnBackoffTimeout: true, backoff: {duration: 1h, steps: 3}}}
    retryStrategy: {steps: 2, duration: 100ms, factor: 1, jitter: 0}
""") + "---" + GATE.replace("\n---\n", ""))
        self.send("run")
        first = until(lambda: self.workflows(), what="the workflow")[0]["metadata"]["name"]
        self.waiting(first)
        d.kill()
        d.start()
        self.waiting(first)
        self.assertEqual(len(self.workflows()), 1)
        d.cli("stop", first)
        until(lambda: len(self.workflows()) == 2, what="the second attempt")
        second = next(x["metadata"]["name"] for x in self.workflows() if x["metadata"]["name"] != first)
        self.waiting(second)
        d.cli("resume", second)
        until(lambda: "fired" in d.cli("events", "-o", "json").stdout, what="the end of the firing")
        self.assertEqual(len(self.workflows()), 2)

    def test_each_event_makes_one_object_however_often_the_daemon_is_killed(self):
        """Read from a file, and so after the event is on disk."""
        events, kills = scaled(20, 300), scaled(3, 12)
        path = os.path.join(self.directory, "map.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write("{apiVersion: v1, kind: ConfigMap, metadata: {generateName: made-}, data: {n: none}}\n")
        d = self.serve(sensor("make", f"""
      k8s:
        source: {{file: {{path: {path}}}}}
        parameters: [{{src: {{dependencyName: d, dataKey: body.n}}, dest: data.n}}]
"""))
        for i in range(events):
            if i % max(1, events // kills) == 1:
                d.kill()
                d.start()
            self.send("make", n=i)

        def made():
            with sqlite3.connect(os.path.join(d.state, "tidegate.db")) as db:
                rows = db.execute("SELECT manifest FROM object WHERE kind = 'ConfigMap'").fetchall()
                left = db.execute("SELECT count(*) FROM firing").fetchone()[0]
            return not left and len(rows) >= events and sorted(int(json.loads(r[0])["data"]["n"]) for r in rows)

        self.assertEqual(until(made, seconds=300, what="the last firing"), list(range(events)))

    def test_each_event_resubmits_once_however_often_the_daemon_is_killed(self):
        events, kills = scaled(20, 300), scaled(3, 12)
        d = self.serve("""
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: one}
spec:
  entrypoint: main
  templates: [{name: main, suspend: {duration: "0"}}]
""" + verb("resubmit"))
        d.cli("submit", "--from", "workflowtemplate/one", "--name", "base", "--wait")
        for i in range(events):
            if i % max(1, events // kills) == 1:
                d.kill()
                d.start()
            self.send("resubmit", name="base", n=i)
        until(lambda: len(self.workflows()) >= events + 1, seconds=300, what="all of them")
        d.stop()
        d.start()
        self.assertEqual(len(self.workflows()), events + 1)
        with sqlite3.connect(os.path.join(d.state, "tidegate.db")) as db:
            self.assertEqual(db.execute("SELECT count(*) FROM firing").fetchone()[0], 0)


if __name__ == "__main__":
    unittest.main()
