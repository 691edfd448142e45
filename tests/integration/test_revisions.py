# SPDX-License-Identifier: Apache-2.0
"""Revisions of templates: kept for every change, over restarts, shown, compared, and gone back to."""
import json
import os
import unittest

from harness import TestCase, until

TEXT = """
apiVersion: argoproj.io/v1alpha1
kind: {kind}
metadata: {{name: {name}}}
spec:
  entrypoint: main
  templates:
    - name: main
      container: {{image: busybox, command: [echo], args: [{say}]}}
"""


def text(say, name="greet", kind="WorkflowTemplate"):
    return TEXT.format(say=say, name=name, kind=kind)


class Revisions(TestCase):
    def history(self, d, name="greet", group="template"):
        return [(r["revision"], r["origin"]) for r in json.loads(d.cli(group, "history", name, "-o", "json").stdout)]

    def file(self, content):
        path = os.path.join(self.directory, "t.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(content)
        return path

    def test_files(self):
        d = self.daemon({"greet.yaml": text("one")})
        where = "file " + os.path.join(d.manifests, "greet.yaml")
        self.assertEqual(self.history(d), [(1, where)])
        d.write("greet.yaml", text("two"))
        until(lambda: len(self.history(d)) == 2, 60, "the second revision")
        d.stop()
        d.start()
        self.assertEqual(self.history(d), [(2, where), (1, where)])
        d.write("greet.yaml", text("three"))
        until(lambda: len(self.history(d)) == 3, 60, "the third")
        shown = d.cli("template", "diff", "greet", check=False)
        self.assertEqual(shown.returncode, 3)
        self.assertIn("-      - two\n", shown.stdout)
        self.assertIn("+      - three\n", shown.stdout)
        self.assertIn("-      - one\n", d.cli("template", "diff", "greet", "1", check=False).stdout)
        self.assertEqual(d.cli("template", "diff", "greet", "2", "2").stdout, "")
        refused = d.cli("template", "rollback", "greet", check=False)
        self.assertEqual(refused.returncode, 5)
        self.assertIn("it comes from " + where[5:], refused.stderr)
        self.assertIn("- one", d.cli("template", "get", "greet", "--revision", "1").stdout)
        self.assertEqual(d.cli("template", "get", "greet", "--revision", "9", check=False).returncode, 4)
        d.write("greet.yaml", text("one"))
        until(lambda: len(self.history(d)) == 4, 60, "the fourth, equal to the first")

    def test_by_hand(self):
        for group, kind in (("template", "WorkflowTemplate"), ("cluster-template", "ClusterWorkflowTemplate")):
            with self.subTest(group):
                d = self.daemon({})
                self.assertIn("greet created", d.cli(group, "create", self.file(text("one", kind=kind))).stdout)
                self.assertEqual(d.cli(group, "create", self.file(text("one", kind=kind)), check=False).returncode, 5)
                d.cli(group, "update", self.file(text("two", kind=kind)))
                d.cli(group, "update", self.file(text("two", kind=kind)))
                got = d.cli(group, "get", "greet", "-o", "yaml").stdout
                for _ in range(2):  # whatever version it was made from
                    d.cli(group, "update", self.file(got))
                self.assertEqual(self.history(d, group=group), [(2, "api, unix"), (1, "api, unix")])
                self.assertIn("is at revision 3 (rollback to 1)", d.cli(group, "rollback", "greet").stdout)
                d.kill()
                d.start()
                self.assertEqual(self.history(d, group=group)[0], (3, "rollback to 1"))
                self.assertIn("- one", d.cli(group, "get", "greet").stdout)
                self.assertIn("revision 4 (rollback to 2)", d.cli(group, "rollback", "greet", "--to", "2").stdout)
                self.assertEqual(d.cli(group, "rollback", "greet", "--to", "17", check=False).returncode, 4)
                self.assertEqual(d.cli(group, "list", "-o", "name").stdout, "greet\n")
                self.assertIn("greet deleted", d.cli(group, "delete", "--all").stdout)
                self.assertIn("No ", d.cli(group, "list").stdout)
                d.cli(group, "create", self.file(text("late", kind=kind)))
                self.assertEqual(self.history(d, group=group)[0][0], 5)
                self.assertEqual(d.cli(group, "lint", self.file(text("x", kind=kind))).returncode, 0)
                self.assertEqual(d.cli(group, "update", self.file("kind: Sensor\n"), check=False).returncode, 2)
                self.assertEqual(d.cli(group, "histroy", "x", check=False).returncode, 2)
                d.stop()

    def test_as_many_are_kept_as_the_settings_say(self):
        config = os.path.join(self.directory, "settings.yaml")
        with open(config, "w", encoding="utf-8") as f:
            f.write("templateRevisions: 2\n")
        d = self.daemon({}, "--config", config)
        d.cli("template", "create", self.file(text("v0")))
        for i in range(1, 4):
            d.cli("template", "update", self.file(text(f"v{i}")))
        self.assertEqual([r[0] for r in self.history(d)], [4, 3])
        status, body = d.api("GET", "/api/v1/sensors/default/x/revisions")
        self.assertEqual(status, 404)

    def test_a_workflow_says_what_it_ran_and_runs_it_again(self):
        """resubmit takes the templates in force; resubmit --exact those of then, also where the first run did not come to them."""
        lib = """
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {{name: {name}}}
spec:
  templates:
    - name: say
      inputs: {{parameters: [{{name: who}}]}}
      script: {{image: busybox, command: [sh], source: "echo {say} {{{{inputs.parameters.who}}}}"}}
"""
        main = """
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {{name: main}}
spec:
  entrypoint: main
  arguments: {{parameters: [{{name: who, value: you}}, {{name: go, value: "no"}}, {{name: config, valueFrom: {{configMapKeyRef: {{name: c, key: k}}}}}}]}}
  templates:
    - name: main
      steps:
        - - {{name: first, templateRef: {{name: first, template: say}}, arguments: {{parameters: [{{name: who, value: "{say} {{{{workflow.parameters.config}}}}"}}]}}}}
        - - {{name: approve, template: approve}}
        - - {{name: second, templateRef: {{name: second, template: say}}, arguments: {{parameters: [{{name: who, value: "{{{{workflow.parameters.who}}}}"}}]}}}}
    - {{name: approve, suspend: {{}}}}
"""
        config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c, labels: {{workflows.argoproj.io/configmap-type: Parameter}}}}\ndata: {{k: {k}}}\n"
        d = self.daemon({"first.yaml": lib.format(name="first", say="old"), "second.yaml": lib.format(name="second", say="old"),
                         "main.yaml": main.format(say="old"), "c.yaml": config.format(k="once")})
        body = {"resourceKind": "WorkflowTemplate", "resourceName": "main", "submitOptions": {"name": "w"}}
        self.assertEqual(d.api("POST", "/api/v1/workflows/default/submit", body)[0], 200)
        waiting = lambda name: until(lambda: any(n["type"] == "Suspend" and n["phase"] == "Running" for n in d.get(name)["status"].get("nodes", {}).values()), 60, "the suspended step")
        waiting("w")
        d.cli("stop", "w")
        until(lambda: d.get("w")["status"].get("finishedAt"), 60, "its end")
        used = lambda name: sorted((r["name"], r["revision"]) for r in d.get(name)["status"]["tidegate"]["templateRevisions"])
        self.assertEqual(used("w"), [("first", 1), ("main", 1)])
        d.write("first.yaml", lib.format(name="first", say="new"))
        d.write("second.yaml", lib.format(name="second", say="new"))
        d.write("c.yaml", config.format(k="now"))
        d.write("main.yaml", main.format(say="new"))
        until(lambda: [self.history(d, t)[0][0] for t in ("first", "second", "main")] == [2, 2, 2], 60, "the new templates")

        def output(name):
            waiting(name)
            d.kill()
            d.start()
            d.cli("resume", name)
            until(lambda: d.get(name)["status"].get("phase") == "Succeeded", 60, "its end")
            nodes = d.get(name)["status"]["nodes"].values()
            return [next(line.split(": ", 1)[1] for line in d.cli("logs", name).stdout.splitlines() if "-say-" in line and n["id"].rsplit("-", 1)[1] in line.split(":")[0])
                    for step in ("first", "second") for n in nodes if n["displayName"] == step]

        again = lambda *args: d.cli("resubmit", "w", "-o", "name", *args).stdout.strip()
        plain = again()
        self.assertEqual(output(plain), ["new new now", "new you"])
        self.assertEqual(used(plain), [("first", 2), ("main", 2), ("second", 2)])
        for template in ("first", "second", "main"):
            os.unlink(os.path.join(d.manifests, template + ".yaml"))
        until(lambda: "second" not in d.cli("template", "list", "-o", "name").stdout, 60, "their removal")
        exact = again("--exact")
        self.assertEqual(output(exact), ["old old once", "old you"])
        self.assertEqual(used(exact), [("first", 1), ("main", 1)])
        self.assertEqual(d.cli("resubmit", "w", "--exact", "-p", "who=x", check=False).returncode, 2)


if __name__ == "__main__":
    unittest.main()
