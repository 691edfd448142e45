# SPDX-License-Identifier: Apache-2.0
"""The command line as a person meets it: help, exit codes, output on and off a terminal."""
import json
import os
import pty
import re
import subprocess
import unittest

from harness import TIDEGATE, TestCase, until

HELLO = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: hello-}
spec:
  entrypoint: main
  arguments: {parameters: [{name: who, value: world}]}
  templates:
    - name: main
      container: {image: busybox, command: [echo], args: ["hello {{workflow.parameters.who}}"]}
"""
FAILS = HELLO.replace("command: [echo]", "command: [sh, -c]").replace('args: ["hello {{workflow.parameters.who}}"]', 'args: ["exit 3"]')
WAITS = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: waits}
spec:
  entrypoint: main
  templates:
    - name: main
      steps: [[{name: approve, template: approve}], [{name: release, template: release}]]
    - name: approve
      suspend: {}
    - name: release
      container: {image: busybox, command: [echo], args: [released]}
"""
LABELLED = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: labelled}
spec:
  entrypoint: main
  podMetadata: {labels: {team: blue, part: any}}
  templates:
    - name: main
      steps: [[{name: one, template: one}, {name: two, template: two}]]
    - name: one
      metadata: {labels: {part: first}}
      container: {image: busybox, command: [echo], args: [from one]}
    - name: two
      container: {image: busybox, command: [echo], args: [from two]}
"""
FAILS_HALFWAY = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: half-, labels: {app: shop}}
spec:
  entrypoint: main
  arguments: {parameters: [{name: code, value: "1"}]}
  templates:
    - name: main
      dag:
        tasks:
        - {name: good, template: print}
        - {name: bad, template: fail, dependencies: [good], arguments: {parameters: [{name: got, value: "{{tasks.good.outputs.result}}"}]}}
    - name: print
      container: {image: busybox, command: [echo], args: [made once]}
    - name: fail
      inputs: {parameters: [{name: got}]}
      container: {image: busybox, command: [sh, -c], args: ["echo {{inputs.parameters.got}}; exit {{workflow.parameters.code}}"]}
"""
COMMANDS = "serve run lint test submit list get logs delete stop terminate retry suspend resume resubmit wait watch events emit status version".split()


def call(*args, **more):
    return subprocess.run([TIDEGATE, *args], capture_output=True, text=True, timeout=60, **more)


class Help(TestCase):
    def test_every_command_has_a_page_with_examples_first(self):
        overview = call("--help")
        self.assertEqual(overview.returncode, 0)
        for command in COMMANDS:
            with self.subTest(command=command):
                self.assertIn(f"  {command} ", overview.stdout)
                page = call(command, "--help")
                self.assertEqual(page.returncode, 0)
                self.assertLess(page.stdout.index("Examples:"), page.stdout.index("Options:"))
                self.assertIn(f"tidegate {command}", page.stdout)
                self.assertEqual(call("help", command).stdout, page.stdout)

    def test_mistakes_say_what_was_meant(self):
        done = call("sumbit")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn('did you mean "submit"?', done.stderr)
        done = call("list", "--runing")
        self.assertEqual(done.returncode, 2)
        self.assertIn("did you mean --running?", done.stderr)

    def test_without_a_daemon_the_reason_is_said(self):
        done = call("list", "--state", self.directory)
        self.assertEqual(done.returncode, 7)
        self.assertIn("tidegate serve", done.stderr)


TRANSIENT = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: transient}
spec:
  entrypoint: main
  templates:
    - name: main
      retryStrategy: {limit: 3, retryPolicy: OnTransientError}
      container: {image: busybox, command: [sh, -c], args: ["exit $((75 + {{retries}}))"]}
