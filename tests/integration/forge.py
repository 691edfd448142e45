# SPDX-License-Identifier: Apache-2.0
"""A protocol peer for the APIs of the forges: one scripted HTTP server for all, that keeps what it is asked and answers from a table.

It is no forge: what it proves is which calls are made, in which order and how often, and what comes of their answers. That a real GitLab,
Gitea, Bitbucket, Gerrit, Stripe, SNS or StorageGRID takes these calls is known from their documentation only."""
import http.server
import json
import re
import ssl
import sys
import threading


class Forge:
    """`routes`: a list of (method, pattern of the path, answer). An answer is a function of (match, body, headers), or its result:
    (status, object that becomes JSON, or bytes). The first route that fits counts; without any it is 404."""

    def __init__(self, routes=(), tls=None):
        self.routes, self.calls, self.lock = list(routes), [], threading.Lock()
        forge = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def serve(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, answer = forge.answer(self.command, self.path, body, self.headers)
                text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                if not isinstance(sys.exc_info()[1], ConnectionError):  # the daemon was killed
                    super().handle_error(request, client_address)

        self.server = Server(("127.0.0.1", 0), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, method, path, body, headers):
        with self.lock:
            self.calls.append((method, path, body, dict(headers)))
            routes = list(self.routes)
        for wanted, pattern, answer in routes:
            match = re.fullmatch(pattern, path)
            if wanted == method and match:
                return answer(match, body, headers) if callable(answer) else answer
        return 404, {"message": "no such thing"}

    def seen(self, method=None):
        """What was asked, as "METHOD path"."""
        with self.lock:
            return [f"{m} {p}" for m, p, _, _ in self.calls if method in (None, m)]

    def body(self, method, n=-1):
        with self.lock:
            return json.loads([b for m, _, b, _ in self.calls if m == method][n])

    def header(self, name, n=-1):
        with self.lock:
            return self.calls[n][3].get(name)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Hooks:
    """The hooks of one place, as a REST API keeps them: list, create, change, delete."""

    def __init__(self, path, wrap=lambda hooks: hooks, key="id", number=41):
        self.hooks, self.wrap, self.key, self.number, self.path = {}, wrap, key, number, path

    def new_id(self):
        self.number += 1
        return self.number

    def create(self, _match, body, _headers):
        hook = dict(json.loads(body), **{self.key: self.new_id()})
        self.hooks[str(hook[self.key])] = hook
        return 201, hook

    def change(self, match, body, _headers):
        if match[1] not in self.hooks:
            return 404, {}
        self.hooks[match[1]].update(json.loads(body))
        return 200, self.hooks[match[1]]

    def delete(self, match, _body, _headers):
        return (204, b"") if self.hooks.pop(match[1], None) else (404, {})

    def routes(self):
        return [("GET", self.path + r"(?:\?.*)?", lambda *_: (200, self.wrap(list(self.hooks.values())))),
                ("POST", self.path, self.create), ("PUT", self.path + "/([^/]+)", self.change),
                ("PATCH", self.path + "/([^/]+)", self.change), ("DELETE", self.path + "/([^/]+)", self.delete)]
