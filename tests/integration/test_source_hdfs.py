# SPDX-License-Identifier: Apache-2.0
"""The source `hdfs`. `make test` has a WebHDFS of its own, made after Hadoop's documentation: listings in parts and whole, a standby name node, errors,
restarts. `make integration` has Hadoop's own name node and data node, which say whether that is right: files through restarts of the name node and of
the daemon (kill -9), nothing lost and nothing twice. Kerberos, and HttpFS or Knox in between, are not tested."""
import http.client
import http.server
import json
import os
import subprocess
import threading
import unittest
import urllib.parse

from harness import FULL, ROOT, free_port, until
from watched import CHMOD, CREATE, REMOVE, RENAME, WRITE, Watched


class Tree(http.server.BaseHTTPRequestHandler):
    """WebHDFS's listings of server.files {path: [type, id, length, time, permission]}."""

    protocol_version = "HTTP/1.1"

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status, exception, message):
        self.answer(status, {"RemoteException": {"exception": exception, "javaClassName": "x." + exception, "message": message}})

    def do_GET(self):
        s = self.server
        path, _, query = self.path.partition("?")
        query = dict(urllib.parse.parse_qsl(query))
        if s.down:
            self.close_connection = True
            return
        s.calls.append((path, query))
        path = urllib.parse.unquote(path)[len("/webhdfs/v1"):]
        if s.standby:
            self.refuse(403, "StandbyException", "Operation category READ is not supported in state standby\nmore")
        elif query["op"] == "LISTSTATUS_BATCH" and s.old:
            self.refuse(400, "IllegalArgumentException", "Invalid value for webhdfs parameter \"op\": No enum constant")
        elif s.denies and path.startswith(s.denies):
            self.refuse(403, "AccessControlException", "Permission denied: user=ann")
        elif path not in s.files and path != "/":
            self.refuse(404, "FileNotFoundException", f"File {path} does not exist.")
        else:
            below = sorted(p for p in s.files if p.rpartition("/")[0] == path.rstrip("/"))
            below = [p for p in below if p.rpartition("/")[2] > query.get("startAfter", "")]
            part = below[:s.part] if query["op"] == "LISTSTATUS_BATCH" else below
            statuses = {"FileStatuses": {"FileStatus": [self.status(p) for p in part]}}
            if query["op"] == "LISTSTATUS_BATCH":
                statuses = {"DirectoryListing": {"partialListing": statuses, "remainingEntries": len(below) - len(part)}}
            self.answer(200, statuses)

    def status(self, path):
        kind, number, length, time, permission = self.server.files[path]
        return {"accessTime": 0, "blockSize": 0, "childrenNum": 0, "fileId": number, "group": "g", "length": length, "modificationTime": time,
                "owner": "o", "pathSuffix": path.rpartition("/")[2], "permission": permission, "replication": 0, "storagePolicy": 0, "type": kind}

    def log_message(self, *args):
        pass


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
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Tree)
        server.daemon_threads = True
        server.files, server.calls, server.part, server.standby, server.old, server.denies = self.files, [], 2, False, False, ""
        server.down, server.handle_error = False, lambda *args: None
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

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
        then(lambda: self.files.update({"/data/in/deep/x": self.files["/data/in/deep/x"][:2] + [9, 999999, "600"]}), (WRITE | CHMOD, "deep/x"))
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
class Hadoop(Watched):
    """Hadoop's own name node and data node."""

    def setUp(self):
        super().setUp()
        self.dir = "/data/in"
        self.rpc, self.port = free_port(), free_port()
        self.conf = os.path.join(self.directory, "conf")
        for role in ("hdfs", "datanode"):  # their pages, which are not in the jars
            os.makedirs(os.path.join(self.conf, "webapps", role))
        options = {
            "fs.defaultFS": f"hdfs://127.0.0.1:{self.rpc}", "dfs.replication": "1", "dfs.permissions.enabled": "false",
            "dfs.namenode.http-address": f"127.0.0.1:{self.port}", "dfs.namenode.name.dir": f"{self.directory}/name",
            "dfs.datanode.data.dir": f"{self.directory}/data", "dfs.datanode.address": "127.0.0.1:0", "dfs.datanode.http.address": "127.0.0.1:0",
            "dfs.datanode.ipc.address": "127.0.0.1:0", "dfs.namenode.datanode.registration.ip-hostname-check": "false", "dfs.ls.limit": "100",
            "dfs.namenode.safemode.extension": "0", "dfs.datanode.hostname": "127.0.0.1", "dfs.client.use.datanode.hostname": "true",
        }
        text = "<configuration>" + "".join(f"<property><name>{k}</name><value>{v}</value></property>" for k, v in options.items()) + "</configuration>"
        for name in ("core-site.xml", "hdfs-site.xml"):
            with open(os.path.join(self.conf, name), "w", encoding="utf-8") as f:
                f.write(text)
        with open(os.path.join(self.conf, "log4j.properties"), "w", encoding="utf-8") as f:
            f.write("log4j.rootLogger=WARN,out\nlog4j.appender.out=org.apache.log4j.ConsoleAppender\nlog4j.appender.out.layout=org.apache.log4j.SimpleLayout\n")
        self.java("namenode.NameNode", "-format", "-nonInteractive").wait()
        self.name_node = self.start_name_node()
        self.java("datanode.DataNode")

    def java(self, name, *args):
        libs = os.environ.get("TIDEGATE_HDFS_LIBS") or os.path.join(ROOT, "build", "hdfs", "libs")
        with open(os.path.join(self.directory, "hadoop.log"), "ab") as log:
            p = subprocess.Popen(["java", "-Xmx300m", "--add-opens", "java.base/java.lang=ALL-UNNAMED", "-cp", f"{self.conf}:{libs}/*",
                                  f"-Dhadoop.home.dir={self.directory}", f"org.apache.hadoop.hdfs.server.{name}", *args],
                                 cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.addCleanup(p.wait)
        self.addCleanup(p.kill)
        return p

    def start_name_node(self):
        p = self.java("namenode.NameNode")

        def serves():
            if p.poll() is not None:
                with open(os.path.join(self.directory, "hadoop.log"), encoding="utf-8", errors="replace") as f:
                    raise AssertionError("the name node ended:\n" + f.read()[-3000:])
            try:
                return self.call("GET", "/", "LISTSTATUS")[0] == 200
            except (OSError, http.client.HTTPException):
                return False

        until(serves, 180, "the name node")
        return p

    def call(self, method, path, op, body=b"", **query):
        """(status, body) of the operation, through the redirect to a data node."""
        url = f"http://127.0.0.1:{self.port}/webhdfs/v1{urllib.parse.quote(path)}?" + urllib.parse.urlencode({"op": op, "user.name": "root", **query})
        while True:
            u = urllib.parse.urlsplit(url)
            c = http.client.HTTPConnection(u.hostname, u.port, timeout=60)
            try:
                c.request(method, f"{u.path}?{u.query}", body if "namenoderpcaddress" in u.query else b"")
                r = c.getresponse()
                text = r.read()
                if r.status != 307:
                    return r.status, text
                url = r.headers["Location"]
            finally:
                c.close()

    def done(self, *args, **query):
        """Repeated until it goes: a name node that has just come knows no data node yet."""
        until(lambda: self.call(*args, **query)[0] in (200, 201), 120, f"{args}")

    def test_a_real_name_node_through_its_restarts(self):
        self.done("PUT", "/data/in/deep", "MKDIRS")
        entry = (f"{{type: 'CREATE|WRITE|REMOVE|RENAME', directory: /data/in, pathRegexp: '^(deep/)?f', addresses: ['127.0.0.1:{self.port}'], "
                 "hdfsUser: root, checkInterval: 500ms}")
        self.gateway("hdfs", {"all": entry})
        until(lambda: "lastLook" in self.sources()["all"], 120, "a look")
        want = []
        for batch in range(4):
            for i in range(25):
                name = f"deep/f{batch}-{i}" if i % 2 else f"f{batch}-{i}"
                self.done("PUT", f"/data/in/{name}", "CREATE", b"x" * i, overwrite="false")
                want.append((CREATE, name))
            if batch % 2:
                self.d.kill()
                self.d.start()
            else:
                self.name_node.kill()
                self.name_node.wait()
                self.failed("all", "127.0.0.1")
                self.name_node = self.start_name_node()
        until(lambda: len(self.announced("all")) >= len(want), 180, "all files")
        self.assertEqual(sorted(self.announced("all")), sorted(want))
        self.done("POST", "/data/in/f0-0", "APPEND", b"more")
        self.done("PUT", "/data/in/f0-2", "RENAME", destination="/data/in/deep/f-moved")
        self.done("DELETE", "/data/in/f0-4", "DELETE")
        more = [(WRITE, "f0-0"), (RENAME, "deep/f-moved"), (REMOVE, "f0-4")]
        until(lambda: len(self.announced("all")) >= len(want) + 3, 120, "the rest")
        self.assertEqual(sorted(self.announced("all")[len(want):]), sorted(more))


if __name__ == "__main__":
    unittest.main()
