# SPDX-License-Identifier: Apache-2.0
"""Artifacts in HDFS. `make test` has a WebHDFS of its own (webhdfs.py): connections that break off, name nodes that wait, answers that get lost, lies. `make
integration` has Hadoop's own name node and data node, with files of many blocks, a data node that is killed meanwhile, and with Kerberos."""
import base64
import hashlib
import os
import random
import signal
import subprocess
import threading
import unittest

from harness import FULL, TIDEGATE, free_port, until
from kdc import REALM, Kdc
from test_artifacts_clouds import Clouds
from webhdfs import Hadoop, made, serve

BIG = random.Random(7).randbytes(300_000)

REPOSITORY = """
artifactRepository:
  archiveLogs: true
  hdfs: {{addresses: [{addresses}], hdfsUser: ann, pathFormat: "/argo/{{{{workflow.name}}}}/{{{{pod.name}}}}", force: true}}
"""
FLOW = r"""apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: flow}
spec:
  entrypoint: main
  artifactGC: {strategy: OnWorkflowDeletion}
  templates:
  - name: main
    steps:
    - - {name: make, template: make}
    - - name: look
        template: look
        arguments: {artifacts: [{name: in, from: "{{steps.make.outputs.artifacts.out}}"}]}
  - name: make
    script:
      image: busybox
      command: [sh, -e]
      source: mkdir -p /tmp/out/sub; echo one >/tmp/out/a; echo two >/tmp/out/sub/b
    outputs: {artifacts: [{name: out, path: /tmp/out}, {name: kept, path: /tmp/out, archive: {none: {}}, hdfs: {path: /kept/tree}, artifactGC: {strategy: Never}}]}
  - name: look
    inputs: {artifacts: [{name: in, path: /tmp/in}]}
    script: {image: busybox, command: [sh, -e], source: 'test "$(cat /tmp/in/a /tmp/in/sub/b | tr "\n" +)" = one+two+'}
"""


def place(*ports, **more):
    return {"hdfs": dict({"addresses": [f"127.0.0.1:{port}" for port in ports], "hdfsUser": "ann"}, **more)}


