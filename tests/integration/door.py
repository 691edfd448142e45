# SPDX-License-Identifier: Apache-2.0
"""A reverse proxy in front of an object store: it remembers what it was asked, and stops in the middle of an upload until it is let go, so that whoever sends can be
killed there."""
import http.client
import http.server
import re
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_PUT(self):
        door = self.server.door
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) < length:  # the connection broke off
            self.close_connection = True
            return
        call = {"method": self.command, "path": self.path, "headers": dict(self.headers), "bytes": len(body)}
        if door.asked(call):
            door.stopped.set()
            door.go_on.wait(600)
            self.close_connection = True
            return
        status, headers, text = door.answer(call, body)
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in ("transfer-encoding", "content-length", "connection", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_DELETE = do_HEAD = do_PUT


class Door:
    """`stop_at`: that many parts are asked for, and the last of them is neither passed on nor answered."""

    def __init__(self, part):
        self.part, self.to, self.calls, self.stop_at, self.refused = re.compile(part), None, [], 0, None
        self.stopped, self.go_on, self.lock = threading.Event(), threading.Event(), threading.Lock()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads, self.server.door, self.server.handle_error = True, self, lambda *_: None  # who asked was killed
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.go_on.set()
        self.server.shutdown()
        self.server.server_close()

    def name_of(self, call):
        """Of a part; None: it is none."""
        found = self.part.search(f"{call['method']} {call['path']} {call['headers'].get('Content-Range', '')}")
        return found and found.group(1)

    def parts(self):
        """How often each was sent, in the order of the first time."""
        names = [n for n in map(self.name_of, self.calls) if n]
        return [names.count(n) for n in dict.fromkeys(names)]

    def count(self, method, word):
        return sum(c["method"] == method and word in c["path"] for c in self.calls)

    def asked(self, call):
        """Whether this is where it stops."""
        with self.lock:
            self.calls.append(call)
            return bool(self.name_of(call)) and sum(self.parts()) == self.stop_at

    def let_go(self):
        self.stop_at = 0
        self.stopped.clear()
        self.go_on.set()

    def answer(self, call, body):
        if self.refused and self.name_of(call):
            return self.refused
        c = http.client.HTTPConnection("127.0.0.1", self.to, timeout=120)
        headers = {k: v for k, v in call["headers"].items() if k.lower() not in ("expect", "connection", "content-length")}
        c.request(call["method"], call["path"], body if body or call["method"] in ("PUT", "POST") else None, headers)
        got = c.getresponse()
        text = got.read()
        c.close()
        return got.status, got.getheaders(), text


class SessionDoor(Door):
    """In front of fake-gcs-server, which takes the question how much it has of a session for its end, and deletes none: here both are as Google has them."""

    def __init__(self, part):
        super().__init__(part)
        self.sessions = {}

    def answer(self, call, body):
        session = re.search(r"upload_id=(\w+)", call["path"])
        if not session:
            got = super().answer(call, body)
            made = re.search(r"upload_id=(\w+)", dict(got[1]).get("Location", ""))
            if made:
                self.sessions[made.group(1)] = 0
            return got
        name, span = session.group(1), call["headers"].get("Content-Range", "")
        if name not in self.sessions:
            return 404, [], b""
        if call["method"] == "DELETE":
            del self.sessions[name]
            return 499, [], b""
        if span.startswith("bytes */"):
            return 308, [("Range", f"bytes=0-{self.sessions[name] - 1}")] if self.sessions[name] else [], b""
        got = super().answer(call, body)
        if got[0] == 308:
            self.sessions[name] += len(body)
        elif got[0] == 200:
            del self.sessions[name]
        return got
