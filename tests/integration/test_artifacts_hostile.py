# SPDX-License-Identifier: Apache-2.0
"""The corpus of hostile archives by every way in: each place that artifacts come from, texts, what a step leaves, layers of images, and the ways out to who looks
at them. And listings that mean harm."""
import contextlib
import filecmp
import gzip
import hashlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
import urllib.parse
import zlib

from clouds import AzuriteBlobs, FakeGcs, OssPeer
from harness import FULL, ROOT, TIDEGATE, TestCase, until
from minio_server import MinioServer
from queues import ask
from test_artifacts_http import Case
from test_services import Server

FLOW = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: corpus-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - name: tgz
        template: look
        continueOn: {failed: true, error: true}
        arguments: {artifacts: [{name: x, archive: {tar: {}}, PLACE}]}
        withItems: [TARS]
      - name: zip
        template: look
        continueOn: {failed: true, error: true}
        arguments: {artifacts: [{name: x, archive: {zip: {}}, PLACE}]}
        withItems: [ZIPS]
  - name: look
    inputs: {artifacts: [{name: x, path: /tmp/in/x}]}
    container: {image: busybox, command: [sh, -c, "test -z \\"$(find /tmp/in -perm /7000)\\""]}
"""
LOOK = {"name": "look", "inputs": {"artifacts": [{"name": "x", "path": "/tmp/in/x"}]}, "container": {
    "image": "busybox", "command": ["sh", "-c", 'test -z "$(find /tmp/in -perm /7000)"']}}  # no setuid, setgid, or sticky bit
SECRETS = """apiVersion: v1
kind: Secret
metadata: {{name: keys}}
stringData: {{access: '{access}', secret: '{secret}'}}
"""
KEYS = "accessKeySecret: {name: keys, key: access}, secretKeySecret: {name: keys, key: secret}"


def is_tar(name):
    return ".zip" not in name


class Hostile(Case):
    """Whatever way an archive comes in: nothing outside of its destination changes, and each that means harm is refused with a reason that names the entry."""

    def setUp(self):
        super().setUp()
        self.corpus = tempfile.mkdtemp(prefix="tidegate-test-corpus-")
        self.addCleanup(shutil.rmtree, self.corpus, ignore_errors=True)
        subprocess.run([sys.executable, os.path.join(ROOT, "tests", "fixtures", "hostile_archives.py"), self.corpus], check=True, timeout=300)
        with open(os.path.join(self.corpus, "index"), encoding="utf-8") as f:
            self.fates = dict(line.rstrip("\n").split("\t") for line in f)
        self.before = self.look()

    def look(self):
        return subprocess.run(["find", self.corpus, "-printf", "%p %m %s %T@ %C@ %n %l\n"], check=True, capture_output=True, text=True, timeout=60).stdout

    def content(self, name):
        with open(os.path.join(self.corpus, name), "rb") as f:
            return f.read()

    def begin(self, manifests=None, settings="artifactSize: 16\nartifactFiles: 2000\n"):
        path = os.path.join(self.directory, "settings.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(settings)
        return self.daemon(manifests or {}, "--config", path)

    def ended(self, d, text):
        """{display name: node} of the steps."""
        name = d.submit(text)
        w = until(lambda: (lambda w: w["status"].get("finishedAt") and w)(d.get(name)), 600, "its end")
        self.assertTrue(w["status"].get("nodes"), w["status"])
        return name, {n["displayName"]: n for n in w["status"]["nodes"].values() if n["type"] == "Pod"}

    def judge(self, node, file, fate):
        if fate == "harmless":
            self.assertEqual(node["phase"], "Succeeded", node.get("message"))
        elif fate or node["phase"] != "Succeeded":
            self.assertEqual(node["phase"], "Error", node.get("message"))
            self.assertIn("bytes together" if fate == "times its size" else fate, node["message"])  # that limit is the lower one here
            self.assertNotIn("\x1b", node["message"])
            if fate != "damaged":
                self.assertIn("the archive's entry ", node["message"])

    def nothing_changed(self):
        self.assertEqual(self.look(), self.before)
        found = subprocess.run(["find", self.directory, "-name", "*evil*", "-o", "-name", "outside"], capture_output=True, text=True, check=False, timeout=60).stdout
        self.assertEqual(found, "")  # what leads upwards by little

    def come_in(self, place, manifests=None, prepare=None):
        """`place`: the location of an archive {{item}}, in the words of an artifact."""
        d = self.begin(manifests)
        if prepare:
            prepare(d)
        names = sorted(self.fates)
        text = FLOW.replace("PLACE", place).replace("TARS", ", ".join(n for n in names if is_tar(n)))
        _, found = self.ended(d, text.replace("ZIPS", ", ".join(n for n in names if not is_tar(n))))
        nodes = {name.partition(":")[2].rstrip(")"): node for name, node in found.items()}
        self.assertEqual(sorted(nodes), names)
        for file, fate in self.fates.items():
            with self.subTest(file):
                self.judge(nodes[file], file, fate)
        self.nothing_changed()
        return d


class Corpus(Hostile):
    def test_by_http(self):
        s = self.web()
        s.files = {name: self.content(name) for name in self.fates}
        self.come_in(f"http: {{url: '{s.url}/{{{{item}}}}'}}")

    def test_by_artifactory(self):
        s = self.web()
        s.files = {name: self.content(name) for name in self.fates}
        self.come_in(f"artifactory: {{url: '{s.url}/art/{{{{item}}}}', usernameSecret: {{name: keys, key: access}}, passwordSecret: {{name: keys, key: secret}}}}",
                     {"keys.yaml": SECRETS.format(access="ann", secret="p:w")})

    def test_from_this_machine(self):
        """Objects that somebody put into the repository by hand."""
        def prepare(d):
            objects = os.path.join(d.state, "artifacts/objects/default/put")
            os.makedirs(objects)
            for name in self.fates:
                shutil.copy(os.path.join(self.corpus, name), objects)

        self.come_in("s3: {key: 'put/{{item}}'}", prepare=prepare)

    def test_as_a_text(self):
        """Those that can be one: a tar without gzip that is UTF-8."""
        texts = {}
        for name, fate in self.fates.items():
            data = self.content(name)
            with contextlib.suppress(OSError, EOFError, zlib.error, UnicodeDecodeError):
                data = gzip.decompress(data) if is_tar(name) and data[:2] == b"\x1f\x8b" else data
                if len(data) < 1 << 16 and fate != "times its size":
                    texts[name] = data.decode()
        self.assertGreater(len(texts), 50)
        steps = [{"name": name.replace(".", "-"), "template": "look", "continueOn": {"failed": True, "error": True}, "arguments": {"artifacts": [
            {"name": "x", "archive": {"tar": {}} if is_tar(name) else {"zip": {}}, "raw": {"data": text}}]}} for name, text in texts.items()]
        steps += [{"name": how, "template": "look", "arguments": {"artifacts": [dict({"name": "x", "raw": {"data": texts["parent.tgz"]}}, **more)]}}
                  for how, more in (("as-it-is", {}), ("none", {"archive": {"none": {}}}))]
        d = self.begin()
        _, nodes = self.ended(d, json.dumps({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"generateName": "text-"}, "spec": {
            "entrypoint": "main", "templates": [{"name": "main", "steps": [steps]}, LOOK]}}))
        for name in texts:
            with self.subTest(name):
                self.judge(nodes[name.replace(".", "-")], name, self.fates[name])
        self.assertEqual([nodes[n]["phase"] for n in ("as-it-is", "none")], ["Succeeded"] * 2)  # without `archive` a text is a text
        self.nothing_changed()

    def left_by_a_step(self):
        """One step leaves each archive as it is; the next ones take it unpacked, whatever `archive` it was saved with."""
        s = self.web()
        names = sorted(n for n in self.fates if is_tar(n) and self.content(n)[:2] == b"\x1f\x8b")
        s.files = {"all": tgz_of({n: self.content(n) for n in names})}
        make = {"name": "make", "inputs": {"artifacts": [{"name": "all", "path": "/tmp/in", "http": {"url": s.url + "/all"}}]},
                "container": {"image": "busybox", "command": ["cp", "-r", "/tmp/in", "/tmp/out"]},
                "outputs": {"artifacts": [{"name": n.replace(".", "-"), "path": "/tmp/out/" + n, "archive": {"none": {}}, "s3": {"key": "left/" + n}} for n in names]}}
        take = [{"name": n.replace(".", "-"), "template": "look", "continueOn": {"failed": True, "error": True},
                 "arguments": {"artifacts": [{"name": "x", "s3": {"key": "left/" + n}}]}} for n in names]
        d = self.begin()
        name, nodes = self.ended(d, json.dumps({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"generateName": "left-"}, "spec": {
            "entrypoint": "main", "templates": [{"name": "main", "steps": [[{"name": "make", "template": "make"}], take]}, make, LOOK]}}))
        self.assertEqual(nodes["make"]["phase"], "Succeeded", nodes["make"].get("message"))
        return d, name, names, nodes

    def test_left_by_a_step_and_taken_out(self):
        d, name, names, nodes = self.left_by_a_step()
        for n in names:
            with self.subTest(n):
                node, fate = nodes[n.replace(".", "-")], self.fates[n]
                if node["phase"] == "Succeeded" and fate == "damaged":
                    continue  # without `archive` what is no tar is a file
                self.judge(node, n, fate)
        out = os.path.join(self.directory, "taken")
        d.cli("cp", name, out)
        got = {f: os.path.join(at, f) for at, _, files in os.walk(out) for f in files}
        self.assertEqual(sorted(got), names)  # as they lie there: who copies them unpacks nothing
        self.assertEqual([n for n in names if not filecmp.cmp(got[n], os.path.join(self.corpus, n), shallow=False)], [])
        shutil.rmtree(out)
        for n in ("parent.tgz", "bomb.tgz"):
            d.cli("artifact", "get", name, n.replace(".", "-"), os.path.join(self.directory, "one"), "--node-id", "make")
            self.assertTrue(filecmp.cmp(os.path.join(self.directory, "one"), os.path.join(self.corpus, n), shallow=False))
            c = http.client.HTTPConnection("127.0.0.1", d.port, timeout=60)
            c.request("GET", f"/artifact-files/default/workflows/{name}/{nodes['make']['id']}/outputs/{n.replace('.', '-')}", headers={"Authorization": "Bearer " + d.token})
            self.assertEqual(c.getresponse().read(), self.content(n))
            c.close()
        self.nothing_changed()

    @unittest.skipUnless(FULL and shutil.which("umoci"), "takes longer, and umoci")
    def test_by_a_layer_of_an_image(self):
        """A layer may speak of the image's own root only. Whoever imports it is told what is wrong, or has it within the folder of the image."""
        state, taken = os.path.join(self.directory, "state"), 0
        self.addCleanup(subprocess.run, ["rm", "-rf", self.directory], check=False)  # Python's own does not go as deep
        for name, fate in self.fates.items():
            if not is_tar(name):
                continue
            with self.subTest(name):
                layout = layout_of(os.path.join(self.directory, "layout"), self.content(name))
                done = subprocess.run([TIDEGATE, "image", "import", layout, "--name", "hostile", "--state", state], capture_output=True, text=True, timeout=300, check=False)
                shutil.rmtree(layout)
                taken += done.returncode == 0
                self.assertTrue(done.returncode == 0 or (done.returncode > 0 and done.stderr.strip()), done)
                if name.startswith("hole-huge") or name.startswith("hole-in-no-bytes"):
                    self.assertIn("by the settings imageSize", done.stderr)
                self.assertEqual(self.look(), self.before)
                self.assertEqual(os.listdir(self.directory), ["state"])
        self.assertGreater(taken, 0)
        for words in (["prune"], ["remove", "hostile"]):
            subprocess.run([TIDEGATE, "image", *words, "--state", state], check=True, capture_output=True, timeout=300)
        self.assertEqual(sorted(os.listdir(os.path.join(state, "images"))), ["index.json", "lock"])  # each of them goes again, however deep it is

    def test_a_hole_is_no_way_around_the_ratio(self):
        """With the settings as they are: 5 GiB of nothing in a few bytes."""
        d = self.begin(settings="")
        objects = os.path.join(d.state, "artifacts/objects/default")
        os.makedirs(objects)
        shutil.copy(os.path.join(self.corpus, "hole-in-no-bytes.tgz"), os.path.join(objects, "hole"))
        with open(os.path.join(objects, "zeros"), "wb") as f:
            f.write(tgz_of({"zeros": bytes(64 << 20)}))
        flow = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"generateName": "ratio-"}, "spec": {"entrypoint": "main", "templates": [
            {"name": "main", "steps": [[{"name": key, "template": "look", "continueOn": {"error": True}, "arguments": {"artifacts": [{"name": "x", "s3": {"key": key}}]}}
                                        for key in ("hole", "zeros")]]}, LOOK]}}
        _, nodes = self.ended(d, json.dumps(flow))
        self.assertEqual(nodes["hole"]["phase"], "Error", nodes["hole"])
        self.assertIn("the archive's entry hole: the archive unpacks to more than 200 times its size", nodes["hole"]["message"])
        self.assertEqual(nodes["zeros"]["phase"], "Succeeded", nodes["zeros"].get("message"))  # a thousand times, but no harm
        d.stop()
        d = self.begin(settings="artifactRatio: 0\n")
        _, nodes = self.ended(d, json.dumps(flow))
        self.assertEqual([nodes[k]["phase"] for k in ("hole", "zeros")], ["Succeeded"] * 2, [n.get("message") for n in nodes.values()])


