# SPDX-License-Identifier: Apache-2.0
"""Artifacts by http and artifactory end to end: a server that drops connections half way, with and without ranges; redirects; who asks; what is put."""
import base64
import hashlib
import http.server
import os
import ssl
import threading
import unittest
import urllib.parse

from brokers import Broker
from harness import FULL, TestCase, until

FLOW = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: http-}
spec:
  entrypoint: main
  templates:
  - name: main
    inputs: {artifacts: [INPUTS]}
    script:
      image: busybox
      command: [sh, -e]
      source: |
        SCRIPT
    outputs: {artifacts: [OUTPUTS]}
"""
BASIC = "Basic " + base64.b64encode(b"ann:p:w").decode()


class Web(http.server.BaseHTTPRequestHandler):
    """Files of server.files {path: bytes}; the first word of a path says how: /drop/, /dropold/, /moved/, /basic/, /token/, /put307/, ..."""

    protocol_version = "HTTP/1.1"

    def reply(self, status, body=b"", **headers):
        self.send_response(status)
        for k, v in headers.items():
            self.send_header(k.replace("_", "-"), v)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def kind(self):
        return self.path.split("/")[1]

    def handle_expect_100(self):
        return self.kind() == "put307" or super().handle_expect_100()

    def allowed(self):
        wanted = {"basic": BASIC, "token": "Bearer t0k", "art": BASIC}.get(self.kind())
        if wanted and self.headers.get("Authorization") != wanted:
            self.reply(401, b"who are you?")
        return not wanted or self.headers.get("Authorization") == wanted

    def do_GET(self):
        s = self.server
        s.asked.append((self.command, self.path, dict(self.headers)))
        if not self.allowed():
            return
        if self.kind() == "moved":
            self.reply(302, Location="/" + self.path.partition("/moved/")[2])
            return
        data = s.files.get(urllib.parse.unquote(self.path.rpartition("/")[2]))
        if data is None:
            self.reply(404, b"no such file")
            return
        start, status = 0, 200
        if "Range" in self.headers and self.kind() != "dropold":
            start, status = int(self.headers["Range"][6:].rstrip("-")), 206
        self.send_response(status)
        self.send_header("Content-Length", str(len(data) - start))
        if self.kind() != "dropold":
            self.send_header("ETag", '"' + hashlib.sha1(data).hexdigest() + '"')
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        s.drops[self.path] = s.drops.get(self.path, 0) + 1
        if self.kind() == "drop" and s.drops[self.path] < 5 or self.kind() == "dropold" and s.drops[self.path] < 3:
            self.wfile.write(data[start:start + len(data) // 5])
            self.close_connection = True
            return
        self.wfile.write(data[start:])

    def do_PUT(self):
        s = self.server
        s.asked.append((self.command, self.path, dict(self.headers)))
        if self.kind() == "put307":
            self.reply(307, Location=f"http://localhost:{s.server_port}/" + self.path.rpartition("/")[2])
            self.close_connection = True
            return
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if self.allowed():
            s.files[self.path.rpartition("/")[2]] = data
            self.reply(201)

    def do_DELETE(self):
        self.server.asked.append((self.command, self.path, dict(self.headers)))
        if self.allowed():
            self.reply(204 if self.server.files.pop(self.path.rpartition("/")[2], None) is not None else 404)

    def do_POST(self):
        form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        self.server.asked.append((self.command, self.path, form))
        good = form.get("grant_type") == "client_credentials" and form.get("client_id") == "me" and form.get("client_secret") == "s&cret"
        self.reply(200 if good else 401, b'{"access_token": "t0k", "token_type": "Bearer", "expires_in": 3600}' if good else b'{"error": "invalid_client"}')

    def log_message(self, *args):
        pass


class Case(TestCase):
    def web(self):
        s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)
        s.daemon_threads = True
        s.files, s.asked, s.drops = {}, [], {}
        threading.Thread(target=s.serve_forever, args=(0.02,), daemon=True).start()
        self.addCleanup(s.server_close)
        self.addCleanup(s.shutdown)
        s.url = f"http://127.0.0.1:{s.server_port}"
        return s

    def run_step(self, d, inputs, script, outputs=""):
        text = FLOW.replace("INPUTS", ", ".join(f"{{name: {k}, path: /tmp/in/{k}, {v}}}" for k, v in inputs.items()))
        name = d.submit(text.replace("SCRIPT", script).replace("OUTPUTS", outputs))
        w = d.ended(name, 240)
        lines = [line.split(": ", 1)[-1] for line in d.cli("logs", name, "--no-color").stdout.splitlines()]
        return w, lines

    def message(self, w):
        return next(iter(w["status"]["nodes"].values())).get("message", "")


class Http(Case):
    def secrets(self, **more):
        values = dict({"user": "ann", "password": "p:w", "id": "me", "secret": "s&cret"}, **more)
        return {"keys.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {" + ", ".join(f"{k}: '{v}'" for k, v in values.items()) + "}\n"}

    def test_what_breaks_off_goes_on(self):
        s, data = self.web(), os.urandom(5000000)
        s.files["big"] = data
        d = self.daemon({})
        w, lines = self.run_step(d, {"a": f"http: {{url: '{s.url}/drop/big'}}", "b": f"http: {{url: '{s.url}/dropold/big'}}",
                                     "c": f"http: {{url: '{s.url}/moved/drop/x/big', headers: [{{name: X-Team, value: blue}}]}}"},
                                 "sha256sum /tmp/in/*")
        self.assertEqual(w["status"]["phase"], "Succeeded", self.message(w))
        self.assertEqual([line.split()[0] for line in lines[-3:]], [hashlib.sha256(data).hexdigest()] * 3)
        ranges = [h.get("Range") for m, p, h in s.asked if p == "/drop/big"]
        self.assertEqual(ranges[:1], [None])
        self.assertEqual(len([r for r in ranges if r]), 4)  # each from where the one before ended
        self.assertTrue(all(h.get("X-Team") == "blue" for m, p, h in s.asked if p == "/moved/drop/x/big"))

    def test_who_asks(self):
        s = self.web()
        s.files["f"] = b"content\n"
        d = self.daemon(self.secrets(other="x"))
        basic = "auth: {basicAuth: {usernameSecret: {name: keys, key: user}, passwordSecret: {name: keys, key: password}}}"
        oauth = ("auth: {oauth2: {clientIDSecret: {name: keys, key: id}, clientSecretSecret: {name: keys, key: secret}, tokenURLSecret: {name: keys, key: token}, "
                 "scopes: [a, b], endpointParams: [{key: audience, value: 'x y'}]}}")
        d.write("keys.yaml", self.secrets(token=s.url + "/gettoken")["keys.yaml"])
        until(lambda: self.run_step(d, {"a": f"http: {{url: '{s.url}/token/f', {oauth}}}"}, "cat /tmp/in/*")[0]["status"]["phase"] == "Succeeded", 120, "the new secret")
        form = [f for m, p, f in s.asked if m == "POST"][-1]
        self.assertEqual((form["scope"], form["audience"]), ("a b", "x y"))
        w, lines = self.run_step(d, {"a": f"http: {{url: '{s.url}/basic/f', {basic}}}",
                                     "b": f"artifactory: {{url: '{s.url}/art/f', usernameSecret: {{name: keys, key: user}}, passwordSecret: {{name: keys, key: password}}}}"},
                                 "cat /tmp/in/*")
        self.assertEqual((w["status"]["phase"], lines[-2:]), ("Succeeded", ["content"] * 2), self.message(w))
        w, _ = self.run_step(d, {"a": f"http: {{url: '{s.url}/basic/f'}}"}, "true")
        self.assertIn("/basic/f: 401 who are you?", self.message(w))
        w, _ = self.run_step(d, {"a": f"http: {{url: '{s.url}/absent'}}"}, "true")
        self.assertIn("/absent: 404 no such file", self.message(w))
        w, lines = self.run_step(d, {"a": f"optional: true, http: {{url: '{s.url}/absent'}}"}, "test ! -e /tmp/in/a; echo none")
        self.assertEqual((w["status"]["phase"], lines[-1:]), ("Succeeded", ["none"]), self.message(w))

    def test_what_is_put(self):
        s = self.web()
        d = self.daemon(self.secrets())
        login = "usernameSecret: {name: keys, key: user}, passwordSecret: {name: keys, key: password}"
        w, _ = self.run_step(d, {}, "mkdir -p /tmp/d; echo one >/tmp/f; echo two >/tmp/d/x",
                             f"{{name: f, path: /tmp/f, archive: {{none: {{}}}}, http: {{url: '{s.url}/f'}}}}, {{name: d, path: /tmp/d, http: {{url: '{s.url}/basic/d', "
                             f"auth: {{basicAuth: {{{login}}}}}}}}}, {{name: r, path: /tmp/f, archive: {{none: {{}}}}, http: {{url: '{s.url}/put307/r', auth: {{basicAuth: {{{login}}}}}}}}}, "
                             f"{{name: a, path: /tmp/f, archive: {{none: {{}}}}, artifactGC: {{strategy: OnWorkflowCompletion}}, artifactory: {{url: '{s.url}/art/a', {login}}}}}")
        self.assertEqual(w["status"]["phase"], "Succeeded", self.message(w))
        self.assertEqual((s.files["f"], s.files["r"]), (b"one\n", b"one\n"))
        self.assertEqual(s.files["d"][:2], b"\x1f\x8b")
        self.assertFalse([h for m, p, h in s.asked if m == "PUT" and p == "/r" and "Authorization" in h])  # another origin
        until(lambda: ("DELETE", "/art/a") in [x[:2] for x in s.asked], 60, "the artifact to be removed")
        until(lambda: "a" not in s.files, 60, "it to be gone")
        w, lines = self.run_step(d, {"d": f"http: {{url: '{s.url}/d'}}"}, "cat /tmp/in/d/x")
        self.assertEqual((w["status"]["phase"], lines[-1:]), ("Succeeded", ["two"]), self.message(w))
        w, _ = self.run_step(d, {}, "mkdir -p /tmp/d/e", f"{{name: d, path: /tmp/d, archive: {{none: {{}}}}, http: {{url: '{s.url}/x'}}}}")
        self.assertIn("a folder cannot be saved at a URL", self.message(w))


class ClientCertificate(Case):
    """A server of an authority that only SSL_CERT_FILE names, and that wants to see a certificate."""

    def setUp(self):
        super().setUp()
        self.tls = Broker(os.path.join(self.directory, "tls"))
        self.tls.certificates()
        self.server = self.web()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(self.tls.dir, "server.crt"), os.path.join(self.tls.dir, "server.key"))
        context.load_verify_locations(os.path.join(self.tls.dir, "ca.crt"))
        context.verify_mode = ssl.CERT_REQUIRED
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.server.handle_error = lambda *_: None  # a handshake that fails is what the tests are about
        self.server.files["f"] = b"came"
        self.trust("ca.crt")

    def trust(self, name):
        os.environ["SSL_CERT_FILE"] = os.path.join(self.tls.dir, name)  # for the daemon
        self.addCleanup(os.environ.pop, "SSL_CERT_FILE", None)

    def fetch(self, auth):
        secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: tls}\ndata: {" + ", ".join(
            f"{k}: {base64.b64encode(self.tls.text('client.' + k).encode()).decode()}" for k in ("crt", "key")) + "}\n"
        d = self.daemon({"tls.yaml": secret})
        place = f"http: {{url: 'https://localhost:{self.server.server_port}/%s'{auth}}}"
        w, lines = self.run_step(d, {"in": place % "f"}, "cat /tmp/in/in; echo left >/tmp/out",
                                 "{name: out, path: /tmp/out, archive: {none: {}}, " + place % "out" + "}")
        return w["status"]["phase"], lines, self.message(w)

    BOTH = ", auth: {clientCert: {clientCertSecret: {name: tls, key: crt}, clientKeySecret: {name: tls, key: key}}}"

    def test_it_is_shown(self):
        self.assertEqual(self.fetch(self.BOTH), ("Succeeded", ["came"], ""))
        self.assertEqual(self.server.files["out"], b"left\n")

    @unittest.skipUnless(FULL, "it is asked for again and again: a minute")
    def test_there_is_none(self):
        phase, _, message = self.fetch("")
        self.assertEqual(phase, "Error")
        # its alert, or the end of the connection: which of them is seen is chance
        self.assertIn("(the server may want a certificate of the client)", message)
        self.assertEqual(self.server.asked, [])

    def test_half_of_one(self):
        phase, _, message = self.fetch(", auth: {clientCert: {clientCertSecret: {name: tls, key: crt}}}")
        self.assertEqual(phase, "Error")
        self.assertIn("http: auth.clientCert needs clientCertSecret and clientKeySecret", message)

    def test_the_server_is_of_another_authority(self):
        self.trust("other.crt")
        phase, _, message = self.fetch(self.BOTH)
        self.assertEqual(phase, "Error")
        self.assertIn("certificate", message)
        self.assertEqual(self.server.asked, [])


if __name__ == "__main__":
    unittest.main()
