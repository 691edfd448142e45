# SPDX-License-Identifier: Apache-2.0
"""Uploads to Azure (Azurite), Google Cloud Storage (fake-gcs-server) and OSS (a peer) whose process is killed in the middle: the next goes on, and sends nothing
again that is there; or gives up, and nothing stays at the service."""
import hashlib
import json
import os
import subprocess
import unittest
import unittest.mock
import urllib.parse

from clouds import AzuriteBlobs, FakeGcs, OssPeer
from door import Door, SessionDoor
from harness import TIDEGATE, TestCase, until
from queues import ask
from test_services import Server

HELPER = os.path.join(os.path.dirname(os.path.realpath(TIDEGATE)), "tidegate-artifact")
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {{name: keys}}\nstringData: {{access: AKID, secret: '{secret}'}}\n"
WORKFLOW = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {{generateName: kill-}}
spec:
  entrypoint: main
  templates:
  - name: main
    podSpecPatch: '{{"terminationGracePeriodSeconds": 1}}'
    container: {{image: busybox, command: [sh, -c], args: ["seq 1 20000000 | head -c {bytes} >/tmp/out"]}}
    outputs: {{artifacts: [{{name: out, path: /tmp/out, archive: {{none: {{}}}}, {place}}}]}}
"""


class Resumed:
    """What is the same for all of them. Each part is sent once but for the one that was under way, `SENT` says."""
    LINES = 70 << 10  # of a kilobyte
    STOP = 3          # the part that is under way when it is killed
    environment, secret = {}, ""

    def setUp(self):
        super().setUp()
        self.open()
        self.addCleanup(self.door.close)
        self.write_log("x")

    def path(self, name):
        return os.path.join(self.directory, name)

    def write_log(self, word, lines=LINES):
        self.text = b"".join(b"%08d %s\n" % (i, word.encode() * 1014) for i in range(lines))
        with open(self.path("log"), "wb") as f:
            f.writelines(b"t " + line for line in self.text.splitlines(True))

    def start(self, do):
        job = {"do": do, "scratch": self.path("scratch"), "items": [{"name": "k", "place": self.place(), "log": self.path("log")}]}
        p = subprocess.Popen([HELPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             env=dict(os.environ, **self.environment))
        self.addCleanup(p.communicate)
        self.addCleanup(p.kill)
        p.stdin.write(json.dumps(job))
        p.stdin.close()
        p.stdin = None
        return p

    def run_job(self, do):
        """What it says of the item; None where all is well."""
        out, said = self.start(do).communicate(timeout=240)
        self.assertEqual(said, "")
        return json.loads(out)[0].get("problem")

    def kill_an_upload(self, part=None):
        self.door.stop_at = part or self.STOP
        p = self.start("save")
        until(self.door.stopped.is_set, 120, "the middle")
        p.kill()
        p.wait()
        self.door.let_go()

    def all_is_there(self):
        self.assertTrue(self.object("k") == self.text)
        self.assertEqual(self.left(), [])
        self.assertFalse(os.path.exists(self.path("log.uploads")))

    def nothing_is_there(self):
        self.assertEqual(self.left(), [])
        self.assertIsNone(self.object("k"))
        self.assertFalse(os.path.exists(self.path("log.uploads")))

    def test_what_is_there_is_not_sent_again(self):
        self.kill_an_upload()
        self.assertIsNone(self.run_job("save"))
        self.assertEqual(self.door.parts(), self.SENT)
        self.all_is_there()

    def test_what_the_service_has_lost_is_sent_again(self):
        self.kill_an_upload()
        self.lose()
        self.assertIsNone(self.run_job("save"))
        self.all_is_there()

    def test_another_file_is_another_upload(self):
        self.kill_an_upload()
        self.write_log("y", self.LINES + 1)
        self.assertIsNone(self.run_job("save"))
        self.all_is_there()

    def test_what_nobody_goes_on_with_is_given_up(self):
        self.kill_an_upload()
        self.assertNotEqual(self.left(), [])
        self.assertIsNone(self.run_job("abandon"))
        self.nothing_is_there()

    def test_what_is_refused_is_given_up(self):
        self.kill_an_upload()
        self.door.refused = 403, [], b"as it was told"
        self.assertIn("403", self.run_job("save"))
        self.nothing_is_there()

    def submit(self):
        with unittest.mock.patch.dict(os.environ, self.environment):
            d = self.daemon({"keys.yaml": SECRET.format(secret=self.secret)})
        return d, d.cli("submit", "-", "-o", "name", data=WORKFLOW.format(place=self.manifest(), bytes=self.LINES << 10)).stdout.strip()

    def ended(self, d, name, phase):
        w = until(lambda: (lambda w: w["status"].get("finishedAt") and w)(d.get(name)), 240, "its end")
        self.assertEqual(w["status"]["phase"], phase, [n.get("message") for n in w["status"]["nodes"].values()])

    def test_the_daemon_is_killed(self):
        self.door.stop_at = self.STOP
        d, name = self.submit()
        until(self.door.stopped.is_set, 120, "the middle")
        d.kill()
        self.door.let_go()
        with unittest.mock.patch.dict(os.environ, self.environment):
            d.start()
        self.ended(d, name, "Succeeded")
        self.assertEqual(self.door.parts(), self.SENT)
        numbers = subprocess.run(f"seq 1 20000000 | head -c {self.LINES << 10}", shell=True, capture_output=True, check=True).stdout
        self.assertEqual(hashlib.sha256(self.object("out")).digest(), hashlib.sha256(numbers).digest())
        self.assertEqual(self.left(), [])

    def test_what_is_terminated_is_given_up(self):
        self.door.stop_at = self.STOP
        d, name = self.submit()
        until(self.door.stopped.is_set, 120, "the middle")
        self.assertNotEqual(self.left(), [])
        d.cli("terminate", name)
        self.ended(d, name, "Failed")
        self.door.let_go()
        until(lambda: self.left() == [], 120, "the upload to be given up")
        self.assertIsNone(self.object("out"))


class Azure(Resumed, TestCase):
    SENT = [1, 1, 2]  # of 32, 32 and 6 MiB
    secret = AzuriteBlobs.KEY

    def open(self):
        self.azurite = AzuriteBlobs(self.path("azurite"))
        self.addCleanup(self.azurite.close)
        self.azurite.start().call("PUT", "/box", "restype=container")
        self.door = Door(r"^PUT .*[?&]blockid=([^&]*)&comp=block ")
        self.door.to = self.azurite.port

    def endpoint(self):
        return f"http://127.0.0.1:{self.door.port}/{self.azurite.ACCOUNT}"

    def place(self):
        return {"azure": {"endpoint": self.endpoint(), "container": "box", "accountKey": self.azurite.KEY, "blob": "k"}}

    def manifest(self):
        return f"azure: {{endpoint: '{self.endpoint()}', container: box, accountKeySecret: {{name: keys, key: secret}}, blob: out}}"

    def names(self, **more):
        text = self.azurite.call("GET", "/box", urllib.parse.urlencode({"comp": "list", **more, "restype": "container"})).decode()
        return [part.partition("<")[0] for part in text.split("<Name>")[1:]]

    def has_blocks(self, name):
        try:
            return b"<Block>" in self.azurite.call("GET", f"/box/{name}", "blocklisttype=uncommitted&comp=blocklist")
        except AssertionError as e:
            if "BlobNotFound" in str(e):  # it has gone since it was listed
                return False
            raise

    def left(self):
        """The blobs that have blocks without a list."""
        return [name for name in self.names(include="uncommittedblobs") if self.has_blocks(name)]

    def object(self, name):
        return self.azurite.call("GET", f"/box/{name}") if name in self.names() else None

    def lose(self):
        """Another blob of that name throws the blocks away."""
        self.azurite.call("PUT", "/box/k", "comp=blocklist", b"<BlockList></BlockList>")
        self.assertEqual(self.left(), [])

    def test_what_has_changed_is_sent_again(self):
        self.kill_an_upload()
        with open(self.path("log"), "r+b") as f:
            f.write(b"t 9")
        self.text = b"9" + self.text[1:]
        self.assertIsNone(self.run_job("save"))
        self.assertEqual(self.door.parts(), [2, 1, 2])
        self.all_is_there()

    def test_a_blob_that_was_there_stays_as_it_is(self):
        """What was sent beside it goes with its next list, or in a week."""
        self.azurite.call("PUT", "/box/k", "", b"text", **{"x-ms-blob-type": "BlockBlob", "x-ms-meta-of": "somebody"})
        self.kill_an_upload()
        self.assertIsNone(self.run_job("abandon"))
        self.assertEqual(self.object("k"), b"text")
        self.assertIn(b"somebody", self.azurite.call("GET", "/box", "comp=list&include=metadata&restype=container"))

    def test_blocks_of_somebody_else_stay(self):
        self.kill_an_upload()
        name = urllib.parse.quote("b3RoZXJvdGhlcnMtMDAwMDAwMQ==", safe="")  # as long as ours
        self.azurite.call("PUT", "/box/k", f"blockid={name}&comp=block", b"text")
        self.assertIsNone(self.run_job("abandon"))
        self.assertEqual(self.left(), ["k"])

    def test_who_may_not_delete_makes_nothing(self):
        self.kill_an_upload()
        sas = self.azurite.sas(permissions="rwac")
        with unittest.mock.patch.object(AzuriteBlobs, "KEY", sas):
            self.assertIsNone(self.run_job("abandon"))
        self.assertIsNone(self.object("k"))


class Gcs(Resumed, TestCase):
    SENT = [1, 1, 2, 1, 1]  # of 16 MiB

    def open(self):
        self.gcs = FakeGcs(self.path("gcs"))
        self.addCleanup(self.gcs.close)
        self.door = SessionDoor(r"^PUT .*upload_id=\w+ bytes (\d+-\d+)/")
        self.door.to, self.gcs.front = self.gcs.port, self.door.port
        self.gcs.start().bucket("box")
        self.environment = {"STORAGE_EMULATOR_HOST": f"127.0.0.1:{self.door.port}"}

    @staticmethod
    def place():
        return {"gcs": {"bucket": "box", "key": "k"}}

    @staticmethod
    def manifest():
        return "gcs: {bucket: box, key: out}"

    def left(self):
        return list(self.door.sessions)

    def object(self, name):
        status, got = ask(self.gcs.port, "GET", f"/storage/v1/b/box/o/{name}?alt=media")
        return got if status == 200 else None

    def lose(self):
        self.door.sessions.clear()

    def test_of_another_file_as_long_nothing_is_taken(self):
        self.kill_an_upload()
        self.write_log("y")
        self.assertIsNone(self.run_job("save"))
        self.assertEqual((self.door.parts(), self.door.count("DELETE", "upload_id=")), ([2, 2, 2, 1, 1], 1))
        self.all_is_there()

    def test_the_journal_is_its_owners(self):
        """With what is in it the object can be written."""
        self.kill_an_upload()
        self.assertEqual(os.stat(self.path("log.uploads")).st_mode & 0o777, 0o600)


class Oss(Resumed, TestCase):
    SENT = [1, 1, 2]
    secret = "s3cr3t-key-of-tests"

    def open(self):
        self.peer = OssPeer()
        server = Server(self.peer).start()
        self.addCleanup(server.stop)
        self.door = Door(r"^PUT .*[?&]partNumber=(\d+)")
        self.door.to = server.port

    def place(self):
        return {"oss": {"endpoint": f"127.0.0.1:{self.door.port}", "bucket": "box", "accessKey": "AKID", "secretKey": self.secret, "key": "k"}}

    def manifest(self):
        return (f"oss: {{endpoint: '127.0.0.1:{self.door.port}', bucket: box, accessKeySecret: {{name: keys, key: access}}, secretKeySecret: {{name: keys, "
                "key: secret}, key: out}")

    def left(self):
        return list(self.peer.parts)

    def object(self, name):
        return self.peer.buckets["box"].get(name)

    def lose(self):
        self.peer.parts.clear()


if __name__ == "__main__":
    unittest.main()