class Clouds(Hostile):
    def test_by_oss(self):
        peer = OssPeer()
        s = Server(peer).start()
        self.addCleanup(s.stop)
        peer.buckets["box"] = {"put/" + name: self.content(name) for name in self.fates}
        self.come_in(f"oss: {{endpoint: '127.0.0.1:{s.port}', bucket: box, key: 'put/{{{{item}}}}', {KEYS}}}",
                     {"keys.yaml": SECRETS.format(access="AKID", secret="s3cr3t-key-of-tests")})

    def test_by_s3(self):
        s = MinioServer(os.path.join(self.directory, "minio"))
        self.addCleanup(s.close)
        s.start().bucket("box")
        for name in self.fates:
            s.put("/box/put/" + name, self.content(name))
        self.come_in(f"s3: {{endpoint: '127.0.0.1:{s.port}', insecure: true, bucket: box, key: 'put/{{{{item}}}}', {KEYS}}}",
                     {"keys.yaml": SECRETS.format(access=s.USER, secret=s.PASSWORD)})

    def test_by_gcs(self):
        s = FakeGcs(os.path.join(self.directory, "gcs"))
        self.addCleanup(s.close)
        s.start().bucket("box")
        for name in self.fates:
            status, text = ask(s.port, "POST", "/upload/storage/v1/b/box/o?uploadType=media&name=" + urllib.parse.quote("put/" + name, safe=""), self.content(name))
            self.assertEqual(status, 200, text)
        with unittest.mock.patch.dict(os.environ, {"STORAGE_EMULATOR_HOST": f"127.0.0.1:{s.port}"}):
            self.come_in("gcs: {bucket: box, key: 'put/{{item}}'}")

    def test_by_azure(self):
        s = AzuriteBlobs(os.path.join(self.directory, "azurite"))
        self.addCleanup(s.close)
        s.start().call("PUT", "/box", "restype=container")
        for name in self.fates:
            s.call("PUT", "/box/put/" + name, "", self.content(name), **{"x-ms-blob-type": "BlockBlob"})
        self.come_in(f"azure: {{endpoint: 'http://127.0.0.1:{s.port}/{s.ACCOUNT}', container: box, blob: 'put/{{{{item}}}}', accountKeySecret: {{name: keys, key: secret}}}}",
                     {"keys.yaml": SECRETS.format(access="", secret=s.KEY)})


