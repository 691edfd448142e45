# SPDX-License-Identifier: Apache-2.0
"""What the integration tests share: a daemon of their own on ephemeral ports and a temporary directory, and waiting for conditions."""
import contextlib
import fcntl
import hashlib
import hmac
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TIDEGATE = os.environ.get("TIDEGATE", os.path.join(ROOT, "tidegate"))
FULL = os.environ.get("TIDEGATE_FULL") == "1"


def scaled(small, full):
    """A size for `make test`, and the one for `make integration`."""
    return full if FULL else small


def installed(*path):
    """Where a counterpart lies that is no package of Debian's: `make integration` has installed it, and everywhere else the test that asks is left out."""
    if not FULL:
        raise unittest.SkipTest(f"{path[0]} is no package of Debian's: make integration")
    return os.path.join(ROOT, "build", *path)


def until(condition, seconds=30, what="it"):
    """Waits until condition() is true and returns what it gave. Tests never sleep for a time, only for something."""
    end = time.monotonic() + seconds
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain for {what}")
        time.sleep(0.02)


class Ports:
    """Ports below those that the kernel gives out by itself, a range for each process that tests: nobody takes one between its choice and its use."""
    FIRST, SIZE, RANGES = 10000, 1000, 22

    def __init__(self):
        self.pid = None

    def take_range(self):
        self.pid, self.lock = os.getpid(), None
        for i in range(self.RANGES):
            lock = open(os.path.join(tempfile.gettempdir(), f"tidegate-test-ports-{os.getuid()}-{i}"), "w")
            with contextlib.suppress(OSError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self.lock, self.low, self.next = lock, self.FIRST + i * self.SIZE, random.randrange(self.SIZE)
                return
            lock.close()

    def bind(self, s):
        if self.pid != os.getpid():
            self.take_range()
        for _ in range(self.SIZE if self.lock else 0):
            self.next = (self.next + 1) % self.SIZE
            with contextlib.suppress(OSError):
                return s.bind(("127.0.0.1", self.low + self.next))
        return s.bind(("127.0.0.1", 0))


PORTS = Ports()


def free_ports(n):
    """So many different ones."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for s in sockets:
            PORTS.bind(s)
        return [s.getsockname()[1] for s in sockets]


def free_port():
    return free_ports(1)[0]


def sign(secret, body):
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def post(port, path, body, headers=None, timeout=30):
    """(status, body); raises OSError or http.client.HTTPException where there is no answer."""
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        c.request("POST", path, body, headers or {})
        r = c.getresponse()
        return r.status, r.read()
    finally:
        c.close()


def reply(handler, status, body=b"", **headers):
    """The whole answer of a stub server; `content_type=...` is the header Content-Type."""
    body = body.encode() if isinstance(body, str) else body
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-").title(), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def node(workflow, display):
    """Of a workflow with its status the node that is shown by that name."""
    return next(n for n in workflow["status"]["nodes"].values() if n["displayName"] == display)


class Daemon:
    """`tidegate serve` on a state directory; may be killed and started again."""

    def __init__(self, directory, manifests, *options):
        self.state = os.path.join(directory, "state")
        self.manifests = os.path.join(directory, "manifests")
        self.log_path = os.path.join(directory, "log")
        self.options = options
        self.process = None
        os.makedirs(self.manifests, exist_ok=True)
        for name, text in manifests.items():
            self.write(name, text)

    def write(self, name, text):
        """Puts a manifest in place as an editor does: whole, by renaming."""
        path = os.path.join(self.manifests, name)
        with open(path + ".new", "w", encoding="utf-8") as f:
            f.write(text)
        os.rename(path + ".new", path)

    def spawn(self):
        """Starts it, without waiting until it serves."""
        self.log_from = os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [TIDEGATE, "serve", "--state", self.state, "--listen", "127.0.0.1:0", *self.options, self.manifests],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def greeted(self):
        """Waits until it serves."""
        def greeting():
            if self.process.poll() is not None:
                raise AssertionError("the daemon ended:\n" + self.log())
            return re.search(r"listening on http://127\.0\.0\.1:(\d+)(?:  token (\S+))?.*\n", self.log()[self.log_from:])

        found = until(greeting, 120, "the daemon's greeting")
        self.port, self.token = int(found.group(1)), found.group(2)
        return self

    def start(self):
        self.spawn()
        return self.greeted()

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def kill(self):
        """kill -9"""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """SIGTERM; its exit code."""
        if self.process is None or self.process.poll() is not None:
            return None
        self.process.terminate()
        return self.process.wait(timeout=30)

    def cli(self, *args, check=True, data=None):
        done = subprocess.run([TIDEGATE, *args, "--state", self.state], input=data, capture_output=True, text=True, timeout=120)
        if check and done.returncode:
            raise AssertionError(f"{' '.join(args)}: exit {done.returncode}\n{done.stdout}{done.stderr}\n--- daemon\n{self.log()}")
        return done

    def get(self, name):
        return json.loads(self.cli("get", name, "-o", "json").stdout)

    def submit(self, manifest):
        """The name of the workflow that it makes."""
        return self.cli("submit", "-", "-o", "name", data=manifest).stdout.strip()

    def ended(self, name, seconds=120):
        """The workflow, when it has ended."""
        def finished():
            w = self.get(name)
            return w if w["status"].get("finishedAt") else None

        return until(finished, seconds, f"the end of {name}")

    def list(self):
        return json.loads(self.cli("list", "-o", "json").stdout)

    def api(self, method, path, body=None, token=True):
        """(status, parsed body) over the TCP listener."""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Authorization": "Bearer " + self.token} if token and self.token else {}
        try:
            c.request(method, path, json.dumps(body) if body is not None else None, headers)
            r = c.getresponse()
            text = r.read()
            return r.status, json.loads(text) if text.strip().startswith((b"{", b"[")) else text
        finally:
            c.close()


class TestCase(unittest.TestCase):
    """Each test has a directory and stops the daemons it made."""

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="tidegate-test-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)

    def daemon(self, manifests, *options, start=True):
        d = Daemon(self.directory, manifests, *options)
        self.addCleanup(self.end, d)
        return d.start() if start else d

    @staticmethod
    def end(d):
        with contextlib.suppress(subprocess.TimeoutExpired):
            d.stop()
        if d.process and d.process.poll() is None:
            d.kill()
