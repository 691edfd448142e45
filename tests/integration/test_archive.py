# SPDX-License-Identifier: Apache-2.0
"""Finished workflows: found by what they are, in pages, through the list and the archive's own paths."""
import contextlib
import os
import random
import sqlite3
import subprocess
import time
import unittest
import urllib.parse

from harness import TIDEGATE, TestCase, scaled, until

TEMPLATE = """
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: release}
spec:
  entrypoint: main
  arguments: {parameters: [{name: branch, value: main}, {name: code, value: "0"}]}
  templates:
    - name: main
      steps: [[{name: build, template: build}]]
      outputs: {parameters: [{name: version, valueFrom: {parameter: "{{steps.build.outputs.result}}"}}]}
    - name: build
      script: {image: busybox, command: [sh], source: "echo v-{{workflow.parameters.branch}}; exit {{workflow.parameters.code}}"}
"""


class Found(TestCase):
    def setUp(self):
        super().setUp()
        self.d = self.daemon({"release.yaml": TEMPLATE})

    def submit(self, name, labels="", *parameters):
        body = {"resourceKind": "WorkflowTemplate", "resourceName": "release",
                "submitOptions": {"name": name, "labels": labels, "parameters": list(parameters)}}
        status, made = self.d.api("POST", "/api/v1/workflows/default/submit", body)
        self.assertEqual(status, 200, made)
        until(lambda: self.get(name)["status"].get("finishedAt"), 60, "the end of " + name)

    def get(self, name):
        return self.d.api("GET", f"/api/v1/workflows/default/{name}")[1]

    def names(self, path="/api/v1/workflows/default", **query):
        text = urllib.parse.urlencode({k.replace("__", "."): v for k, v in query.items()})
        status, page = self.d.api("GET", f"{path}?{text}")
        self.assertEqual(status, 200, page)
        return [i["metadata"]["name"] for i in page["items"] or []]

    def cli(self, *args):
        return subprocess.run([TIDEGATE, *args, "--state", self.d.state], capture_output=True, text=True, timeout=60)

    def fill(self):
        self.submit("one", "team=a", "branch=main")
        self.submit("two", "team=b", "branch=dev")
        self.submit("bad", "team=a", "branch=dev", "code=1")

    def test_by_labels_fields_names_times_and_values(self):
        self.fill()
        both = [("list", "/api/v1/workflows/default"), ("archive", "/api/v1/archived-workflows")]
        cases = [
            ({"listOptions__labelSelector": "team=a"}, {"one", "bad"}),
            ({"listOptions__labelSelector": "team!=a"}, {"two"}),
            ({"listOptions__labelSelector": "team in (a,b),team notin (b)"}, {"one", "bad"}),
            ({"listOptions__labelSelector": "!team"}, set()),
            ({"listOptions__labelSelector": "team"}, {"one", "two", "bad"}),
            ({"listOptions__labelSelector": "workflows.argoproj.io/phase=Failed"}, {"bad"}),
            ({"listOptions__labelSelector": "workflows.argoproj.io/completed=true,team=b"}, {"two"}),
            ({"listOptions__labelSelector": "workflows.argoproj.io/completed=false"}, set()),
            ({"listOptions__labelSelector": "workflows.argoproj.io/workflow-template=release"}, {"one", "two", "bad"}),
            ({"listOptions__fieldSelector": "status.phase=Succeeded"}, {"one", "two"}),
            ({"listOptions__fieldSelector": "metadata.name=two"}, {"two"}),
            ({"listOptions__fieldSelector": "metadata.name!=two"}, {"one", "bad"}),
            ({"listOptions__fieldSelector": "metadata.namespace=other"}, set()),
            ({"listOptions__fieldSelector": "spec.startedAt>2020-01-01T00:00:00Z,spec.startedAt<2099-01-01T00:00:00Z"}, {"one", "two", "bad"}),
            ({"listOptions__fieldSelector": "spec.startedAt<2020-01-01T00:00:00Z"}, set()),
            ({"listOptions__fieldSelector": "metadata.name=o", "nameFilter": "Prefix"}, {"one"}),
            ({"listOptions__fieldSelector": "metadata.name=a", "nameFilter": "Contains"}, {"bad"}),
            ({"listOptions__fieldSelector": "metadata.name=one", "nameFilter": "NotEquals"}, {"two", "bad"}),
            ({"createdAfter": "2099-01-01T00:00:00Z"}, set()),
            ({"createdAfter": "2020-01-01T00:00:00Z", "finishedBefore": "2099-01-01T00:00:00Z"}, {"one", "two", "bad"}),
            ({"parameter": "branch=dev"}, {"two", "bad"}),
            ({"parameter": "branch=dev,code=0"}, {"two"}),
            ({"output": "version=v-main"}, {"one"}),
            ({"output": "version=nothing"}, set()),
        ]
        for again in range(2):
            for query, wanted in cases:
                for what, path in both:
                    with self.subTest(query=query, where=what, after_restart=again):
                        self.assertEqual(set(self.names(path, **query)), wanted)
            if not again:
                self.d.stop()
                self.d.start()
        for wrong in ({"listOptions__fieldSelector": "spec.entrypoint=x"}, {"nameFilter": "Sounds"}, {"createdAfter": "yesterday"},
                      {"parameter": "branch"}, {"listOptions__limit": "-1"}, {"listOptions__labelSelector": "a in"}):
            query = urllib.parse.urlencode({k.replace("__", "."): v for k, v in wrong.items()})
            self.assertEqual(self.d.api("GET", f"/api/v1/workflows/default?{query}")[0], 400, wrong)

    def test_the_command_line_asks_the_same(self):
        self.fill()
        for args, wanted in ((["-p", "branch=dev"], {"two", "bad"}), (["--result", "version=v-dev"], {"two"}), (["--status", "Failed,Error"], {"bad"}),
                             (["--prefix", "t"], {"two"}), (["--since", "1h", "--completed"], {"one", "two", "bad"}), (["--older", "1h"], set()),
                             (["-l", "team=a", "--limit", "1"], {"bad"}), (["--chunk-size", "1"], {"one", "two", "bad"}), (["--running"], set())):
            with self.subTest(args=args):
                done = self.cli("list", "-o", "name", *args)
                self.assertEqual((done.returncode, set(done.stdout.split())), (0, wanted), done.stderr)
        self.assertEqual(self.cli("list", "-p", "branch").returncode, 2)
        self.assertIn("bad", self.cli("delete", "--status", "Failed", "--dry-run").stdout)

    def test_argos_archive_verbs(self):
        self.fill()
        uid = self.get("bad")["metadata"]["uid"]
        for args, wanted in ((["list", "-o", "name", "-l", "team=a"], "bad\none\n"), (["get", "bad", "-o", "name"], "bad\n"), (["get", uid, "-o", "name"], "bad\n"),
                             (["list-label-values", "-l", "team"], "a\nb\n")):
            self.assertEqual(self.cli("archive", *args).stdout, wanted)
        self.assertIn("team\n", self.cli("archive", "list-label-keys").stdout)
        self.assertEqual(self.cli("archive", "get", "--uid", "bad").returncode, 4)
        self.assertEqual(self.cli("archive", "list-label-values").returncode, 2)
        self.assertEqual(self.cli("archive", "retry", "bad", "-p", "code=0", "-o", "name").stdout, "bad\n")
        self.assertRegex(self.cli("archive", "resubmit", "one", "-o", "name").stdout, "^release-[a-z0-9]{5}\n$")
        self.assertEqual(self.cli("archive", "delete", "two").stdout, "archived workflow two deleted\n")
        self.assertNotIn("two", self.names())

    def test_what_a_retry_changes(self):
        """A workflow that goes on is not finished; found again when it has ended, once, by what holds then."""
        self.fill()
        self.assertEqual(self.names(listOptions__labelSelector="team=a", parameter="branch=dev"), ["bad"])
        status, again = self.d.api("PUT", "/api/v1/workflows/default/bad/retry", {"parameters": ["code=0", "branch=late"]})
        self.assertEqual(status, 200, again)
        until(lambda: self.get("bad")["status"].get("phase") == "Succeeded", 60, "the retry")
        self.assertEqual(self.names(listOptions__fieldSelector="status.phase=Failed"), [])
        self.assertEqual(self.names(parameter="branch=dev"), ["two"])
        self.assertEqual(self.names(output="version=v-late"), ["bad"])
        self.assertEqual(self.names()[0], "bad")

    def test_the_archive_by_uid(self):
        self.fill()
        path = "/api/v1/archived-workflows"
        uid = self.get("bad")["metadata"]["uid"]
        status, w = self.d.api("GET", f"{path}/{uid}")
        self.assertEqual((status, w["metadata"]["name"], len(w["status"]["nodes"])), (200, "bad", 3))
        self.assertEqual(self.d.api("GET", f"{path}/{uid}?namespace=other")[0], 404)
        self.assertEqual(self.d.api("GET", f"{path}/nobody")[0], 404)
        status, again = self.d.api("PUT", f"{path}/{uid}/resubmit", {"uid": uid, "parameters": ["code=0"]})
        self.assertEqual(status, 200, again)
        self.assertEqual(again["metadata"]["labels"]["workflows.argoproj.io/resubmitted-from-workflow"], "bad")
        status, again = self.d.api("PUT", f"{path}/{uid}/retry", {"uid": uid, "parameters": ["code=0"]})
        self.assertEqual((status, again["metadata"]["uid"]), (200, uid))
        until(lambda: self.get("bad")["status"].get("phase") == "Succeeded", 60, "the retry")
        self.assertIn("team", self.d.api("GET", path + "-label-keys")[1]["items"])
        self.assertEqual(self.d.api("GET", path + "-label-values?listOptions.labelSelector=team")[1], {"items": ["a", "b"]})
        self.assertEqual(self.d.api("GET", path + "-label-values")[0], 400)
        self.assertEqual(self.d.api("DELETE", f"{path}/{uid}"), (200, {}))
        self.assertEqual(self.d.api("GET", f"{path}/{uid}")[0], 404)
        self.assertNotIn("bad", self.names())