"""


class Settings(TestCase):
    def config(self, text):
        path = os.path.join(self.directory, "config.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def test_transient_error_pattern(self):
        refused = call("serve", "--config", self.config("transientErrorPattern: '(a'\n"), "--state", self.directory)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("transientErrorPattern", refused.stderr)
        d = self.daemon({}, "--config", self.config("transientErrorPattern: 'exit code 7[56]'\n"))
        d.cli("submit", "-", "--wait", data=TRANSIENT, check=False)
        nodes = {n["displayName"]: n for n in d.get("transient")["status"]["nodes"].values()}
        self.assertEqual(sorted(nodes), ["transient", "transient(0)", "transient(1)", "transient(2)"])
        self.assertEqual(nodes["transient"]["message"], "main: Error (exit code 77)")


class Test(TestCase):
    """`tidegate test`: sensors against events that are written down."""

    def case(self, name, **expect):
        sensor = {"dependencies": [{"name": "d", "eventSourceName": "hook", "eventName": "push", "transform": {"jq": "{k: .a}"},
                                    "filters": {"script": "return event.k > 1"}}],
                  "triggers": [{"template": {"name": "t", "http": {"url": "http://127.0.0.1:1/", "payload": [
                      {"src": {"dependencyName": "d", "dataKey": "k"}, "dest": "n"}]}}}]}
        event = {"dependency": "d", "context": {"id": "1", "source": "hook", "type": "webhook", "subject": "push"}, "data": {"a": 2}}
        return json.dumps({"name": name, "sensor": sensor, "events": [event], "now": "2026-01-02T03:04:05Z", "expect": expect}) + "\n"

    def test_cases(self):
        path = os.path.join(self.directory, "cases.jsonl")
        with open(path, "w", encoding="utf-8") as f:
            f.write(self.case("good", fires=True, error=None, times=1, parameters={"n": "2"}))
        done = call("test", path)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "1 of 1 hold\n", ""))
        with open(path, "a", encoding="utf-8") as f:
            f.write(self.case("does not fire", fires=False, error=None, parameters={}))
            f.write(self.case("other value", fires=True, error=None, parameters={"n": "3"}))
            f.write("{\n")
        done = call("test", path)
        lines = done.stdout.splitlines()
        self.assertEqual((done.returncode, len(lines), lines[-1]), (1, 4, "1 of 4 hold"))
        self.assertEqual(lines[0], f"{path}:2: does not fire: fired 1 times; complaints: ")
        self.assertEqual(lines[1], f'{path}:3: other value: n is "2" in {{"n":"2"}}')
        self.assertTrue(lines[2].startswith(f"{path}:4: no JSON: "), lines[2])
        self.assertIn("0 of 2 hold", call("test", "--only", "other", path).stdout)
        self.assertIn(f"{path}:1: good: holds\n1 of 2 hold", re.sub(".*no JSON.*\n", "", call("test", "--only", "good", "-v", path).stdout))
        self.assertEqual(call("test", os.path.join(self.directory, "none.jsonl")).returncode, 4)


class Run(TestCase):
    def run_text(self, text, *args, **more):
        path = os.path.join(self.directory, "w.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return call("run", *args, path, **more)

    def test_exit_codes(self):
        self.assertEqual(self.run_text(HELLO).returncode, 0)
        self.assertEqual(self.run_text(FAILS).returncode, 1)
        self.assertEqual(self.run_text(HELLO.replace("entrypoint: main", "entrypoint: mian")).returncode, 2)
        self.assertEqual(self.run_text("{").returncode, 2)
        self.assertEqual(call("run", os.path.join(self.directory, "missing.yaml")).returncode, 2)

    def test_what_goes_with_the_end_is_gone_when_it_returns(self):
        text = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: gc-}
spec:
  entrypoint: main
  templates:
  - name: main
    container: {image: x, command: [sh, -c, "echo x >/tmp/x"]}
    outputs:
      artifacts:
      - {name: goes, path: /tmp/x, s3: {key: goes}, artifactGC: {strategy: OnWorkflowCompletion}}
      - {name: stays, path: /tmp/x, s3: {key: stays}, artifactGC: {strategy: OnWorkflowDeletion}}
"""
        state = os.path.join(self.directory, "gc")
        done = self.run_text(text, "-o", "json", "--state", state)
        self.assertEqual(done.returncode, 0, done.stderr)
        node, = json.loads(done.stdout)["status"]["nodes"].values()
        self.assertEqual([a.get("deleted") for a in node["outputs"]["artifacts"]], [True, None])
        self.assertEqual(os.listdir(os.path.join(state, "artifacts/objects/default")), ["stays"])

    def test_outputs(self):
        done = self.run_text(HELLO, "-o", "json", "-p", "who=you")
        workflow = json.loads(done.stdout)
        self.assertEqual(workflow["status"]["phase"], "Succeeded")
        self.assertEqual(workflow["spec"]["arguments"]["parameters"], [{"name": "who", "value": "you"}])
        self.assertRegex(self.run_text(HELLO, "-o", "name").stdout, r"^hello-[a-z0-9]{5}\n$")
        tree = self.run_text(HELLO).stdout
        self.assertIn("Succeeded", tree)
        self.assertNotIn("\033", tree, "escape sequences in a pipe")

    def test_nothing_is_left_behind(self):
        before = set(os.listdir(self.directory))
        self.run_text(HELLO, env={**os.environ, "TMPDIR": self.directory})
        self.assertEqual(set(os.listdir(self.directory)) - before, {"w.yaml"})

    def test_an_error_says_where(self):
        done = self.run_text(HELLO.replace("image: busybox", "imagee: busybox"))
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"w\.yaml:10:\d+: error: .*imagee.*did you mean \"image\"")

    def on_terminal(self, env):
        path = os.path.join(self.directory, "t.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(HELLO)
        main, side = pty.openpty()
        process = subprocess.Popen([TIDEGATE, "run", path], stdout=side, stderr=side, stdin=side, env={**os.environ, "TERM": "xterm", **env})
        os.close(side)
        text = b""
        while True:
            try:
                part = os.read(main, 65536)
            except OSError:
                break
            if not part:
                break
            text += part
        os.close(main)
        self.assertEqual(process.wait(), 0)
        return text.decode()

    def test_colours_on_a_terminal_only_repeat_a_word(self):
        colored = self.on_terminal({"NO_COLOR": ""})
        self.assertIn("\033[32m", colored)
        plain = self.on_terminal({"NO_COLOR": "1"})
        self.assertNotRegex(plain, r"\033\[\d+m")
        self.assertIn("Succeeded", plain)
        self.assertNotIn("\033", self.on_terminal({"TERM": "dumb"}))


class Client(TestCase):
    def setUp(self):
        super().setUp()
        self.d = self.daemon({})
        self.path = os.path.join(self.directory, "w.yaml")

    def submit(self, text, *args, check=True):
        with open(self.path, "w", encoding="utf-8") as f:
            f.write(text)
        return self.d.cli("submit", self.path, *args, check=check)

    def test_submit_get_list_logs_delete(self):
        name = self.submit(HELLO, "-o", "name", "-p", "who=argo").stdout.strip()
        self.assertRegex(self.d.cli("wait", name).stdout, rf"^{name} Succeeded at ")
        self.assertRegex(self.d.cli("logs", name).stdout, rf"^{name}[\w-]*: hello argo\n$")
        self.assertIn("Succeeded", self.d.cli("get", "@latest").stdout)
        self.assertRegex(self.d.cli("list").stdout, rf"NAME +STATUS +AGE +DURATION +PRIORITY +MESSAGE\n{name} +Succeeded")
        self.assertEqual(self.d.cli("delete", name).stdout, f"workflow {name} deleted\n")
        gone = self.d.cli("get", name, check=False)
        self.assertEqual(gone.returncode, 4)
        self.assertIn("not found", gone.stderr)
        self.assertEqual(self.d.cli("list").stdout, "No workflows found\n")

    def test_logs_by_label_of_the_pod(self):
        self.submit(LABELLED, "--wait")
        texts = lambda *args: sorted(line.split(": ")[1] for line in self.d.cli("logs", "labelled", *args).stdout.splitlines())
        self.assertEqual(texts("-l", "team=blue"), ["from one", "from two"])
        self.assertEqual(texts("-l", "part=first"), ["from one"])
        self.assertEqual(texts("-f", "-l", "part in (any)"), ["from two"])
        self.assertEqual(texts("-l", "workflows.argoproj.io/workflow=labelled,part!=first"), ["from two"])
        self.assertEqual(texts("-l", "team=red"), [])
        self.assertNotEqual(self.d.cli("logs", "labelled", "-l", "a in b", check=False).returncode, 0)

    def test_wait_tells_failure(self):
        done = self.submit(FAILS, "--wait", "-o", "name", check=False)
        self.assertEqual(done.returncode, 1)
        name = done.stdout.strip()
        self.assertEqual(self.d.cli("wait", name, check=False).returncode, 1)
        again = self.d.cli("retry", name, "--wait", "-o", "json", check=False)
        self.assertEqual(again.returncode, 1)
        self.assertEqual(json.loads(again.stdout)["metadata"]["name"], name)
        new = self.d.cli("resubmit", name, "--wait", "-o", "name", check=False)
        self.assertEqual(new.returncode, 1)
        self.assertNotEqual(new.stdout.strip(), name)

    def test_resubmit_memoized(self):
        name = self.submit(FAILS_HALFWAY, "--wait", "-o", "name", check=False).stdout.strip()
        refused = self.d.cli("resubmit", self.submit(HELLO, "--wait", "-o", "name").stdout.strip(), "--memoized", check=False)
        self.assertEqual(refused.returncode, 5)
        self.assertIn("workflow must be Failed/Error to resubmit in memoized mode", refused.stderr)
        new = json.loads(self.d.cli("resubmit", name, "--memoized", "-p", "code=0", "--priority", "7", "--wait", "-o", "json").stdout)
        self.assertEqual((new["status"]["phase"], new["spec"]["priority"]), ("Succeeded", 7))
        self.assertEqual(new["metadata"]["labels"]["workflows.argoproj.io/resubmitted-from-workflow"], name)
        nodes = {n["displayName"]: n for n in new["status"]["nodes"].values()}
        self.assertEqual((nodes["good"]["type"], nodes["good"]["phase"]), ("Skipped", "Skipped"))
        self.assertRegex(nodes["good"]["message"], f"^original pod: {name}-\\d+$")
        self.assertEqual(nodes["bad"]["inputs"]["parameters"][0]["value"], "made once")
        self.d.kill()
        self.d.start()
        self.assertEqual(self.d.get(new["metadata"]["name"])["status"]["nodes"], new["status"]["nodes"])

    def node_phase(self, node):
        return next((n["phase"] for n in self.d.get("waits")["status"].get("nodes", {}).values() if n["displayName"] == node), None)

    def test_suspend_resume_stop(self):
        self.submit(WAITS)
        until(lambda: self.node_phase("approve") == "Running", 20, "the suspend step")
        self.assertIn("Running (Suspended)", self.d.cli("get", "waits").stdout)
        self.d.cli("resume", "waits")
        self.d.cli("wait", "waits")
        self.assertEqual(self.node_phase("release"), "Succeeded")
        refused = self.d.cli("stop", "waits", check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.d.cli("delete", "--all")
        self.submit(WAITS)
        until(lambda: self.node_phase("approve") == "Running", 20, "the suspend step")
        self.d.cli("terminate", "waits")
        self.assertEqual(self.d.cli("wait", "waits", check=False).returncode, 1)
        self.assertIsNone(self.node_phase("release"))

    def test_resume_with_outputs(self):
        self.submit(WAITS.replace("suspend: {}", "suspend: {}\n      outputs: {parameters: [{name: answer, valueFrom: {supplied: {}}}]}"))
        until(lambda: self.node_phase("approve") == "Running", 20, "the suspend step")
        refused = self.d.cli("resume", "waits", check=False)
        self.assertIn("raw output parameter 'answer' has not been set", refused.stderr)
        self.assertEqual(self.d.cli("resume", "waits", "-p", "answer", check=False).returncode, 2)
        self.d.cli("resume", "waits", "--node-field-selector", "displayName=approve", "-p", "answer=YES")
        self.d.cli("wait", "waits")
        outputs = [n["outputs"]["parameters"] for n in self.d.get("waits")["status"]["nodes"].values() if n["displayName"] == "approve"]
        self.assertEqual(outputs, [[{"name": "answer", "value": "YES"}]])

    def test_dry_run_creates_nothing(self):
        self.assertIn("kind: Workflow", self.submit(HELLO, "--dry-run").stdout)
        self.assertEqual(self.d.list(), [])

    def test_a_second_daemon_is_refused_and_told_who_holds_the_state(self):
        done = call("serve", "--state", self.d.state, "--listen", "127.0.0.1:0")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(str(self.d.process.pid), done.stderr)

    def test_sigterm_ends_well(self):
        self.assertEqual(self.d.stop(), 0)


if __name__ == "__main__":
    unittest.main()
