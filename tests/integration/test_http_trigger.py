# SPDX-License-Identifier: Apache-2.0
"""The http trigger against real servers: what it sends, TLS both ways, redirects; targets that are away or never answer."""
import base64
import http.server
import json
import os
import socket
import ssl
import subprocess
import threading
import unittest

from harness import TestCase, free_port, scaled, until

SOURCE = """
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {name: hooks}
spec:
  webhook:
    a: {endpoint: /a, method: POST, port: "12000"}
    b: {endpoint: /b, method: POST, port: "12000"}
"""
SENSOR = """
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {name: caller}
spec:
  dependencies:
    - {name: a, eventSourceName: hooks, eventName: a}
    - {name: b, eventSourceName: hooks, eventName: b}
  triggers:
"""
PAYLOAD = """
          payload:
            - {src: {dependencyName: a, dataKey: body.v, useRawData: true}, dest: v}
"""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.calls.append((self.command, self.path, dict(self.headers), body))
        self.server.peers.add(self.client_address)
        moved = self.path.startswith("/moved")
        self.send_response(307 if moved else 200)
        if moved:
            self.send_header("Location", "/in?x=1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_PUT = do_GET = answer

    def log_message(self, *args):
        pass


class HttpTrigger(TestCase):
    def serve(self, port=0, context=None):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        server.calls, server.peers = [], set()
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def run_sensor(self, triggers, *more):
        self.d = self.daemon({"source.yaml": SOURCE, "sensor.yaml": SENSOR + triggers, **dict(more)})

    def emit(self, data, event="a"):
        return self.d.cli("emit", f"hooks/{event}", "-d", json.dumps(data)).stdout.strip()

    def verdicts(self):
        events = [json.loads(x) for x in self.d.cli("events", "-o", "json", "--limit", "1000").stdout.splitlines()]
        return [(d["verdict"], d.get("reason", "")) for e in events for d in e["decisions"]]

    def certificate(self):
        self.cert, self.key = (os.path.join(self.directory, x) for x in ("cert.pem", "key.pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-keyout", self.key, "-out", self.cert, "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
                       check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        context.load_verify_locations(self.cert)
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def secret(self):
        def block(path):
            with open(path, encoding="ascii") as f:
                return "|\n" + "".join("    " + line for line in f)
        return ("secret.yaml", f"apiVersion: v1\nkind: Secret\nmetadata: {{name: keys}}\nstringData:\n  user: me\n  password: p4ss\n"
                f"  token: t0ken\n  cert: {block(self.cert)}  key: {block(self.key)}---\n"
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\ndata: {team: blue}\n")

    def test_what_it_sends_over_tls_with_a_client_certificate(self):
        target = self.serve(context=self.certificate())
        self.run_sensor(f"""
    - template:
        name: call
        conditions: a || b
        http:
          url: https://127.0.0.1:{target.server_address[1]}/moved?q=1
          method: PUT
          host: example.org
          timeout: 20
          headers: {{X-Plain: "1", X-Token: overwritten}}
          basicAuth: {{username: {{name: keys, key: user}}, password: {{name: keys, key: password}}}}
          secureHeaders:
            - {{name: X-Token, valueFrom: {{secretKeyRef: {{name: keys, key: token}}}}}}
            - {{name: X-Team, valueFrom: {{configMapKeyRef: {{name: plain, key: team}}}}}}
          dynamicHeaders:
            - {{src: {{dependencyName: a, dataKey: body.v}}, dest: X-Value}}
            - {{src: {{dependencyName: b, dataKey: body.v}}, dest: X-Other}}
          tls:
            caCertSecret: {{name: keys, key: cert}}
            clientCertSecret: {{name: keys, key: cert}}
            clientKeySecret: {{name: keys, key: key}}
""" + PAYLOAD, self.secret())
        self.emit({"v": 5})
        until(lambda: len(target.calls) == 2, what="a call and its redirect")
        for (method, path, headers, body), expected in zip(target.calls, ("/moved?q=1", "/in?x=1")):
            self.assertEqual(("PUT", expected, b'{"v":5}'), (method, path, body))
            self.assertEqual(["example.org", "1", "t0ken", "blue", "5"], [headers[x] for x in ("Host", "X-Plain", "X-Token", "X-Team", "X-Value")])
            self.assertNotIn("X-Other", headers)
            self.assertEqual("Basic " + base64.b64encode(b"me:p4ss").decode(), headers["Authorization"])
            self.assertEqual(32, len(headers["X-Tidegate-Firing-Id"]))
        for i in range(20):
            self.emit({"v": i})
            until(lambda n=i: len(target.calls) == 2 * n + 4, what="the next call")
        self.assertEqual(1, len(target.peers), "one connection is used again and again")

    def test_an_unknown_certificate_is_refused(self):
        context = self.certificate()
        context.verify_mode = ssl.CERT_NONE
        target = self.serve(context=context)
        url = f"https://127.0.0.1:{target.server_address[1]}/in"
        self.run_sensor(f"""
    - template: {{name: strict, conditions: a, http: {{url: "{url}"}}}}
    - template: {{name: careless, conditions: a, http: {{url: "{url}", tls: {{insecureSkipVerify: true}}}}}}
""")
        self.emit({"v": 1})
        verdicts = until(lambda: [v for v in [self.verdicts()] if {x for x, _ in v} == {"fired", "dead-letter"}], what="both verdicts")[0]
        self.assertIn("certificate", "".join(reason for _, reason in verdicts))
        self.assertEqual(1, len(target.calls))

    def test_a_target_that_is_away_loses_nothing_over_a_kill(self):
        n, port = scaled(40, 500), free_port()
        self.run_sensor(f"""
    - atLeastOnce: true
      retryStrategy: {{steps: 1000, duration: 200ms}}
      template:
        name: call
        conditions: a
        http:
          url: http://127.0.0.1:{port}/in
""" + PAYLOAD)
        for i in range(n // 2):
            self.emit({"v": i})
        until(lambda: any(v == "failed" for v, _ in self.verdicts()), what="a failed attempt")
        self.d.kill()
        self.d.start()
        for i in range(n // 2, n):
            self.emit({"v": i})
        target = self.serve(port)
        until(lambda: len(target.calls) >= n, 60, "all calls")
        self.assertEqual(list(range(n)), [json.loads(c[3])["v"] for c in target.calls])
        until(lambda: [v for v, _ in self.verdicts()] == ["fired"] * n, what="all fired")

    def test_a_batch_over_kills_has_every_event_once(self):
        target, n, kills = self.serve(), scaled(40, 400), scaled(4, 40)
        self.run_sensor(f"""
    - batch: {{size: 7, within: 2s}}
      template:
        name: call
        conditions: a
        http:
          url: http://127.0.0.1:{target.server_address[1]}/in
          payload:
            - {{src: {{dependencyName: a, dataKey: "#.body.v", useRawData: true}}, dest: v}}
""")
        for i in range(n):
            self.emit({"v": i})
            if i % (n // kills) == n // kills - 1:
                self.d.kill()
                self.d.start()

        def sent():
            """By id: a call may come twice, and is then the same."""
            calls = [(c[2]["X-Tidegate-Firing-Id"], json.loads(c[3])["v"]) for c in list(target.calls)]
            self.assertTrue(all(a[1] == b[1] for a in calls for b in calls if a[0] == b[0]))
            return [v for batch in dict(calls).values() for v in batch]
        until(lambda: len(sent()) >= n, 60, "all events")
        self.assertEqual(list(range(n)), sorted(sent()))

    def test_a_target_that_never_answers_keeps_nobody_waiting(self):
        mute = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.addCleanup(mute.close)
        target = self.serve()
        self.run_sensor(f"""
    - template: {{name: mute, conditions: a, http: {{url: "http://127.0.0.1:{mute.getsockname()[1]}/in"}}}}
    - template:
        name: call
        conditions: a
        http:
          url: http://127.0.0.1:{target.server_address[1]}/in
""" + PAYLOAD)
        for i in range(60):
            self.emit({"v": i})
        until(lambda: len(target.calls) == 60, what="all calls of the other trigger")
        # The last call is pending until its answer is there, too; those to the mute one stay so.
        until(lambda: sum(v == "pending" for v, _ in self.verdicts()) <= 60, what="the answers")
        self.assertEqual(60, sum(v == "pending" for v, _ in self.verdicts()))


if __name__ == "__main__":
    unittest.main()
