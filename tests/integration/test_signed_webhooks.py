# SPDX-License-Identifier: Apache-2.0
"""Webhooks that are signed: every kind takes what its sender signs (the signatures are made here, by Python's hmac), refuses everything
else, knows a redelivery over kill -9, and registers its hooks with the sender's API.

The APIs are those of tests/integration/forge.py, which is no forge; see there for what that leaves unproven."""
import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
import unittest
import unittest.mock
import urllib.parse

from forge import Forge, Hooks
from harness import FULL, ROOT, TestCase, free_port, post, until
from test_services import Program

SECRETS = """
apiVersion: v1
kind: Secret
metadata: {name: s}
stringData: {token: api-token, hook: s3cret, standard: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw, user: ann, password: pass, KEYS}
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

    keys = "more: x"  # further secrets

    def run_kind(self, kind, config, **more):
        """A daemon with one event `e` of that kind at /hook. In the config WEBHOOK stands for the endpoint, PORT for its port."""
        self.port = free_port()
        config = config.replace("WEBHOOK", 'endpoint: /hook, port: "PORT", method: POST').replace("PORT", str(self.port))
        text = SECRETS.replace("KEYS", self.keys) + f"  {kind}:\n    e:\n" + "".join(f"      {line}\n" for line in config.strip().splitlines())
        self.d = self.daemon(dict({"source.yaml": text}, **more))
        return self.d

    def edit(self, old, new):
        with open(os.path.join(self.d.manifests, "source.yaml"), encoding="utf-8") as f:
            text = f.read()
        self.assertIn(old, text)
        self.d.write("source.yaml", text.replace(old, new))

    def gone(self):
        """The manifest is taken away: the source stops."""
        self.d.write("source.yaml", SECRETS.replace("KEYS", self.keys) + "  webhook: {}\n")

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

    def test_bitbucket(self):
        self.run_kind("bitbucket", f"webhookSecret: {HOOK}\nrepositories: [{{owner: o, repositorySlug: r}}]\nwebhook: {{WEBHOOK}}")
        event = self.holds({"push": {}}, lambda text: {"X-Hub-Signature": "sha256=" + mac(text).hexdigest(), "X-Request-UUID": "u-1",
                                                       "X-Event-Key": "repo:push"}, (401, b"signature check failed"))
        self.assertEqual((event["body"], event["headers"]["X-Event-Key"]), ({"push": {}}, ["repo:push"]))

    def test_standard_webhooks(self):
        self.run_kind("standardWebhooks", "secret: {name: s, key: standard}\nwebhook: {WEBHOOK}")
        self.MISSING = b"missing headers"
        key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

        def sign(text, at=None, names="webhook", n="msg_1"):
            at = str(int(time.time()) if at is None else at)
            digest = base64.b64encode(mac(f"{n}.{at}.".encode() + text, key).digest()).decode()
            return {f"{names}-id": n, f"{names}-timestamp": at, f"{names}-signature": "v1,AAAA v1," + digest}

        for away in (-310, 310):
            self.assertEqual(self.send(b"{}", sign(b"{}", int(time.time()) + away)), (401, b"timestamp is too old or too new"))
        self.holds({"type": "a"}, sign, (401, b"signature check failed"))
        self.assertEqual(self.send(b"{}", sign(b"{}", names="svix", n="msg_2")), (200, b"success"))
        self.assertEqual(len(self.events()), 2)

    def test_gerrit_signs_nothing(self):
        self.run_kind("gerrit", "projects: [p]\nevents: [patchset-created]\ngerritBaseURL: http://127.0.0.1:1\n"
                      "auth: {username: {name: s, key: user}, password: {name: s, key: password}}\nmetadata: {a: b}\nwebhook: {WEBHOOK}")
        self.assertEqual(self.send(b"no", {}), (400, b"invalid event"))
        self.assertEqual(self.send({"type": "patchset-created"}, {}), (200, b"success"))
        event, = self.events()
        self.assertEqual((event["body"], event["metadata"]), ({"type": "patchset-created"}, {"a": "b"}))

    def test_stripe(self):
        self.run_kind("stripe", f"signingSecret: {HOOK}\neventFilter: [customer.created]\nmetadata: {{m: x}}\nwebhook: {{WEBHOOK}}")

        def sign(text, at=None):
            at = str(int(time.time()) if at is None else at)
            return {"Stripe-Signature": f"t={at},v1={'0' * 64},v1={mac(at.encode() + b'.' + text).hexdigest()},v0=x"}

        event = {"id": "evt_1", "object": "event", "account": "acct_1", "api_version": "2020-08-27", "created": 1533204620,
                 "data": {"object": {"id": "cus_1", "n": 1.50}}, "livemode": True, "pending_webhooks": 2,
                 "request": {"id": "req_1", "idempotency_key": "k"}, "type": "customer.created"}
        text = json.dumps(event).encode()
        for away in (-310, 310):
            self.assertEqual(self.send(text, sign(text, int(time.time()) + away)), (400, b"timestamp is too old or too new"))
        other = json.dumps(dict(event, type="charge.failed")).encode()
        self.assertEqual(self.send(other, sign(other)), (400, b"invalid event"))
        self.assertEqual(self.send(b"[]", sign(b"[]")), (400, b"failed to parse the event"))
        got = self.holds(event, sign, (400, b"signature check failed"))
        self.assertEqual(list(got["event"]), ["account", "created", "data", "id", "livemode", "pending_webhooks", "request", "type"])
        self.assertEqual((got["event"]["data"], got["event"]["request"], got["metadata"]),
                         (event["data"], event["request"], {"m": "x"}))
        # Stripe signs a retry anew, with its own time.
        self.assertEqual(self.send(text, sign(text, int(time.time()) - 5)), (200, b"success"))
        self.assertEqual(len(self.events()), 1)

    def test_slack(self):
        self.run_kind("slack", f"token: {TOKEN}\nsigningSecret: {HOOK}\nwebhook: {{WEBHOOK}}")
        self.MISSING = b"cannot create secrets verifier, missing headers"

        def sign(text, at=None, kind="application/json"):
            at = str(int(time.time()) if at is None else at)
            return {"Content-Type": kind, "X-Slack-Request-Timestamp": at,
                    "X-Slack-Signature": "v0=" + mac(b"v0:" + at.encode() + b":" + text).hexdigest()}

        def signed(body, kind="application/json"):
            text = body if isinstance(body, bytes) else json.dumps(body).encode()
            return self.send(text, sign(text, kind=kind))

        for away in (-310, 310):
            self.assertEqual(self.send(b"{}", sign(b"{}", int(time.time()) + away)), (401, b"cannot create secrets verifier, timestamp is too old"))
        self.assertEqual(signed({"token": "api-token", "type": "url_verification", "challenge": "3eZbrw1a&<"}), (200, b"3eZbrw1a&<"))
        self.assertEqual(signed({"token": "other", "type": "event_callback", "event": {"type": "message"}}),
                         (500, b"failed to extract event, invalid verification token"))
        self.assertEqual(signed({"token": "api-token", "type": "event_callback", "event": {"type": "made_up"}})[0], 500)
        self.assertEqual(signed({"token": "api-token", "type": "app_rate_limited"}), (200, b"success"))
        event = {"token": "api-token", "type": "event_callback", "event_id": "Ev1", "event": {"type": "app_mention", "text": "hi", "ts": "1.2"}}
        got = self.holds(event, sign, (401, b"signature validation failed"))
        self.assertEqual(got, {"type": "app_mention", "Data": event["event"]})
        later = json.dumps(dict(event, event_time=5)).encode()  # another attempt: signed anew, but the same event
        self.assertEqual(self.send(later, sign(later, int(time.time()) - 3)), (200, b"success"))
        self.assertEqual(len(self.events()), 1)
        form = "application/x-www-form-urlencoded"
        self.assertEqual(signed(b"token=t&command=%2Fgo&text=a+b&team_id=T&is_enterprise_install=true&enterprise_name=", form), (200, b"success"))
        self.assertEqual(signed(b"payload=%7B%22type%22%3A%22block_actions%22%7D", form), (200, b"success"))
        self.assertEqual(signed(b"a=b", form), (500, b"could not determine slack type from form parameters"))
        _, command, action = self.events()
        self.assertEqual((list(command), command["command"], command["text"], command["is_enterprise_install"]), (
            "token team_id team_domain is_enterprise_install channel_id channel_name user_id user_name command text response_url "
            "trigger_id api_app_id".split(), "/go", "a b", True))
        self.assertEqual(action, {"type": "block_actions"})

    def test_storage_grid(self):
        self.run_kind("storageGrid", f"topicArn: urn:x\napiURL: http://127.0.0.1:1\nauthToken: {TOKEN}\nbucket: b\nevents: [ObjectCreated:Put]\n"
                      "filter: {prefix: in/, suffix: .csv}\nmetadata: {m: x}\nwebhook: {WEBHOOK}")

        def publish(key, request="r1"):
            message = {"Records": [{"eventName": "ObjectCreated:Put", "responseElements": {"x-amz-request-id": request},
                                    "s3": {"object": {"key": key, "size": 10}}}]}
            form = urllib.parse.urlencode({"Action": "Publish", "Message": json.dumps(message), "TopicArn": "urn:x", "Version": "2010-03-31"})
            return self.send(form.encode(), {"Content-Type": "application/x-www-form-urlencoded"}), message

        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        self.addCleanup(c.close)
        c.request("HEAD", "/hook")
        self.assertEqual(c.getresponse().status, 200)
        (status, text), _ = publish("out/a.csv")
        self.assertEqual((status, b"<PublishResponse" in text, self.events()), (200, True, []), "the filter")
        (status, text), message = publish("in/a+b %41.csv")
        self.assertEqual((status, b"<PublishResponse" in text), (200, True))
        self.again()
        publish("in/a+b %41.csv")
        publish("in/c.csv", "r2")
        first, _ = self.events()
        self.assertEqual(first, {"notification": {"Action": "Publish", "Message": message, "TopicArn": "urn:x", "Version": "2010-03-31"},
                                 "metadata": {"m": "x"}})
        self.assertEqual(self.send(b"Message=%7B", {})[0], 400)

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

    def test_bitbucket(self):
        repo = Hooks("/2.0/repositories/ann/app/hooks", lambda hooks: {"values": hooks}, "uuid")
        repo.new_id = lambda: "{0f-1}"
        repo.hooks["%7Bab%7D"] = {"uuid": "{ab}", "url": "https://here/hook", "events": ["repo:fork"]}
        other = Hooks("/2.0/repositories/ann/lib/hooks", lambda hooks: {"values": hooks}, "uuid")
        other.new_id = lambda: "{0f-2}"
        forge = self.forge(repo, other)
        self.run_kind("bitbucket", f"endpoint: http://127.0.0.1:{forge.port}/2.0\nauth: {{basic: {{username: {{name: s, key: user}}, "
                      f"password: {{name: s, key: password}}}}}}\nevents: [repo:push]\nwebhookSecret: {HOOK}\n"
                      "repositories: [{owner: ann, repositorySlug: app}, {owner: ann, repositorySlug: lib}]\ndeleteHookOnFinish: true\n"
                      "webhook: {WEBHOOK, url: 'https://here'}")
        until(lambda: forge.seen("POST") and forge.seen("PUT"), 30, "the hooks")
        self.assertEqual(forge.seen("PUT"), ["PUT /2.0/repositories/ann/app/hooks/%7Bab%7D"])
        self.assertEqual(forge.body("POST"), {"description": "webhook managed by Tidegate", "url": "https://here/hook", "active": True,
                                              "events": ["repo:push"], "secret": "s3cret"})
        self.assertEqual(forge.header("Authorization"), "Basic " + base64.b64encode(b"ann:pass").decode())
        self.gone()
        until(lambda: len(forge.seen("DELETE")) == 2, 30, "the end")
        self.assertEqual(forge.seen("DELETE")[1], "DELETE /2.0/repositories/ann/lib/hooks/%7B0f-2%7D")

    def test_bitbucketserver_finds_the_repositories_of_a_project(self):
        def page(hooks):
            return {"values": hooks, "isLastPage": True}
        one, two = (Hooks(f"/rest/api/1.0/projects/PRJ/repos/{r}/webhooks", page) for r in ("one", "two"))
        forge = self.forge(one, two)
        with forge.lock:
            forge.routes.append(("GET", r"/rest/api/1.0/projects/PRJ/repos\?.*", (200, page(
                [{"slug": "one", "project": {"key": "PRJ"}}, {"slug": "two", "project": {"key": "PRJ"}}]))))
        self.run_kind("bitbucketserver", f"bitbucketserverBaseURL: http://127.0.0.1:{forge.port}/rest\naccessToken: {TOKEN}\n"
                      f"events: [repo:refs_changed]\nwebhookSecret: {HOOK}\nprojects: [PRJ]\n"
                      "repositories: [{projectKey: PRJ, repositorySlug: one}]\ndeleteHookOnFinish: true\ncheckInterval: 1s\n"
                      "webhook: {WEBHOOK, url: 'https://here'}")
        until(lambda: one.hooks and two.hooks, 30, "the hooks")
        self.assertEqual(forge.body("POST")["configuration"], {"secret": "s3cret"})
        self.assertEqual((forge.header("Authorization"), forge.header("X-Atlassian-Token")), ("Bearer api-token", "no-check"))
        one.hooks.clear()  # somebody else takes it away: the next look brings it back
        until(lambda: one.hooks, 30, "the hook again")
        self.gone()
        until(lambda: not one.hooks and not two.hooks, 30, "the end")

    def test_gerrit(self):
        remotes = {}
        path = "/a/config/server/webhooks~projects/team%2Fapp/remotes/"

        def put(_match, body, _headers):
            remotes["tidegate"] = json.loads(body)
            return 201, b")]}'\n" + body

        forge = Forge([("GET", path, lambda *_: (200, b")]}'\n" + json.dumps(remotes).encode())), ("PUT", path + "tidegate", put),
                       ("DELETE", path + "tidegate", lambda *_: (204, b"") if remotes.pop("tidegate") else None)])
        self.addCleanup(forge.stop)
        self.run_kind("gerrit", f"projects: [team/app]\nevents: [patchset-created]\ngerritBaseURL: http://127.0.0.1:{forge.port}\n"
                      "hookName: tidegate\nmaxTries: 3\nsslVerify: true\ndeleteHookOnFinish: true\n"
                      "auth: {username: {name: s, key: user}, password: {name: s, key: password}}\nwebhook: {WEBHOOK, url: 'https://here'}")
        until(lambda: remotes, 30, "the hook")
        self.assertEqual(remotes["tidegate"], {"url": "https://here/hook", "events": ["patchset-created"], "maxTries": "3", "sslVerify": True})
        self.assertEqual(forge.header("Authorization"), "Basic " + base64.b64encode(b"ann:pass").decode())
        self.gone()
        until(lambda: not remotes, 30, "the end")

    def test_stripe_gets_one_endpoint_only(self):
        made = []

        def create(_match, body, _headers):
            form = urllib.parse.parse_qs(body.decode())
            made.append({"id": "we_1", "url": form["url"][0], "enabled_events": form["enabled_events[]"]})
            return 200, made[-1]

        forge = Forge([("GET", r"/v1/webhook_endpoints\?limit=100", lambda *_: (200, {"data": made})), ("POST", "/v1/webhook_endpoints", create)])
        self.addCleanup(forge.stop)
        self.run_kind("stripe", f"endpoint: http://127.0.0.1:{forge.port}\napiKey: {TOKEN}\ncreateWebhook: true\nsigningSecret: {HOOK}\n"
                      "eventFilter: [charge.failed, customer.created]\nwebhook: {WEBHOOK, url: 'https://here'}")
        until(lambda: made, 30, "the endpoint")
        self.assertEqual(made[0], {"id": "we_1", "url": "https://here/hook", "enabled_events": ["charge.failed", "customer.created"]})
        self.assertEqual(forge.header("Authorization"), "Bearer api-token")
        self.again()
        until(lambda: len(forge.seen("GET")) == 2, 30, "the look")
        self.assertEqual(len(made), 1, "Argo makes another at every start")

    def test_storage_grid(self):
        endpoints = []

        def create(_match, body, _headers):
            endpoints.append(json.loads(body))
            return 201, {"data": {"id": "e1"}}

        forge = Forge([("GET", "/api/v3/org/endpoints", lambda *_: (200, {"data": endpoints})), ("POST", "/api/v3/org/endpoints", create),
                       ("PUT", "/api/v3/org/containers/b/notification", (200, {"data": {}}))])
        self.addCleanup(forge.stop)
        self.run_kind("storageGrid", f"topicArn: urn:x\napiURL: http://127.0.0.1:{forge.port}/api/v3\nauthToken: {TOKEN}\nbucket: b\n"
                      "events: [ObjectCreated:Put, 'ObjectRemoved:*']\nwebhook: {WEBHOOK, url: 'https://here'}")
        until(lambda: forge.seen("PUT"), 30, "the configuration")
        self.assertEqual(endpoints, [{"displayName": "e", "endpointURI": "https://here/hook", "endpointURN": "urn:x", "authType": "anonymous",
                                      "insecureTLS": True}])
        self.assertIn("<Event>ObjectCreated:Put</Event>\n<Event>ObjectRemoved:*</Event>", forge.body("PUT")["notification"])

    def test_an_api_whose_certificate_is_of_an_authority_of_its_own(self):
        """`tls`: without it, or with another authority, nobody is asked."""
        paths = []
        for name in ("api", "other"):
            paths.append((os.path.join(self.directory, name + ".crt"), os.path.join(self.directory, name + ".key")))
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=" + name,
                            "-addext", "subjectAltName=IP:127.0.0.1", "-out", paths[-1][0], "-keyout", paths[-1][1]], check=True, capture_output=True)
        texts = []
        for cert, _key in paths:
            with open(cert, encoding="ascii") as f:
                texts.append(json.dumps(f.read()))
        self.keys = f"api: {texts[0]}, other: {texts[1]}"
        hooks = Hooks("/rest/api/1.0/projects/PRJ/repos/one/webhooks", lambda hooks: {"values": hooks, "isLastPage": True})
        forge = Forge([*hooks.routes(), ("GET", "/api/v3/org/endpoints", (200, {"data": []})), ("POST", "/api/v3/org/endpoints", (201, {"data": {"id": "e1"}})),
                       ("PUT", "/api/v3/org/containers/b/notification", (200, {"data": {}}))], tls=paths[0])
        self.addCleanup(forge.stop)
        at = f"https://127.0.0.1:{forge.port}"
        kinds = {"bitbucketserver": f"bitbucketserverBaseURL: {at}/rest\naccessToken: {TOKEN}\nevents: [repo:refs_changed]\nwebhookSecret: {HOOK}\n"
                                    "repositories: [{projectKey: PRJ, repositorySlug: one}]\n",
                 "storageGrid": f"topicArn: urn:x\napiURL: {at}/api/v3\nauthToken: {TOKEN}\nbucket: b\nevents: [ObjectCreated:Put]\n"}
        for kind, config in kinds.items():
            with self.subTest(kind):
                self.run_kind(kind, config + "checkInterval: 1s\ntls: {caCertSecret: {name: s, key: other}}\nwebhook: {WEBHOOK, url: 'https://here'}"
                              if kind != "storageGrid" else config + "tls: {caCertSecret: {name: s, key: other}}\nwebhook: {WEBHOOK, url: 'https://here'}")
                until(lambda: "certificate" in self.d.log(), 60, "a refusal")
                self.assertEqual(forge.seen(), [])
                self.edit("key: other}}", "key: api}}")
                until(lambda: forge.seen("PUT" if kind == "storageGrid" else "POST"), 60, "the hook")  # pylint: disable=cell-var-from-loop
                self.d.stop()
                forge.calls.clear()

    def test_github_as_an_app(self):
        """The JWT is checked with the app's public key, by the openssl command."""
        key, public = os.path.join(self.directory, "app.pem"), os.path.join(self.directory, "app.pub")
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        subprocess.run(["openssl", "rsa", "-in", key, "-pubout", "-out", public], check=True, capture_output=True)
        with open(key, encoding="ascii") as f:
            self.keys = "app: " + json.dumps(f.read())
        repo = Hooks("/api/v3/repos/ann/app/hooks")

        def token(_match, _body, headers):
            head, claims, signature = headers["Authorization"].split()[1].encode().split(b".")
            padded = [x + b"=" * (-len(x) % 4) for x in (head, claims, signature)]
            signed, sig = (os.path.join(self.directory, n) for n in ("signed", "sig"))
            for path, data in ((signed, head + b"." + claims), (sig, base64.urlsafe_b64decode(padded[2]))):
                with open(path, "wb") as f:
                    f.write(data)
            done = subprocess.run(["openssl", "dgst", "-sha256", "-verify", public, "-signature", sig, signed], capture_output=True, check=False)
            said = json.loads(base64.urlsafe_b64decode(padded[1]))
            good = done.returncode == 0 and said["iss"] == "17" and said["iat"] < time.time() < said["exp"] <= said["iat"] + 600
            at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
            return (201, {"token": "installation-token", "expires_at": at}) if good else (401, {"message": "no"})

        forge = Forge([("POST", "/api/v3/app/installations/23/access_tokens", token)] + repo.routes())
        self.addCleanup(forge.stop)
        self.run_kind("github", f"githubBaseURL: http://127.0.0.1:{forge.port}/api/v3/\ngithubUploadURL: http://127.0.0.1:{forge.port}/up\n"
                      "githubApp: {appID: 17, installationID: 23, privateKey: {name: s, key: app}}\n"
                      f"webhookSecret: {HOOK}\nevents: [push]\nactive: true\ncontentType: json\ndeleteHookOnFinish: true\n"
                      "repositories: [{owner: ann, names: [app]}]\nwebhook: {WEBHOOK, url: 'https://here'}")
        until(lambda: repo.hooks, 30, "the hook")
        self.assertEqual(forge.header("Authorization"), "Bearer installation-token")
        self.gone()
        until(lambda: not repo.hooks, 30, "the end")
        self.assertEqual(len([x for x in forge.seen("POST") if "access_tokens" in x]), 1, "one token will do")

    def test_a_hook_on_the_second_page(self):
        pages = {"1": [{"id": n, "config": {"url": f"https://else/{n}"}} for n in range(50)],
                 "2": [{"id": 77, "config": {"url": "https://here/hook"}}]}
        forge = Forge([("GET", r"/api/v1/repos/ann/app/hooks\?limit=50&page=(\d)", lambda match, *_: (200, pages[match[1]])),
                       ("DELETE", "/api/v1/repos/ann/app/hooks/77", (204, b""))])
        self.addCleanup(forge.stop)
        self.run_kind("gitea", f"giteaBaseURL: http://127.0.0.1:{forge.port}\naccessToken: {TOKEN}\nevents: [push]\nwebhookSecret: {HOOK}\n"
                      "repositories: [{owner: ann, names: [app]}]\ndeleteHookOnFinish: true\nwebhook: {WEBHOOK, url: 'https://here'}")
        until(lambda: len(forge.seen("GET")) == 2, 30, "the pages")
        self.gone()
        until(lambda: forge.seen("DELETE"), 30, "the end")
        self.assertEqual(forge.seen("POST"), [])

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


