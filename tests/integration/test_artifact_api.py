# SPDX-License-Identifier: Apache-2.0
"""Artifacts seen from outside: the routes of Argo's server, an index that a browser may be shown, and the command line."""
import gzip
import http.client
import io
import json
import os
import socket
import tarfile
import threading

from harness import TestCase, until

WORKFLOW = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: art-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: make, template: make}
    - - name: take
        template: take
        arguments:
          artifacts:
          - {name: file, from: "{{steps.make.outputs.artifacts.file}}"}
          - {name: text, raw: {data: "as it is"}}
  - name: make
    container:
      image: busybox
      command: [sh, -ec]
      args: ["mkdir -p /tmp/tree/sub; echo 1 >/tmp/tree/one; echo 2 >'/tmp/tree/sub/<b>two'; printf 'a file' >/tmp/file; echo x >/tmp/gone; echo '<script>' >/tmp/page.html; mkdir -p /tmp/site/deep; echo start >/tmp/site/index.html; echo x >/tmp/site/deep/index.html.txt"]
    outputs:
      artifacts:
      - {name: tar, path: /tmp/tree}
      - {name: tree, path: /tmp/tree, archive: {none: {}}}
      - {name: file, path: /tmp/file, archive: {none: {}}}
      - {name: page, path: /tmp/page.html, archive: {none: {}}}
      - {name: site, path: /tmp/site, archive: {none: {}}}
      - {name: gone, path: /tmp/gone, archive: {none: {}}, artifactGC: {strategy: OnWorkflowCompletion}}
      - {name: absent, path: /tmp/absent, optional: true}
  - name: take
    inputs:
      artifacts:
      - {name: file, path: /tmp/in/file}
      - {name: text, path: /tmp/in/text}
    container: {image: busybox, command: [cat, /tmp/in/file, /tmp/in/text]}
