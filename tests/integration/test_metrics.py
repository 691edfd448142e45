# SPDX-License-Identifier: Apache-2.0
"""The metrics of Argo's controller, under its names: each is made to say something."""
import fcntl
import os
import re
import signal
import struct
import unittest

from harness import TestCase, until

HOLDS = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: NAME}
spec:
  entrypoint: main
  synchronization: {mutexes: [{name: one}]}
  templates: [{name: main, suspend: {}}]
"""
GREET = """
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: greet}
spec:
  entrypoint: main
  ttlStrategy: {secondsAfterCompletion: 36000}
  podGC: {strategy: OnPodCompletion, deleteDelayDuration: 10h}
  templates:
    - name: main
      steps: [[{name: a, template: one}, {name: b, template: one}, {name: c, template: one}]]
    - name: one
      container: {image: busybox, command: ["true"]}
"""
BY_REF = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: by-ref}
spec: {workflowTemplateRef: {name: greet}}
"""
SLEEPS = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: sleeps}
spec:
  entrypoint: main
  templates: [{name: main, container: {image: busybox, command: [sleep, "1000"]}}]
"""
WRONG = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: wrong}
spec:
  entrypoint: main
  templates:
    - name: main
      metrics: {prometheus: [{name: "bad", help: "Bad.", gauge: {value: "no number"}}]}
      steps: [[{name: a, template: one}], [{name: b, template: wait}]]
    - {name: wait, suspend: {}}
    - name: one
      metrics: {prometheus: [{name: "bad", help: "Bad.", gauge: {value: "no number"}}]}
      container: {image: busybox, command: ["true"]}
"""