def change(name, kind="UPDATE", where="BRANCH"):
    return {"ref": {"id": f"refs/heads/{name}", "displayId": name, "type": where}, "toHash": f"hash-{name}", "type": kind}


class BitbucketServer(Case):
    PUSH = {"eventKey": "repo:refs_changed", "repository": {"slug": "app", "id": 7, "project": {"key": "PRJ"}},
            "changes": [change("main"), change("topic"), change("v1", where="TAG"), change("gone", "DELETE")]}

    def start(self, *more):
        self.forge = Forge([("GET", r"/rest/api/1.0/projects/PRJ/repos/app/commits/hash-topic/pull-requests\?limit=500&start=0",
                             (200, {"values": [{"id": 1, "state": "MERGED"}], "isLastPage": False, "nextPageStart": 1})),
                            ("GET", r"/rest/api/1.0/projects/PRJ/repos/app/commits/hash-topic/pull-requests\?limit=500&start=1",
                             (200, {"values": [{"id": 2, "state": "OPEN"}], "isLastPage": True})),
                            ("GET", r"/rest/api/1.0/projects/PRJ/repos/app/commits/hash-main/pull-requests\?.*",
                             (200, {"values": [], "isLastPage": True}))])
        self.addCleanup(self.forge.stop)
        self.run_kind("bitbucketserver", f"bitbucketserverBaseURL: http://127.0.0.1:{self.forge.port}/rest\naccessToken: {TOKEN}\n"
                      f"webhookSecret: {HOOK}\nmetadata: {{m: x}}\nwebhook: {{WEBHOOK}}\n" + "\n".join(more))

    def push(self, body, key="repo:refs_changed", n="q-1"):
        text = json.dumps(body).encode()
        return self.send(text, {"X-Event-Key": key, "X-Request-Id": n, "X-Hub-Signature": "sha256=" + mac(text).hexdigest()})

    def test_signature(self):
        self.start()
        text = json.dumps(self.PUSH).encode()
        prefix = b"failed to validate bitbucketserver webhook request: "
        for signature in ("sha256=" + "0" * 64, "sha256", "x", "sha1=" + mac(text, hash_name="sha1").hexdigest()):
            self.assertEqual(self.send(text, {"X-Hub-Signature": signature}), (400, prefix + b"hmac verification failed"), signature)
        self.assertEqual(self.send(text, {}), (400, prefix + b"missing signature header"))
        self.assertEqual(self.events(), [])
        self.assertEqual(self.push(self.PUSH), (200, b"success"))
        self.again()
        self.assertEqual(self.push(self.PUSH), (200, b"success"))
        event, = self.events()
        self.assertEqual((event["body"], event["metadata"]), (self.PUSH, {"m": "x"}))

    def test_one_event_per_change(self):
        self.start("oneEventPerChange: true")
        self.assertEqual(self.push(self.PUSH), (200, b"success"))
        self.again()
        self.assertEqual(self.push(self.PUSH), (200, b"success"))
        self.assertEqual([e["body"] for e in self.events()], [dict(self.PUSH, changes=[c]) for c in self.PUSH["changes"]])
        self.assertEqual(self.push({"test": True}, "diagnostics:ping", "q-2"), (200, b"success"))
        self.assertEqual(self.push(dict(self.PUSH, changes=[]), n="q-3"), (200, b"success"))
        self.assertEqual(len(self.events()), 5)

    def test_changes_with_an_open_pull_request_are_left_out(self):
        self.start("oneEventPerChange: true", "skipBranchRefsChangedOnOpenPR: true")
        self.assertEqual(self.push(self.PUSH), (200, b"success"))
        self.assertEqual([e["body"]["changes"][0]["ref"]["displayId"] for e in self.events()], ["main", "v1", "gone"])
        self.assertEqual(self.forge.header("Authorization"), "Bearer api-token")
        self.assertEqual(self.push(dict(self.PUSH, changes=[change("topic")]), n="q-2"), (200, b"success"))
        self.assertEqual(len(self.events()), 3, "all of it has a pull request")
        status, text = self.push(dict(self.PUSH, changes=[change("unknown")]), n="q-3")
        self.assertEqual((status, text[:52]), (400, b"filtering changes for open prs: checking if changed "))
        self.assertEqual(len(self.events()), 3)