"""


class Api(TestCase):
    def setUp(self):
        super().setUp()
        self.d = self.daemon({})
        self.name = self.d.submit(WORKFLOW)
        self.w = self.d.ended(self.name)
        self.assertEqual(self.w["status"]["phase"], "Succeeded", self.w["status"])
        self.nodes = {n["displayName"]: i for i, n in self.w["status"]["nodes"].items()}
        until(self.gone, 120, "the artifact to go that goes with the end")

    def gone(self):
        outputs = self.d.get(self.name)["status"]["nodes"][self.nodes["make"]]["outputs"]["artifacts"]
        return next(a for a in outputs if a["name"] == "gone").get("deleted")

    def fetch(self, path, token=True):
        c = http.client.HTTPConnection("127.0.0.1", self.d.port, timeout=60)
        c.request("GET", path, headers={"Authorization": "Bearer " + self.d.token} if token else {})
        r = c.getresponse()
        body = r.read()
        c.close()
        return r.status, {k.lower(): v for k, v in r.getheaders()}, body

    def artifact(self, name, node="make", base="/artifacts/default"):
        return self.fetch(f"{base}/{self.name}/{self.nodes[node]}/{name}")

    def files(self, name, rest="", node="make", way="outputs", kind="workflows"):
        which = self.name if kind == "workflows" else self.w["metadata"]["uid"]
        return self.fetch(f"/artifact-files/default/{kind}/{which}/{self.nodes[node]}/{way}/{name}{rest}")

    def names(self, packed):
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(packed))) as t:
            return sorted(m.name for m in t.getmembers())

    def test_bytes_by_name_and_by_uid(self):
        status, headers, body = self.artifact("file")
        self.assertEqual((status, body, headers["content-length"]), (200, b"a file", "6"))
        self.assertEqual(headers["content-disposition"], 'filename="file"')
        status, headers, body = self.artifact("tar")
        self.assertEqual((status, headers["content-type"]), (200, "application/gzip"))
        self.assertEqual(self.names(body), ["tree", "tree/one", "tree/sub", "tree/sub/<b>two"])
        self.assertEqual(self.fetch(f"/artifacts-by-uid/{self.w['metadata']['uid']}/{self.nodes['make']}/file")[2], b"a file")
        self.assertEqual(self.artifact("file", "take", "/input-artifacts/default")[2], b"a file")
        self.assertEqual(self.artifact("text", "take", "/input-artifacts/default")[2], b"as it is")
        self.assertEqual(self.fetch(f"/input-artifacts-by-uid/{self.w['metadata']['uid']}/{self.nodes['take']}/file")[2], b"a file")

    def test_a_tree_is_one_file_or_an_index(self):
        status, headers, body = self.artifact("tree")
        self.assertEqual((status, headers["content-disposition"]), (200, 'filename="tree.tgz"'))
        self.assertEqual([n.partition("/")[2] for n in self.names(body)], ["", "one", "sub", "sub/<b>two"])
        status, headers, _ = self.files("tree")
        self.assertEqual((status, headers["location"]), (307, "tree/"))
        status, headers, body = self.files("tree", "/")
        self.assertEqual((status, headers["content-type"]), (200, "text/html; charset=utf-8"))
        self.assertIn(b'<a href="./one">one</a>', body)
        self.assertIn(b'<a href="./sub/">sub/</a>', body)
        body = self.files("tree", "/sub/")[2]
        self.assertIn(b'<a href="./%3Cb%3Etwo">&lt;b&gt;two</a>', body)
        self.assertEqual(self.files("tree", "/sub/%3Cb%3Etwo")[2], b"2\n")
        self.assertEqual(self.files("tree", "/one", kind="archived-workflows")[2], b"1\n")

    def test_a_folder_with_an_index_of_its_own(self):
        self.assertEqual(self.files("site")[1]["location"], "site/")
        status, headers, _ = self.files("site", "/")
        self.assertEqual((status, headers["location"]), (307, "index.html"))
        self.assertEqual(self.files("site", "/index.html")[2], b"start\n")
        self.assertEqual(self.files("site", "/deep")[1]["location"], "deep/")
        status, headers, body = self.files("site", "/deep/")
        self.assertEqual(status, 200)
        self.assertIn(b'<a href="..">..</a>', body)
        self.assertNotIn(b'href=".."', self.files("tree", "/")[2])

    def test_what_went_by_gc_is_not_found(self):
        status, _, body = self.artifact("gone")
        self.assertEqual((status, json.loads(body)["message"]), (404, 'the artifact "gone" was deleted'))
        self.assertEqual(self.artifact("file")[0], 200)

    def test_what_is_shown_can_run_nothing(self):
        status, headers, body = self.files("page")
        self.assertEqual((status, headers["content-type"], body), (200, "text/html; charset=utf-8", b"<script>\n"))
        self.assertEqual(headers["content-security-policy"],
                         "sandbox allow-same-origin; base-uri 'none'; default-src 'none'; img-src 'self'; style-src 'self' 'unsafe-inline'")
        self.assertEqual(self.files("tree", "/")[1]["content-security-policy"], headers["content-security-policy"])
        self.assertEqual((headers["x-frame-options"], headers["x-content-type-options"]), ("SAMEORIGIN", "nosniff"))

    def test_refusals(self):
        for path, status in ((f"/artifacts/default/{self.name}/{self.nodes['make']}/none", 404), (f"/artifacts/default/{self.name}/nobody/file", 404),
                             ("/artifacts/default/nothing/x/file", 404), ("/artifacts-by-uid/none/x/file", 404)):
            self.assertEqual(self.fetch(path)[0], status, path)
            self.assertEqual(self.fetch(path, token=False)[0], 401, path)
        self.assertEqual(self.artifact("absent")[0], 404)
        for way_out in ("/..%2f..%2ffile", "/sub/../../file", "/%2e%2e/file"):
            self.assertIn(self.files("tree", way_out)[0], (400, 404), way_out)
        self.assertEqual(self.files("tree", "/none")[0], 404)

    def test_command_line(self):
        table = self.d.cli("artifact", "ls", self.name).stdout
        self.assertRegex(table, r"make +out +file +local .*/file")
        self.assertRegex(table, r"take +in +text +raw")
        listed = json.loads(self.d.cli("artifact", "ls", self.name, "-o", "json").stdout)
        self.assertEqual({x["artifact"]["name"] for x in listed if x["direction"] == "output"} & {"tar", "tree", "file", "page"}, {"tar", "tree", "file", "page"})
        self.assertEqual(self.d.cli("artifact", "cat", self.name, "file").stdout, "a file")
        to = os.path.join(self.directory, "got")
        self.d.cli("artifact", "get", self.name, "tar", to)
        with open(to, "rb") as f:
            self.assertIn("tree/one", self.names(f.read()))
        self.assertNotEqual(self.d.cli("artifact", "cat", self.name, "none", check=False).returncode, 0)

    def test_cp(self):
        out = os.path.join(self.directory, "out")
        self.d.cli("cp", self.name, out)
        path = os.path.join(out, "default", self.name, self.nodes["make"], "outputs")
        self.assertEqual(sorted(os.listdir(path)), ["file", "page", "site", "tar", "tree"])
        with open(os.path.join(path, "file", "file"), encoding="ascii") as f:
            self.assertEqual(f.read(), "a file")
        self.d.cli("cp", self.name, out, "--artifact-name", "file", "--path", "{artifactName}-here")
        self.assertTrue(os.path.exists(os.path.join(out, "file-here", "file")))
        wrong = self.d.cli("cp", self.name, out, "--path", "../{artifactName}", check=False)
        self.assertNotEqual(wrong.returncode, 0)
        self.assertIn("leads out of", wrong.stderr)

    def test_cp_puts_no_artifact_over_another(self):
        name = self.d.submit("""
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: two-}
spec:
  entrypoint: main
  templates:
  - {name: main, steps: [[{name: each, template: each, withItems: [1, 2], arguments: {parameters: [{name: i, value: "{{item}}"}]}}]]}
  - name: each
    inputs: {parameters: [{name: i}]}
    container: {image: busybox, command: [sh, -c, "echo {{inputs.parameters.i}} >/tmp/o"]}
    outputs: {artifacts: [{name: o, path: /tmp/o, archive: {none: {}}}]}