class Peer(Clouds):
    def server(self):
        return serve(self, {})

    def asked(self, server, op):
        return [q for _, q in server.calls if q["op"] == op]

    def test_small_things(self):
        server = self.server()
        self.small_things(place(server.server_port), root="/odd dir/+&%é/", missing="is not there")
        self.assertTrue(all(q["user.name"] == "ann" for _, q in server.calls))
        self.assertEqual([p for p in server.files if ".tidegate-" in p], [])

    def test_a_download_that_breaks_off_goes_on(self):
        server = self.server()
        self.assertIsNone(self.helper("save", place(server.server_port), files={"": BIG}, key="/d/f"))
        server.cuts = 4
        self.assertIsNone(self.helper("fetch", place(server.server_port), key="/d/f"))
        self.assertEqual(self.came(), BIG)
        opened = self.asked(server, "OPEN")
        self.assertEqual(len(opened), 10)  # the name node is asked for a data node each time
        offsets = [int(q.get("offset", 0)) for q in opened[::2]]
        self.assertTrue(all(a < b for a, b in zip(offsets, offsets[1:])), offsets)

    def test_an_upload_that_breaks_off_is_sent_again(self):
        server = self.server()
        server.cuts = 2
        self.assertIsNone(self.helper("save", place(server.server_port), files={"": BIG}, key="/d/f"))
        self.assertEqual(server.data, {"/d/f": BIG})
        self.assertGreater(len(self.asked(server, "CREATE")), 4)

    def test_a_name_node_that_waits_or_is_gone(self):
        first, second = self.server(), self.server()
        first.standby = True
        there = place(free_port(), first.server_port, second.server_port)
        self.assertIsNone(self.helper("save", there, files={"a": b"1", "b": b"2"}, key="/d"))
        self.assertEqual(second.data, {"/d/a": b"1", "/d/b": b"2"})
        self.assertEqual(len(first.calls), 1)  # the active one is remembered
        second.standby = True
        problem = []
        t = threading.Thread(target=lambda: problem.append(self.helper("fetch", place(first.server_port, second.server_port), key="/d/a")))
        t.start()
        before = len(first.calls)
        until(lambda: len(first.calls) > before, what="it is asked again")
        second.standby = False
        t.join()
        self.assertEqual((problem, self.came()), ([None], b"1"))

    def test_what_is_there_stays_without_force(self):
        server = self.server()
        there = place(server.server_port)
        self.assertIsNone(self.helper("save", there, files={"": b"one"}, key="/d/f"))
        self.assertIn("/d/f is there already: `force: true` replaces it", self.helper("save", there, files={"": b"two"}, key="/d/f"))
        self.assertIsNone(self.helper("save", there, files={"": b"one"}, key="/d/f"))  # the same bytes: who was killed saved them
        self.assertEqual(server.data, {"/d/f": b"one"})
        self.assertIsNone(self.helper("save", place(server.server_port, force=True), files={"": b"two"}, key="/d/f"))
        self.assertEqual(server.data, {"/d/f": b"two"})
        self.assertIn("/d is a directory", self.helper("save", place(server.server_port, force=True), files={"": b"x"}, key="/d"))
        # somebody else was quicker, between the look and the end
        server.wrong = {"RENAME": [(403, "FileAlreadyExistsException", "rename destination /d/g already exists")]}
        self.assertIn("/d/g already exists", self.helper("save", there, files={"": b"x"}, key="/d/g"))
        self.assertEqual(server.data, {"/d/f": b"two"})

    def test_an_answer_that_is_lost(self):
        server = self.server()
        server.silent = 1
        self.assertIsNone(self.helper("save", place(server.server_port), files={"": BIG}, key="/d/f"))
        self.assertEqual(server.data, {"/d/f": BIG})

    def test_what_came_is_compared(self):
        server = self.server()
        for what in ("save", "fetch"):
            server.lies, before = 1, len(self.asked(server, "GETFILECHECKSUM"))
            self.assertIsNone(self.helper(what, place(server.server_port, force=True), files={"": b"text"}, key="/d/f"))
            self.assertEqual(len(self.asked(server, "GETFILECHECKSUM")) - before, 2, what)
        self.assertEqual(self.came(), b"text")

    def test_folders(self):
        server = self.server()
        files = {f"{d}/f{i}": b"%d" % i for d in ("x", "y/z") for i in range(5)}
        self.assertIsNone(self.helper("save", place(server.server_port), files=files, key="/d"))
        server.files["/d/none"] = ["DIRECTORY", 1, 0, 1, "755"]
        made(server, "/d/x/.tidegate-0123", b"of somebody who is just at it")
        made(server, "/dx", b"no part of it")
        for old in (False, True):
            server.old = old
            self.assertIsNone(self.helper("fetch", place(server.server_port), key="/d"))
            self.assertEqual({n: self.came(n) for n in files}, files)
            self.assertEqual(sorted(os.listdir(os.path.join(self.directory, "into", "0"))), ["none", "x", "y"])
            self.assertEqual(os.listdir(os.path.join(self.directory, "into", "0", "none")), [])
            self.assertNotIn(".tidegate-0123", os.listdir(os.path.join(self.directory, "into", "0", "x")))

    def test_who_is_refused_is_told(self):
        server = self.server()
        there = place(server.server_port)
        server.denies = "/secret"
        self.refused(self.helper("fetch", there, key="/secret/f"), f"hdfs at 127.0.0.1:{server.server_port}", "GETFILESTATUS of /secret/f", "403 AccessControlException: "
                     "Permission denied: user=ann", secret="user.name")
        self.assertIn("pathFormat", self.helper("fetch", there, key="relative/f"))
        self.assertIn("is not there", self.helper("fetch", there, key="/d/f"))
        # a name node that has just begun
        server.wrong = {"CREATE": [(403, "IOException", "Failed to find datanode, suggest to check cluster health. excludeDatanodes=null")],
                        "GETFILESTATUS": [(403, "RetriableException", "Namenode is in startup mode")], "RENAME": [(403, "SafeModeException", "Cannot rename")]}
        self.assertIsNone(self.helper("save", there, files={"": b"x"}, key="/d/f"))
        self.assertIn("rotocol", self.helper("fetch", place(server.server_port, dataTransferProtection="privacy"), key="/d/f"))

    def test_a_repository_and_what_goes(self):
        server = self.server()
        down = free_port()
        settings = os.path.join(self.directory, "settings.yaml")
        with open(settings, "w", encoding="utf-8") as f:
            f.write(REPOSITORY.format(addresses=f"'http://127.0.0.1:{down}', '127.0.0.1:{server.server_port}'"))
        d = self.daemon({}, "--config", settings)
        d.cli("submit", "-", data=FLOW)
        w = d.ended("flow")
        nodes = {n["displayName"]: n for n in w["status"]["nodes"].values()}
        self.assertEqual(w["status"]["phase"], "Succeeded", [n.get("message") for n in nodes.values()])
        saved = {f"{n}/{a['name']}": a["hdfs"]["path"] for n in ("make", "look") for a in nodes[n]["outputs"]["artifacts"]}
        self.assertEqual(set(server.data), set(saved.values()) - {"/kept/tree"} | {"/kept/tree/a", "/kept/tree/sub/b"})
        self.assertTrue(saved["make/out"].startswith("/argo/flow/flow-make-") and saved["make/out"].endswith("/out.tgz"), saved)
        self.assertEqual(set(saved), {"make/out", "make/kept", "make/main-logs", "look/main-logs"})
        d.cli("delete", "flow")
        until(lambda: sorted(server.data) == ["/kept/tree/a", "/kept/tree/sub/b"], 120, "what is to go")

    def test_a_repository_says_how_paths_begin(self):
        settings = os.path.join(self.directory, "settings.yaml")
        with open(settings, "w", encoding="utf-8") as f:
            f.write('artifactRepository: {hdfs: {addresses: ["namenode:9870"], hdfsUser: me}}\n')
        done = subprocess.run([TIDEGATE, "serve", "--state", os.path.join(self.directory, "state"), "--config", settings, self.directory], capture_output=True,
                              text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("1:21: error: artifactRepository: artifactRepository: hdfs.pathFormat must begin with a slash", done.stderr)


@unittest.skipUnless(FULL, "make integration")
class Real(Clouds):
    """Hadoop's own name node and data node."""

    def test_there_and_back(self):
        hadoop = Hadoop(self, **{"dfs.blocksize": "1048576", "dfs.namenode.fs-limits.min-block-size": "1048576"})
        hadoop.done("PUT", "/data/in", "MKDIRS")
        hadoop.done("PUT", "/data/in/ready", "CREATE", b"x", overwrite="true")  # there is a data node
        there = place(hadoop.port, hdfsUser="root")
        self.small_things(there, root="/odd dir/+&%é/", missing="is not there")
        data = random.Random(8).randbytes(12_000_000)
        for name, body in {"/d/one block": data[:700_001], "/d/many": data, "/d/two": data[:1 << 21]}.items():
            self.assertIsNone(self.helper("save", there, files={"": body}, key=name))
            self.assertIsNone(self.helper("fetch", there, key=name))
            self.assertEqual(hashlib.sha1(self.came()).digest(), hashlib.sha1(body).digest())
            self.assertIsNone(self.helper("save", there, files={"": body}, key=name), "the checksum is known, and the same")
            self.assertIn("is there already", self.helper("save", there, files={"": body[1:] + b"x"}, key=name))
            self.assertIsNone(self.helper("save", place(hadoop.port, hdfsUser="root", force=True), files={"": body[::-1]}, key=name))
            self.assertIsNone(self.helper("fetch", there, key=name))
            self.assertEqual(self.came(), body[::-1])
        self.there_and_back("hdfs", f"addresses: ['127.0.0.1:{hadoop.port}'], hdfsUser: root", "none", key="path", root="/")
        self.killed_meanwhile(hadoop, there)

    def killed_meanwhile(self, hadoop, there):
        data, problem = random.Random(9).randbytes(1 << 20) * 100, []
        self.assertIsNone(self.helper("save", there, files={"": data}, key="/d/f"))
        fetching = threading.Thread(target=lambda: problem.append(self.helper("fetch", there, key="/d/f")))
        fetching.start()
        path = os.path.join(self.directory, "into", "0")
        until(lambda: problem or (os.path.exists(path) and os.path.getsize(path) > 1 << 20), 60, "some bytes")
        hadoop.data_node.send_signal(signal.SIGKILL)
        hadoop.data_node.wait()
        hadoop.data_node = hadoop.java("datanode.DataNode")
        fetching.join()
        self.assertEqual(problem, [None])
        self.assertEqual(hashlib.sha1(self.came()).digest(), hashlib.sha1(data).digest())

    def test_kerberos(self):
        kdc = Kdc(self)
        hadoop = Hadoop(self, kdc)
        keys = kdc.keys("keys", "other", "ann")  # whose key is used is said, not the first
        with open(kdc.conf, encoding="utf-8") as f:
            conf = f.read()

        def who(**more):
            return {"hdfs": dict({"addresses": [f"localhost:{hadoop.port}"], "hdfsUser": "nobody", "krbConfig": conf, "krbUsername": "ann", "krbRealm": REALM},
                                 **more)}

        def text(path):
            with open(path, "rb") as f:
                return {"base64": base64.b64encode(f.read()).decode()}

        by_key = who(krbKeytab=text(keys))
        until(lambda: self.helper("save", by_key, files={"": b"x"}, key="/ready") is None, 180, "a data node")
        self.small_things(by_key, root="/a/", missing="is not there")
        self.assertIsNone(self.helper("save", by_key, files={"": BIG}, key="/d/f"))
        by_tickets = who(krbCCache=text(kdc.tickets(keys, "ann")))
        self.assertIsNone(self.helper("fetch", by_tickets, key="/d/f"))
        self.assertEqual(self.came(), BIG)
        self.assertIn("401", self.helper("fetch", place(hadoop.port), key="/d/f"))
        self.assertIn(f"kerberos: stranger@{REALM}: Keytab contains no suitable keys", self.helper("fetch", who(krbKeytab=text(keys), krbUsername="stranger"), key="/d/f"))
        kdc.keys("newer keys", "other")
        self.assertIn(f"kerberos: other@{REALM}: Decrypt integrity check failed", self.helper("fetch", who(krbKeytab=text(keys), krbUsername="other"), key="/d/f"))
        self.assertIn("krb5.conf: line 1: include", self.helper("fetch", who(krbKeytab=text(keys), krbConfig="include /etc/passwd\n" + conf), key="/d/f"))


if __name__ == "__main__":
    unittest.main()
