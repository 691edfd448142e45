# SPDX-License-Identifier: Apache-2.0
"""Images: imported from folders and archives, pulled from a registry, and steps that run in them."""
import glob
import gzip
import hashlib
import io
import json
import os
import platform
import random
import re
import shutil
import signal
import subprocess
import tarfile
import time
import unittest

from harness import TIDEGATE, TestCase, free_port, scaled, until

TOOLS = [t for t in ("skopeo", "umoci", "docker-registry", "gcc") if not shutil.which(t)]
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())

# The one program of the test's image: says where it is and what it got. "wait [FILE]": makes the file and stays; "until FILE": stays until
# the file is there.
PROGRAM = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	char cwd[256];
	for (int i = 1; i < argc; i++)
		printf("%s ", argv[i]);
	printf("LEVEL=%s cwd=%s uid=%d gone=%d kept=%d home=%s\n", getenv("LEVEL"), getcwd(cwd, sizeof cwd), (int)getuid(), access("/gone", F_OK) == 0,
		access("/kept", F_OK) == 0, getenv("HOME"));
	fflush(stdout);
	for (int i = 2; i < argc && !strcmp(argv[1], "open"); i++)
		printf("%s is %s\n", argv[i], open(argv[i], O_RDONLY) < 0 ? "shut" : "open");
	if (argc > 2 && !strcmp(argv[1], "wait"))
		open(argv[2], O_CREAT | O_WRONLY, 0644);
	while (argc > 1 && !strcmp(argv[1], "wait"))
		pause();
	while (argc > 2 && !strcmp(argv[1], "until") && access(argv[2], F_OK))
		usleep(10000);
	return access("/usr/bin/python3", F_OK) == 0;
}
"""


def workflow(name, *containers):
    """Steps one after the other, each with a container; None: waits for somebody."""
    steps = "".join(f"    - - {{name: s{i}, template: t{i}}}\n" for i in range(len(containers)))
    templates = "".join(f"  - name: t{i}\n" + (f"    container: {c}\n" if c else "    suspend: {}\n") for i, c in enumerate(containers))
    return ("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\n" f"metadata: {{name: {name}}}\n"
            f"spec:\n  entrypoint: main\n  templates:\n  - name: main\n    steps:\n{steps}{templates}")


@unittest.skipIf(TOOLS, f"not installed: {', '.join(TOOLS)}")
class Images(TestCase):
    @classmethod
    def setUpClass(cls):
        Images.program = None

    def setUp(self):
        super().setUp()
        if not Images.program:
            folder = self.directory
            with open(os.path.join(folder, "p.c"), "w", encoding="utf-8") as f:
                f.write(PROGRAM)
            subprocess.run(["gcc", "-static", "-O1", "-o", os.path.join(folder, "p"), os.path.join(folder, "p.c")], check=True)
            with open(os.path.join(folder, "p"), "rb") as f:
                Images.program = f.read()
        self.state = os.path.join(self.directory, "state")

    # ---- making images

    def layer(self, files):
        """A tar of {path: text, bytes, or a TarInfo}."""
        path = os.path.join(self.directory, f"layer{random.random()}.tar")
        with tarfile.open(path, "w") as t:
            for name, what in files.items():
                info = what if isinstance(what, tarfile.TarInfo) else tarfile.TarInfo(name)
                data = b"" if isinstance(what, tarfile.TarInfo) else what.encode() if isinstance(what, str) else what
                info.size, info.mode = len(data), 0o755
                t.addfile(info, io.BytesIO(data))
        return path

    def layout(self, name="layout", level="1", extra=()):
        """An OCI layout with two layers, made by umoci; its tag is v1."""
        path = os.path.join(self.directory, name)
        run = lambda *words: subprocess.run(["umoci", *words], check=True, capture_output=True)
        run("init", "--layout", path)
        run("new", "--image", path + ":v1")
        files = {"bin/program": self.program, "etc/passwd": "app:x:1234:1234::/home/app:/bin/sh\n", "gone": "x", "kept": "x", "level": level}
        for layer in [files, {".wh.gone": ""}, *extra]:
            run("raw", "add-layer", "--image", path + ":v1", self.layer(layer))
        run("config", "--image", path + ":v1", "--config.entrypoint", "/bin/program", "--config.cmd", "from the image",
            "--config.env", "LEVEL=" + level, "--config.workingdir", "/work", "--config.user", "app")
        return path

    def index(self, layout):
        with open(os.path.join(layout, "index.json"), encoding="utf-8") as f:
            return json.load(f)

    def write_index(self, layout, index):
        with open(os.path.join(layout, "index.json"), "w", encoding="utf-8") as f:
            json.dump(index, f)

    def image(self, *words, code=0, env=None):
        done = subprocess.run([TIDEGATE, "image", *words, "--state", self.state], capture_output=True, text=True, timeout=120,
                              env={**os.environ, **(env or {})})
        self.assertIn(done.returncode, code if isinstance(code, tuple) else (code,), done.stdout + done.stderr)
        return done.stdout + done.stderr

    def images(self):
        return json.loads(self.image("list", "-o", "json"))

    def serve(self, *options):
        return self.daemon({}, *options)

    def outcome(self, d, text):
        """Submits and waits; {display name: node} and the workflow."""
        name = re.search(r"metadata: \{name: ([^}]+)\}", text).group(1)
        d.cli("submit", "-", "--wait", data=text, check=False)
        w = d.get(name)
        return {n["displayName"]: n for n in w["status"]["nodes"].values()}, w

    def logs(self, d, name):
        return d.cli("logs", name, "--no-color").stdout

    # ---- import

    def test_a_layout_becomes_the_root_of_steps(self):
        layout = self.layout()
        digest = self.index(layout)["manifests"][0]["digest"]
        self.assertIn(digest, self.image("import", layout, "--name", "tool:1"))
        d = self.serve()
        nodes, w = self.outcome(d, workflow("one", "{image: 'docker.io/library/tool:1'}", "{image: 'tool:1', args: []}",
                                            "{image: 'tool:1', command: [/bin/program, a], args: [b]}"))
        self.assertEqual(w["status"]["phase"], "Succeeded", w["status"])
        log = self.logs(d, "one")
        self.assertIn("from the image LEVEL=1 cwd=/work uid=1234 gone=0 kept=1 home=/home/app", log)
        self.assertIn(": LEVEL=1", log)  # `args: []` keeps the image's away
        self.assertIn("a b LEVEL=1", log)
        self.assertEqual({n["imageDigest"] for n in nodes.values() if n["type"] == "Pod"}, {digest})
        self.assertEqual(w["status"]["tidegate"]["images"], {"docker.io/library/tool:1": digest, "tool:1": digest})
        self.assertIn("tool:1: " + digest, d.cli("get", "one").stdout)

    def test_archives_are_understood(self):
        layout = self.layout()
        digest = self.index(layout)["manifests"][0]["digest"]
        oci, compressed, docker = (os.path.join(self.directory, n) for n in ("oci.tar", "oci.tar.gz", "docker.tar"))
        subprocess.run(["tar", "-cf", oci, "-C", layout, "."], check=True)
        subprocess.run(["tar", "-czf", compressed, "-C", layout, "."], check=True)
        subprocess.run(["skopeo", "copy", "-q", f"oci:{layout}:v1", f"docker-archive:{docker}:example.com/team/tool:7"], check=True)
        self.assertIn(digest, self.image("import", oci, "--name", "tool:1"))
        self.assertIn(digest, self.image("import", compressed, "--name", "tool:2"))
        self.assertIn("example.com/team/tool:7", self.image("import", docker))
        self.assertEqual([i["name"] for i in self.images()], ["docker.io/library/tool:1", "docker.io/library/tool:2", "example.com/team/tool:7"])
        _, w = self.outcome(self.serve(), workflow("arc", "{image: 'example.com/team/tool:7'}", "{image: 'tool:2'}"))
        self.assertEqual(w["status"]["phase"], "Succeeded", w["status"])

    def test_zstd_layers(self):
        layout, packed = self.layout(), os.path.join(self.directory, "zstd")
        subprocess.run(["skopeo", "copy", "-q", "--dest-compress-format", "zstd", f"oci:{layout}:v1", f"oci:{packed}:v1"], check=True)
        digest = self.index(packed)["manifests"][0]["digest"]
        self.assertIn(digest, self.image("import", packed, "--name", "tool"))
        _, w = self.outcome(self.serve(), workflow("zstd", "{image: tool}"))
        self.assertEqual(w["status"]["phase"], "Succeeded", w["status"])

    def test_an_index_of_many_machines(self):
        layout = self.layout()
        mine = self.index(layout)["manifests"][0]
        others = [{**mine, "digest": "sha256:" + "0" * 64, "platform": {"os": "linux", "architecture": "mips"}}]
        inner = json.dumps({"schemaVersion": 2, "manifests": others + [{**mine, "platform": {"os": "linux", "architecture": ARCH}}]}).encode()
        digest = hashlib.sha256(inner).hexdigest()
        with open(os.path.join(layout, "blobs", "sha256", digest), "wb") as f:
            f.write(inner)
        top = {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": "sha256:" + digest, "size": len(inner)}
        self.write_index(layout, {"schemaVersion": 2, "manifests": [top]})
        self.assertIn(mine["digest"], self.image("import", layout, "--name", "tool"))
        self.assertEqual(self.images()[0]["index"], "sha256:" + digest)
        _, w = self.outcome(self.serve(), workflow("many", f"{{image: 'tool@sha256:{digest}'}}"))
        self.assertEqual(w["status"]["phase"], "Succeeded", w["status"])
        self.write_index(layout, {"schemaVersion": 2, "manifests": others})
        self.assertIn("there is linux/mips", self.image("import", layout, "--name", "tool", code=4))

    def test_what_is_damaged_or_hostile(self):
        layout = self.layout()
        blobs = os.path.join(layout, "blobs", "sha256")
        largest = max((os.path.join(blobs, b) for b in os.listdir(blobs)), key=os.path.getsize)
        with open(largest, "r+b") as f:
            f.seek(2000)
            f.write(b"damaged")
        self.image("import", layout, "--name", "bad", code=(2, 74))  # seen when it is measured, or when it is unpacked
        self.assertEqual(self.images(), [])
        self.assertEqual([n for n in os.listdir(os.path.join(self.state, "images")) if n.startswith((".", "sha256-"))], [])
        # Ways out of the root: they end in it.
        link = tarfile.TarInfo("way")
        link.type, link.linkname = tarfile.SYMTYPE, self.directory
        up = tarfile.TarInfo("up")
        up.type, up.linkname = tarfile.SYMTYPE, "../" * 12 + self.directory
        hostile = self.layout("hostile", extra=[{"way": link, "up": up}, {"way/out1": "x", "up/out2": "x", "../" * 12 + self.directory[1:] + "/out3": "x"}])
        self.image("import", hostile, "--name", "hostile")
        self.assertEqual([n for n in os.listdir(self.directory) if n.startswith("out")], [])

    # ---- how much it may be

    def blob_layout(self, name, *layers, kind="tar+gzip"):
        """An OCI layout, written by hand, with layers as they are: umoci would not make such."""
        path = os.path.join(self.directory, name)
        blobs = os.path.join(path, "blobs", "sha256")
        os.makedirs(blobs)

        def put(data, media):
            digest = hashlib.sha256(data).hexdigest()
            with open(os.path.join(blobs, digest), "wb") as f:
                f.write(data)
            return {"digest": "sha256:" + digest, "size": len(data), "mediaType": "application/vnd.oci.image." + media}

        config = {"os": "linux", "architecture": ARCH, "config": {"Entrypoint": ["/bin/program"]}, "rootfs": {"type": "layers", "diff_ids": [
            "sha256:" + hashlib.sha256(data).hexdigest() for data in layers]}}
        packed = {"tar": lambda d: d, "tar+gzip": gzip.compress, "tar+zstd": lambda d: subprocess.run(["zstd", "-q"], input=d, capture_output=True, check=True).stdout}[kind]
        manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": put(json.dumps(config).encode(), "config.v1+json"),
                    "layers": [put(packed(data), "layer.v1." + kind) for data in layers]}
        self.write_index(path, {"schemaVersion": 2, "manifests": [put(json.dumps(manifest).encode(), "manifest.v1+json")]})
        with open(os.path.join(path, "oci-layout"), "w", encoding="utf-8") as f:
            f.write('{"imageLayoutVersion": "1.0.0"}')
        return path

    def read(self, path):
        with open(path, "rb") as f:
            return f.read()

    def hole(self, size):
        """A tar with one file that is nothing but a hole (GNU's sparse format 1.0), and with nothing at all in it on the disk."""
        info = tarfile.TarInfo("hole")
        info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "hole", "GNU.sparse.realsize": str(size)}
        the_map = f"1\n{size}\n0\n".encode().ljust(512, b"\0")
        info.size = len(the_map)
        b = io.BytesIO()
        with tarfile.open(fileobj=b, mode="w", format=tarfile.PAX_FORMAT) as t:
            t.addfile(info, io.BytesIO(the_map))
        return b.getvalue()

    def refuse(self, source, *words, settings="", code=2):
        """Refused, with the reason; what was on the way there is gone, and was small: nothing of the image was unpacked."""
        path = os.path.join(self.directory, "limits.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(settings)
        said = self.image("import", source, "--name", "hostile", "--config", path, code=code)
        for word in words:
            self.assertIn(word, said)
        self.assertEqual(self.images(), [])
        self.assertEqual([n for n in os.listdir(os.path.join(self.state, "images")) if n.startswith((".", "sha256-"))], [])
        return said

    def test_holes_and_bombs(self):
        """With the settings as they are: nothing that is larger than an image may be is begun."""
        tebi = self.hole(1 << 40)
        self.assertLess(len(tebi), 16384)
        for kind in ("tar", "tar+gzip", "tar+zstd"):
            if kind != "tar+zstd" or shutil.which("zstd"):
                self.refuse(self.blob_layout("hole-" + kind, tebi, kind=kind), "layer 1 (sha256:", "have more than 68719476736 bytes together", "by the settings imageSize")
        small = self.read(self.layer({"bin/program": self.program}))
        self.refuse(self.blob_layout("later", small, small, tebi), "layer 3 (sha256:")
        self.refuse(self.blob_layout("ratio", self.hole(5 << 30)), "unpacks to more than 200 times its size", "imageRatio")
        self.refuse(self.blob_layout("together", *[self.hole((40 << 30) + i) for i in range(2)]), "layer 2 (sha256:", settings="imageRatio: 0\n")

    def test_limits_of_the_settings(self):
        many = self.blob_layout("many", *[self.read(self.layer({f"d/{k}-{i}": "" for i in range(40)})) for k in range(3)])
        self.refuse(many, "layer 3 (sha256:", "there are more than 100 entries", settings="imageFiles: 100\n")
        large = self.blob_layout("large", self.read(self.layer({"zeros": bytes(3 << 20)})))
        self.refuse(large, "have more than 2097152 bytes together", settings="imageSize: 2\n")
        self.image("import", many, "--name", "many")
        self.image("import", large, "--name", "large")
        self.assertEqual(len(self.images()), 2)

    def test_archives_that_are_bombs(self):
        """The archive that an image comes in is unpacked first: a layer's size there is not yet that of the layer."""
        layout = self.blob_layout("inside", self.read(self.layer({"zeros": bytes(3 << 20)})), kind="tar")
        archive = os.path.join(self.directory, "image.tar.gz")
        subprocess.run(["tar", "-czf", archive, "-C", layout, "."], check=True)
        self.assertLess(os.path.getsize(archive), 100000)
        self.refuse(archive, "image.tar.gz", "have more than 2097152 bytes together", settings="imageSize: 2\n")
        docker = os.path.join(self.directory, "docker.tar")
        subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", f"oci:{self.layout('tool')}:v1", f"docker-archive:{docker}:tool:1"], check=True)
        subprocess.run(["gzip", "-k", docker], check=True)
        with open(docker + ".gz", "ab") as f:  # what skopeo unpacks first: that there is more behind the archive does not show in it
            f.write(gzip.compress(bytes(64 << 20)))
        self.assertRegex(self.refuse(docker + ".gz", settings="imageSize: 8\n", code=74), "short write|file too large")
        self.image("import", archive, "--name", "large")
        self.image("import", docker, "--name", "tool")

    @unittest.skipIf(os.geteuid(), "only root can make devices")
    def test_a_device_in_a_layer_is_none(self):
        zero = tarfile.TarInfo("dev-of-mine")
        zero.type, zero.devmajor, zero.devminor = tarfile.CHRTYPE, 1, 5
        self.image("import", self.layout(extra=[{"dev-of-mine": zero}]), "--name", "hostile")
        d = self.serve()
        _, w = self.outcome(d, workflow("device", "{image: hostile, args: [open, /dev-of-mine, /dev/zero, /kept]}"))
        self.assertEqual(w["status"]["phase"], "Succeeded", w["status"])
        log = self.logs(d, "device")
        for said in ("/dev-of-mine is shut", "/dev/zero is open", "/kept is open"):
            self.assertIn(said, log)

    def test_whatever_dies_whenever(self):
        layout = self.layout()
        for i in range(scaled(8, 40)):
            p = subprocess.Popen([TIDEGATE, "image", "import", layout, "--name", "tool", "--state", self.state],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            seen = lambda: p.poll() is not None or os.path.isdir(os.path.join(self.state, "images"))
            until(seen)
            end = time.monotonic() + random.random() * 0.15
            while time.monotonic() < end and p.poll() is None:
                pass
            p.send_signal(signal.SIGKILL)
            p.wait()
            for image in self.images():
                self.assertTrue(os.path.exists(os.path.join(image["root"], "bin", "program")))
        self.image("import", layout, "--name", "tool")
        left = lambda: [n for n in os.listdir(os.path.join(self.state, "images")) if n.startswith(".new")]
        until(lambda: self.image("prune") == "" and not left(), what="what was left to be swept")
        self.assertEqual(len(self.images()), 1)

    # ---- use

    def test_an_image_that_is_used_stays(self):
        self.image("import", self.layout(), "--name", "tool")
        d = self.serve()
        d.cli("submit", "-", data=workflow("uses", "{image: tool, args: [wait]}"))
        until(lambda: "wait LEVEL" in self.logs_so_far(d, "uses"))
        self.assertIn("steps that run use the image", self.image("remove", "tool", code=5))
        d.kill()  # the step lives on, and so does its claim
        self.assertIn("steps that run use the image", self.image("remove", "tool", code=5))
        d.start()
        d.cli("terminate", "uses")
        d.cli("wait", "uses", check=False)
        until(lambda: "removed" in subprocess.run([TIDEGATE, "image", "remove", "tool", "--state", self.state], capture_output=True, text=True).stdout)
        self.assertEqual(self.images(), [])
        self.assertIn("there is no image tool", self.image("remove", "tool", code=4))

    def logs_so_far(self, d, name):
        folder = os.path.join(d.state, "tasks", "default", name)
        text = ""
        for path in glob.glob(os.path.join(folder, "*")):
            if os.path.isfile(path):
                with open(path, encoding="utf-8") as f:
                    text += f.read()
        return text

    def test_a_workflow_keeps_the_images_it_began_with(self):
        self.image("import", self.layout("first", "1"), "--name", "tool")
        d = self.serve()
        d.cli("submit", "-", data=workflow("keeps", "{image: tool}", "{image: 'python:3', command: ['true']}", None, "{image: tool}", "{image: 'python:3', command: ['true']}"))
        until(lambda: any(n["type"] == "Suspend" for n in d.get("keeps")["status"]["nodes"].values()))
        self.image("import", self.layout("second", "2"), "--name", "tool")
        self.image("import", self.layout("third", "3"), "--name", "python:3")
        d.kill()
        d.start()
        d.cli("resume", "keeps")
        d.cli("wait", "keeps", check=False)
        self.assertEqual(d.get("keeps")["status"]["phase"], "Succeeded", d.get("keeps")["status"])
        self.assertEqual(re.findall(r"LEVEL=(\d)", self.logs(d, "keeps")), ["1", "1"])
        w = d.get("keeps")
        self.assertEqual(w["status"]["tidegate"]["images"]["python:3"], "host")
        notes = [n["imageNote"] for n in w["status"]["nodes"].values() if "imageNote" in n]
        self.assertEqual(notes, ["image python:3 is not in the image table: the host's commands serve"])  # once
        _, w = self.outcome(d, workflow("later", "{image: tool}"))
        self.assertIn("LEVEL=2", self.logs(d, "later"))
        self.image("import", self.layout("fourth", "4"), "--name", "tool")
        again = json.loads(d.cli("resubmit", "later", "--exact", "--wait", "-o", "json").stdout)["metadata"]["name"]
        self.assertIn("LEVEL=2", self.logs(d, again))
        self.assertIn("removed", self.image("prune"))

    # Every container of a pod may have an image of its own.
    POD = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: pods}
spec:
  entrypoint: main
  templates:
  - name: main
    steps: [[{name: one, template: one}], [{name: set, template: set}]]
  - name: one
    initContainers: [{name: first, image: init}]
    volumes: [{name: shared, emptyDir: {}}]
    sidecars: [{name: beside, image: side, args: [wait, /shared/said], volumeMounts: [{name: shared, mountPath: /shared}]}]
    container: {image: tool, args: [until, /shared/said], volumeMounts: [{name: shared, mountPath: /shared}]}
  - name: set
    containerSet: {containers: [{name: a, image: member-a}, {name: b, image: member-b, dependencies: [a]}]}
"""
    NAMES = ["init", "side", "tool", "member-a", "member-b"]

    def test_every_container_keeps_the_image_it_began_with(self):
        for i, name in enumerate(self.NAMES):
            self.image("import", self.layout(name, str(i)), "--name", name)
        d = self.serve()
        nodes, w = self.outcome(d, self.POD)
        self.assertEqual(w["status"]["phase"], "Succeeded", w["status"])
        used = w["status"]["tidegate"]["images"]
        self.assertEqual(sorted(used), sorted(self.NAMES))
        self.assertEqual(len(set(used.values())), len(self.NAMES))
        self.assertEqual((nodes["one"]["imageDigest"], nodes["set"]["imageDigest"]), (used["tool"], used["member-a"]))
        levels = lambda name: sorted(re.findall(r"LEVEL=(\d)", self.logs_so_far(d, name)))
        self.assertEqual(levels("pods"), list("01234"))
        for i, name in enumerate(self.NAMES):
            self.image("import", self.layout("new-" + name, str(5 + i % 4)), "--name", name)
        again = json.loads(d.cli("resubmit", "pods", "--exact", "--wait", "-o", "json").stdout)["metadata"]["name"]
        self.assertEqual(levels(again), list("01234"))
        self.assertEqual(d.get(again)["status"]["tidegate"]["images"], used)
        self.image("remove", used["side"])
        again = json.loads(d.cli("resubmit", "pods", "--exact", "--wait", "-o", "json", check=False).stdout)["metadata"]["name"]
        one = next(n for n in d.get(again)["status"]["nodes"].values() if n["displayName"] == "one")
        self.assertEqual(one["phase"], "Error")
        self.assertIn(f"image side: this workflow uses {used['side']}, which was removed; import or pull it again", one["message"])

    def test_a_root_of_the_settings_that_is_another_one(self):
        self.image("import", self.layout(), "--name", "tool")
        root = self.images()[0]["root"]
        settings = os.path.join(self.directory, "settings.yaml")
        with open(settings, "w", encoding="utf-8") as f:
            f.write(f"images: [{{name: here, root: {root}, entrypoint: [/bin/program]}}]\n")
        d = self.serve("--config", settings)
        _, w = self.outcome(d, workflow("rooted", "{image: here}"))
        self.assertEqual((w["status"]["phase"], w["status"]["tidegate"]["images"]), ("Succeeded", {"here": root}), w["status"])
        d.stop()
        with open(settings, "w", encoding="utf-8") as f:
            f.write("images: [{name: here, entrypoint: ['true']}]\n")
        d.start()
        again = json.loads(d.cli("resubmit", "rooted", "--exact", "--wait", "-o", "json", check=False).stdout)["metadata"]["name"]
        self.assertIn(f"image here: this workflow uses {root}, but the settings say host by now", json.dumps(d.get(again)["status"]))

    def test_settings_count_before_the_image(self):
        self.image("import", self.layout(), "--name", "tool")
        settings = os.path.join(self.directory, "settings.yaml")
        with open(settings, "w", encoding="utf-8") as f:
            f.write("imagesMode: require\nimages:\n- {name: tool, cmd: [of the settings], env: {LEVEL: '9'}, workdir: /tmp, user: '77'}\n")
        d = self.serve("--config", settings)
        nodes, w = self.outcome(d, workflow("over", "{image: tool}", "{image: other, command: ['true']}"))
        self.assertIn("of the settings LEVEL=9 cwd=/tmp uid=77", self.logs(d, "over"))
        self.assertEqual(nodes["s1"]["phase"], "Error")
        self.assertIn("image other: not in the image table, and `imagesMode: require` allows no other", nodes["s1"]["message"])

    def test_without_a_sandbox_it_is_refused(self):
        self.image("import", self.layout(), "--name", "tool")
        nodes, _ = self.outcome(self.serve("--sandbox", "off"), workflow("off", "{image: tool}"))
        self.assertEqual(nodes["s0"]["phase"], "Error")
        self.assertIn("has a root file system, which needs the sandbox", nodes["s0"]["message"])

    def test_what_is_missing_is_said(self):
        empty = os.path.join(self.directory, "empty")
        os.mkdir(empty)
        self.assertIn("skopeo is not installed", self.image("pull", "tool", code=7, env={"PATH": empty}))
        self.assertIn("is not the name of an image", self.image("pull", "a b", code=2))
        self.assertIn("give it a name with --name", self.image("import", self.layout(), code=2))
        self.assertIn("no such form", self.image("push", "x", code=2))

    # ---- pull

    def registry(self):
        port = free_port()
        config = os.path.join(self.directory, "registry.yml")
        with open(config, "w", encoding="utf-8") as f:
            f.write(f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {self.directory}/registry}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n")
        p = subprocess.Popen(["docker-registry", "serve", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (p.kill(), p.wait()))
        answers = lambda: subprocess.run(["curl", "-fs", f"http://127.0.0.1:{port}/v2/"], capture_output=True).returncode == 0
        until(answers, what="the registry")
        return f"127.0.0.1:{port}"

    def push(self, registry, layout, name, kind="oci"):
        file = os.path.join(self.directory, "pushed")
        subprocess.run(["skopeo", "copy", "-q", "--dest-tls-verify=false", "--format", kind, "--digestfile", file, f"oci:{layout}:v1", f"docker://{registry}/{name}"], check=True)
        with open(file, encoding="utf-8") as f:
            return f.read().strip()

    def test_pull(self):
        registry, layout = self.registry(), self.layout()
        digest = self.push(registry, layout, "team/tool:1")
        self.image("pull", f"{registry}/team/tool:1", code=74)  # it has no TLS, and must
        self.assertIn(digest, self.image("pull", f"{registry}/team/tool:1", "--tls-verify=false"))
        settings = os.path.join(self.directory, "settings.yaml")
        with open(settings, "w", encoding="utf-8") as f:
            f.write("registries: [{name: '127.0.0.1:*', tlsVerify: false}]\n")
        second = self.push(registry, layout, "team/docker:1", "v2s2")
        self.assertIn(second, self.image("pull", f"{registry}/team/docker:1", "--config", settings))
        self.assertIn(digest, self.image("pull", f"{registry}/team/tool@{digest}", "--config", settings))
        with open(settings, "a", encoding="utf-8") as f:
            f.write("imageSize: 1\n")
        noise = self.blob_layout("noise", self.read(self.layer({"noise": random.randbytes(2 << 20)})), kind="tar")
        subprocess.run(["skopeo", "copy", "-q", "--dest-tls-verify=false", f"oci:{noise}", f"docker://{registry}/team/large:1"], check=True)
        self.assertIn("its layers have more than 1048576 bytes as they are packed", self.image("pull", f"{registry}/team/large:1", "--config", settings, code=2))
        self.assertIn("manifest unknown", self.image("pull", f"{registry}/team/none:1", "--config", settings, code=74))
        nodes, w = self.outcome(self.serve(), workflow("pulled", f"{{image: '{registry}/team/tool:1'}}", f"{{image: '{registry}/team/docker:1'}}"))
        self.assertEqual(w["status"]["phase"], "Succeeded", w["status"])
        self.assertEqual((nodes["s0"]["imageDigest"], nodes["s1"]["imageDigest"]), (digest, second))


if __name__ == "__main__":
    unittest.main()