class Settling(Found):
    """What a workflow is found by waits in a table of its own until somebody looks; a daemon that dies meanwhile loses none of it."""

    test_by_labels_fields_names_times_and_values = test_the_command_line_asks_the_same = test_argos_archive_verbs = None
    test_what_a_retry_changes = test_the_archive_by_uid = None

    def counts(self):
        """Entries that wait, and those that are where they are looked for."""
        with contextlib.closing(sqlite3.connect(os.path.join(self.d.state, "tidegate.db"))) as db:
            return tuple(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("workflow_tag_new", "workflow_tag"))

    def all_are_on_disk(self):
        """The answers run ahead of it."""
        with contextlib.closing(sqlite3.connect(os.path.join(self.d.state, "tidegate.db"))) as db:
            return db.execute("SELECT count(*) FROM workflow WHERE finished IS NULL").fetchone()[0] == 0

    def dies(self):
        self.d.kill()
        self.d.start()

    def test_it_dies_between_the_end_and_the_move(self):
        self.fill()
        until(self.all_are_on_disk, 60, "the last commit")
        waiting, there = self.counts()
        self.assertGreater(waiting, 0)
        self.assertEqual(there, 0)
        self.dies()
        self.assertEqual(sum(self.counts()), waiting)
        self.assertEqual(set(self.names(listOptions__labelSelector="team=a")), {"one", "bad"})
        self.assertEqual(self.counts(), (0, waiting))
        self.dies()
        for query, wanted in (({"parameter": "branch=dev"}, {"two", "bad"}), ({"output": "version=v-main"}, {"one"}),
                              ({"listOptions__fieldSelector": "status.phase=Failed"}, {"bad"})):
            self.assertEqual(set(self.names(**query)), wanted)

    def test_what_goes_on_or_is_deleted_leaves_nothing_waiting(self):
        self.fill()
        self.dies()
        self.assertEqual(self.d.api("PUT", "/api/v1/workflows/default/bad/retry", {"parameters": ["code=0", "branch=late"]})[0], 200)
        until(lambda: self.get("bad")["status"].get("phase") == "Succeeded", 60, "the retry")
        self.dies()
        self.d.cli("delete", "one")
        self.dies()
        self.assertEqual(self.names(listOptions__labelSelector="team=a"), ["bad"])
        self.assertEqual(self.names(listOptions__fieldSelector="status.phase=Failed"), [])
        self.assertEqual(self.names(parameter="branch=late"), ["bad"])
        self.assertEqual(self.names(parameter="branch=main"), [])

    def test_it_dies_at_any_moment(self):
        """Workflows end and are looked for while the daemon is killed; at the last each is found, once, by what it has."""
        n, rng = scaled(100, 400), random.Random(4)  # more than wait at once
        body = {"resourceKind": "WorkflowTemplate", "resourceName": "release"}
        made = set()
        for i in range(n):
            options = {"name": f"w{i}", "labels": f"mod=m{i % 3}", "parameters": [f"branch=b{i % 5}"]}
            status, answer = self.d.api("POST", "/api/v1/workflows/default/submit", {**body, "submitOptions": options})
            self.assertEqual(status, 200, answer)
            made.add(f"w{i}")
            if rng.random() < 0.1:
                self.names(parameter="branch=b1")
            if rng.random() < 0.06:
                self.dies()
        until(lambda: len(self.names(listOptions__labelSelector="workflows.argoproj.io/completed=true")) == n, 300, "the end of all")
        self.dies()
        for k in range(3):
            self.assertEqual(sorted(self.names(listOptions__labelSelector=f"mod=m{k}")), sorted(x for x in made if int(x[1:]) % 3 == k))
        for k in range(5):
            self.assertEqual(sorted(self.names(parameter=f"branch=b{k}")), sorted(x for x in made if int(x[1:]) % 5 == k))


