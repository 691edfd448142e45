# SPDX-License-Identifier: Apache-2.0
"""HDFS for the tests: a WebHDFS of their own, made after Hadoop's documentation, which can be told to fail; and Hadoop's own name node and data node."""
import hashlib
import http.client
import http.server
import json
import os
import struct
import subprocess
import threading
import urllib.parse

from checksums import crc32c
from harness import ROOT, free_port, reply, until
from kdc import REALM

CHUNK = 512


def checksum(data):
    """Of a file with one block, as Hadoop's data nodes make it."""
    md5 = hashlib.md5(b"".join(struct.pack(">I", crc32c(data[i:i + CHUNK])) for i in range(0, len(data), CHUNK))).digest()
    whole = hashlib.md5(md5 + bytes(16)).hexdigest()
    return {"algorithm": f"MD5-of-0MD5-of-{CHUNK}CRC32C", "bytes": struct.pack(">IQ", CHUNK, 0).hex() + whole + "00000000", "length": 28}


def made(server, path, data):
    for i, c in enumerate(path):
        if c == "/" and i:
            server.files.setdefault(path[:i], ["DIRECTORY", len(server.files) + 5000, 0, 1, "755"])
    server.last += 1
    server.files[path] = ["FILE", server.last, len(data), server.last * 1000, "644"]
    server.data[path] = data


class Tree(http.server.BaseHTTPRequestHandler):
    """WebHDFS of server.files {path: [type, id, length, time, permission]}, and of server.data {path: bytes}."""

    protocol_version = "HTTP/1.1"

    def answer(self, status, value):
        self.rest()
        reply(self, status, json.dumps(value), content_type="application/json")

    def refuse(self, status, exception, message):
        self.answer(status, {"RemoteException": {"exception": exception, "javaClassName": "x." + exception, "message": message}})

    def rest(self):
        """What was sent along is read, so that the connection can be used again."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        del self.headers["Content-Length"]

    def handle_one(self):
        s = self.server
        path, _, query = self.path.partition("?")
        query = dict(urllib.parse.parse_qsl(query))
        if s.down:
            self.close_connection = True
            return
        s.calls.append((path, query))
        path = urllib.parse.unquote(path)[len("/webhdfs/v1"):]
        wrong = s.wrong.get(query["op"])
        if s.standby:
            self.refuse(403, "StandbyException", "Operation category READ is not supported in state standby\nmore")
        elif query["op"] == "LISTSTATUS_BATCH" and s.old:
            self.refuse(400, "IllegalArgumentException", "Invalid value for webhdfs parameter \"op\": No enum constant")
        elif s.denies and path.startswith(s.denies):
            self.refuse(403, "AccessControlException", "Permission denied: user=ann")
        elif wrong and "datanode" not in query:
            self.refuse(*wrong.pop(0))
        elif query["op"] not in ("CREATE", "DELETE") and path not in s.files and path != "/":
            self.refuse(404, "FileNotFoundException", f"File {path} does not exist.")
        else:
            getattr(self, query["op"].lower())(path, query)

    do_GET = do_PUT = do_DELETE = handle_one

    def liststatus(self, path, query):
        s = self.server
        below = sorted(p for p in s.files if p.rpartition("/")[0] == path.rstrip("/"))
        below = [p for p in below if p.rpartition("/")[2] > query.get("startAfter", "")]
        if s.files.get(path, ["DIRECTORY"])[0] == "FILE":
            below = [path]
        part = below[:s.part] if query["op"] == "LISTSTATUS_BATCH" else below
        statuses = {"FileStatuses": {"FileStatus": [self.status(p) if p != path else dict(self.status(p), pathSuffix="") for p in part]}}
        if query["op"] == "LISTSTATUS_BATCH":
            statuses = {"DirectoryListing": {"partialListing": statuses, "remainingEntries": len(below) - len(part)}}
        self.answer(200, statuses)

    liststatus_batch = liststatus

    def getfilestatus(self, path, _):
        self.answer(200, {"FileStatus": dict(self.status(path), pathSuffix="")})

    def getfilechecksum(self, path, _):
        s = self.server
        s.lies -= 1
        self.answer(200, {"FileChecksum": checksum(s.data[path] if s.lies < 0 else b"other")})

    def to_data_node(self):
        self.rest()
        self.send_response(307)
        self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}{self.path}&datanode=1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def open(self, path, query):
        s = self.server
        if "datanode" not in query:
            self.to_data_node()
            return
        data = s.data[path][int(query.get("offset", 0)):]
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if s.cuts:
            s.cuts -= 1
            self.wfile.write(data[:max(1, len(data) // 3)])
            self.close_connection = True
            return
        self.wfile.write(data)

    def create(self, path, query):
        s = self.server
        if "datanode" not in query:
            self.to_data_node()
            return
        if s.cuts:
            s.cuts -= 1
            self.rfile.read(int(self.headers["Content-Length"]) // 2)
            self.close_connection = True
            return
        made(s, path, self.rfile.read(int(self.headers["Content-Length"])))
        del self.headers["Content-Length"]
        self.answer(201, {})

    def rename(self, path, query):
        s, to = self.server, query["destination"]
        if to in s.files and query.get("renameoptions") != "OVERWRITE":
            self.refuse(403, "FileAlreadyExistsException", f"rename destination {to} already exists")
            return
        s.files[to], s.data[to] = s.files.pop(path), s.data.pop(path)
        if s.silent:  # it is done, and nobody learns it
            s.silent -= 1
            self.close_connection = True
            return
        self.rest()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def delete(self, path, query):
        s = self.server
        gone = [p for p in s.files if p == path or p.startswith(path + "/")]
        for p in gone:
            del s.files[p]
            s.data.pop(p, None)
        self.answer(200, {"boolean": bool(gone)})

    def status(self, path):
        kind, number, length, time, permission = self.server.files[path]
        return {"accessTime": 0, "blockSize": 0, "childrenNum": 0, "fileId": number, "group": "g", "length": length, "modificationTime": time,
                "owner": "o", "pathSuffix": path.rpartition("/")[2], "permission": permission, "replication": 0, "storagePolicy": 0, "type": kind}

    def log_message(self, *args):
        pass


def start(files, port=0):
    """Such a server."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Tree)
    server.daemon_threads = True
    server.files, server.calls, server.part, server.standby, server.old, server.denies = files, [], 2, False, False, ""
    server.down, server.handle_error = False, lambda *args: None
    server.data, server.cuts, server.silent, server.lies, server.wrong, server.last = {}, 0, 0, 0, {}, 1000
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


