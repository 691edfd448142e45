# SPDX-License-Identifier: Apache-2.0
"""Everything at once under kill -9: parallel steps, retries, deadlines, stops, retries of the workflow, exit handlers.

Each command writes a line when it begins, when it is told to end, and when it ends: what was really executed, whatever the daemon
believes. It names the attempt: its pod, of which each attempt of a retryStrategy has its own, and the round, which is a parameter of
the workflow that its retries set anew. No attempt begins twice; each that is said to have succeeded ran from its beginning to its
end; and of those that began none runs on once its workflow has ended and its grace period is over.
"""
import collections
import contextlib
import os
import random
import time
import unittest

from harness import TestCase, scaled, until

WORKFLOW = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: mixed}
spec:
  entrypoint: main
  onExit: leave
  arguments: {parameters: [{name: round, value: "0"}]}
  volumes: [{name: shared, hostPath: {path: "DIRECTORY"}}]
  templates:
    - name: main
      dag:
        failFast: false
        tasks:
          - {name: quick, template: quick, arguments: {parameters: [{name: n, value: "{{item}}"}]}, withSequence: {count: "5"}}
          - {name: behind, template: quick, depends: quick, arguments: {parameters: [{name: n, value: "9"}]}, withSequence: {count: "3"}}
          - {name: again, template: again, withSequence: {count: "3"}}
          - {name: late, template: late, withSequence: {count: "2"}}
          - {name: endless, template: endless, withSequence: {count: "2"}}
    - name: quick
      inputs: {parameters: [{name: n}]}
      container: &step
        image: busybox
        command: [sh, DIRECTORY/step]
        args: ["{{pod.name}}/{{workflow.parameters.round}}", "0.1", "0"]
        volumeMounts: [{name: shared, mountPath: "DIRECTORY"}]
    - name: again
      retryStrategy: {limit: "3", retryPolicy: Always}
      container: {<<: *step, args: ["{{pod.name}}/{{workflow.parameters.round}}", "0.05", "{{=retries == '2' ? 0 : 1}}"]}
    - name: late
      activeDeadlineSeconds: 2
      container: {<<: *step, args: ["{{pod.name}}/{{workflow.parameters.round}}", "3600", "0"]}
    - name: endless
      container: {<<: *step, args: ["{{pod.name}}/{{workflow.parameters.round}}", "3600", "0"]}
    - name: leave
      container: {<<: *step, args: ["{{pod.name}}/{{workflow.parameters.round}}", "0.1", "0"]}
