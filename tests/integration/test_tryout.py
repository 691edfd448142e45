# SPDX-License-Identifier: Apache-2.0
"""tidegate test: what files of ours say holds or does not, and where it says so."""
import glob
import json
import os
import re
import subprocess
import xml.etree.ElementTree

from harness import ROOT, TIDEGATE, TestCase

SENSOR = """\
manifests:
- apiVersion: argoproj.io/v1alpha1
  kind: Sensor
  metadata: {name: ci}
  spec:
    dependencies:
    - {name: push, eventSourceName: github, eventName: push, filters: {data: [{path: body.ref, type: string, value: [main]}]}}
    - {name: ok, eventSourceName: github, eventName: ok}
    triggers:
    - template:
        name: call
        conditions: push && ok
        within: 10m
        http: {url: "http://example.com/", payload: [{src: {dependencyName: push, dataKey: body.n, useRawData: true}, dest: n}]}
    - template: {name: quiet, conditions: ok, log: {}}
      debounce: {quiet: 10s}
---
"""
PUSH = "- {source: github, event: push, body: {ref: main, n: 5}, id: p}\n"


def run(*args):
    return subprocess.run([TIDEGATE, "test", *args], capture_output=True, text=True, timeout=120)


class Base(TestCase):
    def write(self, name, text):
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def case(self, text, head=SENSOR):
        """(holds, lines less the file's name)"""
        path = self.write("a.test.yaml", head + "name: it\n" + text)
        done = run(path)
        lines = [line.removeprefix(path + ":") for line in done.stdout.splitlines()]
        self.assertIn(lines[-1], ("1 of 1 hold", "0 of 1 hold"), done.stdout + done.stderr)
        self.assertEqual(done.returncode, 0 if lines[-1] == "1 of 1 hold" else 1)
        return lines[-1] == "1 of 1 hold", lines[:-1]

    def says(self, text, *wanted, head=SENSOR):
        holds, lines = self.case(text, head)
        self.assertFalse(holds)
        self.assertEqual(len(lines), len(wanted), lines)
        for line, want in zip(lines, wanted):
            self.assertRegex(line, r"^\d+: it: " + want)
        return lines

    def holds(self, text, head=SENSOR):
        self.assertEqual(self.case(text, head), (True, []))


class Reports(Base):
    """What programs read: a document with each case and what differs, whatever is in it."""

    def test_json_and_junit(self):
        text = SENSOR + "name: holds\nevents:\n" + PUSH + "expect: {decisions: []}\n---\nname: 'a \"<case>\" & ''more'''\n" \
            "events: [{source: github, event: push, body: {ref: main, n: \"\\u0001]]>\\n&\"}, id: p}, {source: github, event: ok}]\n" \
            "expect: {firings: [{trigger: call, payload: {n: x}}]}\n"
        first = self.write("tests/a.test.yaml", text)
        second = self.write("tests/b.test.yaml", SENSOR + "name: also\nevents:\n" + PUSH + "expect: {decisions: []}\n")
        folder = os.path.dirname(first)
        lines = run(folder).stdout.splitlines()
        self.assertRegex(lines[-1], "^2 of 3 hold$")
        done = run("-o", "json", folder)
        got = json.loads(done.stdout)
        self.assertEqual((done.returncode, got["cases"], got["hold"]), (1, 3, 2), done.stderr)
        name = "a \"<case>\" & 'more'"
        self.assertEqual([(r["file"], r["name"], r["holds"]) for r in got["results"]], [(first, "holds", True), (first, name, False), (second, "also", True)])
        self.assertEqual(got["results"][1]["differs"], lines[:-1])
        self.assertEqual(text.splitlines()[got["results"][1]["line"] - 1].split(":")[0], "name")
        done = run("-o", "junit", folder)
        root = xml.etree.ElementTree.fromstring(done.stdout)
        self.assertEqual((done.returncode, root.tag, root.get("tests"), root.get("failures")), (1, "testsuites", "3", "1"))
        self.assertEqual([(s.get("name"), s.get("tests"), s.get("failures")) for s in root], [(first, "2", "1"), (second, "1", "0")])
        self.assertEqual([c.get("name") for c in root.iter("testcase")], ["holds", name, "also"])
        failure, = root.iter("failure")
        self.assertEqual([failure.get("message"), failure.text.splitlines()], [lines[0], lines[:-1]])
        self.assertEqual(run("-o", "junit", second).returncode, 0)

    def test_json_lines_and_wrong_calls(self):
        path = self.write("a.jsonl", '{"name": "bad \\u0001 <"}\n')
        failure, = xml.etree.ElementTree.fromstring(run("-o", "junit", path).stdout).iter("failure")
        self.assertIn("bad ? <", failure.text)
        self.assertEqual(json.loads(run("-o", "json", path).stdout)["results"][0]["name"], "bad \x01 <")
        done = run("-o", "xml", path)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("junit", done.stderr)
        self.assertEqual(run("-o", "json", "--record", "x", path).returncode, 2)