SNS_FIELDS = {"Notification": ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
              "SubscriptionConfirmation": ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]}


class Sns(Case):
    """Messages as SNS documents them, signed by the openssl command; the scripted server has the certificate, and takes the calls."""
    TOPIC = "arn:aws:sns:eu-west-1:1:t"

    def setUp(self):
        super().setUp()
        self.key, self.cert = os.path.join(self.directory, "key.pem"), os.path.join(self.directory, "cert.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=sns.amazonaws.com",
                        "-keyout", self.key, "-out", self.cert], check=True, capture_output=True)
        with open(self.cert, "rb") as f:
            pem = f.read()
        arn = self.TOPIC + ":sub"
        self.aws = Forge([("GET", "/SimpleNotificationService-1.pem", (200, pem)), ("GET", "/other.pem", (200, b"no certificate")),
                          ("POST", "/", lambda _m, body, _h: (200, f"<R><SubscriptionArn>{arn}</SubscriptionArn></R>".encode()))])
        self.addCleanup(self.aws.stop)
        self.keys = "access: AKID, secret: SECRET"

    def start(self, *more):
        self.run_kind("sns", f"topicArn: {self.TOPIC}\nregion: eu-west-1\nendpoint: http://127.0.0.1:{self.aws.port}\n"
                      "accessKey: {name: s, key: access}\nsecretKey: {name: s, key: secret}\nvalidateSignature: true\nmetadata: {m: x}\n" +
                      ("\n".join(more) or "webhook: {WEBHOOK}"))

    def message(self, version="1", **more):
        m = {"Type": "Notification", "MessageId": "m-1", "TopicArn": self.TOPIC, "Subject": "s\nt", "Message": "h\u00e9llo \"x\"",
             "Timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.123Z", time.gmtime()), "SignatureVersion": version,
             "SigningCertURL": f"http://127.0.0.1:{self.aws.port}/SimpleNotificationService-1.pem", "UnsubscribeURL": "https://x", **more}
        m = {k: v for k, v in m.items() if v is not None}
        text = "".join(f"{k}\n{m[k]}\n" for k in SNS_FIELDS[m["Type"]] if k in m).encode()
        done = subprocess.run(["openssl", "dgst", "-sha1" if version == "1" else "-sha256", "-sign", self.key], input=text, check=True,
                              capture_output=True)
        return dict(m, Signature=base64.b64encode(done.stdout).decode())

    def sent(self, m):
        return self.send(m, {"Content-Type": "text/plain; charset=UTF-8"})

    def test_signatures(self):
        self.start()
        for version in ("1", "2"):
            for subject in ("s", None):
                good = self.message(version, MessageId=f"m-{version}-{subject}", Subject=subject)
                self.assertEqual(self.sent(good), (200, b"success"))
        self.assertEqual(len(self.events()), 4)
        first = self.events()[0]
        self.assertEqual((list(first), first["body"]["Message"], first["metadata"]), (["header", "body", "metadata"], 'h\u00e9llo "x"', {"m": "x"}))
        self.assertEqual(len(self.aws.seen("GET")), 1, "the certificate is kept")
        wrong = (400, b"message signature check error: the signature is not that of the certificate's key")
        good = self.message("2", MessageId="m-9")
        for field in ("Message", "MessageId", "Subject", "Timestamp"):
            text = good[field]
            bad = text[:-2] + chr(ord(text[-2]) ^ 1) + text[-1] if field == "Timestamp" else text + "!"
            self.assertEqual(self.sent(dict(good, **{field: bad})), wrong, field)
        self.assertEqual(self.sent(dict(good, SignatureVersion="1")), wrong)
        raw = base64.b64decode(good["Signature"])
        for i in range(0, len(raw), 51):
            bad = base64.b64encode(raw[:i] + bytes([raw[i] ^ 1]) + raw[i + 1:]).decode()
            self.assertEqual(self.sent(dict(good, Signature=bad)), wrong, i)
        self.assertEqual(self.sent(self.message(TopicArn=self.TOPIC + "x")), (400, b"the message is of another topic"))
        old = time.strftime("%Y-%m-%dT%H:%M:%S.123Z", time.gmtime(time.time() - 4000))
        self.assertEqual(self.sent(self.message(Timestamp=old)), (400, b"the message is too old or too new"))
        for url in ("https://sns.eu-west-1.amazonaws.com.evil.org/x.pem", f"http://127.0.0.1:{self.aws.port}@evil.org/x.pem", "file:///etc/passwd",
                    f"http://127.0.0.1:{self.aws.port}", f"http://127.0.0.1:{self.aws.port}/x.pem?", f"http://127.0.0.1:{self.aws.port}/x", ""):
            status, text = self.sent(self.message(SigningCertURL=url))
            self.assertEqual((status, text[:31]), (400, b"failed to verify SigningCertURL"), url)
        status, text = self.sent(self.message(SigningCertURL=f"http://127.0.0.1:{self.aws.port}/other.pem"))
        self.assertEqual((status, text), (400, b"message signature check error: not a certificate of an RSA key in PEM"))
        self.assertEqual(self.sent(self.message(SigningCertURL=f"http://127.0.0.1:{self.aws.port}/none.pem"))[0], 503)
        self.assertEqual(self.send(b"[]", {}), (400, b"bad request, not a valid SNS notification"))
        self.assertEqual(len(self.events()), 4)
        self.assertEqual(self.sent(good), (200, b"success"))
        self.again()
        self.assertEqual(self.sent(good), (200, b"success"))
        self.assertEqual(len(self.events()), 5)

    def waiting(self):
        """Sends a message whose certificate is long in coming, and returns where its answer will be."""
        held, answers = threading.Event(), []
        self.addCleanup(held.set)
        with self.aws.lock:
            self.aws.routes.append(("GET", "/slow.pem", lambda *_: (held.wait(60), (200, b""))[1]))
        message = self.message(SigningCertURL=f"http://127.0.0.1:{self.aws.port}/slow.pem")

        def send():
            try:
                answers.append(self.sent(message)[0])
            except (OSError, http.client.HTTPException):
                answers.append(0)

        sender = threading.Thread(target=send)
        sender.start()
        self.addCleanup(sender.join)
        until(lambda: "GET /slow.pem" in self.aws.seen(), 30, "the question")
        return answers

    def test_a_message_that_waits_when_the_source_goes(self):
        self.start()
        answers = self.waiting()
        self.gone()
        self.assertEqual(until(lambda: answers, 30, "the answer"), [503])
        self.assertEqual(self.events(), [])

    def test_a_message_that_waits_when_the_daemon_ends(self):
        self.start()
        answers = self.waiting()
        self.assertEqual(self.d.stop(), 0)
        self.assertIn(until(lambda: answers, 30, "the end")[0], (0, 503))

    def test_subscription(self):
        self.start("webhook: {WEBHOOK, url: 'https://here'}")
        until(lambda: self.aws.seen("POST"), 30, "the subscription")

        def call(n):
            return dict(urllib.parse.parse_qsl(self.aws.calls[n][2].decode()))

        self.assertEqual(call(0), {"Action": "Subscribe", "Endpoint": "https://here/hook", "Protocol": "https", "ReturnSubscriptionArn": "true",
                                   "TopicArn": self.TOPIC, "Version": "2010-03-31"})
        self.assertRegex(self.aws.header("Authorization"), r"^AWS4-HMAC-SHA256 Credential=AKID/\d+/eu-west-1/sns/aws4_request, ")
        confirm = self.message(Type="SubscriptionConfirmation", Token="t-1", SubscribeURL="https://x", Subject=None)
        self.assertEqual(self.sent(dict(confirm, Token="t-2"))[0], 400)
        self.assertEqual(self.sent(self.message(Type="SubscriptionConfirmation", Token="t" * 5000, SubscribeURL="https://x", Subject=None))[0], 400)
        self.assertEqual(self.sent(confirm)[0], 200)
        until(lambda: any(b"ConfirmSubscription" in b and b"Token=t-1" in b for _, _, b, _ in list(self.aws.calls)), 30, "the confirmation")
        self.assertFalse(any(b"t-2" in b for _, _, b, _ in self.aws.calls))
        self.assertEqual(self.events(), [])
        self.gone()
        until(lambda: any(b"Unsubscribe" in b for _, _, b, _ in list(self.aws.calls)), 30, "the end")
        self.assertEqual(call(-1)["SubscriptionArn"], self.TOPIC + ":sub")


    def test_a_role_is_taken_on(self):
        """Keys of the role, from an STS that checks the signature with botocore, sign the subscription."""
        sts = Program("sts_server.py", os.path.join(self.directory, "records"), "AKID", "SECRET", "3600")
        self.addCleanup(sts.stop)
        sts.start()
        with unittest.mock.patch.dict(os.environ, AWS_ENDPOINT_URL_STS=f"http://127.0.0.1:{sts.port}"):
            self.start("roleARN: arn:aws:iam::123456789012:role/r", "webhook: {WEBHOOK, url: 'https://here'}")
        until(lambda: self.aws.seen("POST"), 60, "the subscription")
        headers = {k.lower(): v for k, v in self.aws.calls[-1][3].items()}
        self.assertRegex(headers["authorization"], r"^AWS4-HMAC-SHA256 Credential=ASIAROLE/\d+/eu-west-1/sns/aws4_request, ")
        self.assertEqual(headers["x-amz-security-token"], "role/token==")
        with open(os.path.join(self.directory, "records"), encoding="utf-8") as f:
            self.assertEqual([json.loads(x)["RoleArn"] for x in f], ["arn:aws:iam::123456789012:role/r"])


