# SPDX-License-Identifier: Apache-2.0
"""data templates: what lies in a repository, listed and changed by expressions, by the real helper; stopped, killed and begun again, and in a real bucket."""
import http.server
import json
import os
import threading
import unittest

from harness import FULL, TestCase, node
from minio_server import MinioServer

HEAD = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: data-}
spec:
  entrypoint: main
  templates:
"""
MAKE = """
  - name: make
    container:
      image: busybox
      command: [sh, -c]
      args: ["mkdir -p /tmp/set/sub; cd /tmp/set; touch c.pdf a.pdf b.txt sub/d.pdf"]
    outputs: {artifacts: [{name: set, path: /tmp/set, archive: {none: {}}, s3: {key: "in/set"}}]}
"""
SETS = HEAD + """
  - name: main
    inputs: {parameters: [{name: end, value: .pdf}]}
    steps:
    - - {name: make, template: make}
    - - {name: all, template: list, arguments: {parameters: [{name: key, value: in/set}]}}
      - {name: slash, template: list, arguments: {parameters: [{name: key, value: in/}]}}
      - {name: none, template: list, arguments: {parameters: [{name: key, value: in/se}]}}
      - {name: ready, template: ready, arguments: {parameters: [{name: end, value: "{{inputs.parameters.end}}"}]}}
      - {name: number, template: number}
      - {name: wrong, template: wrong, continueOn: {failed: true}}
      - {name: web, template: web, continueOn: {failed: true}}
    - - {name: each, template: each, withParam: "{{steps.ready.outputs.result}}", arguments: {parameters: [{name: key, value: "{{item}}"}]}}
  - name: list
    inputs: {parameters: [{name: key}]}
    data: {source: {artifactPaths: {name: set, s3: {key: "{{inputs.parameters.key}}"}}}, transformation: []}
  - name: ready
    inputs: {parameters: [{name: end}]}
    data:
      source: {artifactPaths: {s3: {key: in/set}}}
      transformation:
      - expression: filter(data, {# endsWith "{{inputs.parameters.end}}"})
      - expression: map(data, {# + ".ready"})
  - name: number
    data: {source: {artifactPaths: {s3: {key: in}}}, transformation: [{expression: '{"many": len(data), "first": data[0]}'}]}
  - name: wrong
    data: {source: {artifactPaths: {s3: {key: in}}}, transformation: [{expression: data}, {expression: data + 1}]}
  - name: web
    data: {source: {artifactPaths: {http: {url: "http://127.0.0.1:1/x"}}}, transformation: []}
  - name: each
    inputs: {parameters: [{name: key}]}
    container: {image: busybox, command: [echo, "{{inputs.parameters.key}}"]}
""" + MAKE
KEYS = ["in/set/a.pdf", "in/set/b.txt", "in/set/c.pdf", "in/set/sub/d.pdf"]
FAILED = "main: Error (exit code 64): unable to process data template: unable to process data "


class Listing(http.server.BaseHTTPRequestHandler):
    """A bucket whose listing is not answered before the test says so."""

    def do_GET(self):
        self.server.asked.release()
        self.server.go.wait(240)
        body = b"<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>x/1</Key><LastModified>2026-01-01T00:00:00Z</LastModified><Size>1</Size></Contents></ListBucketResult>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Data(TestCase):
    def submit(self, d, text):
        return d.submit(text)

    def ended(self, d, name):
        return d.ended(name)

    node = staticmethod(node)

    def result(self, w, display):
        n = self.node(w, display)
        self.assertEqual((n["phase"], n.get("message")), ("Succeeded", None))
        return json.loads(n["outputs"]["result"])

    def test_the_repository_on_this_machine(self):
        d = self.daemon({})
        w = self.ended(d, self.submit(d, SETS))
        self.assertEqual(w["status"]["phase"], "Succeeded", d.log())
        self.assertEqual(self.node(w, "all")["type"], "Pod")
        self.assertEqual(self.result(w, "all"), KEYS)
        self.assertEqual(self.result(w, "slash"), KEYS)
        self.assertEqual(self.result(w, "none"), [])
        self.assertEqual(self.result(w, "ready"), [k + ".ready" for k in KEYS if k.endswith(".pdf")])
        self.assertEqual(self.node(w, "number")["outputs"]["result"], '{"first":"in/set/a.pdf","many":4}')
        self.assertEqual(self.node(w, "each(2:in/set/sub/d.pdf.ready)")["phase"], "Succeeded")
        self.assertEqual(self.node(w, "wrong")["message"],
                         FAILED + "transformation: error processing data step 1: 1:6: invalid operation: array + int")
        self.assertEqual(self.node(w, "wrong")["outputs"], {"exitCode": "64"})
        self.assertEqual(self.node(w, "web")["message"], FAILED + "source: unable to source artifact paths: what lies in http cannot be listed")

    def test_all_of_a_repository_of_another_kind(self):
        """A location without a key, as Argo's own example has it: only its key would count, so it is all that is there."""
        d = self.daemon({})
        w = self.ended(d, self.submit(d, HEAD + """
  - name: main
    steps:
    - - {name: make, template: make}
    - - {name: all, template: all}
      - {name: nothing, template: nothing, continueOn: {failed: true}}
  - name: all
    data: {source: {artifactPaths: {name: bucket, s3: {bucket: my-bucket}}}, transformation: [{expression: 'filter(data, {# startsWith "in/"})'}]}
  - name: nothing
    data: {source: {artifactPaths: {name: bucket}}, transformation: []}
""" + MAKE))
        self.assertEqual(self.result(w, "all"), KEYS)
        self.assertEqual(self.node(w, "nothing")["message"],
                         FAILED + "source: unable to source artifact paths: its location says neither where it is nor a key in the workflow's repository")

    def slow(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listing)
        server.daemon_threads, server.asked, server.go = True, threading.Semaphore(0), threading.Event()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.addCleanup(server.go.set)
        return server, HEAD + ("  - {name: main, data: {source: {artifactPaths: {s3: {endpoint: '127.0.0.1:%d', insecure: true, bucket: b, key: x}}}, "
                               "transformation: []}}\n" % server.server_port)

    def asked(self, server):
        self.assertTrue(server.asked.acquire(timeout=120))

    def test_it_is_asked_again_after_a_kill(self):
        server, text = self.slow()
        d = self.daemon({})
        name = self.submit(d, text)
        self.asked(server)
        d.kill()
        d.start()
        self.asked(server)
        server.go.set()
        w = self.ended(d, name)
        self.assertEqual(self.result(w, name), ["x/1"])
        self.assertEqual(len(w["status"]["nodes"]), 1)

    def test_it_is_stopped(self):
        server, text = self.slow()
        d = self.daemon({})
        name = self.submit(d, text)
        self.asked(server)
        d.cli("stop", name)
        w = self.ended(d, name)
        self.assertEqual((w["status"]["phase"], self.node(w, name)["message"]), ("Failed", "workflow shutdown with strategy:  Stop"))

    def test_the_daemon_ends_beside_it(self):
        server, text = self.slow()
        d = self.daemon({})
        name = self.submit(d, text)
        self.asked(server)
        d.stop()
        server.go.set()
        d.start()
        self.assertEqual(self.result(self.ended(d, name), name), ["x/1"])

    @unittest.skipUnless(FULL, "MinIO is not a package of Debian's: make integration")
    def test_a_real_bucket(self):
        server = MinioServer(os.path.join(self.directory, "minio"))
        self.addCleanup(server.close)
        server.start()
        server.bucket("box")
        server.bucket("other")
        for key in ("b/2", "a/1", "a/folder/", "a b+c/3"):
            server.put(f"/other/{key}")
        place = (f"endpoint: '127.0.0.1:{server.port}', insecure: true, accessKeySecret: {{name: keys, key: access}}, "
                 "secretKeySecret: {name: keys, key: secret}")
        d = self.daemon({"all.yaml": f"""
apiVersion: v1
kind: Secret
metadata: {{name: keys}}
stringData: {{access: {server.USER}, secret: {server.PASSWORD}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: artifact-repositories, annotations: {{workflows.argoproj.io/default-artifact-repository: main}}}}
data:
  main: |
    s3: {{bucket: box, {place}}}
"""})
        text = HEAD + MAKE + f"""
  - name: main
    steps:
    - - {{name: make, template: make}}
    - - {{name: whole, template: whole}}
      - {{name: other, template: other}}
      - {{name: set, template: set}}
  - {{name: whole, data: {{source: {{artifactPaths: {{s3: {{bucket: other, {place}}}}}}}, transformation: []}}}}
  - {{name: other, data: {{source: {{artifactPaths: {{s3: {{bucket: other, key: a}}}}}}, transformation: []}}}}
  - {{name: set, data: {{source: {{artifactPaths: {{s3: {{key: in/set}}}}}}, transformation: []}}}}
"""
        w = self.ended(d, self.submit(d, text))
        self.assertEqual(w["status"]["phase"], "Succeeded", [n.get("message") for n in w["status"]["nodes"].values()])
        self.assertEqual(self.result(w, "whole"), ["a b+c/3", "a/1", "b/2"])
        self.assertEqual(self.result(w, "other"), ["a/1"])
        self.assertEqual(self.result(w, "set"), KEYS)


if __name__ == "__main__":
    unittest.main()