class Listings(TestCase):
    """A folder of many objects, whose keys and sizes are the word of whoever put them there."""

    def fetch(self, objects, bytes_=1 << 20, files=100):
        peer = OssPeer(page=3)
        s = Server(peer).start()
        self.addCleanup(s.stop)
        peer.buckets["box"] = {"t/" + key: data for key, data in objects.items()}
        into, outside = os.path.join(self.directory, "into"), os.path.join(self.directory, "outside")
        os.makedirs(outside, exist_ok=True)
        job = {"do": "fetch", "into": into, "scratch": os.path.join(self.directory, "scratch"), "bytes": bytes_, "files": files, "items": [
            {"name": "a", "packing": "guess", "place": {"oss": {"endpoint": f"127.0.0.1:{s.port}", "bucket": "box", "key": "t", "accessKey": "AKID",
                                                                "secretKey": "s3cr3t-key-of-tests"}}}]}
        done = subprocess.run([os.path.join(os.path.dirname(TIDEGATE), "tidegate-artifact")], input=json.dumps(job), capture_output=True, text=True, timeout=120, check=True)
        self.assertEqual((sorted(os.listdir(self.directory)), os.listdir(outside)), (["into", "outside"], []))
        return json.loads(done.stdout)[0].get("problem")

    def test_keys_lead_nowhere(self):
        for key, why in (("../../outside/x", "made of dots"), ("a/../../../outside/x", "made of dots"), ("/x", "is empty"), ("a//x", "is empty"),
                         ("./x", "made of dots"), ("..", "make .."), (".", "make ."), ("../../outside", "made of dots"), ("n" * 300, "ile name too long")):
            with self.subTest(key):
                self.assertIn(why, self.fetch({key: b"x", "good": b"y"}) or "nothing")
        self.assertIn("make a/b", self.fetch({"a": b"x", "a/b": b"y"}) or "nothing")  # a file and a folder

    def test_sizes_are_counted_where_they_arrive(self):
        """The listing says that there is nothing in them."""
        with unittest.mock.patch.object(OssPeer, "size_of", staticmethod(lambda data: 0)):
            self.assertIn("more than 1048576 bytes", self.fetch({f"{i}": bytes(300 << 10) for i in range(5)}))
        with unittest.mock.patch.object(OssPeer, "size_of", staticmethod(lambda data: -1)):
            self.assertIn("more than 1048576 bytes", self.fetch({f"{i}": bytes(300 << 10) for i in range(5)}) or "nothing")
            self.assertIsNone(self.fetch({f"{i}": b"x" for i in range(5)}))

    def test_a_listing_that_never_ends(self):
        with unittest.mock.patch.object(OssPeer, "next_of", staticmethod(lambda marker, some: "stuck")):
            self.assertIn("does not go on", self.fetch({f"{i}": b"x" for i in range(5)}) or "nothing")


