# SPDX-License-Identifier: Apache-2.0
"""Triggers that call a service, each against a server of its kind on loopback: what arrives there, and what its refusals come to. That
nothing is lost while one is away is in test_restarts.py."""
import base64
import contextlib
import email
import email.header
import hashlib
import hmac
import http.server
import json
import os
import re
import subprocess
import threading
import unittest

from harness import TestCase, free_port, post, until

HOOK = """
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {name: hook}
spec:
  webhook:
    e: {endpoint: /e, method: POST, port: "PORT"}
---
"""

HOOKED = HOOK + """apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {name: s}
spec:
  dependencies:
  - {name: d, eventSourceName: hook, eventName: e}
  triggers:
"""

KEYS = """---
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData:
"""

SENSOR = HOOKED + """  - template:
      name: t
TRIGGER
    retryStrategy: {steps: 200, duration: 200ms, factor: 1, jitter: 0}
""" + KEYS + "SECRETS\n"


class Listener(http.server.ThreadingHTTPServer):
    request_queue_size = 128  # with Python's 5, who connects sixteen times at once is refused by a busy machine


class Server:
    """An HTTP server that remembers its calls and answers what `answer` makes of them; may be stopped and started on its port."""

    def __init__(self, answer):
        self.port, self.answer, self.calls, self.server = free_port(), answer, [], None

    def start(self):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.0"  # no connection outlives stop()

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                call = {"method": self.command, "path": self.path, "headers": self.headers, "body": body}
                status, headers, text = outer.answer(call)
                outer.calls.append(dict(call, status=status))
                self.send_response(status)
                for k, v in dict({"Content-Length": str(len(text))}, **headers).items():
                    self.send_header(k, v)
                with contextlib.suppress(OSError):  # who asked may be gone
                    self.end_headers()
                    self.wfile.write(text)

            do_GET = do_PUT = do_DELETE = do_POST

            def log_message(self, *args):
                pass

        self.server = self.listener(Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def listener(self, handler):
        return Listener(("127.0.0.1", self.port), handler)

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
        self.server = None

    def good(self):
        return [c for c in self.calls if c["status"] < 300]


class Program:
    """A counterpart that is a program of its own, of Debian's Python; may be stopped and started on its port. It says `ready` when it is."""

    def __init__(self, script, *args):
        self.port = free_port()
        self.command = ["/usr/bin/python3", os.path.join(os.path.dirname(os.path.abspath(__file__)), script), str(self.port), *args]
        self.process = None

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE)
        if self.process.stdout.readline().strip() != b"ready":
            raise AssertionError(f"{self.command} does not start")
        return self

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(timeout=30)
            self.process.stdout.close()
        self.process = None


class Services(TestCase):
    def serve(self, answer, start=True):
        s = Server(answer)
        self.addCleanup(s.stop)
        return s.start() if start else s

    def program(self, script, *args, start=True):
        p = Program(script, *args)
        self.addCleanup(p.stop)
        return p.start() if start else p

    def certificate(self):
        """Paths of a certificate for 127.0.0.1 and its key."""
        key, cert = os.path.join(self.directory, "key.pem"), os.path.join(self.directory, "cert.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:trigger.test", "-keyout", key, "-out", cert],
                       check=True, capture_output=True)
        return cert, key

    def records(self):
        """What a program wrote down."""
        path = os.path.join(self.directory, "records")
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as f:
            return [json.loads(x) for x in f]

    def gateway(self, trigger, secrets):
        self.hook = free_port()
        text = SENSOR.replace("PORT", str(self.hook)).replace("TRIGGER", trigger.strip("\n"))
        return self.daemon({"all.yaml": text.replace("SECRETS", "".join(f"  {k}: {json.dumps(v)}\n" for k, v in secrets.items()))})

    def send(self, value):
        status, _ = post(self.hook, "/e", json.dumps(value).encode(), {"Content-Type": "application/json"})
        self.assertEqual(status, 200)

    def verdicts(self, d):
        """What became of each event at the trigger, oldest event first: (verdict, reason, result)."""
        events = [json.loads(x) for x in d.cli("events", "--limit", "1000", "-o", "json").stdout.splitlines()]
        out = []
        for e in sorted(events, key=lambda e: e["seq"]):
            out += [(x["verdict"], x.get("reason", ""), x.get("result")) for x in e.get("decisions", []) if x.get("trigger") == "t"]
        return out

    def wait_for(self, d, n, verdict="fired"):
        return until(lambda: [v for v in self.verdicts(d) if v[0] == verdict][n - 1:] and self.verdicts(d), 60, f"{n} x {verdict}")


