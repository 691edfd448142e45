# SPDX-License-Identifier: Apache-2.0
"""Locks under kill -9: fifty workflows contend for a semaphore of three while the daemon is killed at random moments.

Who holds the semaphore writes a line to one journal when it begins and one when it ends, by its own command: the daemon
has no say in it, and a step that outlives the daemon still counts. The order of lines is the order of things, since each is
one write to a file that is open for appending.
"""
import os
import random
import time
import unittest

from harness import TestCase, scaled, until

LIMITS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: limits}
data: {licences: "3"}
"""

# Four ways to hold it: a pod, a steps template, a template that is tried again, and the whole workflow.
TEMPLATES = """
    - name: say
      inputs: {parameters: [{name: text}]}
      container:
        image: busybox
        command: [sh, -c]
        args: ["echo {{inputs.parameters.text}} >> JOURNAL; sleep PAUSE"]
        volumeMounts: [{name: journal, mountPath: "DIRECTORY"}]
    - name: pod
      inputs: {parameters: [{name: id}]}
      synchronization: &licence {semaphores: [{configMapKeyRef: {name: limits, key: licences}}]}
      container:
        image: busybox
        command: [sh, -c]
        args: ["echo start {{inputs.parameters.id}} >> JOURNAL; sleep PAUSE; echo end {{inputs.parameters.id}} >> JOURNAL"]
        volumeMounts: [{name: journal, mountPath: "DIRECTORY"}]
    - name: steps
      inputs: {parameters: [{name: id}]}
      synchronization: *licence
      steps:
      - - {name: begin, template: say, arguments: {parameters: [{name: text, value: "start {{inputs.parameters.id}}"}]}}
      - - {name: end, template: say, arguments: {parameters: [{name: text, value: "end {{inputs.parameters.id}}"}]}}
    - name: again
      inputs: {parameters: [{name: id}]}
      synchronization: *licence
      retryStrategy: {limit: 1}
      container:
        image: busybox
        command: [sh, -c]
        args: ["if [ {{retries}} = 0 ]; then echo start {{inputs.parameters.id}} >> JOURNAL; exit 1; fi; echo end {{inputs.parameters.id}} >> JOURNAL"]
        volumeMounts: [{name: journal, mountPath: "DIRECTORY"}]
"""
PARTS = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: NAME}
spec:
  entrypoint: main
  priority: PRIORITY
  volumes: [{name: journal, hostPath: {path: "DIRECTORY"}}]
  templates:
    - name: main
      dag:
        tasks:
        - {name: a, template: pod, arguments: {parameters: [{name: id, value: NAME-a}]}}
        - {name: b, template: steps, arguments: {parameters: [{name: id, value: NAME-b}]}}
        - {name: c, template: again, arguments: {parameters: [{name: id, value: NAME-c}]}}
""" + TEMPLATES
WHOLE = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: NAME}
spec:
  entrypoint: main
  priority: PRIORITY
  synchronization: {semaphores: [{configMapKeyRef: {name: limits, key: licences}}]}
  volumes: [{name: journal, hostPath: {path: "DIRECTORY"}}]
  templates:
    - name: main
      steps:
      - - {name: begin, template: say, arguments: {parameters: [{name: text, value: start NAME-w}]}}
      - - {name: end, template: say, arguments: {parameters: [{name: text, value: end NAME-w}]}}
