# SPDX-License-Identifier: Apache-2.0
"""The REST interface: who is let in, the shapes of answers and errors, objects that survive a restart, streams."""
import concurrent.futures
import contextlib
import http.client
import json
import os
import sqlite3
import unittest

from harness import ROOT, TestCase, until

WORKFLOW = {
    "metadata": {"generateName": "api-"},
    "spec": {"entrypoint": "main", "templates": [{"name": "main", "container": {"image": "busybox", "command": ["echo"], "args": ["hi"]}}]},
}
TEMPLATE = {"metadata": {"name": "greet"}, "spec": WORKFLOW["spec"]}


class Api(TestCase):
    def setUp(self):
        super().setUp()
        self.d = self.daemon({})

    def create(self, workflow=WORKFLOW):
        status, made = self.d.api("POST", "/api/v1/workflows/default", {"workflow": workflow})
        self.assertEqual(status, 200, made)
        return made

    def finished(self, name):
        return until(lambda: (lambda w: w["status"].get("finishedAt") and w)(self.d.api("GET", f"/api/v1/workflows/default/{name}")[1]),
                     30, "the end")

    def test_no_route_is_open_without_the_token(self):
        with open(os.path.join(ROOT, "api", "routes.def"), encoding="utf-8") as f:
            text = f.read()
        routes = [line.split('"')[1::2] for line in text.splitlines() if line.startswith(("ROUTE(", "UPLOAD_ROUTE("))]
        self.assertGreater(len(routes), 20)
        for method, path, *_ in routes:
            path = path.replace("{ns}", "default").replace("{", "").replace("}", "")
            status, body = self.d.api(method, path, token=False)
            if path == "/healthz":
                self.assertEqual(status, 200)
                continue
            self.assertEqual(status, 401, f"{method} {path}: {body}")
            self.assertEqual(body["code"], 16)
        for collection in ("workflow-templates", "sensors", "event-sources", "cron-workflows"):
            self.assertEqual(self.d.api("GET", f"/api/v1/{collection}/default", token=False)[0], 401)

    def test_a_wrong_token_is_refused(self):
        good, self.d.token = self.d.token, "0" * len(self.d.token)
        self.assertEqual(self.d.api("GET", "/api/v1/version")[0], 401)
        self.d.token = good
        self.assertEqual(self.d.api("GET", "/api/v1/version")[0], 200)

    def test_shapes(self):
        self.assertEqual(self.d.api("GET", "/api/v1/workflows/default"), (200, {"metadata": {}, "items": None}))
        status, version = self.d.api("GET", "/api/v1/version")
        self.assertEqual(set(version), {"version", "buildDate", "gitCommit", "gitTag", "gitTreeState", "goVersion", "compiler", "platform"})
        status, body = self.d.api("GET", "/api/v1/workflows/default/missing")
        self.assertEqual((status, body["code"]), (404, 5))
        self.assertIn("missing", body["message"])
        status, body = self.d.api("POST", "/api/v1/workflows/default", {"workflow": {"metadata": {"name": "x"}, "spec": {}}})
        self.assertEqual((status, body["code"]), (400, 3))
        self.assertEqual(self.d.api("POST", "/api/v1/workflows/default", {})[0], 400)

    def test_workflow_life(self):
        name = self.create()["metadata"]["name"]
        self.assertRegex(name, "^api-[a-z0-9]{5}$")
        done = self.finished(name)
        self.assertEqual(done["status"]["phase"], "Succeeded")
        self.assertEqual(done["kind"], "Workflow")
        page = self.d.api("GET", "/api/v1/workflows/?fields=items.metadata.name")[1]
        self.assertEqual(page, {"items": [{"metadata": {"name": name}}]})
        status, body = self.d.api("PUT", f"/api/v1/workflows/default/{name}/stop", {})
        self.assertNotEqual(status, 200)
        status, again = self.d.api("PUT", f"/api/v1/workflows/default/{name}/resubmit", {})
        self.assertEqual(status, 200, again)
        self.finished(again["metadata"]["name"])
        for w in (name, again["metadata"]["name"]):
            self.assertEqual(self.d.api("DELETE", f"/api/v1/workflows/default/{w}"), (200, {}))

    def test_bodies_are_looked_into(self):
        path = "/api/v1/workflows/default"
        for options in ({"createOptions": {"dryRun": ["All"]}}, {"serverDryRun": True}):
            status, made = self.d.api("POST", path, {"workflow": WORKFLOW, "unknown": 1, **options})
            self.assertEqual((status, made["metadata"]["generateName"]), (200, "api-"))
        templates = "/api/v1/workflow-templates/default"
        status, made = self.d.api("POST", templates, {"template": TEMPLATE, "createOptions": {"dryRun": ["All"], "fieldManager": "x"}})
        self.assertEqual((status, made["metadata"]["name"]), (200, "greet"))
        self.assertEqual(self.d.api("GET", templates + "/greet")[0], 404)
        status, body = self.d.api("POST", templates, {"template": {"metadata": {"name": "x"}, "spec": 5}, "createOptions": {"dryRun": ["All"]}})
        self.assertEqual(status, 400, body)
        self.assertEqual(self.d.api("POST", templates, {"template": TEMPLATE})[0], 200)
        submit = {"resourceKind": "WorkflowTemplate", "resourceName": "greet"}
        status, body = self.d.api("POST", path + "/submit", {**submit, "submitOptions": {"artifacts": ["a=b"]}})
        self.assertEqual((status, body["message"]), (400, "artifact override(s) matched no artifact: a"))
        status, body = self.d.api("POST", path + "/submit", {**submit, "submitOptions": {"priority": "high"}})
        self.assertEqual(status, 400)
        self.assertIn("submitOptions.priority: expected an integer", body["message"])
        status, body = self.d.api("PUT", path + "/any/retry", {"parameters": "a=b"})
        self.assertEqual(status, 400)
        self.assertIn("parameters: expected a list", body["message"])
        self.assertEqual(self.d.api("GET", path)[1]["items"], None, "nothing was made")

    def test_lists_come_in_pages(self):
        names = [self.create()["metadata"]["name"] for _ in range(5)]
        for n in names:
            self.finished(n)
        seen, token = [], ""
        while True:
            page = self.d.api("GET", "/api/v1/workflows/default?listOptions.limit=2" + (f"&listOptions.continue={token}" if token else ""))[1]
            seen += [w["metadata"]["name"] for w in page["items"]]
            token = page["metadata"].get("continue")
            if not token:
                break
        self.assertEqual(sorted(seen), sorted(names))
        self.assertEqual(len(self.d.api("GET", "/api/v1/workflows/default?nameFilter=Prefix&listOptions.fieldSelector=metadata.name%3Dapi-")[1]["items"]), 5)

    def test_lists_of_objects_come_in_pages_and_by_field(self):
        base = "/api/v1/workflow-templates/default"
        for n in ("c", "a", "e", "b", "d"):
            self.assertEqual(self.d.api("POST", base, {"template": dict(TEMPLATE, metadata={"name": n, "labels": {"vowel": str(n in "ae").lower()}})})[0], 200)
        seen, token, sizes = [], "", []
        while token is not None:
            page = self.d.api("GET", base + "?listOptions.limit=2" + (f"&listOptions.continue={token}" if token else ""))[1]
            seen += [x["metadata"]["name"] for x in page["items"]]
            sizes.append(len(page["items"]))
            token = page["metadata"].get("continue")
        self.assertEqual((seen, sizes), (list("abcde"), [2, 2, 1]))

        def names(query):
            return [x["metadata"]["name"] for x in self.d.api("GET", f"{base}?{query}")[1]["items"] or []]
        self.assertEqual(names("listOptions.limit=1&listOptions.labelSelector=vowel%3Dtrue&listOptions.continue=1"), ["e"])
        self.assertEqual(names("listOptions.continue=5"), [])
        self.assertEqual(names("listOptions.fieldSelector=metadata.name%3Dc"), ["c"])
        self.assertEqual(names("listOptions.fieldSelector=metadata.name!%3Dc"), list("abde"))
        self.assertEqual(names("listOptions.fieldSelector=metadata.namespace%3Dother"), [])
        for wrong, why in (("fieldSelector=spec.entrypoint%3Da", "there are metadata.name and metadata.namespace"), ("limit=-1", "numbers from 0 on"),
                           ("limit=many", "numbers from 0 on"), ("continue=a", "numbers from 0 on")):
            status, answer = self.d.api("GET", f"{base}?listOptions.{wrong}")
            self.assertEqual(status, 400)
            self.assertIn(why, answer["message"])

    def test_a_workflow_of_another_namespace_than_the_path_is_refused(self):
        workflow = {"metadata": {"generateName": "x-", "namespace": "other"}, "spec": {"entrypoint": "a", "templates": [{"name": "a", "suspend": {}}]}}
        status, answer = self.d.api("POST", "/api/v1/workflows/default", {"workflow": workflow})
        self.assertEqual((status, answer["message"]), (400, 'metadata.namespace "other" is not the namespace in the path, "default"'))
        self.assertEqual(self.d.api("POST", "/api/v1/workflows/other", {"workflow": workflow})[0], 200)

    def test_templates_survive_a_restart_and_can_be_submitted(self):
        base = "/api/v1/workflow-templates/default"
        status, made = self.d.api("POST", base, {"template": TEMPLATE})
        self.assertEqual(status, 200, made)
        self.assertEqual(self.d.api("POST", base, {"template": TEMPLATE})[0], 409)
        self.d.kill()
        self.d.start()
        status, kept = self.d.api("GET", base + "/greet")
        self.assertEqual(status, 200, kept)
        self.assertEqual(kept["metadata"]["uid"], made["metadata"]["uid"])
        status, workflow = self.d.api("POST", "/api/v1/workflows/default/submit", {"resourceKind": "WorkflowTemplate", "resourceName": "greet"})
        self.assertEqual(status, 200, workflow)
        self.assertEqual(workflow["metadata"]["labels"]["workflows.argoproj.io/workflow-template"], "greet")
        self.assertEqual(self.finished(workflow["metadata"]["name"])["status"]["phase"], "Succeeded")
        status, body = self.d.api("POST", "/api/v1/workflows/default/submit", {"resourceKind": "Pod", "resourceName": "greet"})
        self.assertEqual((status, body["message"]), (400, "Resource kind 'Pod' is not supported for submitting"))
        changed = {**kept, "metadata": {**kept["metadata"], "labels": {"a": "b"}}}
        self.assertEqual(self.d.api("PUT", base + "/greet", {"template": changed})[0], 200)
        self.assertEqual(self.d.api("DELETE", base + "/greet"), (200, {}))
        self.assertEqual(self.d.api("GET", base + "/greet")[0], 404)
        self.d.kill()
        self.d.start()
        self.assertEqual(self.d.api("GET", base), (200, {"metadata": {}, "items": None}))

    def stream(self, path, accept=None):
        c = http.client.HTTPConnection("127.0.0.1", self.d.port, timeout=30)
        self.addCleanup(c.close)
        c.request("GET", path, headers={"Authorization": "Bearer " + self.d.token, **({"Accept": accept} if accept else {})})
        return c.getresponse()

    def on_disk(self):
        with contextlib.closing(sqlite3.connect(f"file:{self.d.state}/tidegate.db?mode=ro", uri=True)) as db:
            return {name for name, in db.execute("SELECT name FROM workflow")}

    def test_who_reads_is_told_what_is_on_disk(self):
        """Else somebody could act upon a workflow that a crash takes back."""
        watch = self.stream("/api/v1/workflow-events/default?listOptions.resourceVersion=1")
        asleep = {"metadata": {"generateName": "api-"}, "spec": {"entrypoint": "main", "templates": [{"name": "main", "suspend": {}}]}}
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            made = [pool.submit(self.create, asleep) for _ in range(200)]
            seen, many = set(), 0
            while len(seen) < len(made):
                items = self.d.api("GET", "/api/v1/workflows/default?fields=items.metadata.name")[1]["items"] or []
                disk = self.on_disk()
                self.assertLessEqual({w["metadata"]["name"] for w in items}, disk)
                if len(items) > len(seen):
                    many += 1
                seen = {w["metadata"]["name"] for w in items}
            self.assertEqual({m.result()["metadata"]["name"] for m in made}, seen)
        self.assertGreater(many, 1)
        told = set()
        while told < seen:
            told.add(json.loads(watch.readline())["result"]["object"]["metadata"]["name"])
            self.assertLessEqual(told, self.on_disk())

    def test_watch_and_logs_stream_in_both_forms(self):
        name = self.create()["metadata"]["name"]
        self.finished(name)
        r = self.stream(f"/api/v1/workflows/default/{name}/log?logOptions.container=main")
        self.assertEqual([json.loads(x)["result"]["content"] for x in r.read().splitlines()], ["hi"])
        r = self.stream(f"/api/v1/workflows/default/{name}/log?logOptions.container=main", "text/event-stream")
        self.assertEqual(r.headers["Content-Type"].split(";")[0], "text/event-stream")
        line = r.read().split(b"\n")[0]
        self.assertEqual(json.loads(line[6:])["result"]["content"], "hi")
        r = self.stream("/api/v1/workflow-events/default?listOptions.fieldSelector=metadata.name%3D" + name)
        first = json.loads(r.readline())["result"]
        self.assertEqual((first["type"], first["object"]["metadata"]["name"]), ("ADDED", name))
        self.assertEqual(self.stream("/api/v1/workflows/default/missing/log").status, 404)


if __name__ == "__main__":
    unittest.main()
