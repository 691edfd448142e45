# SPDX-License-Identifier: Apache-2.0
"""The source `hdfs`. `make test` has a WebHDFS of its own, made after Hadoop's documentation: listings in parts and whole, a standby name node, errors,
restarts. `make integration` has Hadoop's own name node and data node, which say whether that is right: files through restarts of the name node and of
the daemon (kill -9), nothing lost and nothing twice. Kerberos, and HttpFS or Knox in between, are not tested."""
import http.server
import json
import threading
import unittest

from harness import FULL, until
from watched import CHMOD, CREATE, REMOVE, RENAME, WRITE, Watched
from webhdfs import Hadoop, serve


class Hdfs(Watched):
    def setUp(self):
        super().setUp()
        self.dir = "/data/in"
        self.next_id = 100
        self.files = {"/data": ["DIRECTORY", 1, 0, 1, "755"], "/data/in": ["DIRECTORY", 2, 0, 1, "755"]}

    def put(self, path, length=3, kind="FILE"):
        self.next_id += 1
        self.files[f"{self.dir}/{path}"] = [kind, self.next_id, length, self.next_id * 1000, "644" if kind == "FILE" else "755"]

    def tree(self, port=0):
        return serve(self, self.files, port=port)

    def entry(self, kind, pattern, *addresses, more=", immediate: true", interval="200ms"):
        return (f"{{type: '{kind}', directory: {self.dir}/, {pattern}, addresses: {json.dumps(addresses)}, hdfsUser: ann, "
                f"checkInterval: {interval}{more}}}")

    def serve(self, entries):
        self.gateway("hdfs", entries)
        self.looked()

    def test_what_is_announced(self):
        self.put("old")
        self.put("deep", kind="DIRECTORY")
        self.put("deep/a b+c%.csv")
        server = self.tree()
        at = f"127.0.0.1:{server.server_port}"
        self.serve({"all": self.entry("CREATE|WRITE|REMOVE|RENAME|CHMOD", "pathRegexp: .", at, more=", immediate: true, metadata: {a: b}"),
                    "new": self.entry("CREATE", "pathRegexp: csv$", at), "one": self.entry("WRITE", "path: deep/x", at)})
        want = [(CREATE, "deep"), (CREATE, "deep/a b+c%.csv"), (CREATE, "old")]  # as Argo, what is there at first
        self.wait_for("all", want)
        self.assertEqual(self.rows("SELECT data FROM bus_event WHERE subject = 'all' ORDER BY key")[2].decode(),
                         '{"name":"/data/in/old","op":1,"metadata":{"a":"b"}}')

        def then(change, *announced):
            change()
            want.extend(announced)
            self.wait_for("all", want)

        then(lambda: self.put("deep/x", 0), (CREATE, "deep/x"))
        self.knows("one", 1)  # each entry looks by itself
        then(lambda: self.files.update({"/data/in/deep/x": self.files["/data/in/deep/x"][:2] + [9, 999999, "600"]}), (WRITE | CHMOD, "deep/x"))
        self.wait_for("one", [(WRITE | CHMOD, "deep/x")])
        then(lambda: self.files.update({"/data/in/y": self.files.pop("/data/in/deep/x")}), (RENAME, "y"))
        then(lambda: self.files.pop("/data/in/old"), (REMOVE, "old"))
        self.wait_for("new", [(CREATE, "deep/a b+c%.csv")])
        self.wait_for("one", [(WRITE | CHMOD, "deep/x")])
        self.assertTrue(all(q["user.name"] == "ann" for _, q in server.calls))
        self.assertIn("/webhdfs/v1/data/in/deep", [p for p, _ in server.calls])

    def test_only_what_can_match_is_walked(self):
        for name in ("a", "a/b", "a/c", "ab"):
            self.put(name, kind="DIRECTORY")
        self.put("a/b/x")
        server = self.tree()
        self.serve({"one": self.entry("CREATE", "path: a/b/x", f"http://127.0.0.1:{server.server_port}/")})
        self.wait_for("one", [(CREATE, "a/b/x")])
        self.assertEqual({p for p, _ in server.calls}, {"/webhdfs/v1/data/in", "/webhdfs/v1/data/in/a", "/webhdfs/v1/data/in/a/b"})

    def test_a_file_that_grows_is_held_back(self):
        server = self.tree()
        at = f"127.0.0.1:{server.server_port}"
        self.serve({"held": self.entry("CREATE", "pathRegexp: .", at, more=""), "immediate": self.entry("CREATE|WRITE", "pathRegexp: .", at)})
        self.put("big", 1)
        for i in range(4):
            until(lambda n=i: len(self.announced("immediate")) > n, what="each growth")
            self.put("big", 2 + i)
            self.files["/data/in/big"][1] = 7
        self.assertEqual(self.announced("held"), [])
        self.wait_for("held", [(CREATE, "big")])

    def test_through_restarts(self):
        server = self.tree()
        server.part = 1000
        port = server.server_port
        self.serve({"new": self.entry("CREATE", "pathRegexp: .", f"127.0.0.1:{port}")})
        want = []
        for batch in range(4):
            for i in range(300):
                self.put(f"f{batch}-{i}")
                want.append((CREATE, f"f{batch}-{i}"))
            if batch % 2:
                self.d.kill()
                self.d.start()
            else:
                server.down = True  # for connections that it has
                server.shutdown()
                server.server_close()
                self.failed("new", "127.0.0.1")
                server = self.tree(port)
                server.part = 1000
        self.wait_for("new", want, in_order=False)

    def test_a_standby_and_an_old_server(self):
        self.put("a")
        first, second = self.tree(), self.tree()
        first.standby, second.old = True, True
        self.serve({"new": self.entry("CREATE", "pathRegexp: .", f"127.0.0.1:{first.server_port}", f"127.0.0.1:{second.server_port}")})
        self.wait_for("new", [(CREATE, "a")])
        self.assertEqual(len(first.calls), 1)  # the active one is remembered
        self.put("b")
        self.wait_for("new", [(CREATE, "a"), (CREATE, "b")])
        first.standby, second.standby = False, True
        self.put("c")
        self.wait_for("new", [(CREATE, "a"), (CREATE, "b"), (CREATE, "c")])
        first.standby = True
        self.failed("new", "StandbyException: Operation category READ is not supported in state standby")

    def test_what_is_wrong_is_said(self):
        server = self.tree()
        for name in list(self.files):
            del self.files[name]
        self.serve({"new": self.entry("CREATE|REMOVE", "pathRegexp: .", f"127.0.0.1:{server.server_port}")})
        self.failed("new", "hdfs /data/in: 404 FileNotFoundException: File /data/in does not exist.")
        self.files.update({"/data/in": ["DIRECTORY", 2, 0, 1, "755"]})
        self.put("a")
        self.put("secret", kind="DIRECTORY")
        self.put("secret/b")
        self.wait_for("new", [(CREATE, "a"), (CREATE, "secret"), (CREATE, "secret/b")])
        # What cannot be looked at is not gone.
        server.denies = "/data/in/secret"
        self.failed("new", "hdfs /data/in/secret: 403 AccessControlException: Permission denied")
        server.denies = ""
        self.put("c")
        self.wait_for("new", [(CREATE, "a"), (CREATE, "secret"), (CREATE, "secret/b"), (CREATE, "c")])

    def test_no_listing(self):
        server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
        server.RequestHandlerClass = type("H", (http.server.BaseHTTPRequestHandler,), {
            "do_GET": lambda h: (h.send_response(200), h.send_header("Content-Length", "2"), h.end_headers(), h.wfile.write(b"{}")),
            "log_message": lambda *a: None})
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.serve({"new": self.entry("CREATE", "pathRegexp: .", f"127.0.0.1:{server.server_port}")})
        self.failed("new", "the answer is no listing of WebHDFS")