class Metrics(TestCase):
    def served(self):
        path = os.path.join(self.directory, "settings.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write("parallelism: 1\n")
        return self.daemon({"greet.yaml": GREET}, "--config", path)

    def metrics(self, d):
        status, text = d.api("GET", "/metrics")
        self.assertEqual(status, 200)
        found = re.findall(r"^argo_workflows_(\S+?)(?:\{(.*)\})? (\S+)$", text.decode(), re.M)
        return {(name, labels): float(value) for name, labels, value in found}

    def phase(self, d, name, phase):
        until(lambda: d.get(name)["status"].get("phase") == phase, 60, f"{name} to be {phase}")

    def test_locks_and_phases(self):
        d = self.served()
        lock = 'type="mutex",storage="configmap",lock_name="default/Mutex/one",namespace="default"'
        for name in ("first", "second"):
            d.cli("submit", "-", data=HOLDS.replace("NAME", name))
        self.phase(d, "first", "Running")
        self.phase(d, "second", "Pending")
        m = self.metrics(d)
        self.assertEqual((m["locks_held", lock], m["locks_pending", lock], m["locks_taken_total", lock]), (1, 1, 1))
        self.assertEqual((m["gauge", 'phase="Running"'], m["gauge", 'phase="Pending"'], m["gauge", 'phase="Succeeded"']), (1, 1, 0))
        self.assertEqual(m["workflow_condition", 'type="PodRunning",status="False"'], 1)
        d.cli("resume", "first")
        self.phase(d, "second", "Running")
        m = self.metrics(d)
        self.assertEqual((m["locks_held", lock], m["locks_pending", lock], m["locks_taken_total", lock]), (1, 0, 2))
        d.cli("resume", "second")
        self.phase(d, "second", "Succeeded")
        m = until(lambda: (lambda m: m["gauge", 'phase="Succeeded"'] == 2 and m)(self.metrics(d)), 30, "both to be finished")
        self.assertNotIn(("locks_held", lock), m)
        self.assertEqual(m["locks_taken_total", lock], 2)
        self.assertEqual((m["gauge", 'phase="Running"'], m["gauge", 'phase="Pending"']), (0, 0))
        self.assertEqual(m["workflow_condition", 'type="Completed",status="True"'], 2)
        for phase, n in (("Pending", 1), ("Running", 2), ("Succeeded", 2)):
            self.assertEqual(m["total_count", f'phase="{phase}",namespace="default"'], n, phase)
        d.stop()
        d.start()
        m = self.metrics(d)
        self.assertEqual(m["gauge", 'phase="Succeeded"'], 2, "after a restart")
        d.cli("delete", "first")
        self.assertEqual(self.metrics(d)["gauge", 'phase="Succeeded"'], 1)

    def test_pods_templates_and_queues(self):
        d = self.served()
        d.cli("submit", "-", data=BY_REF)
        self.phase(d, "by-ref", "Succeeded")
        m = until(lambda: (lambda m: m["queue_depth_gauge", 'queue_name="workflow_ttl_queue"'] and m)(self.metrics(d)), 30, "its end on disk")
        for phase in ("Pending", "Running", "Succeeded"):
            self.assertEqual(m["pods_total_count", f'phase="{phase}",namespace="default"'], 3, phase)
        self.assertEqual(m["pod_pending_count", 'reason="Unschedulable",namespace="default"'], 2)
        self.assertEqual((m["pods_gauge", 'phase="Pending"'], m["pods_gauge", 'phase="Running"']), (0, 0))
        of = 'name="greet",namespace="default",cluster_scope="false"'
        for phase in ("Running", "Succeeded"):
            self.assertEqual(m["workflowtemplate_triggered_total", f'{of},phase="{phase}"'], 1, phase)
        self.assertEqual(m["workflowtemplate_runtime_count", of], 1)
        self.assertEqual(m["workflowtemplate_runtime_bucket", f'{of},le="10000"'], 1)
        for queue, n in (("workflow_ttl_queue", 1), ("pod_cleanup_queue", 3), ("workflow_archive_queue", 1)):
            self.assertEqual(m["queue_adds_count", f'queue_name="{queue}"'], n, queue)
        self.assertEqual(m["queue_depth_gauge", 'queue_name="pod_cleanup_queue"'], 3)
        saves = m["queue_adds_count", 'queue_name="workflow_queue"']
        self.assertGreaterEqual(saves, 2)
        self.assertEqual(m["queue_latency_count", 'queue_name="workflow_queue"'], saves)
        self.assertEqual(m["queue_duration_count", 'queue_name="workflow_queue"'], saves)
        self.assertGreaterEqual(m["operation_duration_seconds_count", ""], 7, "a start, and two pieces of news of each step")

    def test_the_process(self):
        d = self.served()
        m = self.metrics(d)
        self.assertEqual(m["is_leader", ""], 1)
        version = next(labels for name, labels in m if name == "version")
        self.assertEqual(re.findall(r'(\w+)="', version), ["version", "platform", "go_version", "build_date", "compiler", "git_commit",
                                                           "git_tree_state", "git_tag"])
        said = d.log().count("level=info")
        self.assertGreaterEqual(m["log_messages", 'level="info"'], said)
        d.cli("submit", "-", data=HOLDS.replace("NAME", "logged"))
        d.cli("resume", "logged")
        self.phase(d, "logged", "Succeeded")
        self.assertGreater(self.metrics(d)["log_messages", 'level="info"'], m["log_messages", 'level="info"'], "workflow finished")

    def test_a_step_that_is_lost(self):
        path = os.path.join(self.directory, "settings.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write("sandbox: 'off'\n")
        d = self.daemon({}, "--config", path)
        d.cli("submit", "-", data=SLEEPS)
        self.phase(d, "sleeps", "Running")
        node = until(lambda: next((n for n in d.get("sleeps")["status"].get("nodes", {}).values() if n["phase"] == "Running"), None), 60, "the step")
        self.assertEqual(self.metrics(d)["pods_gauge", 'phase="Running"'], 1)
        log = os.path.join(d.state, "tasks", "default", "sleeps", node["id"] + ".log")
        with open(log, "r+b") as f:
            # The monitor of the step has a lock on its log.
            held = fcntl.fcntl(f, fcntl.F_GETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
        os.kill(struct.unpack("hhqqi4x", held)[4], signal.SIGKILL)
        self.phase(d, "sleeps", "Error")
        m = self.metrics(d)
        self.assertEqual(sum(v for (name, labels), v in m.items() if name == "pod_missing" and 'node_phase="Running"' in labels), 1)
        self.assertEqual(m["pods_total_count", 'phase="Error",namespace="default"'], 1)

    def test_metrics_error(self):
        d = self.served()
        d.cli("submit", "-", data=WRONG)
        until(lambda: self.metrics(d)["workflow_condition", 'type="MetricsError",status="True"'] == 1, 60, "the condition")


if __name__ == "__main__":
    unittest.main()
