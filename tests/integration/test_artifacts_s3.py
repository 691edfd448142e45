# SPDX-License-Identifier: Apache-2.0
"""Artifacts in S3: a real MinIO with its own check of signatures, by path, by host and over TLS; killed in the middle and started again."""
import base64
import hashlib
import os
import random
import threading

from harness import TestCase, node, scaled, until
from minio_server import MinioServer

SECRETS = """
apiVersion: v1
kind: Secret
metadata: {{name: keys}}
stringData:
  access: {access}
  secret: {secret}
---
apiVersion: v1
kind: Secret
metadata: {{name: ca}}
data: {{pem: {ca}}}
"""
# A file and a tree go out, come back, and are read by a step that tells their hashes.
THERE_AND_BACK = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {{generateName: s3-}}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {{name: make, template: make}}
    - - name: look
        template: look
        arguments:
          artifacts:
          - {{name: file, from: "{{{{steps.make.outputs.artifacts.file}}}}"}}
          - {{name: tree, from: "{{{{steps.make.outputs.artifacts.tree}}}}"}}
          - {{name: packed, from: "{{{{steps.make.outputs.artifacts.packed}}}}"}}
    - - {{name: say, template: say, arguments: {{parameters: [{{name: what, value: "{{{{steps.look.outputs.result}}}}"}}]}}}}
  - name: say
    inputs: {{parameters: [{{name: what}}]}}
    container: {{image: busybox, command: ["true"]}}
  - name: make
    container:
      image: busybox
      command: [python3, -c]
      args:
      - |
        import os, random
        r = random.Random(7)
        with open("/tmp/file", "wb") as f:
            for _ in range({megabytes}):
                f.write(r.randbytes(1 << 20))
        for i in range({files}):
            os.makedirs("/tmp/tree/%d" % (i % 50), exist_ok=True)
            with open("/tmp/tree/%d/a file+%d" % (i % 50, i), "w") as f:
                f.write(str(i))
        os.mkdir("/tmp/packed")
        open("/tmp/packed/one", "w").write("1")
    outputs:
      artifacts:
      - {{name: file, path: /tmp/file, archive: {{none: {{}}}}, s3: {{{place}, key: "{{{{workflow.name}}}}/file"}}}}
      - {{name: tree, path: /tmp/tree, archive: {{none: {{}}}}, s3: {{{place}, key: "{{{{workflow.name}}}}/tree"}}}}
      - {{name: packed, path: /tmp/packed, s3: {{{place}, key: "{{{{workflow.name}}}}/packed.tgz"}}}}
  - name: look
    inputs:
      artifacts:
      - {{name: file, path: /tmp/in/file}}
      - {{name: tree, path: /tmp/in/tree}}
      - {{name: packed, path: /tmp/in/packed}}
    script:
      image: busybox
      command: [sh, -e]
      source: |
        sha256sum </tmp/in/file
        cd /tmp/in/tree; find . -type f | LC_ALL=C sort | while read -r f; do echo "$f $(cat "$f")"; done | sha256sum
        cat /tmp/in/packed/one