@unittest.skipUnless(FULL, "make integration")
class RealHadoop(Watched):
    """Hadoop's own name node and data node."""

    def setUp(self):
        super().setUp()
        self.dir = "/data/in"
        self.hadoop = Hadoop(self)

    def test_a_real_name_node_through_its_restarts(self):
        self.hadoop.done("PUT", "/data/in/deep", "MKDIRS")
        entry = (f"{{type: 'CREATE|WRITE|REMOVE|RENAME', directory: /data/in, pathRegexp: '^(deep/)?f', addresses: ['127.0.0.1:{self.hadoop.port}'], "
                 "hdfsUser: root, checkInterval: 500ms}")
        self.gateway("hdfs", {"all": entry})
        until(lambda: "lastLook" in self.sources()["all"], 120, "a look")
        want = []
        for batch in range(4):
            for i in range(25):
                name = f"deep/f{batch}-{i}" if i % 2 else f"f{batch}-{i}"
                self.hadoop.done("PUT", f"/data/in/{name}", "CREATE", b"x" * i, overwrite="false")
                want.append((CREATE, name))
            if batch % 2:
                self.d.kill()
                self.d.start()
            else:
                self.hadoop.name_node.kill()
                self.hadoop.name_node.wait()
                self.failed("all", "127.0.0.1")
                self.hadoop.name_node = self.hadoop.start_name_node()
        until(lambda: len(self.announced("all")) >= len(want), 180, "all files")
        self.assertEqual(sorted(self.announced("all")), sorted(want))
        self.hadoop.done("POST", "/data/in/f0-0", "APPEND", b"more")
        self.hadoop.done("PUT", "/data/in/f0-2", "RENAME", destination="/data/in/deep/f-moved")
        self.hadoop.done("DELETE", "/data/in/f0-4", "DELETE")
        more = [(WRITE, "f0-0"), (RENAME, "deep/f-moved"), (REMOVE, "f0-4")]
        until(lambda: len(self.announced("all")) >= len(want) + 3, 120, "the rest")
        self.assertEqual(sorted(self.announced("all")[len(want):]), sorted(more))


if __name__ == "__main__":
    unittest.main()
