# SPDX-License-Identifier: Apache-2.0
"""The daemon is killed while a 20-step workflow runs, ten times at random moments: nothing starts twice, nothing is lost."""
import contextlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
import unittest
import unittest.mock

from harness import TestCase, scaled, until

# A chain of ten and a fan of ten beside it. Each step writes a line where it starts and one where it ends: what was really
# executed, whatever the daemon believes.
WORKFLOW = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: twenty}
spec:
  entrypoint: main
  arguments: {parameters: [{name: journal, value: JOURNAL}, {name: pause, value: "PAUSE"}]}
  volumes: [{name: journal, hostPath: {path: "DIRECTORY"}}]
  templates:
    - name: main
      dag:
        tasks:
CHAIN
          - name: fan
            template: step
            arguments: {parameters: [{name: id, value: "fan-{{item}}"}]}
            withSequence: {count: "10"}
    - name: step
      inputs: {parameters: [{name: id}]}
      container:
        image: busybox
        command: [sh, -c]
        args: ["echo start {{inputs.parameters.id}} >> {{workflow.parameters.journal}}; sleep {{workflow.parameters.pause}}; echo end {{inputs.parameters.id}} >> {{workflow.parameters.journal}}; echo {{inputs.parameters.id}} > DIRECTORY/out-{{inputs.parameters.id}}"]
        volumeMounts: [{name: journal, mountPath: "DIRECTORY"}]
      outputs: {parameters: [{name: out, valueFrom: {path: "DIRECTORY/out-{{inputs.parameters.id}}"}}]}
"""


def chain():
    for i in range(10):
        depends = f"\n            depends: c{i - 1}" if i else ""
        yield (f"          - name: c{i}\n            template: step{depends}\n"
               f"            arguments: {{parameters: [{{name: id, value: c{i}}}]}}")


class Crash(TestCase):
    def workflow(self, pause):
        self.journal = os.path.join(self.directory, "shared", "journal")
        os.makedirs(os.path.dirname(self.journal), exist_ok=True)
        os.chmod(os.path.dirname(self.journal), 0o777)
        text = (WORKFLOW.replace("JOURNAL", self.journal).replace("PAUSE", str(pause)).replace("CHAIN", "\n".join(chain()))
                .replace("DIRECTORY", os.path.dirname(self.journal)))
        path = os.path.join(self.directory, "twenty.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def settings(self):
        path = os.path.join(self.directory, "settings.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(f"hostPaths: [{self.directory}]\n")
        return path

    def lines(self):
        if not os.path.exists(self.journal):
            return []
        with open(self.journal, encoding="utf-8") as f:
            return f.read().split("\n")[:-1]

    def judge(self, d):
        workflow = d.ended("twenty")
        self.assertEqual(workflow["status"]["phase"], "Succeeded", workflow["status"].get("message"))
        pods = [n for n in workflow["status"]["nodes"].values() if n["type"] == "Pod"]
        self.assertEqual(len(pods), 20)
        self.assertEqual({n["phase"] for n in pods}, {"Succeeded"})
        ids = sorted([f"c{i}" for i in range(10)] + [f"fan-{i}" for i in range(10)])
        self.assertEqual(sorted(n["outputs"]["parameters"][0]["value"] for n in pods), ids)
        lines = self.lines()
        self.assertEqual(sorted(x[6:] for x in lines if x.startswith("start ")), ids, "a step's command started twice, or not at all")
        self.assertEqual(sorted(x[4:] for x in lines if x.startswith("end ")), ids, "a running step was lost")

    def test_killed_while_twenty_steps_run(self):
        """Ten kills in each of several runs; each at a moment of its own, among them right after a start and a submission."""
        for seed in range(scaled(1, 5)):
            with self.subTest(seed=seed):
                rng = random.Random(seed)
                path = self.workflow(0.3)
                d = self.daemon({}, "--config", self.settings(), start=False)
                d.start()
                d.cli("submit", path)
                for kill in range(10):
                    # A moment is a number of journal lines more than now, or at once.
                    target = len(self.lines()) + rng.choice([0, 0, 1, 2, 3])
                    until(lambda: len(self.lines()) >= min(target, 40), 60, f"{target} lines of the journal")
                    d.kill()
                    d.start()
                self.judge(d)
                d.cli("delete", "twenty")
                d.stop()
                shutil.rmtree(os.path.dirname(self.journal))

    def test_steps_go_on_without_the_daemon(self):
        """What ends while nobody is there is found when the daemon comes back."""
        path = self.workflow(0.5)
        d = self.daemon({}, "--config", self.settings())
        d.cli("submit", path)
        until(lambda: any(x.startswith("start") for x in self.lines()), 30, "the first step")
        self.assertEqual(d.stop(), 0)
        started = [x[6:] for x in self.lines() if x.startswith("start ")]
        until(lambda: all("end " + x in self.lines() for x in started), 30, "the end of the steps that ran")
        d.start()
        self.judge(d)


# Put before the system's: the daemon dies when it is about to tell a step to end.
MUTE = "#include <signal.h>\nint pidfd_send_signal(int fd, int sig, void *info, unsigned flags);\n" \
       "int pidfd_send_signal(int fd, int sig, void *info, unsigned flags) { return raise(SIGKILL); }\n"

# Runs until it is told to end, and says that it was.
ENDLESS = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: endless}
spec:
  entrypoint: main
  volumes: [{name: journal, hostPath: {path: "DIRECTORY"}}]
  templates:
    - name: main
      container:
        image: busybox
        command: [sh, -c]
        args: ["trap 'echo told >> JOURNAL; exit 1' TERM; echo runs >> JOURNAL; while :; do sleep 0.05; done"]
        volumeMounts: [{name: journal, mountPath: "DIRECTORY"}]
"""