class Many(TestCase):
    """A state with many finished workflows: a page costs what it shows."""

    def fill(self, state, n):
        """Copies the one finished workflow of a state n times, as SQL would have written it."""
        db = sqlite3.connect(os.path.join(state, "tidegate.db"))
        with db:
            db.execute("CREATE TEMP TABLE n AS WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < ?) SELECT i FROM c", (n,))
            db.execute("INSERT INTO workflow (id, ns, name, uid, created, started, finished, phase, state, state_crc) SELECT id + i, ns, name || i,"
                       " uid || i, created + i, started, finished + i, phase, state, state_crc FROM workflow, n")
            db.execute("INSERT INTO workflow_spec (id, spec, spec_crc) SELECT id + i, spec, spec_crc FROM workflow_spec, n")
            db.execute("INSERT INTO node (workflow, ord, data, crc) SELECT workflow + i, ord, data, crc FROM node, n")
            db.execute("INSERT INTO workflow_tag (kind, name, value, finished, id) SELECT kind, name, value, finished + i, id + i FROM workflow_tag_new, n")
            db.execute("INSERT INTO workflow_tag (kind, name, value, finished, id) SELECT 0, 'rare', 'yes', finished, id FROM workflow WHERE id % 1000 = 7")
        db.close()

    def test_pages_cost_what_they_show(self):
        n = scaled(20000, 100000)
        d = self.daemon({"release.yaml": TEMPLATE})
        status, made = d.api("POST", "/api/v1/workflows/default/submit", {"resourceKind": "WorkflowTemplate", "resourceName": "release", "submitOptions": {"name": "w", "labels": "team=a"}})
        self.assertEqual(status, 200, made)
        until(lambda: d.api("GET", "/api/v1/workflows/default/w")[1]["status"].get("finishedAt"), 60, "its end")
        d.stop()
        self.fill(d.state, n)
        d.start()
        queries = {"first": "", "label of all": "listOptions.labelSelector=team%3Da", "rare label": "listOptions.labelSelector=rare%3Dyes",
                   "parameter": "parameter=branch%3Dmain", "phase": "listOptions.fieldSelector=status.phase%3DSucceeded",
                   "nothing": "listOptions.labelSelector=team%3Dz", "no failed": "listOptions.labelSelector=workflows.argoproj.io/phase%3DFailed",
                   "two": "listOptions.labelSelector=team%3Da,rare%3Dyes"}
        for what, query in queries.items():
            with self.subTest(what):
                best = 9.0
                for _ in range(5):
                    begun = time.monotonic()
                    status, page = d.api("GET", f"/api/v1/workflows/default?{query}&listOptions.limit=50&fields=metadata,items.metadata,items.status.phase")
                    best = min(best, time.monotonic() - begun)
                self.assertEqual(status, 200)
                self.assertEqual(len(page["items"] or []), {"nothing": 0, "no failed": 0, "rare label": n // 1000, "two": n // 1000}.get(what, 50) if n < 50000 else
                                 {"nothing": 0, "no failed": 0}.get(what, 50))
                if os.environ.get("V"):
                    print(what, round(best * 1000, 1), "ms")
                # A walk over all of them takes hundreds of times as long as a page; the machine may be busy.
                self.assertLess(best, 0.25)
        keys = d.api("GET", "/api/v1/archived-workflows-label-keys")[1]["items"]
        self.assertIn("rare", keys)


if __name__ == "__main__":
    unittest.main()