class Files(Base):
    def test_what_fires_with_what_and_when(self):
        self.holds("events:\n" + PUSH + "- {source: github, event: ok, at: 1m}\nuntil: 10m\nexpect:\n  firings:\n"
                   "  - {sensor: ci, trigger: call, at: 1m, events: [p, event-2], payload: {n: 5}, exactly: true}\n"
                   "  - {trigger: quiet, at: 70s, settings: {}, exactly: true}\n")

    def test_what_differs_is_told_with_its_line(self):
        lines = self.says(
            "events:\n" + PUSH + "- {source: github, event: ok, at: 5s}\nexpect:\n  firings:\n  - sensor: other\n    trigger: cal\n    at: 7s\n"
            "    events: [x]\n    parameters: {n: 7, '': {n: 5}}\n    payload:\n      m: {a: b}\n    settings: {method: GET}\n    resource: {a: b}\n",
            r"firings\[0\]\.sensor: expected other, got ci$", r"firings\[0\]\.trigger: expected cal, got call$",
            r"firings\[0\]\.events: expected x, got p, event-2$", r"firings\[0\]\.at: expected 7s, got 2026-01-01T12:00:05Z \(5s after clock\)$",
            r'firings\[0\]\.parameters\.n: expected 7, got 5 in {"n":5}$', r'firings\[0\]\.resource: expected {"a":"b"}, got nothing$',
            r'firings\[0\]\.settings\.method: expected "GET", got nothing$', r'firings\[0\]\.payload\.m: expected {"a":"b"}, got nothing$')
        self.assertEqual([int(line.split(":")[0]) for line in lines], [24, 25, 27, 26, 28, 32, 31, 30])

    def test_exactly_means_all(self):
        text = "events:\n" + PUSH + "- {source: github, event: ok}\nexpect: {firings: [{payload: {}%s}]}\n"
        self.holds(text % "")
        self.says(text % ", exactly: true", r"firings\[0\]\.payload\.n: expected nothing, got 5")

    def test_all_firings_count(self):
        self.says("events:\n" + PUSH + "expect: {firings: [{trigger: call}]}\n",
                  r"expected 1 firing, got 0 \(p at call: waiting: waits for ok\)$")
        self.says("events:\n" + PUSH + "- {source: github, event: ok}\nexpect: {firings: []}\n", "expected 0 firings, got 1")
        self.says("events: [{source: gitlab, event: push}]\nexpect: {firings: [{}]}\n", r"expected 1 firing, got 0 \(no sensor depends on the events\)$")

    def test_decisions(self):
        event = "events: [{source: github, event: push, body: {ref: dev}}]\nexpect: {decisions: [%s]}\n"
        self.holds(event % "{event: event-1, sensor: ci, dependency: push, verdict: filtered, reason: 'got \"dev\"'}, {trigger: call, verdict: none}")
        self.says(event % "{verdict: waiting}", r"decisions\[0\]: expected waiting, got: event-1 at push: filtered: data filter body.ref")
        self.says(event % "{verdict: filtered, reason: other}", r"decisions\[0\]: expected filtered: other, got: ")
        self.says(event % "{verdict: none}", r"decisions\[0\]: expected no decision, got: ")

    def test_what_waits_too_long_is_told(self):
        text = "events:\n" + PUSH + "until: %s\nexpect: {firings: [], decisions: [{event: p, trigger: call, verdict: %s}]}\n"
        self.holds(text % ("599s", "waiting"))
        self.holds(text % ("10m1s", "expired"))

    def test_what_time_brings(self):
        """rateLimit, batch, and retries up to a dlqTrigger, which come without a random part."""
        head = """\
manifests:
- apiVersion: argoproj.io/v1alpha1
  kind: Sensor
  metadata: {name: s}
  spec:
    dependencies: [{name: a, eventSourceName: h, eventName: a}]
    triggers:
    - {template: {name: slow, log: {}}, rateLimit: {unit: Minute, requestsPerUnit: 1}}
    - template: {name: many, http: {url: "http://x/", payload: [{src: {dependencyName: a, dataKey: "#.body.n", useRawData: true}, dest: n}]}}
      batch: {size: 3, within: 30s}
    - template: {name: bad, log: {}}
      parameters: [{src: {dependencyName: a, dataKey: body.none}, dest: log.intervalSeconds}]
      retryStrategy: {steps: 3, duration: 11s}
      dlqTrigger: {template: {name: dlq, log: {}}, atLeastOnce: true}
      atLeastOnce: true
---
"""
        text = "events:\n" + "".join("- {source: h, event: a, body: {n: %d}%s}\n" % (n, ", at: 5s" if n == 4 else "") for n in range(1, 5))
        self.holds(text + "until: 1h\nexpect:\n  firings:\n"
                   "  - {trigger: slow, at: 0s, events: [event-1]}\n"
                   "  - {trigger: many, at: 0s, events: [event-1, event-2, event-3], payload: {n: [1, 2, 3]}}\n"
                   "  - {trigger: bad/dlqTrigger, at: 22s, events: [event-1]}\n"
                   "  - {trigger: many, at: 35s, payload: {n: [4]}}\n"
                   "  - {trigger: bad/dlqTrigger, at: 44s, events: [event-2]}\n"
                   "  - {trigger: slow, at: 1m, events: [event-2]}\n"
                   "  - {trigger: bad/dlqTrigger, at: 66s, events: [event-3]}\n"
                   "  - {trigger: bad/dlqTrigger, at: 88s, events: [event-4]}\n"
                   "  - {trigger: slow, at: 2m, events: [event-3]}\n"
                   "  - {trigger: slow, at: 3m, events: [event-4]}\n", head)

    def test_where_the_data_comes_from(self):
        self.write("body.json", '{"ref": "main", "n": 5}')
        self.write("data.json", '{"body": {"ref": "main", "n": 5}}')
        for how in ("bodyFile: body.json", "file: data.json", "data: {body: {ref: main, n: 5}}", "text: '{\"body\": {\"ref\": \"main\", \"n\": 5}}'",
                    "bodyFile: body.json, headers: {X-A: b}"):
            with self.subTest(how):
                self.holds("events: [{source: github, event: push, %s}, {source: github, event: ok}]\nexpect: {firings: [{payload: {n: 5}}]}\n" % how)
        self.says("events: [{source: github, event: push, file: none.json}]\nexpect: {}\n", ".*none.json: No such file")

    def test_headers_are_those_of_a_request(self):
        head = SENSOR.replace("path: body.ref", "path: header.X-Kind.0")
        self.holds("events: [{source: github, event: push, body: {n: 1}, headers: {X-Kind: main}}, {source: github, event: ok}]\n"
                   "expect: {firings: [{payload: {n: 1}}]}\n", head)

    def test_manifests_that_are_wrong(self):
        self.says("expect: {firings: []}\n", r".*none.yaml: cannot be read: No such file", head="manifests: [none.yaml]\n---\n")
        self.says("expect: {firings: []}\n", r".*a.test.yaml:1:\d+: spec.dependencyes: unknown field",
                  head="manifests: [{apiVersion: argoproj.io/v1alpha1, kind: Sensor, metadata: {name: x}, spec: {dependencyes: []}}]\n---\n")
        self.says("expect: {firings: []}\n", "manifests: no object that Tidegate knows", head="manifests: [{apiVersion: v1, kind: Pod}]\n---\n")

    def test_time_goes_on(self):
        self.says("events:\n- {source: github, event: ok, at: 5m}\n- {source: github, event: ok, at: 4m}\nexpect: {}\n",
                  r"events\[1\]\.at: before the event above it")
        self.says("events:\n- {source: github, event: ok, at: soon}\nexpect: {}\n", ".*soon")
        self.says("clock: noon\nexpect: {}\n", ".*noon")

    def test_a_file_that_is_none(self):
        path = self.write("a.test.yaml", "name: x\neventz: []\nexpect: {}\n---\nexpect: {firings: [{triggr: a}]}\n---\nevents: []\n")
        done = run(path)
        self.assertEqual(done.returncode, 2)
        self.assertIn(f'{path}:2:1: error: eventz: unknown field "eventz"; did you mean "events"?', done.stderr)
        self.assertIn(f'{path}:5:21: error: expect.firings[0].triggr: unknown field "triggr"; did you mean "trigger"?', done.stderr)
        self.assertIn(f"{path}:5:1: error: name: a case needs a name", done.stderr)
        self.assertIn(f"{path}:7:1: error: a case needs expect", done.stderr)

    def test_folders(self):
        self.write("d/a.test.yaml", SENSOR + "name: one\nexpect: {firings: []}\n")
        self.write("d/e/b.test.yml", "name: two\nexpect: {}\n")
        self.write("d/e/c.yaml", "nothing: here\n")
        self.write("d/.hidden/d.test.yaml", "nothing: here\n")
        folder = os.path.join(self.directory, "d")
        done = run("-v", folder)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout, f"{folder}/a.test.yaml:18: one: holds\n{folder}/e/b.test.yml:1: two: holds\n2 of 2 hold\n")
        self.assertEqual(run("--only", "tw", folder).stdout, "1 of 1 hold\n")

    def test_manifests_of_a_folder_are_not_its_tests(self):
        self.write("d/a.test.yaml", "kind: Nonsense\n")
        self.write("d/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
        done = subprocess.run([TIDEGATE, "lint", "--strict", os.path.join(self.directory, "d")], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


WORKFLOW = """\
manifests:
- apiVersion: argoproj.io/v1alpha1
  kind: WorkflowTemplate
  metadata: {name: build}
  spec:
    entrypoint: main
    arguments: {parameters: [{name: who, value: nobody}]}
    templates:
    - name: main
      steps:
      - [{name: a, template: make, arguments: {parameters: [{name: p, value: "{{workflow.parameters.who}}"}]}}]
      - [{name: b, template: make, when: "{{steps.a.outputs.result}} == go", arguments: {parameters: [{name: p, value: x}]}}]
      - [{name: wait, template: wait}]
      outputs: {parameters: [{name: said, globalName: said, valueFrom: {parameter: "{{steps.a.outputs.result}}"}}]}
    - {name: make, inputs: {parameters: [{name: p}]}, script: {image: busybox, command: [sh], source: "echo {{inputs.parameters.p}}"}}
    - {name: wait, suspend: {}}
- apiVersion: argoproj.io/v1alpha1
  kind: Workflow
  metadata: {generateName: direct-}
  spec: {workflowTemplateRef: {name: build}}
---
"""


class Workflows(Base):
    def test_nodes_and_outputs(self):
        self.holds("submit: {template: build, parameters: {who: me}}\nsteps: [{node: a, result: go}, {node: b, exit: 4}]\n"
                   "expect:\n  workflows:\n  - phase: Failed\n    message: child\n    nodes: {a: Succeeded, b: {phase: Failed, type: Pod}, wait: null, "
                   "'@[0].a': {inputs: {p: me}, outputs: {result: go}}}\n", WORKFLOW)

    def test_verbs(self):
        text = "submit: {}\nsteps: [{node: a, result: stay, seconds: 5}]\n%sexpect:\n  workflows: [{phase: %s, nodes: {b: %s, wait: %s}%s}]\n"
        self.holds(text % ("", "Running", "Skipped", "Running", ""), WORKFLOW)
        self.holds(text % ("verbs: [{at: 60, do: resume}]\n", "Succeeded", "Skipped", "Succeeded", ", outputs: {said: stay}"), WORKFLOW)
        self.says(text % ("verbs: [{at: 60, do: retry}]\n", "Running", "Skipped", "Running", ""), r"workflows\[0\]: a verb was refused: ", head=WORKFLOW)

    def test_what_differs(self):
        lines = self.says("submit: {workflow: direct-}\nsteps: [{node: a, result: go}]\nexpect:\n  workflows:\n  - phase: Failed\n    message: why\n"
                          "    outputs: {said: stop}\n    nodes:\n      b: Failed\n    resource: {metadata: {name: other}}\n",
                          r"workflows\[0\]\.phase: expected Failed, got Running$", r"workflows\[0\]\.message: expected why, got nothing$",
                          r'workflows\[0\]\.outputs\.said: expected "stop", got nothing$', r'workflows\[0\]\.nodes\.b: expected "Failed", got "Succeeded"$',
                          r'workflows\[0\]\.resource\.metadata\.name: expected "other", got "direct-1"$', head=WORKFLOW)
        self.assertEqual([int(line.split(":")[0]) for line in lines], [27, 28, 29, 31, 32])

    def test_what_is_not_valid_is_refused(self):
        self.says("submit: {template: none}\nexpect: {workflows: [{phase: Succeeded}]}\n", r"workflows\[0\]: .*none", head=WORKFLOW)
        self.says("submit: {workflow: none}\nexpect: {workflows: []}\n", "submit: there is no Workflow none among the manifests", head=WORKFLOW)
        self.says("submit: {template: build}\nexpect: {workflows: []}\n", "expected 0 workflows, got 1", head=WORKFLOW)

    def test_time_is_the_event_s(self):
        head = SENSOR.replace("log: {}", "k8s: {source: {resource: {apiVersion: argoproj.io/v1alpha1, kind: Workflow, metadata: {generateName: w-}, "
                              "spec: {entrypoint: m, templates: [{name: m, container: {image: busybox, command: [a]}}]}}}}")
        self.holds("clock: '2026-03-01T00:00:00Z'\nevents: [{source: github, event: ok, at: 1h}]\nuntil: 2h\nexpect:\n  workflows:\n"
                   "  - {phase: Succeeded, resource: {metadata: {name: w-1, labels: {events.argoproj.io/trigger: quiet}}, "
                   "status: {startedAt: '2026-03-01T01:00:10Z', finishedAt: '2026-03-01T01:00:11Z'}}}\n", head)


class Made(Base):
    """What the kinds of trigger that submit a Workflow would submit."""
    def head(self, template):
        return WORKFLOW.replace("---\n", "") + "- apiVersion: argoproj.io/v1alpha1\n  kind: Sensor\n  metadata: {name: s}\n  spec:\n" \
            "    dependencies: [{name: push, eventSourceName: github, eventName: push}]\n    triggers:\n    - template: {name: t, " + template + "}\n---\n"

    def test_flags_and_submit_from(self):
        flags = "args: [-p, who=me, --labels, 'a=b', --generate-name, n-]"
        object_ = "apiVersion: argoproj.io/v1alpha1, kind: %s, metadata: {%s}, spec: {workflowTemplateRef: {name: build}}"
        want = "expect:\n  workflows:\n  - {phase: Running, nodes: {a: {inputs: {p: me}}}, resource: {metadata: {name: n-1, labels: {a: b, " \
            "events.argoproj.io/sensor: s}}}}\n"
        event = "events: [{source: github, event: push}]\nsteps: [{node: a, result: stay}]\n"
        for operation, source in (("submit", object_ % ("Workflow", "generateName: x-")),
                                  ("submit-from", "apiVersion: argoproj.io/v1alpha1, kind: WorkflowTemplate, metadata: {name: build}")):
            with self.subTest(operation):
                self.holds(event + want, self.head("argoWorkflow: {operation: %s, %s, source: {resource: {%s}}}" % (operation, flags, source)))

    def test_what_would_fail_or_makes_none(self):
        event = "events: [{source: github, event: push}]\nexpect: {workflows: []}\n"
        source = "source: {resource: {apiVersion: argoproj.io/v1alpha1, kind: %s, metadata: {name: %s}}}"
        self.says(event, r"firings\[0\] of t would fail: argoWorkflow submit-from: .*none.*",
                  head=self.head("argoWorkflow: {operation: submit-from, %s}" % (source % ("WorkflowTemplate", "none"))))
        self.holds(event, self.head("argoWorkflow: {operation: stop, %s}" % (source % ("Workflow", "x"))))
        self.holds(event, self.head("k8s: {operation: delete, %s}" % (source % ("Workflow", "x"))))
        self.holds(event, self.head("k8s: {operation: create, source: {resource: {apiVersion: v1, kind: ConfigMap, metadata: {name: x}}}}"))

    def test_commands(self):
        self.holds("events: [{source: github, event: push}]\nsteps: [{node: '*', exit: 7}]\nexpect:\n  workflows:\n"
                   "  - {phase: Failed, resource: {metadata: {name: t-1, labels: {events.argoproj.io/trigger: t}}}}\n",
                   self.head("exec: {image: busybox, command: [deploy]}"))


class Elsewhere(Base):
    def test_a_source_that_lies_elsewhere_is_not_read(self):
        for place in ("file: {path: /none.yaml}", "url: {path: 'http://127.0.0.1:1/x'}", "git: {url: 'file:///none', cloneDirectory: x, filePath: y, "
                      "branch: main}"):
            with self.subTest(place):
                head = SENSOR.replace("log: {}", "k8s: {operation: create, source: {%s}, parameters: [{src: {dependencyName: ok, dataKey: none}, dest: a}]}" % place)
                self.holds("events: [{source: github, event: ok}]\nuntil: 1m\nexpect:\n  firings: [{trigger: quiet, resource: null, "
                           "settings: {operation: create}}]\n  workflows: []\n", head)


class Pages(TestCase):
    def test_what_the_page_shows_holds(self):
        with open(os.path.join(ROOT, "docs", "testing-manifests.md"), encoding="utf-8") as f:
            blocks = re.findall(r"```yaml\n# (\S+)\n(.*?)```", f.read(), re.S)
        self.assertGreater(len(blocks), 3)
        for name, text in blocks:
            with open(os.path.join(self.directory, name), "w", encoding="utf-8") as f:
                f.write(text)
        done = run(self.directory)
        self.assertEqual((done.returncode, done.stdout), (0, "4 of 4 hold\n"), done.stderr)
        done = subprocess.run([TIDEGATE, "lint", self.directory], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_examples_hold(self):
        files = glob.glob(os.path.join(ROOT, "examples", "**", "*.test.yaml"), recursive=True)
        self.assertTrue(files)
        done = run(os.path.join(ROOT, "examples"))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