@unittest.skipUnless(FULL, "make integration")
class Senders(Case):
    """The senders' own libraries and servers, as far as they are to be had."""

    def test_stripe_s_own_library_signs(self):
        self.run_kind("stripe", f"signingSecret: {HOOK}\nwebhook: {{WEBHOOK}}")
        text = json.dumps({"id": "evt_7", "object": "event", "type": "customer.created", "data": {"object": {"id": "cus_1"}}})
        program = ("import sys, time, stripe\nat, text = int(time.time()), sys.stdin.read()\n"
                   "made = 't=%d,v1=%s' % (at, stripe.WebhookSignature._compute_signature('%d.%s' % (at, text), 's3cret'))\n"
                   "stripe.Webhook.construct_event(text, made, 's3cret')\nprint(made)")
        done = subprocess.run([os.path.join(ROOT, "build", "signers", "env", "bin", "python"), "-c", program], input=text, check=True,
                              capture_output=True, text=True)
        self.assertEqual(self.send(text.encode(), {"Stripe-Signature": done.stdout.strip()}), (200, b"success"))
        self.assertEqual(self.events()[0]["event"]["id"], "evt_7")

    def test_sns_of_moto(self):
        """moto subscribes and publishes as SNS does; it signs nothing, and asks for no confirmation."""
        port, url = free_port(), "http://127.0.0.1:%d/"
        log = open(os.path.join(self.directory, "moto.log"), "wb")  # pylint: disable=consider-using-with
        self.addCleanup(log.close)
        moto = subprocess.Popen([os.path.join(ROOT, "build", "moto", "env", "bin", "python"), "-m", "moto.server", "-H", "127.0.0.1", "-p",  # pylint: disable=consider-using-with
                                 str(port)], stdout=log, stderr=log)
        self.addCleanup(lambda: (moto.kill(), moto.wait()))

        def call(action, **more):
            headers = {"Authorization": "AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/sns/aws4_request, SignedHeaders=host, Signature=0",
                       "Content-Type": "application/x-www-form-urlencoded"}
            status, text = post(port, "/", urllib.parse.urlencode({"Action": action, "Version": "2010-03-31", **more}), headers)
            return text.decode() if status == 200 else None

        def ready():
            try:
                return call("CreateTopic", Name="t")
            except OSError:
                return None

        topic = until(ready, 60, "moto").split("<TopicArn>")[1].split("<")[0]
        self.keys = "access: AKID, secret: SECRET"
        self.port = free_port()
        self.run_kind("sns", f"topicArn: {topic}\nregion: eu-west-1\nendpoint: {url % port}\naccessKey: {{name: s, key: access}}\n"
                      "secretKey: {name: s, key: secret}\nwebhook: {WEBHOOK, url: 'http://127.0.0.1:PORT'}")
        until(lambda: f"http://127.0.0.1:{self.port}/hook" in (call("ListSubscriptionsByTopic", TopicArn=topic) or ""), 30, "the subscription")
        self.assertTrue(call("Publish", TopicArn=topic, Message="hello", Subject="s"))
        event, = until(self.events, 30, "the event")
        self.assertEqual((event["body"]["Type"], event["body"]["Message"], event["body"]["TopicArn"]), ("Notification", "hello", topic))
        self.gone()
        until(lambda: "127.0.0.1" not in (call("ListSubscriptionsByTopic", TopicArn=topic) or "127.0.0.1"), 30, "the end")


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