"""

# Whoever is told takes a while to go: the grace period is used. It may be told at any moment, so there is none at which it would
# end without having begun, or twice.
STEP = """
leave() { trap '' TERM; echo "told $1" >> DIRECTORY/journal; sleep 0.3; echo "end $1" >> DIRECTORY/journal; exit 1; }
trap told=1 TERM
echo "begin $1" >> DIRECTORY/journal
trap "leave $1" TERM
[ -z "$told" ] || leave "$1"
sleep $2 &
wait $!
trap '' TERM
echo "end $1" >> DIRECTORY/journal
exit $3
"""


class Kills(TestCase):
    """Rounds: the workflow is submitted, its daemon killed at random moments, stopped, and retried under the same name."""

    def setUp(self):
        super().setUp()
        self.shared = os.path.join(self.directory, "shared")
        os.makedirs(self.shared)
        os.chmod(self.shared, 0o777)
        self.write("mixed.yaml", WORKFLOW.replace("DIRECTORY", self.shared))
        self.write("shared/step", STEP.replace("DIRECTORY", self.shared))

    def write(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path + ".new", "w", encoding="utf-8") as f:
            f.write(text)
        os.rename(path + ".new", path)

    def lines(self):
        path = os.path.join(self.shared, "journal")
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as f:
            return [x.split() for x in f.read().split("\n")[:-1]]

    def kill_at_random(self, d, rng, times):
        """A moment is a number of lines more than now, or at once, or a while that spreads the deaths over what a daemon does."""
        for _ in range(times):
            target = len(self.lines()) + rng.choice([0, 0, 1, 2, 3])
            end = time.monotonic() + rng.choice([0, 0.002, 0.02, 0.1, 1])
            until(lambda: len(self.lines()) >= target or time.monotonic() > end, 60)
            d.kill()
            d.start()

    def finished(self, d):
        workflow = d.get("mixed")
        return workflow["status"].get("finishedAt") and workflow

    def seen(self, what):
        return collections.Counter(x[1] for x in self.lines() if x[0] == what)

    def quiet(self, seconds):
        """Waits until each command that began has ended; says which have not, or ended without having begun."""
        try:
            until(lambda: self.seen("begin") == self.seen("end"), seconds)
        except AssertionError:
            begun, ended = self.seen("begin"), self.seen("end")
            self.fail(f"waited {seconds} s for the end of all commands; begun more often than ended: {dict(begun - ended)}, "
                      f"ended more often than begun: {dict(ended - begun)}; told: {dict(self.seen('told'))}")

    def judge(self, snapshots):
        """All is quiet, and `snapshots` are the workflow as each round left it."""
        begun, ended = self.seen("begin"), self.seen("end")
        self.assertEqual({k: v for k, v in begun.items() if v > 1}, {}, "attempts that began twice")
        self.assertEqual(begun, ended)
        for number, workflow in enumerate(snapshots):
            pods = {self.pod(n): n for n in workflow["status"]["nodes"].values() if n["type"] == "Pod"}
            for pod, node in pods.items():
                self.assertNotIn("lost", node.get("message", ""), node)
                if node["phase"] == "Succeeded":
                    self.assertTrue(any(f"{pod}/{k}" in ended for k in range(number + 1)), f"round {number}: {node}")
            strangers = {x for x in begun if x.endswith(f"/{number}") and x.rsplit("/", 1)[0] not in pods}
            self.assertEqual(strangers, set(), f"round {number}: commands of which the workflow knows nothing")

    @staticmethod
    def pod(node):
        """Argo's name of a node's pod: the workflow's, the template's, and the hash in the node's id."""
        return f"mixed-{node['templateName']}-{node['id'].rsplit('-', 1)[1]}"

    def round(self, d, rng, verb):
        d.cli(*verb)
        self.kill_at_random(d, rng, 5)
        if rng.random() < 0.3:
            until(lambda: self.seen("told"), 60, "a deadline")
        d.cli(rng.choice(["stop", "terminate"]), "mixed", check=False)  # it may have ended
        self.kill_at_random(d, rng, 3)
        return until(lambda: self.finished(d), 120, "the end of the workflow")

    def run_seed(self, seed):
        rng = random.Random(seed)
        self.write("settings.yaml", f"hostPaths: [{self.directory}]\nparallelism: {rng.choice([2, 4, 16])}\n")
        d = self.daemon({}, "--config", os.path.join(self.directory, "settings.yaml"))
        snapshots = [self.round(d, rng, ["submit", os.path.join(self.directory, "mixed.yaml")])]
        for number in range(1, scaled(2, 4)):
            again = rng.choice([[], ["--restart-successful", "--node-field-selector", "templateName=quick"]])
            if rng.random() < 0.3:  # else the round begins while steps of the one before have their grace period
                self.quiet(60)
            snapshots.append(self.round(d, rng, ["retry", "mixed", "-p", f"round={number}", *again]))
        self.quiet(90)
        self.judge(snapshots)
        print(f"kills: seed {seed}: {sum(self.seen('begin').values())} commands began, {len(self.seen('told'))} were told to end", flush=True)
        d.cli("delete", "mixed")
        d.stop()

    def test_no_attempt_begins_twice_and_none_is_lost(self):
        first = int(os.environ.get("SEED", "1"))
        for seed in range(first, first + scaled(2, 20)):
            with self.subTest(seed=seed):
                self.run_seed(seed)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self.shared, "journal"))


if __name__ == "__main__":
    unittest.main()