# ---- AWS Lambda

LAMBDA = """
      awsLambda:
        functionName: arn:aws:lambda:eu-central-1:123456789012:function:f:live
        region: eu-central-1
        endpoint: ENDPOINT
        accessKey: {name: keys, key: access}
        secretKey: {name: keys, key: secret}
        sessionToken: {name: keys, key: token}
        payload:
        - {src: {dependencyName: d, dataKey: body.n, useRawData: true}, dest: n}
        parameters:
        - {src: {dependencyName: d, dataKey: body.type, value: RequestResponse}, dest: invocationType}
"""


def aws_signature(call, secret, method="POST", once=False):
    """The signature as published by AWS, from what arrived; written from the specification, not from the program. `once`: as S3 has paths."""
    auth = call["headers"]["Authorization"]
    day, region, service = re.search(r"Credential=[^/]+/([^/]+)/([^/]+)/([^/]+)/aws4_request", auth).groups()
    names = re.search(r"SignedHeaders=([^,]+)", auth).group(1).split(";")
    path, _, query = call["path"].partition("?")
    encoded = path if once else "".join(c if c.isalnum() or c in "-_.~/" else f"%{ord(c):02X}" for c in path)
    canonical = "\n".join([method, encoded, query] + [f"{n}:{call['headers'][n].strip()}" for n in names] +
                          ["", ";".join(names), hashlib.sha256(call["body"]).hexdigest()])
    scope = f"{day}/{region}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", call["headers"]["X-Amz-Date"], scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + secret).encode()
    for part in (day, region, service, "aws4_request", text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key.hex()


class Lambda(Services):
    SECRETS = {"access": "AKID", "secret": "s3cr3t-key-of-tests", "token": "session/token=="}

    def function(self, call):
        auth = call["headers"]["Authorization"]
        if not auth.endswith("Signature=" + aws_signature(call, self.SECRETS["secret"])) or \
           call["headers"]["X-Amz-Security-Token"] != self.SECRETS["token"]:
            return 403, {}, b'{"message":"The request signature we calculated does not match"}'
        body = json.loads(call["body"])
        if body.get("n") == "throw":
            return 200, {"X-Amz-Function-Error": "Unhandled"}, b'{"errorMessage":"it broke"}'
        return {"Event": 202, "DryRun": 204}.get(call["headers"]["X-Amz-Invocation-Type"], 200), {}, b"{}"

    def start(self, lam, secrets=None):
        return self.gateway(LAMBDA.replace("ENDPOINT", f"http://127.0.0.1:{lam.port}"), secrets or self.SECRETS)

    def test_the_signature_holds_and_types_are_told(self):
        lam = self.serve(self.function)
        d = self.start(lam)
        self.send({"n": 1})
        self.send({"n": 2, "type": "Event"})
        self.send({"n": 3, "type": "DryRun"})
        self.assertEqual([v[2] for v in self.wait_for(d, 3)], [{"status": 200}, {"status": 202}, {"status": 204}])
        one = next(c for c in lam.calls if json.loads(c["body"]) == {"n": 1})
        self.assertEqual(one["path"], "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-central-1%3A123456789012%3Afunction%3Af%3Alive/invocations")
        context = json.loads(base64.b64decode(one["headers"]["X-Amz-Client-Context"]))
        self.assertEqual(len(context["custom"]["firingId"]), 32)

    def test_a_wrong_key_and_a_failing_function_are_failures(self):
        lam = self.serve(self.function)
        d = self.start(lam)
        self.send({"n": "throw"})
        verdict = until(lambda: [v for v in self.verdicts(d) if v[0] == "failed"], 30, "a failure")[0]
        self.assertIn("ended with an error (Unhandled): {\"errorMessage\":\"it broke\"}", verdict[1])
        d.stop()
        d = self.start(lam, dict(self.SECRETS, secret="another"))
        self.send({"n": 1})
        verdict = until(lambda: [v for v in self.verdicts(d) if "403" in v[1]], 30, "a refusal")[0]
        self.assertIn("answered 403: {\"message\":\"The request signature we calculated does not match\"}", verdict[1])
        self.assertNotIn("another", d.log())


class LambdaRole(Services):
    """awsLambda with a roleARN: keys of the role from an STS that checks the signature with botocore."""

    ROLE = "        roleARN: arn:aws:iam::123456789012:role/path/ROLE"
    OWN = {"access": "AKID", "secret": "s3cr3t-key-of-tests", "token": "session/token=="}

    def function(self, call):
        signed = call["headers"]["Authorization"].endswith("Signature=" + aws_signature(call, "role-s3cr3t&key"))
        ours = "Credential=ASIAROLE/" in call["headers"]["Authorization"] and call["headers"]["X-Amz-Security-Token"] == "role/token=="
        return 200 if signed and ours else 403, {}, b"{}"

    def start(self, role, seconds, secrets=None):
        lam = self.serve(self.function)
        sts = self.program("sts_server.py", os.path.join(self.directory, "records"), self.OWN["access"], self.OWN["secret"], str(seconds))
        os.environ["AWS_ENDPOINT_URL_STS"] = f"http://127.0.0.1:{sts.port}"
        self.addCleanup(os.environ.pop, "AWS_ENDPOINT_URL_STS", None)
        text = LAMBDA.replace("ENDPOINT", f"http://127.0.0.1:{lam.port}").rstrip() + "\n" + self.ROLE.replace("ROLE", role)
        return self.gateway(text, secrets or self.OWN)

    def test_one_asks_for_all_until_the_keys_end(self):
        d = self.start("runner", 3600)
        for n in range(8):
            self.send({"n": n})
        self.wait_for(d, 8)
        [asked] = self.records()
        self.assertEqual((asked["RoleArn"], asked["DurationSeconds"]), ("arn:aws:iam::123456789012:role/path/runner", "3600"))

    def test_keys_that_end_soon_are_asked_for_again(self):
        d = self.start("runner", 60)
        for n in range(3):
            self.send({"n": n})
            self.wait_for(d, n + 1)
        self.assertEqual(len(self.records()), 3)

    def test_a_refusal_is_told(self):
        d = self.start("denied", 3600)
        self.send({"n": 1})
        until(lambda: [v for v in self.verdicts(d) if "STS answered 403: AccessDenied: not authorized to perform: sts:AssumeRole" in v[1]], 60, "a refusal")
        d.stop()
        d = self.start("runner", 3600, dict(self.OWN, secret="another-one"))
        self.send({"n": 1})
        until(lambda: [v for v in self.verdicts(d) if "SignatureDoesNotMatch" in v[1]], 60, "another refusal")
        self.assertNotIn("another-one", d.log())


# ---- OpenWhisk

WHISK = """
      openWhisk:
        host: http://127.0.0.1:WHISK/
        actionName: pack/act ion
        namespace: guest
        authToken: {name: keys, key: auth}
        payload:
        - {src: {dependencyName: d, dataKey: body.n, useRawData: true}, dest: n}
"""


class OpenWhisk(Services):
    def test_an_action_is_invoked_and_its_failure_is_one(self):
        whisk = self.serve(lambda call: (502, {}, b'{"error":"it broke"}') if len(whisk.calls) == 1 else (200, {}, b"{}"))
        d = self.gateway(WHISK.replace("WHISK", str(whisk.port)), {"auth": "uuid:key\n"})
        self.send({"n": 1})
        self.wait_for(d, 1)
        self.send({"n": 2})
        self.assertEqual(self.wait_for(d, 2)[1][2], {"status": 200})
        self.assertEqual([c["status"] for c in whisk.calls], [200, 502, 200])
        self.assertEqual(whisk.calls[0]["path"], "/api/v1/namespaces/guest/actions/pack/act%20ion?blocking=true")
        self.assertEqual(whisk.calls[0]["headers"]["Authorization"], "Basic " + base64.b64encode(b"uuid:key").decode())
        self.assertEqual([json.loads(c["body"]) for c in whisk.calls], [{"n": 1}, {"n": 2}, {"n": 2}])
        self.assertEqual(whisk.calls[1]["headers"]["X-Tidegate-Firing-Id"], whisk.calls[2]["headers"]["X-Tidegate-Firing-Id"])


# ---- mail

MAIL = """
      email:
        host: 127.0.0.1
        port: PORTNR
        from: Tide Gate <gate@example.org>
        to: [Ann <ann@example.org>, bob+x@example.technology]
        subject: one
        body: two
        parameters:
        - {src: {dependencyName: d, dataKey: body.subject}, dest: subject}
        - {src: {dependencyName: d, dataKey: body.text}, dest: body}
        - {src: {dependencyName: d, dataKey: body.to, value: cleo@example.org}, dest: to.-1}
"""
LOGIN = """
        username: user
        smtpPassword: {name: keys, key: password}
        tls: {caCertSecret: {name: keys, key: ca}}
"""


class Mail(Services):
    def start(self, smtp, login="", secrets=None):
        return self.gateway(MAIL.replace("PORTNR", str(smtp.port)) + login.strip("\n"), secrets or {"password": "pass"})

    def smtp(self, *args, start=True):
        return self.program("smtp_server.py", os.path.join(self.directory, "records"), *args, start=start)

    def test_a_mail_says_what_the_event_says(self):
        d = self.start(self.smtp())
        subject = "Größe: 5 % — " + "ä" * 60 + "\r\nBcc: evil@example.org"
        self.send({"subject": subject, "text": "Zeile\n.\n" + "x" * 3000})
        self.assertEqual(self.wait_for(d, 1)[0][2], {"status": 250})
        [got] = self.records()
        mail = email.message_from_string(got["text"])
        self.assertEqual((got["from"], got["to"]), ("gate@example.org", ["ann@example.org", "bob+x@example.technology", "cleo@example.org"]))
        self.assertEqual(str(email.header.make_header(email.header.decode_header(mail["Subject"]))), subject)
        self.assertEqual(mail.get_payload(decode=True).decode(), "Zeile\n.\n" + "x" * 3000)
        self.assertEqual((mail["From"], mail["Bcc"], mail.get_content_type()), ("Tide Gate <gate@example.org>", None, "text/plain"))
        self.assertEqual(" ".join(mail["To"].split()), "Ann <ann@example.org>, bob+x@example.technology, cleo@example.org")
        self.assertRegex(mail["Message-ID"], "^<[0-9a-f]{32}@example.org>$")
        self.assertTrue(all(len(line) < 200 for line in got["text"].splitlines()))

    def test_a_refused_receiver_refuses_the_mail(self):
        d = self.start(self.smtp())
        self.send({"subject": "s", "text": "t", "to": "nobody@example.org"})
        verdict = until(lambda: [v for v in self.verdicts(d) if v[0] == "failed"], 30, "a failure")[0]
        self.assertIn("the server refused: 550 5.1.1 no such user here", verdict[1])
        self.send({"subject": "s", "text": "t", "to": "no address"})
        until(lambda: [v for v in self.verdicts(d) if "is not an address of mail" in v[1]], 30, "the second failure")
        self.assertEqual(self.records(), [])

    def test_starttls_and_login(self):
        cert, key = self.certificate()
        with open(cert, encoding="ascii") as f:
            secrets = {"ca": f.read(), "password": "pass"}
        smtp = self.smtp(cert, key)
        d = self.start(smtp, LOGIN, secrets)
        self.send({"subject": "s", "text": "t"})
        self.wait_for(d, 1)
        self.assertEqual([(m["tls"], m["login"]) for m in self.records()], [(True, True)])
        d.stop()
        d = self.start(smtp, LOGIN, dict(secrets, password="a wrong one"))
        self.send({"subject": "s", "text": "t"})
        until(lambda: [v for v in self.verdicts(d) if "the login was refused" in v[1]], 30, "a refusal")
        d.stop()
        d = self.start(smtp, LOGIN.replace("caCertSecret: {name: keys, key: ca}", "enabled: true"), secrets)
        self.send({"subject": "s", "text": "t"})
        until(lambda: [v for v in self.verdicts(d) if "certificate" in v[1]], 30, "another refusal")
        self.assertEqual(len(self.records()), 1)
        self.assertNotIn("a wrong one", d.log())

    def test_a_password_does_not_go_over_a_plain_connection(self):
        smtp = self.smtp()
        d = self.start(smtp, LOGIN.replace("caCertSecret: {name: keys, key: ca}", "enabled: true"))
        self.send({"subject": "s", "text": "t"})
        verdict = until(lambda: [v for v in self.verdicts(d) if v[0] == "failed"], 30, "a failure")[0]
        self.assertIn("STARTTLS", verdict[1])
        self.assertEqual(self.records(), [])


# ---- Slack

SLACK = """
      slack:
        apiURL: http://127.0.0.1:PORTNR/api
        slackToken: {name: keys, key: token}
        channel: "#builds"
        message: one
        attachments: '[{"color": "#f00"}]'
        blocks: '[{"type": "divider"}]'
        sender: {username: gate, icon: ":ocean:"}
        thread: {messageAggregationKey: none, broadcastMessageToChannel: true}
        parameters:
        - {src: {dependencyName: d, dataKey: body.text}, dest: message}
        - {src: {dependencyName: d, dataKey: body.key, value: ""}, dest: thread.messageAggregationKey}
        - {src: {dependencyName: d, dataKey: body.channel, value: "#builds"}, dest: channel}
"""


class Slack(Services):
    def api(self, call):
        body = json.loads(call["body"])
        if call["headers"]["Authorization"] != "Bearer xoxb-token":
            return 200, {}, b'{"ok":false,"error":"invalid_auth"}'
        if body["channel"] == "gone":
            return 200, {}, b'{"ok":false,"error":"channel_not_found"}'
        if self.limited:
            self.limited -= 1
            return 429, {"Retry-After": "1"}, b'{"ok":false,"error":"ratelimited"}'
        return 200, {}, json.dumps({"ok": True, "channel": "C1", "ts": f"100.{len(self.slack.calls)}"}).encode()

    def start(self, token="xoxb-token", start=True):
        self.limited = 0
        self.slack = self.serve(self.api, start)
        return self.gateway(SLACK.replace("PORTNR", str(self.slack.port)), {"token": token})

    def posted(self):
        return [json.loads(c["body"]) for c in self.slack.good()]

    def test_a_message_has_what_the_manifest_and_the_event_say(self):
        d = self.start()
        self.send({"text": "hello"})
        self.assertEqual(self.wait_for(d, 1)[0][2], {"channel": "C1", "ts": "100.0"})
        self.assertEqual(self.slack.calls[0]["path"], "/api/chat.postMessage")
        self.assertEqual(self.posted(), [{"channel": "builds", "text": "hello", "attachments": [{"color": "#f00"}], "blocks": [{"type": "divider"}],
                                          "username": "gate", "icon_emoji": ":ocean:"}])

    def test_one_key_is_one_thread_in_order(self):
        d = self.start()
        for n in range(8):
            self.send({"text": f"a{n}", "key": "a"})
        self.wait_for(d, 8)
        self.send({"text": "b0", "key": "b"})
        self.wait_for(d, 9)
        posted = self.posted()
        self.assertEqual([m["text"] for m in posted], [f"a{n}" for n in range(8)] + ["b0"])
        self.assertEqual([m.get("thread_ts") for m in posted], [None] + ["100.0"] * 7 + [None])
        self.assertEqual([m.get("reply_broadcast") for m in posted], [None] + [True] * 7 + [None])

    def test_a_refusal_is_a_failure_and_a_limit_is_waited_for(self):
        d = self.start()
        self.send({"text": "x", "channel": "gone"})
        until(lambda: [v for v in self.verdicts(d) if "Slack refused the message to gone: channel_not_found" in v[1]], 30, "a refusal")
        self.limited = 1
        self.send({"text": "y"})
        until(lambda: [v for v in self.verdicts(d) if v[0] == "fired"], 30, "the second")
        self.assertEqual([c["status"] for c in self.slack.calls if json.loads(c["body"])["text"] == "y"], [429, 200])
        d.stop()
        d = self.start("a-wrong-token")
        self.send({"text": "z"})
        until(lambda: [v for v in self.verdicts(d) if "invalid_auth" in v[1]], 30, "another refusal")
        self.assertNotIn("a-wrong-token", d.log())

    def test_nothing_is_lost_while_it_is_away(self):
        d = self.start(start=False)
        for n in range(5):
            self.send({"text": str(n), "key": "one"})
        until(lambda: any(v[0] == "failed" for v in self.verdicts(d)), 30, "a failure")
        d.stop()
        d.start()
        self.slack.start()
        self.wait_for(d, 5)
        self.assertEqual(sorted(m["text"] for m in self.posted()), list("01234"))
        self.assertEqual(len([m for m in self.posted() if "thread_ts" not in m]), 1)


# ---- custom

CUSTOM = """
      custom:
        serverURL: 127.0.0.1:PORTNR
        spec: {url: "http://x", deep: "a: b"}
        payload:
        - {src: {dependencyName: d, dataKey: body.do}, dest: do}
        parameters:
        - {src: {dependencyName: d, dataKey: body.name}, dest: metadata.name}
"""
SECURE = """
        secure: true
        certSecret: {name: keys, key: ca}
        serverNameOverride: trigger.test
"""


class Custom(Services):
    def start(self, server, more="", secrets=None):
        return self.gateway(CUSTOM.replace("PORTNR", str(server.port)) + more.strip("\n"), secrets or {"x": "y"})

    def server(self, *args, start=True):
        return self.program("grpc_server.py", os.path.join(self.directory, "records"), *args, start=start)

    def test_the_three_calls(self):
        d = self.start(self.server())
        self.send({"do": "it", "name": "n"})
        self.wait_for(d, 1)
        fetch, execute, policy = self.records()
        self.assertEqual([c["method"] for c in (fetch, execute, policy)], ["FetchResource", "Execute", "ApplyPolicy"])
        self.assertEqual(len({c["firing"] for c in (fetch, execute, policy)}), 1)
        self.assertEqual(sorted(fetch["fields"]["1"].splitlines()), ['deep: "a: b"', 'url: http://x'])
        resource = json.loads(execute["fields"]["1"])
        self.assertEqual((resource["kind"], resource["metadata"], json.loads(execute["fields"]["2"])), ("Thing", {"name": "n"}, {"do": "it"}))
        self.assertEqual(json.loads(policy["fields"]["1"])["done"], "it")

    def test_a_failure_and_a_policy_that_says_no_are_failures(self):
        d = self.start(self.server())
        self.send({"do": "fail", "name": "n"})
        until(lambda: [v for v in self.verdicts(d) if v[1].endswith("status 9: the thing is broken: 100 % sure, größer")], 30, "a failure")
        self.send({"do": "judge", "name": "n"})
        until(lambda: [v for v in self.verdicts(d) if "the server's policy says no: not good enough" in v[1]], 30, "a refusal")
        self.send({"do": "it", "name": "n"})
        self.wait_for(d, 1)

    def test_tls_with_another_name(self):
        cert, key = self.certificate()
        server = self.server(cert, key)
        with open(cert, encoding="ascii") as f:
            secrets = {"ca": f.read()}
        d = self.start(server, SECURE, secrets)
        self.send({"do": "it", "name": "n"})
        self.wait_for(d, 1)
        d.stop()
        d = self.start(server, SECURE.replace("trigger.test", "another.test"), secrets)
        self.send({"do": "it", "name": "n"})
        until(lambda: [v for v in self.verdicts(d) if v[0] == "failed"], 30, "a failure")
        self.assertEqual(len(self.records()), 3)


# ---- a command

EXEC = """
      exec:
        command: [sh, -c, 'cat; echo; echo "$1 $GREETING"; test "$1" != fail || exit 3', sh]
        args: [none]
        env: {GREETING: hello}
        timeout: 60
        payload:
        - {src: {dependencyName: d, dataKey: body.text}, dest: text}
        parameters:
        - {src: {dependencyName: d, dataKey: body.arg}, dest: args.0}
"""


class Exec(Services):
    def outcome(self, d, name):
        def ended():
            w = d.get(name)
            return w["status"].get("phase") in ("Succeeded", "Failed", "Error") and w
        return until(ended, 60, "the end of " + name)

    def test_a_command_gets_the_payload_and_its_exit_code_and_log_are_kept(self):
        d = self.gateway(EXEC, {"x": "y"})
        text = "{{workflow.name}} $(id) ' \" größer\n"
        self.send({"text": text, "arg": "it"})
        self.send({"text": "x", "arg": "fail"})
        self.send({"text": "x", "arg": "{{workflow.name}}"})
        names = [v[2]["workflow"] for v in self.wait_for(d, 2) if v[0] == "fired"]
        good, bad = (self.outcome(d, n) for n in names)
        self.assertEqual((good["status"]["phase"], bad["status"]["phase"]), ("Succeeded", "Failed"))
        out = d.cli("logs", names[0], "--no-color").stdout
        payload = json.dumps({"text": text}, ensure_ascii=False, separators=(",", ":"))
        self.assertIn(payload, out)
        self.assertIn("it hello", out)
        self.assertIn("exit code 3", json.dumps(bad["status"]))
        until(lambda: [v for v in self.verdicts(d) if "args: {{ is not allowed here" in v[1]], 30, "the refusal of a tag")

    def test_a_kill_does_not_run_it_twice(self):
        d = self.gateway(EXEC, {"x": "y"})
        for n in range(5):
            self.send({"text": "x", "arg": str(n)})
        d.kill()
        d.start()
        self.wait_for(d, 5)
        until(lambda: all(w["status"].get("phase") == "Succeeded" for w in d.list()) and len(d.list()) == 5, 60, "five workflows")
        d.kill()
        d.start()
        self.assertEqual(len(d.list()), 5)


# ---- the log

class Log(Services):
    def test_an_interval_lets_one_line_through_and_counts_the_rest(self):
        d = self.gateway("      log: {intervalSeconds: 3600, level: warn}", {"x": "y"})
        for n in range(4):
            self.send({"n": n})
        verdicts = self.wait_for(d, 4)
        self.assertEqual([v[2] for v in verdicts], [None] + [{"leftOut": 1}] * 3)
        self.assertEqual(len(re.findall("dependencyName=d", d.log())), 1)
        self.assertRegex(d.log(), "level=warn.*dependencyName=d")
        d.stop()
        d.write("all.yaml", SENSOR.replace("PORT", str(self.hook)).replace("TRIGGER", "      log: {}").replace("SECRETS", "  x: y"))
        d.start()
        for n in range(2):
            self.send({"n": n})
        self.wait_for(d, 6)
        self.assertEqual(len(re.findall("dependencyName=d", d.log())), 3)


if __name__ == "__main__":
    unittest.main()
