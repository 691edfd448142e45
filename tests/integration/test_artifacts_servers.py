# SPDX-License-Identifier: Apache-2.0
"""Http servers that mean harm, to who fetches an artifact: answers without an end, lengths that lie, redirects that lead elsewhere."""
import contextlib
import gzip
import itertools
import json
import os
import socket
import subprocess
import threading

from harness import TIDEGATE, TestCase

OK = b"HTTP/1.1 200 OK\r\n"
BLOCK = b"a" * 65536
MEMORY = 64 << 20  # bytes


def then_for_ever(begin, *more):
    """Pieces of an answer, the last of them without an end."""
    return lambda: itertools.chain((begin,), itertools.cycle(more))


def redirect(to):
    return lambda: (f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode(),)


def packed():
    data = gzip.compress(bytes(64 << 20), mtime=0)
    return OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(data), data


# An answer, and what is said of it; None: it is taken.
ANSWERS = {
    "headers": (then_for_ever(OK, b"X-More: " + b"a" * 1000 + b"\r\n"), "GET "),
    "a-header": (then_for_ever(OK + b"X: ", BLOCK), "GET "),
    "informed": (then_for_ever(b"HTTP/1.1 100 Continue\r\n\r\n" * 100, b"HTTP/1.1 100 Continue\r\n\r\n" * 100), "GET "),
    "body": (then_for_ever(OK + b"\r\n", BLOCK), "too large"),
    "chunks": (then_for_ever(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + BLOCK + b"\r\n"), "too large"),
    "trailers": (then_for_ever(OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n", b"X: " + b"a" * 1000 + b"\r\n"), "GET "),
    "error": (then_for_ever(b"HTTP/1.1 404 Not Found\r\n\r\n", b"\x1b[2J" * 4096), "GET "),
    "more-than-said": (lambda: (OK + b"Content-Length: 2\r\n\r\nabcdef",), None),
    "packed": (packed, None),
    "file": (redirect("file:///etc/passwd"), "not supported or disabled"),
    "ftp": (redirect("ftp://127.0.0.1/x"), "not supported or disabled"),
    "gopher": (redirect("gopher://127.0.0.1/x"), "not supported or disabled"),
    "loop": (redirect("/loop"), "redirects"),
}


class Server:
    """Answers each connection once, as `answers` says for its path; keeps what was asked."""

    def __init__(self, answers):
        self.answers, self.asked = answers, []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.answer, args=self.socket.accept()[:1], daemon=True).start()

    def answer(self, c):
        with c, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                piece = c.recv(4096)
                if not piece:
                    return
                head += piece
            self.asked.append(head.decode())
            for piece in self.answers[head.split()[1].decode().strip("/")]():
                c.sendall(piece)
            c.shutdown(socket.SHUT_WR)
            c.recv(1)  # until the other side has seen all of it

    def stop(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(60)


class HostileServers(TestCase):
    def serve(self, answers):
        s = Server(answers)
        self.addCleanup(s.stop)
        return s

    def fetch(self, url, **place):
        """What is said of it (None: nothing), and the file that came."""
        into = os.path.join(self.directory, f"into{len(os.listdir(self.directory))}")
        job = {"do": "fetch", "into": into, "scratch": into + "-scratch", "bytes": 1 << 20, "files": 100,
               "items": [{"name": "a", "packing": "none", "place": {"http": dict({"url": url}, **place)}}]}
        # The limit is of memory: what comes is not kept there.
        done = subprocess.run(["prlimit", f"--data={MEMORY}", os.path.join(os.path.dirname(TIDEGATE), "tidegate-artifact")], input=json.dumps(job), capture_output=True, text=True, timeout=120, check=True)
        problem = json.loads(done.stdout)[0].get("problem")
        if not os.path.exists(os.path.join(into, "0")):
            return problem, None
        with open(os.path.join(into, "0"), "rb") as f:
            return problem, f.read()

    def test_answers(self):
        s = self.serve({name: answer for name, (answer, _) in ANSWERS.items()})
        for name, (answer, why) in ANSWERS.items():
            with self.subTest(name):
                problem, came = self.fetch(f"http://127.0.0.1:{s.port}/{name}")
                if why is None:
                    self.assertIsNone(problem)
                else:
                    self.assertIn(why, problem or "nothing")
                    self.assertIsNone(came)
                    self.assertNotIn("\x1b", problem)
                if name == "packed":
                    self.assertEqual(came, answer()[1])  # as it lies there: nothing is unpacked on the way

    def test_who_one_is_stays_with_the_origin(self):
        other = self.serve({"x": lambda: (OK + b"Content-Length: 2\r\n\r\nok",)})
        s = self.serve({"x": redirect(f"http://localhost:{other.port}/x")})
        problem, came = self.fetch(f"http://127.0.0.1:{s.port}/x", auth={"basicAuth": {"username": "ann", "password": "p-of-ann"}})
        self.assertEqual((problem, came), (None, b"ok"))
        self.assertIn("Authorization: Basic ", s.asked[0])
        self.assertNotIn("Authorization", other.asked[0])
        problem, came = self.fetch(f"http://127.0.0.1:{s.port}/x", headers=[{"name": "Authorization", "value": "Bearer t-of-ann"}, {"name": "Cookie", "value": "c-of-ann"}])
        self.assertEqual((problem, came), (None, b"ok"))
        self.assertIn("t-of-ann", s.asked[1])
        self.assertNotIn("of-ann", other.asked[1])


if __name__ == "__main__":
    import unittest
    unittest.main()
