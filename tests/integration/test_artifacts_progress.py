# SPDX-License-Identifier: Apache-2.0
"""How far transfers of artifacts are, while a server holds them half way: in explain, get and /metrics, and in no row."""
import contextlib
import glob
import http.server
import json
import os
import signal
import threading
import urllib.request

from harness import TestCase, until

FLOW = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: NAME}
spec:
  entrypoint: main
  templates:
  - name: main
    inputs: {artifacts: [INPUTS]}
    container: {image: busybox, command: [sh, -ec], args: ["COMMAND"]}
    outputs: {artifacts: [OUTPUTS]}
"""
SIZE = 3 << 20
HALF = SIZE // 2


class Web(http.server.BaseHTTPRequestHandler):
    """Gives half of server.data and the rest when server.go is set, and takes what is put likewise; what is beneath /twice/ is refused at first."""

    protocol_version = "HTTP/1.1"

    def refuse(self):
        self.send_response(503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):
        s = self.server
        s.asked += 1
        if self.path.startswith("/twice/") and s.asked == 1:
            self.refuse()
            return
        self.send_response(200)
        if not self.path.startswith("/endless/"):
            self.send_header("Content-Length", str(SIZE))
        else:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(s.data[:HALF])
        self.wfile.flush()
        s.go.wait()
        self.wfile.write(s.data[HALF:])
        self.close_connection = True

    def do_PUT(self):
        s = self.server
        s.asked += 1
        s.took = self.rfile.read(HALF)
        s.go.wait()
        s.took += self.rfile.read(int(self.headers["Content-Length"]) - HALF)
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


class Progress(TestCase):
    def web(self):
        s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)
        s.daemon_threads = True
        s.data, s.asked, s.took, s.go = os.urandom(SIZE), 0, b"", threading.Event()
        threading.Thread(target=s.serve_forever, args=(0.02,), daemon=True).start()
        self.addCleanup(s.server_close)
        self.addCleanup(s.shutdown)
        self.addCleanup(s.go.set)
        s.at = f"127.0.0.1:{s.server_port}"
        return s

    def settings(self, text):
        path = os.path.join(self.directory, "settings.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return "--config", path

    def submit(self, d, name, command="true", inputs="", outputs=""):
        text = FLOW.replace("NAME", name).replace("INPUTS", inputs).replace("COMMAND", command).replace("OUTPUTS", outputs)
        d.cli("submit", "-", data=text)

    def explain(self, d, name):
        return json.loads(d.cli("explain", "workflow", name, "-o", "json", check=False).stdout)

    def moving(self, d, name, condition):
        """The reason of the one node, when its transfer is so far."""
        return until(lambda: next((r for r in self.explain(d, name)["reasons"] if condition(r.get("transfer", {}))), None), 120, "the transfer to be half way")

    def message(self, d, name):
        (node,) = d.get(name)["status"]["nodes"].values()
        return node.get("message", "")

    def metrics(self, d):
        r = urllib.request.Request(f"http://127.0.0.1:{d.port}/metrics", headers={"Authorization": "Bearer " + d.token})
        with urllib.request.urlopen(r, timeout=60) as answer:
            lines = answer.read().decode().splitlines()
        return {k: float(v) for k, _, v in (line.rpartition(" ") for line in lines if line.startswith("tidegate_artifact_"))}

    def succeeds(self, d, name):
        w = until(lambda: (lambda w: w["status"].get("finishedAt") and w)(d.get(name)), 120, "its end")
        self.assertEqual(w["status"]["phase"], "Succeeded", w["status"])
        return w

    def stored(self, d):
        return b"".join(open(p, "rb").read() for p in glob.glob(os.path.join(d.state, "*")) if os.path.isfile(p))

    def test_what_comes(self):
        s, d = self.web(), self.daemon({})
        self.submit(d, "comes", inputs=f"{{name: data, path: /tmp/data, http: {{url: 'http://ann:hidden@{s.at}/twice/data?sig=hidden'}}}}")
        r = self.moving(d, "comes", lambda t: t.get("bytes") == HALF)
        self.assertEqual(r["transfer"], {"direction": "input", "waits": False, "artifact": "data", "place": f"http http://{s.at}/twice/data", "bytes": HALF,
                                         "total": SIZE, "attempt": 2, "reason": "it was answered with 503"})
        told = f"loading artifact data: 1.5 MiB of 3.0 MiB from http http://{s.at}/twice/data; attempt 2, since it was answered with 503"
        self.assertEqual((r["phase"], r["text"]), ("Pending", told))
        shown = d.cli("explain", "workflow", "comes")
        self.assertIn(told, shown.stdout)
        self.assertEqual(self.message(d, "comes"), told)
        self.assertIn("loading artifact data", d.cli("get", "comes").stdout)
        m = self.metrics(d)
        self.assertEqual(m['tidegate_artifact_transfers{direction="in",state="running"}'], 1)
        self.assertEqual(m['tidegate_artifact_bytes_total{direction="in"}'], HALF)
        s.go.set()
        w = self.succeeds(d, "comes")
        self.assertNotIn("hidden", json.dumps(self.explain(d, "comes")) + shown.stdout)
        self.assertEqual([n.get("message", "") for n in w["status"]["nodes"].values()], [""])
        m = self.metrics(d)
        self.assertEqual(m['tidegate_artifact_transfers{direction="in",state="running"}'], 0)
        self.assertEqual(m['tidegate_artifact_bytes_total{direction="in"}'], SIZE)
        self.assertIn(b"comes", self.stored(d))
        self.assertNotIn(b"loading artifact", self.stored(d))

    def test_how_much_there_will_be_need_not_be_known(self):
        s, d = self.web(), self.daemon({})
        self.submit(d, "endless", inputs=f"{{name: data, path: /tmp/data, http: {{url: 'http://{s.at}/endless/data'}}}}")
        r = self.moving(d, "endless", lambda t: t.get("bytes") == HALF)
        self.assertEqual(r["text"], f"loading artifact data: 1.5 MiB from http http://{s.at}/endless/data")
        self.assertNotIn("total", r["transfer"])
        s.go.set()
        self.succeeds(d, "endless")

    def helpers(self, d):
        """The processes that move something for the daemon now."""
        found = []
        for path in glob.glob("/proc/[0-9]*/stat"):
            with contextlib.suppress(OSError), open(path, encoding="utf-8") as f:
                pid, _, rest = f.read().partition(" (")
                name, _, rest = rest.rpartition(") ")
                if name == "tidegate-artifact"[:15] and int(rest.split()[1]) == d.process.pid and rest[0] != "Z":
                    found.append(int(pid))
        return found

    def test_a_process_that_is_killed_is_told_of(self):
        s, d = self.web(), self.daemon({})
        self.submit(d, "killed", inputs=f"{{name: data, path: /tmp/data, http: {{url: 'http://{s.at}/data'}}}}")
        self.moving(d, "killed", lambda t: t.get("bytes") == HALF)
        (helper,) = self.helpers(d)
        os.kill(helper, signal.SIGKILL)
        r = self.moving(d, "killed", lambda t: t.get("attempt") == 2 and t.get("bytes") == HALF)
        self.assertEqual(r["transfer"]["reason"], "the process that moved it was killed")
        self.assertEqual(self.metrics(d)['tidegate_artifact_bytes_total{direction="in"}'], 2 * HALF)
        s.go.set()
        self.succeeds(d, "killed")

    def test_what_goes(self):
        s, d = self.web(), self.daemon({})
        self.submit(d, "goes", f"head -c {SIZE} /dev/zero >/tmp/out",
                    outputs=f"{{name: out, path: /tmp/out, archive: {{none: {{}}}}, http: {{url: 'http://{s.at}/out'}}}}")
        r = self.moving(d, "goes", lambda t: t.get("bytes", 0) >= HALF)
        self.assertEqual((r["phase"], r["transfer"]["direction"], r["transfer"]["total"], r["transfer"]["attempt"]), ("Running", "output", SIZE, 1))
        self.assertRegex(r["text"], r"^saving artifact out: [0-9.]+ MiB of 3.0 MiB to http http://127.0.0.1:[0-9]+/out$")
        self.assertEqual(self.metrics(d)['tidegate_artifact_transfers{direction="out",state="running"}'], 1)
        s.go.set()
        self.succeeds(d, "goes")
        self.assertEqual(s.took, bytes(SIZE))
        self.assertEqual(self.metrics(d)['tidegate_artifact_bytes_total{direction="out"}'], SIZE)

    def test_who_waits(self):
        s, d = self.web(), self.daemon({}, *self.settings("artifactTransfers: 1\n"))
        for name in ("first", "second"):
            self.submit(d, name, inputs=f"{{name: data, path: /tmp/data, http: {{url: 'http://{s.at}/data'}}}}")
            until(lambda: self.message(d, name), 120, "its transfer")
            if name == "first":
                self.moving(d, name, lambda t: t.get("bytes") == HALF)
        r = self.moving(d, "second", lambda t: t.get("waits"))
        self.assertEqual((r["text"], r["transfer"]["direction"]), ("waits to have its artifacts loaded", "input"))
        self.assertIn("artifactTransfers: 1", r["advice"])
        self.assertEqual(d.cli("explain", "workflow", "second", check=False).returncode, 3)
        m = self.metrics(d)
        self.assertEqual([m[f'tidegate_artifact_transfers{{direction="in",state="{state}"}}'] for state in ("running", "waiting")], [1, 1])
        s.go.set()
        for name in ("first", "second"):
            self.succeeds(d, name)

    def test_on_this_machine(self):
        """Whatever the way: bytes are those of objects."""
        d = self.daemon({})
        path = os.path.join(self.directory, "data")
        with open(path, "wb") as f:
            f.write(os.urandom(SIZE))
        key = d.cli("artifact", "put", path).stdout.strip()
        self.assertEqual(self.metrics(d)['tidegate_artifact_bytes_total{direction="out"}'], SIZE)
        self.submit(d, "local", "mkdir /tmp/tree; cp /tmp/data /tmp/tree/one; cp /tmp/data /tmp/tree/two",
                    inputs=f"{{name: data, path: /tmp/data, s3: {{key: {key}}}}}",
                    outputs="{name: tree, path: /tmp/tree, archive: {none: {}}, s3: {key: tree}}, {name: tar, path: /tmp/tree, s3: {key: tar.tgz}}")
        self.succeeds(d, "local")
        m = self.metrics(d)
        tar = os.path.getsize(os.path.join(d.state, "artifacts/objects/default/tar.tgz"))
        self.assertEqual((m['tidegate_artifact_bytes_total{direction="in"}'], m['tidegate_artifact_bytes_total{direction="out"}']), (SIZE, 3 * SIZE + tar))
        self.submit(d, "again", "cmp /tmp/a/one /tmp/b/two",
                    inputs="{name: a, path: /tmp/a, s3: {key: tar.tgz}}, {name: b, path: /tmp/b, s3: {key: tree}}")
        self.succeeds(d, "again")
        self.assertEqual(self.metrics(d)['tidegate_artifact_bytes_total{direction="in"}'], SIZE + tar + 2 * SIZE)


if __name__ == "__main__":
    import unittest

    unittest.main()