""")
        self.assertEqual(self.d.ended(name)["status"]["phase"], "Succeeded")
        out = os.path.join(self.directory, "out")
        wrong = self.d.cli("cp", name, out, "--path", "{artifactName}", check=False)
        self.assertEqual(wrong.returncode, 2, wrong.stderr)
        self.assertIn("out/o/o is the place of two artifacts", wrong.stderr)
        self.d.cli("cp", name, out, "--path", "{nodeId}")
        self.assertEqual(len(os.listdir(out)), 3)
        self.d.cli("cp", name, out, "--path", "{artifactName}", "--node-id", "each(0:1)")


class Leaving(TestCase):
    """A download takes as long as its place wants: here one that answers the step, and then nobody any more."""

    def serve(self):
        while True:
            try:
                c = self.place.accept()[0]
            except OSError:
                return
            asked = c.recv(65536)
            if self.hangs.is_set():
                self.held.append(c)
            else:
                c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\n" + (b"" if asked.startswith(b"HEAD") else b"text"))
                c.close()

    def setUp(self):
        super().setUp()
        self.hangs, self.held = threading.Event(), []
        self.place = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.place.close)
        self.addCleanup(self.place.shutdown, socket.SHUT_RDWR)
        threading.Thread(target=self.serve, daemon=True).start()
        self.d = self.daemon({})
        url = f"http://127.0.0.1:{self.place.getsockname()[1]}/file"
        flow = ("{apiVersion: argoproj.io/v1alpha1, kind: Workflow, metadata: {generateName: slow-}, spec: {entrypoint: main, templates: [{name: main, inputs: "
                "{artifacts: [{name: file, path: /tmp/f, http: {url: '%s'}}]}, container: {image: busybox, command: [cat, /tmp/f]}}]}}" % url)
        self.name = self.d.submit(flow)
        w = self.d.ended(self.name)
        self.assertEqual(w["status"]["phase"], "Succeeded", w["status"])
        self.hangs.set()

    def test_who_leaves_ends_what_he_asked_for(self):
        for base in (f"/input-artifacts/default/{self.name}/{self.name}/file", f"/artifact-files/default/workflows/{self.name}/{self.name}/inputs/file"):
            c = http.client.HTTPConnection("127.0.0.1", self.d.port, timeout=60)
            c.request("GET", base, headers={"Authorization": "Bearer " + self.d.token})
            until(lambda: self.held, 120, "the helper to ask")
            c.close()
            asker = self.held.pop()
            asker.settimeout(120)
            self.assertEqual(asker.recv(1), b"")  # it has ended, and its connections with it
            asker.close()
            until(lambda: not os.listdir(os.path.join(self.d.state, "tasks", ".given")), 120, "its files to go")