"""


def expected(megabytes, files):
    r, whole = random.Random(7), hashlib.sha256()
    for _ in range(megabytes):
        whole.update(r.randbytes(1 << 20))
    lines = sorted(b"./%d/a file+%d %d\n" % (i % 50, i, i) for i in range(files))
    return [f"{whole.hexdigest()}  -", f"{hashlib.sha256(b''.join(lines)).hexdigest()}  -", "1"]


class S3(TestCase):
    def server(self, **more):
        s = MinioServer(os.path.join(self.directory, "minio"), **more)
        self.addCleanup(s.close)
        s.start().bucket("box")
        return s

    def place(self, server, bucket="box", host="127.0.0.1", more=""):
        tls = "caSecret: {name: ca, key: pem}" if server.secure else "insecure: true"
        return (f"endpoint: '{host}:{server.port}', bucket: {bucket}, {tls}, accessKeySecret: {{name: keys, key: access}}, "
                f"secretKeySecret: {{name: keys, key: secret}}{more}")

    def start(self, server, secret=MinioServer.PASSWORD):
        ca = base64.b64encode(server.text("ca.crt").encode()).decode() if server.secure else ""
        return self.daemon({"secrets.yaml": SECRETS.format(access=server.USER, secret=secret, ca=ca)})

    def submit(self, d, place, megabytes=40, files=60):
        return d.submit(THERE_AND_BACK.format(place=place, megabytes=megabytes, files=files))

    def judge(self, d, name, megabytes=40, files=60):
        w = d.ended(name, scaled(240, 900))
        self.assertEqual(w["status"]["phase"], "Succeeded", (w["status"].get("message"), [n.get("message") for n in w["status"]["nodes"].values()]))
        self.assertEqual(node(w, "look")["outputs"]["result"].split("\n"), expected(megabytes, files))

    def test_there_and_back_by_path(self):
        server = self.server()
        d = self.start(server)
        self.judge(d, self.submit(d, self.place(server)))

    def test_by_host(self):
        server = self.server(MINIO_DOMAIN="localhost")
        d = self.start(server)
        self.judge(d, self.submit(d, self.place(server, host="localhost", more=", addressingStyle: virtual-hosted"), 1, 3), 1, 3)

    def test_over_tls(self):
        server = self.server(secure=True)
        d = self.start(server)
        self.judge(d, self.submit(d, self.place(server, host="localhost"), 1, 3), 1, 3)

    def test_a_bucket_is_made_where_it_is_missing_and_its_region_is_found(self):
        server = self.server(region="eu-west-7")
        d = self.start(server)
        place = self.place(server, bucket="made", more=", region: eu-west-7, createBucketIfNotPresent: {objectLocking: true}")
        self.judge(d, self.submit(d, place, 1, 3), 1, 3)
        self.judge(d, self.submit(d, self.place(server, bucket="made", more=", region: us-east-1"), 1, 3), 1, 3)

    def test_who_has_no_keys_is_told(self):
        server = self.server()
        d = self.start(server, secret="wrong")
        w = d.ended(self.submit(d, self.place(server), 1, 1))
        message = node(w, "make")["message"]
        self.assertIn("s3 127.0.0.1", message)
        self.assertIn("403, SignatureDoesNotMatch", message)
        self.assertNotIn("wrong", message)

    def test_a_bucket_that_is_not_there_is_named(self):
        server = self.server()
        d = self.start(server)
        w = d.ended(self.submit(d, self.place(server, bucket="nowhere"), 1, 1))
        self.assertIn("nowhere/", node(w, "make")["message"])
        self.assertIn("NoSuchBucket", node(w, "make")["message"])

    def test_the_server_is_killed_in_the_middle(self):
        """It comes back, and the step ends well. The daemon carries none of the bytes."""
        server, megabytes, files = self.server(), scaled(160, 1024), scaled(300, 10000)
        d = self.start(server)
        before = rss(d)
        name = self.submit(d, self.place(server), megabytes, files)
        most, over = [before], threading.Event()
        watcher = threading.Thread(target=watch, args=(d, most, over))
        watcher.start()
        try:
            until(lambda: uploaded(server) > 0, 240, "something in the bucket's folder")
            server.process.kill()
            server.process.wait()
            server.start()
            self.judge(d, name, megabytes, files)
        finally:
            over.set()
            watcher.join()
        self.assertLess(max(most) - before, 32 << 20)


def uploaded(server):
    """Bytes on the server's disk: parts count before their object is there."""
    return sum(os.path.getsize(os.path.join(d, f)) for d, _, files in os.walk(os.path.join(server.dir, "data")) for f in files if f.startswith("part."))


def rss(d):
    with open(f"/proc/{d.process.pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) << 10 for line in f if line.startswith("VmRSS"))


def watch(d, most, over):
    while not over.wait(0.05):
        most.append(rss(d))