def serve(test, files, port=0):
    """The same until the test ends."""
    server = start(files, port)
    test.addCleanup(server.server_close)
    test.addCleanup(server.shutdown)
    return server


class Hadoop:
    """Hadoop's own name node and data node, beneath the test's directory until it ends."""

    def __init__(self, test, kdc=None, **more):
        self.kdc, self.directory, self.addCleanup = kdc, test.directory, test.addCleanup
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
            **(self.secure() if kdc else {}), **more}
        text = "<configuration>" + "".join(f"<property><name>{k}</name><value>{v}</value></property>" for k, v in options.items()) + "</configuration>"
        for name in ("core-site.xml", "hdfs-site.xml"):
            with open(os.path.join(self.conf, name), "w", encoding="utf-8") as f:
                f.write(text)
        with open(os.path.join(self.conf, "log4j.properties"), "w", encoding="utf-8") as f:
            f.write("log4j.rootLogger=WARN,out\nlog4j.appender.out=org.apache.log4j.ConsoleAppender\nlog4j.appender.out.layout=org.apache.log4j.SimpleLayout\n")
        self.java("namenode.NameNode", "-format", "-nonInteractive").wait()
        self.name_node = self.start_name_node()
        self.data_node = self.java("datanode.DataNode")

    def secure(self):
        """Name node and data node want Kerberos: hdfs is who they are, HTTP who their pages are."""
        keys = self.kdc.keys("hdfs.keys", "hdfs/localhost", "HTTP/localhost")
        principals = {f"dfs.{node}.kerberos.principal": f"hdfs/localhost@{REALM}" for node in ("namenode", "datanode")}
        tables = {name: keys for name in ("dfs.namenode.keytab.file", "dfs.datanode.keytab.file", "dfs.web.authentication.kerberos.keytab")}
        return dict(principals, **tables, **{
            "hadoop.security.authentication": "kerberos", "hadoop.http.authentication.type": "kerberos",
            "hadoop.http.authentication.kerberos.principal": f"HTTP/localhost@{REALM}", "hadoop.http.authentication.kerberos.keytab": keys,
            "dfs.web.authentication.kerberos.principal": f"HTTP/localhost@{REALM}",
            "dfs.block.access.token.enable": "true", "ignore.secure.ports.for.testing": "true"})

    def java(self, name, *args):
        libs = os.environ.get("TIDEGATE_HDFS_LIBS") or os.path.join(ROOT, "build", "hdfs", "libs")
        with open(os.path.join(self.directory, "hadoop.log"), "ab") as log:
            p = subprocess.Popen(["java", "-Xmx300m", "--add-opens", "java.base/java.lang=ALL-UNNAMED", "-cp", f"{self.conf}:{libs}/*",
                                  *([f"-Djava.security.krb5.conf={self.kdc.conf}"] if self.kdc else []),
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
                return self.call("GET", "/", "LISTSTATUS")[0] == (401 if self.kdc else 200)
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
