# SPDX-License-Identifier: Apache-2.0
"""Webhooks that are signed: every kind takes what its sender signs (the signatures are made here, by Python's hmac), refuses everything
else, knows a redelivery over kill -9, and registers its hooks with the sender's API.

The APIs are those of tests/integration/forge.py, which is no forge; see there for what that leaves unproven."""
import base64
import contextlib
import hashlib
import hmac
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
import unittest

from forge import Forge, Hooks
from harness import TestCase, free_port, post, until

SECRETS = """
apiVersion: v1
kind: Secret
metadata: {name: s}
stringData: {token: api-token, hook: s3cret, standard: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw, user: ann, password: pass}
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {name: hooks}
spec:
"""
TOKEN, HOOK = "{name: s, key: token}", "{name: s, key: hook}"


def mac(body, key=b"s3cret", hash_name="sha256"):
    return hmac.new(key, body, hash_name)


class Case(TestCase):
    MISSING = b"missing signature"

    def run_kind(self, kind, config, **more):
        """A daemon with one event `e` of that kind at /hook. In the config WEBHOOK stands for the endpoint, PORT for its port."""
        self.port = free_port()
        config = config.replace("WEBHOOK", 'endpoint: /hook, port: "PORT", method: POST').replace("PORT", str(self.port))
        text = SECRETS + f"  {kind}:\n    e:\n" + "".join(f"      {line}\n" for line in config.strip().splitlines())
        self.d = self.daemon(dict({"source.yaml": text}, **more))
        return self.d

    def edit(self, old, new):
        with open(os.path.join(self.d.manifests, "source.yaml"), encoding="utf-8") as f:
            text = f.read()
        self.assertIn(old, text)
        self.d.write("source.yaml", text.replace(old, new))

    def send(self, body, headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        return post(self.port, "/hook", body, headers)

    def events(self):
        """The data of all that is on disk."""
        with contextlib.closing(sqlite3.connect(os.path.join(self.d.state, "tidegate.db"))) as db:
            return [json.loads(data) for data, in db.execute("SELECT data FROM bus_event ORDER BY key")]

    def again(self):
        self.d.kill()
        self.d.start()
        until(lambda: self.d.cli("status", "-o", "json").stdout.find('"running"') >= 0, 30, "the source")

    def holds(self, body, sign, wrong, redelivered=True):
        """`sign` gives the headers for a body. Nothing but what they are right for is taken; the same again is the same event."""
        text = json.dumps(body).encode()
        headers = sign(text)
        for bad in (text + b" ", text[:-2] + bytes([text[-2] ^ 1]) + text[-1:]):
            self.assertEqual(self.send(bad, headers), wrong, bad)
        self.assertEqual(self.send(text, {}), wrong if wrong[1] == b"token mismatch" else (wrong[0], self.MISSING))
        self.assertEqual(self.events(), [])
        self.assertEqual(self.send(text, headers), (200, b"success"))
        if redelivered:
            self.again()
            self.assertEqual(self.send(text, headers), (200, b"success"))
        event, = self.events()
        return event


class Signatures(Case):
    def test_gitlab_compares_its_token(self):
        self.run_kind("gitlab", f"gitlabBaseURL: http://127.0.0.1:1\naccessToken: {TOKEN}\nevents: [PushEvents]\nsecretToken: {HOOK}\n"
                      "metadata: {team: a}\nwebhook: {WEBHOOK}")
        body = {"object_kind": "push", "n": 1}
        for token in ("", "s3cre", "s3cret ", "S3cret", "s3creu"):
            self.assertEqual(self.send(body, {"X-Gitlab-Token": token} if token else {}), (400, b"token mismatch"))
        good = {"X-Gitlab-Token": "s3cret", "Idempotency-Key": "k-1", "X-Gitlab-Event": "Push Hook"}
        self.assertEqual(self.send(b"{", good), (400, b"invalid event"))
        self.assertEqual(self.events(), [])
        self.assertEqual(self.send(body, good), (200, b"success"))
        self.again()
        self.assertEqual(self.send(body, good), (200, b"success"))
        self.assertEqual(self.send(body, dict(good, **{"Idempotency-Key": "k-2"})), (200, b"success"))
        first, _second = self.events()
        self.assertEqual((first["body"], first["metadata"], first["headers"]["X-Gitlab-Event"]), (body, {"team": "a"}, ["Push Hook"]))

    def test_gitea_and_forgejo(self):
        for kind, header in (("gitea", "Gitea"), ("forgejo", "Forgejo")):
            with self.subTest(kind):
                self.run_kind(kind, f"webhookSecret: {HOOK}\nmetadata: {{m: x}}\nwebhook: {{WEBHOOK}}")
                event = self.holds({"ref": "refs/heads/main", "id": 12345678901234567}, lambda text, header=header: {
                    f"X-{header}-Signature": mac(text).hexdigest(), f"X-{header}-Delivery": "d-1"}, (401, b"signature check failed"))
                self.assertEqual((event["body"]["id"], event["metadata"]), (12345678901234567, {"m": "x"}))
                self.d.stop()
                shutil.rmtree(self.directory)

    def test_any_sender_that_signs(self):
        self.run_kind("webhook", 'endpoint: /hook\nmethod: POST\nport: "PORT"\n'
                      "signature: {header: X-Sign, algorithm: sha512, encoding: base64, prefix: 'v1:', secret: " + HOOK +
                      ", timestampHeader: X-Time, idHeader: X-Id, signed: '{id}/{timestamp}/{body}', tolerance: 1m}")

        def sign(text, at=None):
            at = str(int(time.time()) if at is None else at)
            digest = mac(b"i-1/" + at.encode() + b"/" + text, hash_name="sha512").digest()
            return {"X-Sign": "v1:" + base64.b64encode(digest).decode(), "X-Time": at, "X-Id": "i-1"}

        text = b'{"a": 1}'
        for away in (-120, 120):
            self.assertEqual(self.send(text, sign(text, int(time.time()) + away)), (401, b"timestamp is too old or too new"))
        self.assertEqual(self.send(text, dict(sign(text), **{"X-Id": "i-2"})), (401, b"signature check failed"))
        self.assertEqual(self.holds({"a": 1}, sign, (401, b"signature check failed"))["body"], {"a": 1})

    def test_without_an_id_a_signed_time_tells_a_replay(self):
        self.run_kind("webhook", 'endpoint: /hook\nmethod: POST\nport: "PORT"\n'
                      "signature: {header: X-Sign, secret: " + HOOK + ", timestampHeader: X-Time, signed: '{timestamp}.{body}'}")

        def sign(text, at):
            return {"X-Sign": mac(f"{at}.".encode() + text).hexdigest(), "X-Time": str(at)}

        now = int(time.time())
        self.assertEqual(self.send(b"1", sign(b"1", now)), (200, b"success"))
        self.again()
        self.assertEqual(self.send(b"1", sign(b"1", now)), (200, b"success"))
        self.assertEqual(len(self.events()), 1)
        self.assertEqual(self.send(b"1", sign(b"1", now - 1)), (200, b"success"))
        self.assertEqual(len(self.events()), 2)

    def test_a_secret_that_is_not_there_keeps_the_port_closed(self):
        self.run_kind("gitea", "webhookSecret: {name: none, key: hook}\nwebhook: {WEBHOOK}")
        until(lambda: '"failed"' in self.d.cli("status", "-o", "json").stdout, 30, "the failure")
        with self.assertRaises(OSError):
            self.send(b"{}", {})


class HookManagement(Case):
    def forge(self, *hooks):
        forge = Forge([route for h in hooks for route in h.routes()])
        self.addCleanup(forge.stop)
        return forge

    def gone(self):
        """The manifest is taken away: the source stops."""
        self.d.write("source.yaml", SECRETS + "  webhook: {}\n")

    def test_gitlab(self):
        project, group = Hooks("/api/v4/projects/team%2Fapp/hooks"), Hooks("/api/v4/groups/team/hooks")
        group.hooks["7"] = {"id": 7, "url": "https://else/hook", "push_events": True}
        group.hooks["8"] = {"id": 8, "url": "https://here/hook", "push_events": True}
        forge = self.forge(project, group)
        self.run_kind("gitlab", f"gitlabBaseURL: http://127.0.0.1:{forge.port}\naccessToken: {TOKEN}\nevents: [PushEvents, JobEvents]\n"
                      f"secretToken: {HOOK}\nprojects: [team/app]\ngroups: [team]\ndeleteHookOnFinish: true\n"
                      "webhook: {WEBHOOK, url: 'https://here'}")
        until(lambda: "POST /api/v4/projects/team%2Fapp/hooks" in forge.seen(), 30, "the hook")
        hook = forge.body("POST")
        self.assertEqual((hook["url"], hook["token"], hook["push_events"], hook["job_events"], hook["issues_events"]),
                         ("https://here/hook", "s3cret", True, True, False))
        self.assertEqual(forge.seen("PUT"), ["PUT /api/v4/groups/team/hooks/8"], "the events were others")
        self.assertEqual(forge.header("Private-Token") or forge.header("PRIVATE-TOKEN"), "api-token")
        self.gone()
        until(lambda: len(forge.seen("DELETE")) == 2, 30, "the end")
        self.assertEqual((list(project.hooks), list(group.hooks)), ([], ["7"]))

    def test_gitea(self):
        repo, org = Hooks("/api/v1/repos/ann/app/hooks"), Hooks("/api/v1/orgs/team/hooks")
        forge = self.forge(repo, org)
        self.run_kind("gitea", f"giteaBaseURL: http://127.0.0.1:{forge.port}/\naccessToken: {TOKEN}\nevents: [push]\nwebhookSecret: {HOOK}\n"
                      "repositories: [{owner: ann, names: [app]}]\norganizations: [team]\ndeleteHookOnFinish: true\n"
                      "webhook: {WEBHOOK, url: 'https://here'}")
        until(lambda: len(forge.seen("POST")) == 2, 30, "the hooks")
        self.assertEqual(forge.body("POST"), {"type": "gitea", "active": True, "events": ["push"], "config": {
            "url": "https://here/hook", "content_type": "json", "secret": "s3cret"}})
        self.assertEqual(forge.header("Authorization"), "token api-token")
        self.d.stop()
        self.assertEqual(len(repo.hooks), 1, "a restart is not the end: what is sent meanwhile is sent again later")
        self.d.start()
        until(lambda: len(forge.seen("GET")) == 4, 30, "the look at the hooks")
        self.gone()
        until(lambda: len(forge.seen("DELETE")) == 2, 30, "the end")
        self.assertEqual((len(forge.seen("POST")), repo.hooks, org.hooks), (2, {}, {}))

    def test_trouble_is_logged_once_and_tried_again(self):
        repo = Hooks("/api/v1/repos/ann/app/hooks")
        forge = Forge([("GET", ".*", (500, {"message": "later"}))])
        self.addCleanup(forge.stop)
        self.run_kind("gitea", f"giteaBaseURL: http://127.0.0.1:{forge.port}/\naccessToken: {TOKEN}\nevents: [push]\nwebhookSecret: {HOOK}\n"
                      "repositories: [{owner: ann, names: [app]}]\nwebhook: {WEBHOOK, url: 'https://here'}")
        until(lambda: "Gitea answers 500" in self.d.log(), 30, "the line")
        self.assertEqual(self.send(b"{}", {"X-Gitea-Signature": mac(b"{}").hexdigest()})[0], 200, "events are taken meanwhile")
        with forge.lock:
            forge.routes = repo.routes()
        self.edit("events: [push]", "events: [push, create]")
        until(lambda: repo.hooks, 30, "the hook")


PUSH = """
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {name: ci}
spec:
  dependencies: [{name: push, eventSourceName: hooks, eventName: e, filters: {data: [{path: body.ref, type: string, value: [refs/heads/main]}]}}]
  triggers:
  - template:
      name: build
      argoWorkflow:
        operation: submit
        source:
          resource:
            apiVersion: argoproj.io/v1alpha1
            kind: Workflow
            metadata: {generateName: build-}
            spec:
              entrypoint: main
              arguments: {parameters: [{name: commit}]}
              templates:
              - name: main
                container: {image: local, command: [sh, -c], args: ["echo built {{workflow.parameters.commit}}"]}
        parameters: [{src: {dependencyName: push, dataKey: body.after}, dest: spec.arguments.parameters.0.value}]
"""
# What a forge does after a push: says so, signed, to whom has asked for it.
POST_RECEIVE = """#!{python}
import hashlib, hmac, json, sys, urllib.request
for line in sys.stdin:
    before, after, ref = line.split()
    body = json.dumps({{"ref": ref, "before": before, "after": after}}).encode()
    urllib.request.urlopen(urllib.request.Request("http://127.0.0.1:{port}/hook", body, {{
        "Content-Type": "application/json", "X-Gitea-Event": "push", "X-Gitea-Delivery": after,
        "X-Gitea-Signature": hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()}}))
"""


class Push(Case):
    def git(self, *args):
        env = dict(os.environ, GIT_AUTHOR_NAME="a", GIT_AUTHOR_EMAIL="a@example.org", GIT_COMMITTER_NAME="a",
                   GIT_COMMITTER_EMAIL="a@example.org", GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_NOSYSTEM="1")
        return subprocess.run(["git", *args], check=True, capture_output=True, text=True, env=env, timeout=60).stdout.strip()

    def test_a_push_ends_in_a_workflow(self):
        self.run_kind("gitea", f"webhookSecret: {HOOK}\nwebhook: {{WEBHOOK}}", **{"sensor.yaml": PUSH})
        bare, work = os.path.join(self.directory, "app.git"), os.path.join(self.directory, "work")
        self.git("init", "-q", "--bare", bare)
        hook = os.path.join(bare, "hooks", "post-receive")
        with open(hook, "w", encoding="ascii") as f:
            f.write(POST_RECEIVE.format(python=sys.executable, port=self.port))
        os.chmod(hook, 0o755)
        self.git("init", "-q", "-b", "main", work)
        self.git("-C", work, "commit", "-q", "--allow-empty", "-m", "first")
        self.git("-C", work, "push", "-q", bare, "main", "main:refs/heads/other")
        commit = self.git("-C", work, "rev-parse", "HEAD")
        until(lambda: [w["status"]["phase"] for w in self.d.list()] == ["Succeeded"], 60, "the workflow")
        name = self.d.list()[0]["metadata"]["name"]
        self.assertIn(f"built {commit}", self.d.cli("logs", name).stdout)


if __name__ == "__main__":
    unittest.main()
