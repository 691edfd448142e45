# SPDX-License-Identifier: Apache-2.0
"""The webhook server as clients meet it: TLS from secrets, connections that are slow, many or rude."""
import http.client
import json
import os
import socket
import ssl
import subprocess
import unittest

from harness import TestCase, free_port, post, until

SOURCE = """
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {name: hooks}
spec:
  webhook:
    plain: {endpoint: /plain, method: POST, port: "PLAIN", maxPayloadSize: 1000}
    secure: {endpoint: /secure, method: POST, port: "TLS", serverCertSecret: {name: tls, key: cert}, serverKeySecret: {name: tls, key: key}}
    also: {endpoint: /also, method: POST, port: "TLS"}
"""


def indented(text):
    return "".join("    " + line + "\n" for line in text.splitlines())


class Webhook(TestCase):
    def setUp(self):
        super().setUp()
        self.plain, self.tls = free_port(), free_port()
        key, cert = os.path.join(self.directory, "key.pem"), os.path.join(self.directory, "cert.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
                       check=True, capture_output=True)
        with open(key, encoding="ascii") as k, open(cert, encoding="ascii") as c:
            secret = ("apiVersion: v1\nkind: Secret\nmetadata: {name: tls}\nstringData:\n"
                      f"  key: |\n{indented(k.read())}  cert: |\n{indented(c.read())}")
        self.cert = cert
        self.d = self.daemon({"secret.yaml": secret,
                              "source.yaml": SOURCE.replace("PLAIN", str(self.plain)).replace("TLS", str(self.tls))})

    def stored(self):
        return [json.loads(x) for x in self.d.cli("events", "--limit", "10000", "-o", "json").stdout.splitlines()]

    def test_tls(self):
        trusting = ssl.create_default_context(cafile=self.cert)
        for path in ("/secure", "/also"):  # the first event on a port decides
            c = http.client.HTTPSConnection("127.0.0.1", self.tls, context=trusting, timeout=30)
            self.addCleanup(c.close)
            c.request("POST", path, b"{}")
            r = c.getresponse()
            self.assertEqual((r.status, r.read()), (200, b"success"), path)
        with self.assertRaises((OSError, http.client.HTTPException)):
            post(self.tls, "/secure", b"{}")
        self.assertEqual(len(self.stored()), 2)

    def test_a_slow_client_holds_up_nobody(self):
        slow = [socket.create_connection(("127.0.0.1", self.plain)) for _ in range(50)]
        for s in slow:
            self.addCleanup(s.close)
            s.sendall(b"POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345")
        for i in range(20):
            self.assertEqual(post(self.plain, "/plain", json.dumps(i).encode())[0], 200)
        slow[0].sendall(b"67890")
        self.assertTrue(slow[0].recv(1000).startswith(b"HTTP/1.1 200"))
        self.assertEqual(len(self.stored()), 21)

    def test_rude_clients(self):
        for noise in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20, b"GET\r\n\r\n", b"POST /plain HTTP/9.9\r\n\r\n",
                      b"POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
                      b"POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
                      b"POST /plain HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
                      b"POST /plain HTTP/1.1\r\n" + b"X: " + b"y" * 100000 + b"\r\n\r\n", b"\0" * 1000):
            with socket.create_connection(("127.0.0.1", self.plain)) as s:
                s.sendall(noise)
            self.assertEqual(post(self.plain, "/plain", b"1")[0], 200, noise[:40])

    def test_too_large(self):
        self.assertEqual(post(self.plain, "/plain", b'"' + b"x" * 998 + b'"')[0], 200)
        status, text = post(self.plain, "/plain", b'"' + b"x" * 999 + b'"')
        self.assertEqual((status, text), (400, b"failed to parse request body, http: request body too large" * 2))

    def test_reload_moves_an_endpoint(self):
        port = free_port()
        self.d.write("source.yaml", SOURCE.replace("PLAIN", str(port)).replace("TLS", str(self.tls)))

        def moved():
            try:
                return post(port, "/plain", b"1")[0] == 200
            except OSError:
                return False

        until(moved, 20, "the endpoint on its new port")
        with self.assertRaises(OSError):
            post(self.plain, "/plain", b"1")


if __name__ == "__main__":
    unittest.main()