""" + TEMPLATES


class Contenders(TestCase):
    """Fifty at a time, three at once, by whatever means; and a daemon that is killed."""
    WORKFLOWS = 50
    HOLDERS = 3
    SETTINGS = ""

    def setUp(self):
        super().setUp()
        self.shared = os.path.join(self.directory, "shared")
        self.journal = os.path.join(self.shared, "journal")
        os.makedirs(self.shared)
        os.chmod(self.shared, 0o777)

    def settings(self):
        path = os.path.join(self.directory, "settings.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(f"hostPaths: [{self.directory}]\n{self.SETTINGS}")
        return path

    def text(self, i):
        """What contender number i is, and the endings of the ids that its holders write."""
        raise NotImplementedError

    def submit(self, d, rng):
        """Fifty more, in one go."""
        path, texts = os.path.join(self.directory, "contenders.yaml"), []
        for i in range(self.WORKFLOWS):
            name = f"w{self.submitted + i:04d}"
            text, endings = self.text(i)
            self.ids += [f"{name}-{x}" for x in endings]
            texts.append(text.replace("NAME", name).replace("PRIORITY", str(rng.randrange(3)))
                         .replace("JOURNAL", self.journal).replace("DIRECTORY", self.shared).replace("PAUSE", scaled("0.1", "0.5")))
        self.submitted += self.WORKFLOWS
        with open(path, "w", encoding="utf-8") as f:
            f.write("---".join(texts))
        d.cli("submit", path)

    def lines(self):
        if not os.path.exists(self.journal):
            return []
        with open(self.journal, encoding="utf-8") as f:
            return f.read().split("\n")[:-1]

    def most(self):
        """How many held it at once, at most, by what they wrote themselves."""
        holding, most = set(), 0
        for line in self.lines():
            what, who = line.split()
            if what == "start":
                holding.add(who)
            else:
                holding.discard(who)
            most = max(most, len(holding))
            self.assertLessEqual(len(holding), self.HOLDERS, f"at {line!r} {sorted(holding)} hold it")
        return most

    def kill_at_random(self, d, rng):
        """After some lines more, at once, or before the daemon has taken anything up."""
        if rng.random() < 0.25:
            time.sleep(rng.random() * 0.05)  # a moment in its start; whichever it is, nothing may go wrong
        else:
            d.greeted()
            if len(self.lines()) > 2 * len(self.ids) - 30:
                self.submit(d, rng)  # they must contend at every kill
            target = len(self.lines()) + rng.choice([0, 0, 1, 1, 2])
            until(lambda: len(self.lines()) >= target, 120, f"{target} lines of the journal")
        d.kill()

    def contend(self, kills):
        seed = int(os.environ.get("TIDEGATE_SEED", "1"))
        rng = random.Random(seed)
        d = self.daemon({"limits.yaml": LIMITS}, "--config", self.settings())
        self.submitted, self.ids = 0, []
        self.submit(d, rng)
        for _ in range(kills):
            self.kill_at_random(d, rng)
            self.most()
            d.spawn()
        d.greeted()

        def all_ended():
            return all(w["status"].get("finishedAt") for w in d.list())

        until(all_ended, 600, "the end of all workflows")
        phases = {w["metadata"]["name"]: w["status"]["phase"] for w in d.list()}
        self.assertEqual(len(phases), self.submitted)
        self.assertEqual(set(phases.values()), {"Succeeded"}, phases)
        self.assertEqual(sorted(x[6:] for x in self.lines() if x.startswith("start ")), sorted(self.ids))
        self.assertEqual(sorted(x[4:] for x in self.lines() if x.startswith("end ")), sorted(self.ids))
        self.assertEqual(self.most(), self.HOLDERS, f"seed {seed}: the semaphore was never full")
        self.assertFalse([w["metadata"]["name"] for w in d.list() if w["status"].get("synchronization")])


class Locks(Contenders):
    def text(self, i):
        return (WHOLE, "w") if i % 5 == 4 else (PARTS, "abc")

    def test_never_more_than_three_hold_it_and_none_is_stuck(self):
        self.contend(scaled(10, 200))


class Admission(Contenders):
    """The same of the daemon's own limit: workflows that wait are not even in memory."""
    SETTINGS = "workflowParallelism: 3\n"

    def text(self, i):
        return WHOLE.replace("  synchronization: {semaphores: [{configMapKeyRef: {name: limits, key: licences}}]}\n", ""), "w"

    def test_never_more_than_three_run_and_none_is_forgotten(self):
        self.contend(scaled(10, 100))


if __name__ == "__main__":
    unittest.main()