class KillThatIsDue(Crash):
    """The daemon dies when it is on disk that a step is to end, and its monitor has not been told yet."""

    test_killed_while_twenty_steps_run = test_steps_go_on_without_the_daemon = None

    def setUp(self):
        super().setUp()
        self.journal = os.path.join(self.directory, "shared", "journal")
        os.makedirs(os.path.dirname(self.journal))
        os.chmod(os.path.dirname(self.journal), 0o777)
        self.mute = os.path.join(self.directory, "mute.so")
        subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-o", self.mute, "-"], input=MUTE, text=True, check=True)
        self.d = self.daemon({}, "--config", self.settings(), start=False)
        self.tasks = os.path.join(self.d.state, "tasks", "default", "endless")
        self.path = os.path.join(self.directory, "endless.yaml")
        with open(self.path, "w", encoding="utf-8") as f:
            f.write(ENDLESS.replace("JOURNAL", self.journal).replace("DIRECTORY", os.path.dirname(self.journal)))

    def start_mute(self):
        """Sanitizers want to come first otherwise."""
        with unittest.mock.patch.dict(os.environ, LD_PRELOAD=self.mute,
                                      ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"):
            self.d.start()

    def begin(self, times):
        self.d.cli("submit", self.path)
        until(lambda: self.lines().count("runs") == times, 60, "the step")

    def decide_and_die(self, *verb):
        self.d.cli(*verb, check=False)  # the answer may have gone out before
        self.d.process.wait(60)
        self.assertNotIn("told", self.lines())
        self.assertEqual(self.due(), 1)

    def due(self):
        with contextlib.closing(sqlite3.connect(os.path.join(self.d.state, "tidegate.db"))) as db:
            return db.execute("SELECT count(*) FROM kill").fetchone()[0]

    def test_is_made_up_for(self):
        for verb in ["stop", "terminate", "delete"]:
            with self.subTest(verb=verb):
                self.start_mute()
                self.begin(1)
                self.decide_and_die(verb, "endless")
                self.d.start()
                until(lambda: "told" in self.lines() and self.due() == 0, 60, "the end of the step")
                os.unlink(self.journal)
                if verb == "delete":
                    until(lambda: not os.path.exists(self.tasks), 60, "the end of the folder")
                else:
                    self.assertEqual(self.d.get("endless")["status"]["phase"], "Failed")
                    self.d.cli("delete", "endless")
                self.d.stop()

    def test_is_not_that_of_the_next_attempt(self):
        """Once the end was seen nothing is remembered: the same pod may run again."""
        self.d.start()
        self.begin(1)
        self.d.cli("stop", "endless")
        until(lambda: "told" in self.lines() and self.due() == 0, 60, "the end of the step")
        self.d.cli("retry", "endless")
        until(lambda: self.lines().count("runs") == 2, 60, "the step, once more")
        self.d.kill()
        self.d.start()
        self.assertEqual(self.d.get("endless")["status"]["phase"], "Running")
        self.assertEqual(self.lines().count("told"), 1)
        self.d.cli("stop", "endless")
        until(lambda: self.lines().count("told") == 2, 60, "the end of the step, once more")


if __name__ == "__main__":
    unittest.main()