def tgz_of(files):
    """A tar with gzip of a folder `all`, or of the one file."""
    with tempfile.TemporaryDirectory(prefix="tidegate-test-") as at:
        top = os.path.join(at, "all")
        os.mkdir(top)
        for name, data in files.items():
            with open(os.path.join(top, name), "wb") as f:
                f.write(data)
        where = (at, "all") if len(files) > 1 else (top, *files)
        return subprocess.run(["tar", "-cz", "-C", *where], check=True, capture_output=True, timeout=120).stdout


def layout_of(path, layer):
    """An OCI layout with one layer, packed as it is."""
    blobs = os.path.join(path, "blobs", "sha256")
    os.makedirs(blobs)

    def put(data):
        digest = hashlib.sha256(data).hexdigest()
        with open(os.path.join(blobs, digest), "wb") as f:
            f.write(data)
        return {"digest": "sha256:" + digest, "size": len(data)}

    try:
        plain = gzip.decompress(layer)
    except (OSError, EOFError, zlib.error):
        plain = layer
    config = put(json.dumps({"os": "linux", "architecture": "amd64", "config": {}, "rootfs": {"type": "layers", "diff_ids": [
        "sha256:" + hashlib.sha256(plain).hexdigest()]}}).encode())
    manifest = put(json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": dict(
        config, mediaType="application/vnd.oci.image.config.v1+json"), "layers": [dict(put(layer), mediaType="application/vnd.oci.image.layer.v1.tar+gzip")]}).encode())
    for name, data in (("oci-layout", {"imageLayoutVersion": "1.0.0"}), ("index.json", {"schemaVersion": 2, "manifests": [
            dict(manifest, mediaType="application/vnd.oci.image.manifest.v1+json")]})):
        with open(os.path.join(path, name), "w", encoding="utf-8") as f:
            json.dump(data, f)
    return path


if __name__ == "__main__":
    unittest.main()
