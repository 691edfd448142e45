# SPDX-License-Identifier: Apache-2.0
"""http templates against a real server: what is sent, what the answer means, and what a kill -9 in between does."""
import http.server
import json
import threading
import unittest

from harness import Daemon, TestCase, until

WORKFLOW = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: NAME}
spec:
  entrypoint: main
  templates:
  - name: main
    http: HTTP
"""
SECRET = """
apiVersion: v1
kind: Secret
metadata: {name: token}
stringData: {header: "Bearer abc\\n"}
"""


class Server:
    """Notes every request. /status/N answers N; /hold waits until released; all others 200."""

    def __init__(self):
        self.seen, self.released = [], threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.seen.append((self.command, self.path, dict(self.headers), body))
                if self.path == "/hold":
                    outer.released.wait(60)
                code = int(self.path.split("/")[2]) if self.path.startswith("/status/") else 200
                answer = json.dumps({"you": self.path}).encode()
                try:
                    self.send_response(code)
                    self.send_header("content-type", "application/json")
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)
                except OSError:
                    pass  # the client is gone

            do_GET = do_POST = do_PUT = handle_any

            def log_message(self, *args):
                pass

        class Threads(http.server.ThreadingHTTPServer):
            request_queue_size = 512  # else connections are dropped, and tried again after seconds

        self.httpd = Threads(("127.0.0.1", 0), Handler)
        self.httpd.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.httpd.server_address[1]}"
        threading.Thread(target=self.httpd.serve_forever, daemon=True).start()

    def close(self):
        self.released.set()
        self.httpd.shutdown()
        self.httpd.server_close()


class HttpTemplate(TestCase):
    def setUp(self):
        super().setUp()
        self.server = Server()
        self.addCleanup(self.server.close)

    def submit(self, daemon, name, **http):
        text = WORKFLOW.replace("NAME", name).replace("HTTP", json.dumps({"url": self.server.url + http.pop("path", "/"), **http}))
        daemon.cli("submit", "-", data=text)

    def root(self, daemon, name):
        node = until(lambda: self.finished(daemon, name), 60, f"the end of {name}")
        return node["phase"], node.get("message", ""), node.get("outputs", {})

    @staticmethod
    def finished(daemon, name):
        status = daemon.get(name)["status"]
        return status["nodes"][name] if status.get("finishedAt") else None

    def test_request_and_answer(self):
        d = self.daemon({"secret.yaml": SECRET})
        self.submit(d, "plain", path="/x?y=1")
        self.assertEqual(self.root(d, "plain"), ("Succeeded", "", {"result": '{"you": "/x?y=1"}'}))
        self.submit(d, "missing", path="/status/404", method="PUT", body="text")
        self.assertEqual(self.root(d, "missing")[:2], ("Failed", "received non-2xx response code: 404"))
        condition = "response.statusCode == 404 && response.headers['Content-Type'][0] == 'application/json' && request.method == 'POST'"
        self.submit(d, "condition", path="/status/404", method="POST", successCondition=condition,
                    headers=[{"name": "X-One", "value": "1"},
                             {"name": "Authorization", "valueFrom": {"secretKeyRef": {"name": "token", "key": "header"}}}],
                    bodyFrom={"bytes": "AAEC"})
        self.assertEqual(self.root(d, "condition")[0], "Succeeded")
        method, _, headers, body = self.server.seen[-1]
        self.assertEqual((method, headers["X-One"], headers["Authorization"], body), ("POST", "1", "Bearer abc", b"\0\1\2"))
        self.submit(d, "untrue", successCondition="response.body contains 'nothing of it'")
        self.assertEqual(self.root(d, "untrue")[:2],
                         ("Failed", "successCondition 'response.body contains 'nothing of it'' evaluated false"))
        self.submit(d, "no-secret", headers=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "token", "key": "other"}}}])
        phase, message, _ = self.root(d, "no-secret")
        self.assertEqual(phase, "Error")
        self.assertIn("http header A", message)
        self.assertNotIn("abc", d.log())

    def test_timeout_and_no_server(self):
        d = self.daemon({})
        self.submit(d, "slow", path="/hold", timeoutSeconds=1)
        phase, message, _ = self.root(d, "slow")
        self.assertEqual(phase, "Failed")
        self.assertIn("/hold", message)
        self.server.close()
        self.submit(d, "nobody")
        self.assertEqual(self.root(d, "nobody")[0], "Failed")

    def test_stop_ends_the_request(self):
        d = self.daemon({})
        self.submit(d, "held", path="/hold")
        until(lambda: self.server.seen, 60, "the request")
        d.cli("stop", "held")
        self.assertEqual(self.root(d, "held")[:2], ("Failed", "Stopped with strategy 'Stop'"))

    def test_kill_repeats_only_what_may_be_repeated(self):
        d = self.daemon({})
        self.submit(d, "get", path="/hold")
        self.submit(d, "post", path="/hold", method="POST")
        until(lambda: len(self.server.seen) == 2, 60, "both requests")
        d.kill()
        d.start()
        until(lambda: len(self.server.seen) == 3, 60, "the request that may be repeated")
        self.server.released.set()
        self.assertEqual(self.root(d, "get")[0], "Succeeded")
        phase, message, _ = self.root(d, "post")
        self.assertEqual(phase, "Error")
        self.assertIn("POST is not repeated", message)
        self.assertEqual(sorted(x[0] for x in self.server.seen), ["GET", "GET", "POST"])

    def test_many_at_once(self):
        d = self.daemon({})
        text = WORKFLOW.replace("NAME", "many").replace("HTTP", json.dumps({"url": self.server.url + "/{{inputs.parameters.n}}"}))
        text = text.replace("entrypoint: main", "entrypoint: all").replace("  - name: main\n", """  - name: all
    steps: [[{name: ask, template: main, arguments: {parameters: [{name: n, value: "{{item}}"}]}, withSequence: {count: 300}}]]
  - name: main
    inputs: {parameters: [{name: n}]}
""")
        d.cli("submit", "-", data=text)
        self.assertEqual(self.root(d, "many")[0], "Succeeded")
        self.assertEqual(len({x[1] for x in self.server.seen}), 300)
        self.assertEqual(len(self.server.seen), 300)


if __name__ == "__main__":
    unittest.main()
