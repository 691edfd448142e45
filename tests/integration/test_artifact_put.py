# SPDX-License-Identifier: Apache-2.0
"""Artifacts from outside, in: `tidegate artifact put`, the routes under it, what is refused before it is read, and what is left of what breaks off."""
import contextlib
import http.client
import json
import os
import pty
import socket
import subprocess
import tarfile

from clouds import OssPeer
from harness import TIDEGATE, TestCase, until
from test_services import Server

TAKE = """
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: take}
spec:
  entrypoint: main
  arguments:
    artifacts:
    - {name: data, s3: {key: nothing}}
    - {name: text, raw: {data: as it was}}
  templates:
  - name: main
    inputs:
      artifacts: [{name: data, path: /tmp/data}, {name: text, path: /tmp/text}]
    container: {image: busybox, command: [sh, -c], args: ["cd /tmp; find data -type f | sort | while read f; do echo $f $(cat $f); done; cat text"]}
"""
BARE = TAKE.replace("{name: take}", "{name: bare}").replace("{name: data, s3: {key: nothing}}", "{name: data}")
SECRETS = """
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {access: AKID, secret: s3cr3t-key-of-tests}
"""


class Put(TestCase):
    def settings(self, text):
        path = os.path.join(self.directory, "settings.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return "--config", path

    def file(self, name, data):
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)
        return path

    def call(self, method, path, body=b"", token=True, **headers):
        c = http.client.HTTPConnection("127.0.0.1", self.d.port, timeout=120)
        with contextlib.closing(c):
            if token:
                headers["Authorization"] = "Bearer " + self.d.token
            c.request(method, path, body, headers)
            r = c.getresponse()
            text = r.read()
            return r.status, json.loads(text) if text.startswith(b"{") else text

    def head(self, path, *headers, body=b"", token=True):
        """What is answered to the head of an upload, and a beginning of its body; the connection stays."""
        s = socket.create_connection(("127.0.0.1", self.d.port), timeout=120)
        self.addCleanup(s.close)
        lines = [f"PUT {path} HTTP/1.1", "Host: x", *headers] + ([f"Authorization: Bearer {self.d.token}"] if token else [])
        s.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
        return s

    def answer(self, s):
        r = http.client.HTTPResponse(s)
        r.begin()
        return r.status, json.loads(r.read())

    def log_of(self, name):
        w = self.d.ended(name)
        self.assertEqual(w["status"]["phase"], "Succeeded", w["status"])
        return [line.split(": ", 1)[-1] for line in self.d.cli("logs", name, "--no-color").stdout.splitlines()]

    def keys(self, *more):
        return self.d.cli("artifact", "ls", "--repository", "-o", "name", *more).stdout.splitlines()

    def given(self):
        return os.listdir(os.path.join(self.d.state, "tasks", ".given"))

    def open_files(self):
        """Files without a name that the daemon holds."""
        folder = f"/proc/{self.d.process.pid}/fd"
        links = []
        for fd in os.listdir(folder):
            with contextlib.suppress(OSError):
                links.append(os.readlink(os.path.join(folder, fd)))
        return [link for link in links if "/.given/" in link]

    # ---- the command line

    def test_files_and_folders_are_taken_by_workflows(self):
        self.d = self.daemon({"take.yaml": TAKE})
        self.file("tree/sub/two", b"2")
        self.file("tree/one", b"1")
        tree = self.d.cli("artifact", "put", os.path.join(self.directory, "tree")).stdout.strip()
        self.assertRegex(tree, r"^_uploads/[0-9a-f]{32}/tree\.tgz$")
        name = self.d.cli("submit", "--from", "workflowtemplate/take", "-a", "data=" + tree, "-o", "name").stdout.strip()
        self.assertEqual(self.log_of(name), ["data/one 1", "data/sub/two 2", "as it was"])
        one = self.file("one file.txt", b"alone")
        put = json.loads(self.d.cli("artifact", "put", one, "-o", "json").stdout)
        self.assertEqual((put["name"], put["location"], put["bytes"]), ("one file.txt", {"s3": {"key": put["key"]}}, 5))
        self.assertEqual(self.log_of(self.d.cli("submit", "--from", "workflowtemplate/take", "-a", "data=wrong", "-a", "data=" + put["key"], "-o",
                                                "name").stdout.strip()), ["data alone", "as it was"])
        packed = self.d.cli("artifact", "put", one, "--archive", "tar", "--key", "mine/one").stdout.strip()
        self.assertEqual(packed, "mine/one")
        with tarfile.open(os.path.join(self.d.state, "artifacts/objects/default/mine/one")) as t:
            self.assertEqual(t.getnames(), ["one file.txt"])
        self.d.cli("artifact", "put", "-", "--key", "mine/one", data="in place of it")
        self.assertEqual(self.keys("mine/"), ["mine/one"])
        self.assertEqual(len(self.keys()), 3)
        self.assertEqual(json.loads(self.d.cli("artifact", "ls", "--repository", "mi", "-o", "json").stdout), [{"key": "mine/one", "bytes": 14}])
        self.assertRegex(self.d.cli("artifact", "ls", "--repository").stdout, r"(?s)BYTES +KEY\n.*\n5 +_uploads/.*/one file.txt")
        self.d.cli("artifact", "rm", "_uploads", "mine/one")
        self.assertEqual((self.keys(), self.given()), ([], []))

    def test_wrong_calls(self):
        self.d = self.daemon({"take.yaml": TAKE, "bare.yaml": BARE})
        empty = os.path.join(self.directory, "folder")
        os.mkdir(empty)
        for args, text in ((("artifact", "put", os.path.join(self.directory, "none")), "No such file"), (("artifact", "put", empty, "--archive", "none"), "is a folder"),
                           (("artifact", "put", "/dev/null"), "neither a file nor a folder"), (("artifact", "ls"), "--repository"),
                           (("artifact", "put", "-", "--key", "a/../b"), "made of dots"), (("artifact", "put", "-", "--ref", "none"), "failed to find any artifact repository"),
                           (("submit", "--from", "workflowtemplate/take", "-a", "data"), "name=key"),
                           (("submit", "--from", "workflowtemplate/take", "-a", "date=k", "-a", "dato=k"), "artifact override(s) matched no artifact: date, dato"),
                           (("submit", "--from", "workflowtemplate/take", "-a", "text=k"), "failed to set key for artifact text: raw has no key")):
            done = self.d.cli(*args, check=False, data="")
            self.assertNotEqual(done.returncode, 0, args)
            self.assertIn(text, done.stderr, args)
        shown = self.d.cli("submit", "--from", "workflowtemplate/bare", "-a", "data=a/key", "--dry-run", "-o", "json").stdout
        self.assertEqual(json.loads(shown)["spec"]["arguments"]["artifacts"], [{"name": "data", "s3": {"key": "a/key"}}])

    # ---- the routes

    def test_what_is_not_wanted_is_refused_before_it_comes(self):
        self.d = self.daemon({}, *self.settings("artifactSize: 2\n"))
        path, huge, expect = "/tidegate/v1/artifacts/default/k", "Content-Length: 900000000000", "Expect: 100-continue"
        self.assertEqual(self.answer(self.head(path, huge, expect, token=False))[0], 401)
        status, body = self.answer(self.head(path, huge, expect))
        self.assertEqual((status, body["message"]), (413, "the file is larger than an artifact may be: 2 MiB, by the setting artifactSize"))
        status, body = self.answer(self.head("/tidegate/v1/artifacts/default/a//b", "Content-Length: 1000", expect))
        self.assertEqual(status, 400)
        self.assertIn("a part between slashes", body["message"])
        self.assertEqual(self.call("PUT", "/tidegate/v1/artifacts/default/a%00b", b"x")[0], 400)
        self.assertEqual(self.call("PUT", "/tidegate/v1/artifacts/default/" + "k" * 300, b"x")[0], 400)
        for key in ("%2e%2e%2fout", "..%2fout", "../out", "a%2f..%2f..%2fout", "a/%2e%2e/%2e%2e/out", "%2fetc%2fout", "%2e", "a%2f%2fb"):
            with self.subTest(key):
                self.assertIn(self.call("PUT", "/tidegate/v1/artifacts/default/" + key, b"x")[0], (400, 404, 405))
        for space in ("..", "%2e%2e", ".", "..%2fdefault"):
            with self.subTest(space):
                self.assertIn(self.call("PUT", f"/tidegate/v1/artifacts/{space}/k", b"x")[0], (400, 404, 405))
        # Without an announced length it is told when it is too much.
        chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
        self.assertEqual(self.answer(self.head(path, "Transfer-Encoding: chunked", body=2 * chunk + b"1\r\nx\r\n0\r\n\r\n"))[0], 413)
        self.assertEqual(self.answer(self.head(path, "Transfer-Encoding: chunked", body=2 * chunk + b"0\r\n\r\n"))[0], 200)
        self.assertEqual(self.keys(), ["k"])
        self.assertEqual(self.call("PUT", "/tidegate/v1/artifacts/default/k/beneath", b"x")[0], 409)

    def test_there_are_not_too_many_at_once(self):
        self.d = self.daemon({}, *self.settings("artifactUploads: 2\n"))
        path, length = "/tidegate/v1/artifacts/default/k", "Content-Length: 50000000"
        coming = [self.head(path, length, body=b"x" * 3000000) for _ in range(2)]
        until(lambda: len(self.open_files()) == 2, 120, "their files")
        s = self.head("/tidegate/v1/artifacts/default/other", "Content-Length: 5", "Expect: 100-continue")
        r = http.client.HTTPResponse(s)
        r.begin()
        self.assertEqual((r.status, r.headers["Retry-After"]), (503, "5"))
        self.assertIn("2 files are on their way already", json.loads(r.read())["message"])
        self.assertEqual(self.d.cli("artifact", "put", self.file("f", b"x"), check=False).returncode, 7)
        self.assertEqual(self.call("GET", "/tidegate/v1/artifacts/default")[0], 200)  # others are served
        coming.pop().close()
        until(lambda: len(self.open_files()) == 1, 120, "the end of one")
        for _ in range(3):  # one that is refused or done takes nobody's turn
            self.assertEqual(self.call("PUT", "/tidegate/v1/artifacts/default/a%00b", b"x")[0], 400)
            self.assertEqual(self.call("PUT", "/tidegate/v1/artifacts/default/k", b"x")[0], 200)
        self.assertEqual(self.keys(), ["k"])

    def test_objects_are_had_by_key(self):
        self.d = self.daemon({})
        one = self.file("one", b"alone\n")
        for key in ("dir/one", "dir/sub/two"):
            self.d.cli("artifact", "put", one, "--key", key)
        self.assertEqual(self.d.cli("artifact", "cat", "--key", "dir/one").stdout, "alone\n")
        to = os.path.join(self.directory, "got")
        self.d.cli("artifact", "get", "--key", "dir", to)
        with tarfile.open(to) as t:
            self.assertEqual(sorted(m.name.partition("/")[2] for m in t if m.isfile()), ["one", "sub/two"])
        done = self.d.cli("artifact", "get", "--key", "dir/none", to + "2", check=False)
        self.assertEqual((done.returncode, os.path.exists(to + "2")), (4, False), done.stderr)
        for args in (("get", "--key", "k", "--inputs"), ("get", "workflow"), ("cat", "--key", "k", "f"), ("get", "workflow", "artifact", "--ref", "r")):
            self.assertEqual(self.d.cli("artifact", *args, check=False).returncode, 2, args)
        self.assertEqual(self.call("GET", "/tidegate/v1/artifacts/default/dir/one", token=False)[0], 401)
        self.assertEqual(self.call("GET", "/tidegate/v1/artifacts/default/dir/../one")[0], 400)
        self.assertEqual(self.call("GET", "/tidegate/v1/artifacts/default/dir/one"), (200, b"alone\n"))

    def on_terminal(self, *args):
        """What the command writes to its standard error, a terminal."""
        ours, its = pty.openpty()
        self.addCleanup(os.close, ours)
        env = dict(os.environ, TERM="xterm")
        p = subprocess.Popen([TIDEGATE, *args, "--state", self.d.state], stdout=subprocess.DEVNULL, stderr=its, env=env)
        os.close(its)
        text = b""
        with contextlib.suppress(OSError):  # the end of a terminal is an error
            while piece := os.read(ours, 4096):
                text += piece
        self.assertEqual(p.wait(), 0, text)
        return text.decode()

    def test_a_terminal_is_told_how_far_it_is(self):
        self.d = self.daemon({})
        data, got = self.file("data.csv", b"x" * 5000000), os.path.join(self.directory, "got")
        put, get = ("artifact", "put", data, "--key", "k"), ("artifact", "get", "--key", "k", got)
        text = self.on_terminal(*put)
        self.assertTrue(text.startswith("\rdata.csv  0 B of 4.8 MiB  0%"), text)
        self.assertIn("data.csv  4.8 MiB, being saved", text)
        self.assertTrue(text.endswith("\r\x1b[K"), text)  # and nothing of it stays
        text = self.on_terminal(*get)
        self.assertIn("4.8 MiB, written", text)
        self.assertTrue(text.endswith("\r\x1b[K"), text)
        with open(got, "rb") as f:
            self.assertEqual(f.read(), b"x" * 5000000)
        for args in (put, get):
            self.assertEqual(self.d.cli(*args).stderr, "")

    def test_what_breaks_off_leaves_nothing(self):
        self.d = self.daemon({})
        path, length = "/tidegate/v1/artifacts/default/k", "Content-Length: 50000000"
        def begin():
            s = self.head(path, length, body=b"x" * 3000000)
            until(self.open_files, 120, "its file")
            return s
        begin().close()
        until(lambda: not self.open_files(), 120, "the end of its file")
        begin()
        self.d.kill()
        self.d.start()
        self.assertEqual((self.keys(), self.given(), self.open_files()), ([], [], []))
        begin()
        self.assertEqual(self.d.stop(), 0)
        self.d.start()
        self.assertEqual((self.keys(), self.given()), ([], []))
        self.assertFalse([f for _, _, files in os.walk(os.path.join(self.d.state, "artifacts")) for f in files if f != "lock"])

    def test_a_large_file_is_not_in_memory(self):
        self.d = self.daemon({})
        def peak():
            with open(f"/proc/{self.d.process.pid}/status", encoding="ascii") as f:
                return next(int(line.split()[1]) for line in f if line.startswith("VmHWM"))
        self.d.cli("artifact", "put", "-", data="warm")
        before, size = peak(), 48 << 20
        with open(os.path.join(self.directory, "large"), "wb") as f:
            f.truncate(size)
            f.write(b"begin")
        self.d.cli("artifact", "put", f.name, "--key", "large")
        self.assertEqual(os.path.getsize(os.path.join(self.d.state, "artifacts/objects/default/large")), size)
        self.assertLess(peak() - before, 16 << 10)

    def test_uploads_as_argo_has_them(self):
        self.d = self.daemon({"take.yaml": TAKE, "bare.yaml": BARE})
        def form(field="file", data=b"from a form\n--", kind="multipart/form-data; boundary=XyZ"):
            body = (b'--XyZ\r\nContent-Disposition: form-data; name="note"\r\n\r\n1\r\n--XyZ\r\nContent-Disposition: form-data; name="' + field.encode() +
                    b'"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n' + data + b"\r\n--XyZ--\r\n")
            return {"body": body, "Content-Type": kind}
        for template in ("take", "bare"):
            status, put = self.call("POST", f"/upload-artifacts/default/{template}/data", **form())
            self.assertEqual((status, put["name"], put["location"]), (200, "data", {"s3": {"key": put["key"]}}), put)
            status, made = self.d.api("POST", "/api/v1/workflows/default/submit", {
                "resourceKind": "WorkflowTemplate", "resourceName": template, "submitOptions": {"artifacts": ["data=" + put["key"]]}})
            self.assertEqual(status, 200, made)
            self.assertEqual(self.log_of(made["metadata"]["name"]), ["data from a form --", "as it was"])
        for path, more, status, text in (("take/none", {}, 404, "has no artifact"), ("none/data", {}, 404, "not found"), ("take/text", {}, 400, "raw has no key"),
                                         ("take/data", {"field": "other"}, 400, 'no part "file"'), ("take/data", {"kind": "text/plain"}, 400, "must be multipart/form-data"),
                                         ("take/data", {"kind": "multipart/form-data; boundary=abc"}, 400, "the boundary of its Content-Type is not in it")):
            got, body = self.call("POST", "/upload-artifacts/default/" + path, **form(**more))
            self.assertEqual(got, status, body)
            self.assertIn(text, body["message"])
        self.assertEqual(len(self.keys()), 2)
        self.assertEqual(self.call("POST", "/upload-artifacts/default/take/data", token=False, **form())[0], 401)
        for wrong in (["data"], ["=k"], ["data="], ["nothing=k"]):
            status, body = self.d.api("POST", "/api/v1/workflows/default/submit", {
                "resourceKind": "WorkflowTemplate", "resourceName": "take", "submitOptions": {"artifacts": wrong}})
            self.assertEqual(status, 400, body)

    # ---- another place

    def test_the_repository_may_be_a_bucket(self):
        peer = OssPeer(buckets=("box", "other"))
        s = Server(peer).start()
        self.addCleanup(s.stop)
        place = f"{{endpoint: '127.0.0.1:{s.port}', bucket: BUCKET, accessKeySecret: {{name: keys, key: access}}, secretKeySecret: {{name: keys, key: secret}}}}"
        named = ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: artifact-repositories}\ndata:\n  mine: |\n    oss: " + place.replace("BUCKET", "other") + "\n")
        self.d = self.daemon({"take.yaml": TAKE, "secrets.yaml": SECRETS, "map.yaml": named}, *self.settings(
            "artifactRepository:\n  oss: " + place.replace("BUCKET", "box") + "\n"))
        key = self.d.cli("artifact", "put", self.file("one", b"in a bucket")).stdout.strip()
        self.assertEqual({k: bytes(v) for k, v in peer.buckets["box"].items()}, {key: b"in a bucket"})
        self.assertEqual(self.log_of(self.d.cli("submit", "--from", "workflowtemplate/take", "-a", "data=" + key, "-o", "name").stdout.strip()),
                         ["data in a bucket", "as it was"])
        self.d.cli("artifact", "put", self.file("one", b"another"), "--key", "there", "--ref", "mine")
        self.assertEqual(list(peer.buckets["other"]), ["there"])
        self.assertEqual((self.keys("--ref", "mine"), self.keys("--ref", "artifact-repositories/mine"), self.keys("_up")), (["there"], ["there"], [key]))
        self.d.cli("artifact", "rm", "there", "--ref", "mine")
        self.assertEqual(peer.buckets["other"], {})
        peer.buckets.pop("box")
        refused = self.d.cli("artifact", "put", "-", data="", check=False)
        self.assertIn("NoSuchBucket", refused.stderr)
