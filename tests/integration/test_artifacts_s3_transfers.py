# SPDX-License-Identifier: Apache-2.0
"""What is sent to S3 and comes from it: compared with the checksums that the service has; and gone on with after the process that moves it was killed."""
import contextlib
import json
import os
import signal
import subprocess
import threading
import unittest

from brokers import Broker
from clouds import CutWire
from harness import TIDEGATE, TestCase, until
from minio_server import MinioServer
from s3_stub import SUMS, S3Stub

HELPER = os.path.join(os.path.dirname(os.path.realpath(TIDEGATE)), "tidegate-artifact")
TEXT = b"what is to come\n" * 5000


class Transfers(TestCase):
    def setUp(self):
        super().setUp()
        self.stub = S3Stub()
        self.addCleanup(self.stub.close)

    def path(self, name):
        return os.path.join(self.directory, name)

    def start(self, do, items):
        job = {"do": do, "scratch": self.path("scratch"), "items": items, **({"into": self.path("into")} if do == "fetch" else {})}
        p = subprocess.Popen([HELPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             env={"PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true"})
        self.addCleanup(p.communicate)
        self.addCleanup(p.kill)
        p.stdin.write(json.dumps(job))
        p.stdin.close()
        p.stdin = None
        return p

    def run_job(self, do, items):
        """What it says of each item; None where all is well."""
        out, said = self.start(do, items).communicate(timeout=240)
        self.assertEqual(said, "")
        return [item.get("problem") for item in json.loads(out)]

    def killed(self, do, items):
        """The process of a job, which the stub has stopped in the middle."""
        p = self.start(do, items)
        until(self.stub.stopped.is_set, 120, "the middle")
        return p

    def go_on(self, p):
        """It is killed; the next goes on."""
        p.kill()
        p.wait()
        self.stub.stop_at = self.stub.stop_at_part = 0
        self.stub.go_on.set()

    def came(self, i):
        with open(self.path(f"into/{i}"), "rb") as f:
            return f.read()

    def item(self, key):
        return {"name": key, "place": self.stub.place(key), "packing": "none"}


class Compared(Transfers):
    def test_what_came_damaged_is_asked_for_again(self):
        self.stub.objects["etag"] = (TEXT, {"ETag": '"' + SUMS["md5"](TEXT) + '"', "x-amz-server-side-encryption": "AES256"})
        for name in SUMS:
            if name != "md5":
                self.stub.objects[name] = (TEXT, {"ETag": '"' + "0" * 32 + '-2"', name: SUMS[name](TEXT), "x-amz-checksum-type": "FULL_OBJECT"})
        keys = list(self.stub.objects)
        self.stub.damages = {k: 1 for k in keys}
        self.assertEqual(self.run_job("fetch", [self.item(k) for k in keys]), [None] * len(keys))
        for i, key in enumerate(keys):
            self.assertEqual(self.came(i), TEXT, key)
            self.assertEqual(self.stub.count("GET", key=key), 2, key)

    def test_what_stays_damaged_is_an_error(self):
        """However often it is asked for: half a minute."""
        name = "x-amz-checksum-crc64nvme"
        self.stub.objects["k"] = (TEXT, {"ETag": '"e"', name: SUMS[name](TEXT)})
        self.stub.damages = {"k": 100}
        self.assertRegex(self.run_job("fetch", [self.item("k")])[0], r"^s3 127\.0\.0\.1:\d+, b/k: what came is damaged: its crc64nvme is \S+= here and \S+= there$")
        self.assertFalse(os.path.exists(self.path("into/0")))

    def test_what_is_not_of_the_bytes_is_not_compared(self):
        other = SUMS["md5"](b"other")
        for headers in ({"ETag": f'"{other}-1"'}, {"ETag": '"0x8D9"'}, {"ETag": f'"{other}"', "x-amz-server-side-encryption": "aws:kms"}, {},
                        {"ETag": f'"{other}"', "x-amz-server-side-encryption-customer-algorithm": "AES256"},
                        {"ETag": '"e"', "x-amz-checksum-crc32": SUMS["x-amz-checksum-crc32"](b"other"), "x-amz-checksum-type": "COMPOSITE"},
                        {"ETag": '"e"', "x-amz-checksum-sha256": SUMS["x-amz-checksum-sha256"](b"other") + "-2"}):
            self.stub.objects[str(len(self.stub.objects))] = (TEXT, headers)
        self.assertEqual(self.run_job("fetch", [self.item(k) for k in self.stub.objects]), [None] * len(self.stub.objects))
        self.assertEqual(self.stub.count("GET"), len(self.stub.objects))


class ResumedUploads(Transfers):
    LINES = 70 << 10  # of a kilobyte: parts of 32, 32 and 6 MiB

    def setUp(self):
        super().setUp()
        self.write_log("x")
        self.save = {"name": "k", "place": self.stub.place("a key+/k"), "log": self.path("log")}

    def write_log(self, word, lines=LINES):
        self.text = b"".join(b"%08d %s\n" % (i, word.encode() * 1014) for i in range(lines))
        with open(self.path("log"), "wb") as f:
            f.writelines(b"t " + line for line in self.text.splitlines(True))

    def kill_an_upload(self, part=3):
        self.stub.stop_at_part = part
        self.go_on(self.killed("save", [self.save]))

    def sent(self):
        """How often each part was."""
        parts = [q["partNumber"] for m, _, q, _ in self.stub.calls if m == "PUT" and "partNumber" in q]
        return {int(n): parts.count(n) for n in set(parts)}

    def there(self):
        self.assertTrue(self.stub.objects["a key+/k"][0] == self.text)
        self.assertEqual(self.stub.uploads, {})
        self.assertFalse(os.path.exists(self.path("log.uploads")))

    def test_parts_that_are_there_are_not_sent_again(self):
        self.kill_an_upload()
        self.assertEqual(self.run_job("save", [self.save]), [None])
        self.assertEqual((self.sent(), self.stub.count("POST", "uploads")), ({1: 1, 2: 1, 3: 2}, 1))
        self.there()

    def test_what_has_changed_is_sent_again(self):
        self.kill_an_upload()
        with open(self.path("log"), "r+b") as f:
            f.write(b"t 9")
        self.text = b"9" + self.text[1:]
        self.assertEqual(self.run_job("save", [self.save]), [None])
        self.assertEqual((self.sent(), self.stub.count("POST", "uploads")), ({1: 2, 2: 1, 3: 2}, 1))
        self.there()

    def test_another_file_is_another_upload(self):
        self.kill_an_upload()
        self.write_log("y", self.LINES + 1)
        self.assertEqual(self.run_job("save", [self.save]), [None])
        self.assertEqual((self.sent(), self.stub.count("POST", "uploads")), ({1: 2, 2: 2, 3: 2}, 2))
        self.there()

    def test_what_the_service_has_given_up_is_sent_again(self):
        self.kill_an_upload()
        until(lambda: any(3 in parts for _, parts in self.stub.uploads.values()), 60, "the end of a request")
        self.stub.uploads.clear()
        self.assertEqual(self.run_job("save", [self.save]), [None])
        self.assertEqual(self.stub.count("POST", "uploads"), 2)
        self.there()

    def test_half_a_line_in_the_journal_is_none(self):
        self.kill_an_upload()
        with open(self.path("log.uploads"), "r+b") as f:
            f.truncate(len(f.read()) - 5)
        self.assertEqual(self.run_job("save", [self.save]), [None])
        self.assertEqual((self.sent(), self.stub.count("POST", "uploads")), ({1: 1, 2: 2, 3: 2}, 1))
        self.there()

    def test_what_nobody_goes_on_with_is_given_up(self):
        self.kill_an_upload(2)
        self.assertEqual(len(self.stub.uploads), 1)
        self.assertEqual(self.run_job("abandon", [self.save]), [None])
        self.assertEqual(self.stub.uploads, {})
        self.assertFalse(os.path.exists(self.path("log.uploads")))

    def test_what_is_refused_is_given_up(self):
        self.stub.refused_part = 2
        self.assertRegex(self.run_job("save", [self.save])[0], "403, AccessDenied")
        self.assertEqual(self.stub.uploads, {})
        self.assertFalse(os.path.exists(self.path("log.uploads")))


class ResumedDownloads(Transfers):
    BODY = b"".join(b"%07d\n" % i for i in range(3 << 17))

    def kill_a_download(self, headers=(), packing="none"):
        """Of which there are two megabytes then."""
        self.stub.objects["k"] = (self.BODY, {"ETag": '"one"', **dict(headers)})
        self.stub.stop_at = 2 << 20
        self.fetch = [{**self.item("k"), "packing": packing}]
        p = self.killed("fetch", self.fetch)
        until(lambda: os.path.getsize(self.path("scratch/begun.0")) == 2 << 20, 120, "what comes")
        self.go_on(p)

    def ranges(self):
        return [r for m, _, q, r in self.stub.calls if m == "GET" and "list-type" not in q]

    def test_a_download_goes_on(self):
        name = "x-amz-checksum-sha256"
        for packing in ("none", "guess"):
            self.stub.calls.clear()
            self.stub.stopped.clear()
            self.stub.go_on.clear()
            self.kill_a_download({name: SUMS[name](self.BODY)}, packing)
            with self.subTest(packing):
                self.assertEqual(self.run_job("fetch", self.fetch), [None])
                self.assertEqual(self.ranges(), [None, f"bytes={(2 << 20) - 1}-"])
                self.assertTrue(self.came(0) == self.BODY)
                self.assertFalse(os.path.exists(self.path("scratch")))

    def test_another_object_is_begun_anew(self):
        self.kill_a_download()
        self.stub.objects["k"] = (self.BODY[::-1], {"ETag": '"two"'})
        self.assertEqual(self.run_job("fetch", self.fetch), [None])
        self.assertEqual(self.ranges(), [None, f"bytes={(2 << 20) - 1}-", None])
        self.assertTrue(self.came(0) == self.BODY[::-1])

    def test_what_is_damaged_on_the_disk_is_begun_anew(self):
        name = "x-amz-checksum-sha256"
        self.kill_a_download({name: SUMS[name](self.BODY)})
        with open(self.path("scratch/begun.0"), "r+b") as f:
            f.write(b"9")
        self.assertEqual(self.run_job("fetch", self.fetch), [None])
        self.assertEqual(self.ranges(), [None, f"bytes={(2 << 20) - 1}-", None])
        self.assertTrue(self.came(0) == self.BODY)

    def test_after_a_start_of_the_machine_it_begins_anew(self):
        self.kill_a_download()
        with open(self.path("scratch/begun.0.note"), encoding="utf-8") as f:
            note = json.load(f)
        with open(self.path("scratch/begun.0.note"), "w", encoding="utf-8") as f:
            json.dump({**note, "boot": "another"}, f)
        self.assertEqual(self.run_job("fetch", self.fetch), [None])
        self.assertEqual(self.ranges(), [None, None])
        self.assertTrue(self.came(0) == self.BODY)


class Tls(Transfers):
    def test_an_authority_of_ones_own(self):
        b = Broker(self.path("tls"))
        b.certificates("DNS:localhost")
        stub = S3Stub(tls=(os.path.join(b.dir, "server.crt"), os.path.join(b.dir, "server.key")))
        self.addCleanup(stub.close)
        stub.objects["k"] = (TEXT, {"ETag": '"e"'})
        def fetch(host="localhost", **more):
            return self.run_job("fetch", [{"name": "k", "place": stub.place("k", host=host, insecure=False, **more), "packing": "none"}])[0]
        self.assertIsNone(fetch(ca=b.text("ca.crt")))
        self.assertEqual(self.came(0), TEXT)
        for more in ({}, {"ca": b.text("other.crt")}, {"ca": b.text("ca.crt"), "host": "127.0.0.1"}):
            self.assertRegex(fetch(**more), r"^s3 \S+, b/k: .*certificate")
        self.assertEqual(stub.count("GET"), 1)


class HeldWire(CutWire):
    """Holds everything back once so many bytes have gone through it, until it is let go."""

    def __init__(self, port, at):
        super().__init__(port)
        self.at, self.held, self.let_go = at, threading.Event(), threading.Event()

    def count(self, a, b):
        with contextlib.suppress(OSError):
            while data := a.recv(65536):
                with self.lock:
                    self.gone += len(data)
                if self.gone >= self.at and not self.let_go.is_set():
                    self.held.set()
                    self.let_go.wait(600)
                b.sendall(data)
        for s in (a, b):
            with contextlib.suppress(OSError):
                s.shutdown(2)


class RealMinio(Transfers):
    MEGABYTES = 160

    def setUp(self):
        super().setUp()
        self.minio = MinioServer(os.path.join(self.directory, "minio"))
        self.addCleanup(self.minio.close)
        self.minio.start().bucket("box")

    def wire(self, megabytes):
        wire = HeldWire(self.minio.port, megabytes << 20).start()
        self.addCleanup(wire.stop)
        self.addCleanup(wire.let_go.set)
        return wire, {"s3": {"endpoint": f"127.0.0.1:{wire.port}", "bucket": "box", "key": "k", "insecure": True, "accessKey": self.minio.USER,
                             "secretKey": self.minio.PASSWORD}}

    def killed_once(self, wire, do, items, bytes_between):
        """The megabytes that went through the wire in both attempts are between these."""
        p = self.start(do, items)
        until(wire.held.is_set, 120, "the middle")
        p.kill()
        p.wait()
        wire.let_go.set()
        self.assertEqual(self.run_job(do, items), [None])
        self.assertGreaterEqual(wire.gone >> 20, bytes_between[0])
        self.assertLess(wire.gone >> 20, bytes_between[1])

    def test_what_is_killed_goes_on(self):
        text = b"".join(b"%08d %s\n" % (i, b"x" * 1014) for i in range(self.MEGABYTES << 10))
        with open(self.path("log"), "wb") as f:
            f.writelines(b"t " + line for line in text.splitlines(True))
        wire, place = self.wire(110)  # in the fourth of five parts: of the others two are to be sent
        self.killed_once(wire, "save", [{"name": "k", "place": place, "log": self.path("log")}], (160, 190))
        self.assertTrue(self.minio.request("GET", "/box/k") == text)
        self.assertNotIn(b"<Upload>", self.minio.request("GET", "/box", query="uploads="))
        wire, place = self.wire(80)
        self.killed_once(wire, "fetch", [{"name": "k", "place": place, "packing": "none"}], (160, 175))
        self.assertTrue(self.came(0) == text)

    def test_what_is_given_up_is_gone(self):
        with open(self.path("log"), "wb") as f:
            f.writelines(b"t %s\n" % (b"x" * 1023) for _ in range(70 << 10))
        wire, place = self.wire(50)
        save = [{"name": "k", "place": place, "log": self.path("log")}]
        p = self.start("save", save)
        until(wire.held.is_set, 120, "the middle")
        p.kill()
        p.wait()
        wire.let_go.set()
        self.assertIn(b"<Upload>", self.minio.request("GET", "/box", query="uploads="))
        self.assertEqual(self.run_job("abandon", save), [None])
        self.assertNotIn(b"<Upload>", self.minio.request("GET", "/box", query="uploads="))

    def test_its_checksums_are_ours(self):
        _, place = self.wire(1 << 20)
        for name, of in SUMS.items():
            headers = {} if name == "md5" else {name: of(TEXT)}
            with self.subTest(name):
                self.minio.request("PUT", "/box/k", TEXT, headers=headers.items())
                seen = subprocess.run(["curl", "-sfI", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user", f"{self.minio.USER}:{self.minio.PASSWORD}", "-H",
                                       "x-amz-checksum-mode: ENABLED", f"http://127.0.0.1:{self.minio.port}/box/k"], capture_output=True, text=True, check=True).stdout
                self.assertIn(of(TEXT), seen)
                self.assertEqual(self.run_job("fetch", [{"name": "k", "place": place, "packing": "none"}]), [None])
                self.assertEqual(self.came(0), TEXT)


WORKFLOW = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {{generateName: kill-}}
spec:
  entrypoint: main
  templates:
  - name: main
    podSpecPatch: '{{"terminationGracePeriodSeconds": 1}}'
    inputs: {{artifacts: [{{name: in, path: /tmp/in, archive: {{none: {{}}}}, s3: {{{place}, key: in}}}}]}}
    container: {{image: busybox, command: [sh, -c], args: ["echo ran; cat /tmp/in /tmp/in >/tmp/out"]}}
    outputs: {{artifacts: [{{name: out, path: /tmp/out, archive: {{none: {{}}}}, s3: {{{place}, key: out}}}}]}}
"""
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {access: a, secret: s}\n"


class OfSteps(TestCase):
    """A step takes 35 MiB and leaves 70: its output goes in three parts."""
    IN = b"".join(b"%08d %s\n" % (i, b"z" * 1014) for i in range(35 << 10))

    def setUp(self):
        super().setUp()
        self.stub = S3Stub()
        self.addCleanup(self.stub.close)
        self.stub.objects["in"] = (self.IN, {"ETag": '"in"'})

    def submit(self):
        d = self.daemon({"keys.yaml": SECRET})
        place = (f"endpoint: '127.0.0.1:{self.stub.server.server_port}', bucket: b, insecure: true, accessKeySecret: {{name: keys, key: access}}, "
                 "secretKeySecret: {name: keys, key: secret}")
        return d, d.cli("submit", "-", "-o", "name", data=WORKFLOW.format(place=place)).stdout.strip()

    def helper(self, d):
        """The process that moves its artifacts."""
        def of_daemon(pid):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="utf-8") as f:
                text = f.read()
                return "(tidegate-artifa" in text and text.rsplit(")", 1)[1].split()[1] == str(d.process.pid)
            return False
        return int(next(p for p in os.listdir("/proc") if p.isdigit() and of_daemon(p)))

    def stopped(self):
        until(self.stub.stopped.is_set, 120, "the middle")

    def let_go(self):
        self.stub.stop_at = self.stub.stop_at_part = 0
        self.stub.stopped.clear()
        self.stub.go_on.set()

    def ended(self, d, name, phase="Succeeded"):
        w = until(lambda: (lambda w: w["status"].get("finishedAt") and w)(d.get(name)), 240, "its end")
        self.assertEqual(w["status"]["phase"], phase, [n.get("message") for n in w["status"]["nodes"].values()])

    def all_is_there(self, parts):
        self.assertTrue(self.stub.objects["out"][0] == self.IN * 2)
        sent = [q["partNumber"] for m, _, q, _ in self.stub.calls if m == "PUT"]
        self.assertEqual((sorted(sent), self.stub.uploads), (parts, {}))

    def test_its_helper_is_killed(self):
        self.stub.stop_at = 8 << 20
        d, name = self.submit()
        self.stopped()
        tasks = os.path.join(d.state, "tasks/default", name)
        until(lambda: any(os.path.getsize(os.path.join(f, "begun.0")) == 8 << 20 for f, _, names in os.walk(tasks) if "begun.0" in names), 120, "what comes")
        os.kill(self.helper(d), signal.SIGKILL)
        self.stub.stop_at_part = 3
        self.stub.stop_at = 0
        self.stub.stopped.clear()
        self.stopped()
        self.assertEqual([r for m, k, _, r in self.stub.calls if m == "GET" and k == "in"], [None, f"bytes={(8 << 20) - 1}-"])
        os.kill(self.helper(d), signal.SIGKILL)
        self.let_go()
        self.ended(d, name)
        self.all_is_there(["1", "2", "3", "3"])

    def test_the_daemon_is_killed(self):
        self.stub.stop_at_part = 3
        d, name = self.submit()
        self.stopped()
        d.kill()
        self.let_go()
        d.start()
        self.ended(d, name)
        self.all_is_there(["1", "2", "3", "3"])

    def test_what_is_terminated_is_given_up(self):
        self.stub.stop_at_part = 2
        d, name = self.submit()
        self.stopped()
        self.assertEqual(len(self.stub.uploads), 1)
        d.cli("terminate", name)
        self.ended(d, name, "Failed")
        until(lambda: not self.stub.uploads, 120, "the upload to be given up")
        self.assertNotIn("out", self.stub.objects)


if __name__ == "__main__":
    unittest.main()
