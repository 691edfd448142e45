# SPDX-License-Identifier: Apache-2.0
"""What of a Kubernetes API server the source `resource` needs, for the tests: lists in pages, watches with bookmarks, versions that are forgotten (410), tokens
and client certificates, over TLS. A peer of our own, made from the published API: what it leaves unproven is said in docs/compatibility.md."""
import copy
import functools
import http.server
import json
import multiprocessing.util
import os
import select
import shutil
import socket
import ssl
import tempfile
import threading
import time
import urllib.parse
import uuid

from brokers import Broker
from harness import reply

CREATED = "2026-01-01T00:00:00Z"


class Cut(Exception):
    pass


@functools.cache
def certificates():
    """A folder with those of all clusters: they take long to make."""
    folder = tempfile.mkdtemp(prefix="tidegate-test-")
    multiprocessing.util.Finalize(None, shutil.rmtree, (folder, True), exitpriority=1)  # atexit is not for the workers of a pool
    Broker(folder).certificates("DNS:cluster.test,IP:127.0.0.1")
    return folder


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        cluster = self.server.cluster
        url = urllib.parse.urlsplit(self.path)
        query = {k: v[0] for k, v in urllib.parse.parse_qs(url.query).items()}
        with cluster.lock:
            cluster.calls.append((url.path, query))
            refusal = cluster.refusal(self)
        try:
            if refusal:
                self.status(*refusal)
            elif "watch" in query:
                self.watch(cluster, url.path, query)
            else:
                self.answer(*cluster.list(url.path, query))
        except (OSError, Cut):
            self.close_connection = True

    def answer(self, status, value):
        reply(self, status, json.dumps(value), content_type="application/json")

    def status(self, code, reason, message):
        self.answer(code, status(code, reason, message))

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def watch(self, cluster, path, query):
        at = int(query["resourceVersion"])
        if at < cluster.oldest and not cluster.gone_in_stream:
            self.status(410, "Expired", f"too old resource version: {at} ({cluster.oldest})")
            return
        me = cluster.join(path, query, self.connection)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        try:
            if at < cluster.oldest:
                self.chunk(line("ERROR", status(410, "Expired", "too old resource version")))
                return
            while (news := cluster.news(me, at)) is not None:
                for at, data in news:
                    if me["cut"]:
                        self.chunk(data[:len(data) // 2])
                        raise Cut
                    for i in range(0, len(data), 1000):  # lines come in pieces
                        self.chunk(data[i:i + 1000])
            self.wfile.write(b"0\r\n\r\n")
        finally:
            cluster.leave(me)
            self.close_connection = True
            try:
                self.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def status(code, reason, message):
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason, "code": code}


def line(kind, value):
    return json.dumps({"type": kind, "object": value}).encode() + b"\n"


def matches(selector, value):
    labels = value["metadata"].get("labels", {})
    return all(labels.get(part.split("=")[0]) == part.split("=")[1] for part in selector.split(",") if part)


class Cluster(Broker):
    """Objects of one kind; `path` is where they are, without a namespace."""

    def __init__(self, directory, path="/apis/example.org/v1/widgets", kind="Widget", says_kind=True):
        super().__init__(directory)
        shutil.copytree(certificates(), directory, dirs_exist_ok=True)
        self.path, self.kind, self.says_kind = path, kind, says_kind
        self.lock = threading.Condition()
        self.objects, self.log, self.version, self.oldest = {}, [], 100, 0
        self.calls, self.watchers, self.tokens, self.faults = [], [], {"t0ken-of-tests"}, []
        self.page, self.gone_in_stream, self.server = 500, False, None

    # ---- what the test does

    def put(self, name, ns="a", created=None, **spec):
        with self.lock:
            self.version += 1
            old = self.objects.get((ns, name))
            labels = spec.pop("labels", old["metadata"]["labels"] if old else {})
            meta = {"name": name, "namespace": ns, "labels": labels, "resourceVersion": str(self.version),
                    "uid": old["metadata"]["uid"] if old else str(uuid.uuid4()),
                    "creationTimestamp": created or (old["metadata"]["creationTimestamp"] if old else CREATED)}
            new = {"apiVersion": self.path.split("/", 2)[2].rsplit("/", 1)[0], "kind": self.kind, "metadata": meta, "spec": spec}
            self.objects[ns, name] = new
            self.log.append((self.version, old, new))
            self.lock.notify_all()

    def delete(self, name, ns="a"):
        with self.lock:
            self.version += 1
            old = self.objects.pop((ns, name))
            last = copy.deepcopy(old)
            last["metadata"]["resourceVersion"] = str(self.version)
            self.log.append((self.version, old, None, last))
            self.lock.notify_all()

    def bookmark(self):
        with self.lock:
            self.version += 1
            self.log.append((self.version, None, None))
            self.lock.notify_all()

    def forget(self):
        """Versions before now are too old to watch from."""
        with self.lock:
            self.version += 1
            self.oldest = self.version
            self.log = []

    def end_watches(self, cut=False, error=None):
        """Ends all streams: well, in the middle of the next line, or with an ERROR."""
        with self.lock:
            for w in self.watchers:
                w["cut"], w["error"], w["end"] = cut, error, not cut
            self.lock.notify_all()

    def watching(self):
        with self.lock:
            return len(self.watchers)

    def asked(self, what):
        with self.lock:
            return [q for p, q in self.calls if ("watch" in q) == (what == "watch")]

    # ---- what it answers

    def refusal(self, handler):
        if self.faults:
            return self.faults.pop(0)
        token = handler.headers.get("Authorization", "")
        if token.removeprefix("Bearer ") in self.tokens or (hasattr(handler.connection, "getpeercert") and handler.connection.getpeercert()):
            return None
        return 401, "Unauthorized", "Unauthorized"

    @staticmethod
    def namespace(path):
        return path.split("/namespaces/")[1].split("/")[0] if "/namespaces/" in path else None

    def list(self, path, query):
        with self.lock:
            if self.path.rsplit("/", 1)[1] != path.rsplit("/", 1)[1]:
                return 404, status(404, "NotFound", "the server could not find the requested resource")
            ns, first, version = self.namespace(path), "", self.version
            if "continue" in query:
                version, first = query["continue"].split(" ", 1)
                if int(version) < self.oldest:
                    return 410, status(410, "Expired", "The provided continue parameter is too old")
            found = sorted(k for k in self.objects if ns in (None, k[0]) and matches(query.get("labelSelector", ""), self.objects[k]))
            found = [k for k in found if "/".join(k) > first]
            limit = min(self.page, int(query["limit"]))
            items = [copy.deepcopy(self.objects[k]) for k in found[:limit]]
            if not self.says_kind:
                for i in items:
                    del i["kind"], i["apiVersion"]
            meta = {"resourceVersion": str(version)}
            if len(found) > limit:
                meta["continue"] = f"{version} {'/'.join(found[limit - 1])}"
            api = self.path.split("/", 2)[2].rsplit("/", 1)[0]
            return 200, {"kind": self.kind + "List", "apiVersion": api, "metadata": meta, "items": items}

    def join(self, path, query, connection):
        with self.lock:
            me = {"ns": self.namespace(path), "selector": query.get("labelSelector", ""), "cut": False, "end": False, "error": None,
                  "connection": connection}
            self.watchers.append(me)
            return me

    def leave(self, me):
        with self.lock:
            self.watchers = [w for w in self.watchers if w is not me]

    def seen_by(self, me, entry):
        """A change as this watcher sees it, or None."""
        version, old, new = entry[:3]
        if not old and not new:
            return line("BOOKMARK", {"kind": self.kind, "apiVersion": "v1", "metadata": {"resourceVersion": str(version), "creationTimestamp": None}})
        if me["ns"] not in (None, (new or old)["metadata"]["namespace"]):
            return None
        had, has = bool(old and matches(me["selector"], old)), bool(new and matches(me["selector"], new))
        if had and has:
            return line("MODIFIED", new)
        if has:
            return line("ADDED", new)
        return line("DELETED", entry[3] if len(entry) > 3 else new) if had else None

    def news(self, me, at):
        """[(version, line)] behind a version, once there are some; None: the stream ends."""
        with self.lock:
            while True:
                if me["error"]:
                    error, me["error"], me["end"] = me["error"], None, True
                    return [(at, line("ERROR", error))]
                if me["end"]:
                    return None
                got = [(e[0], self.seen_by(me, e)) for e in self.log if e[0] > at]
                got = [g for g in got if g[1]]
                if got:
                    return got
                if select.select([me["connection"]], [], [], 0)[0]:
                    return None  # nobody listens any more: a watcher says nothing
                self.lock.wait(0.1)

    # ---- life

    def start(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{self.dir}/server.crt", f"{self.dir}/server.key")
        context.load_verify_locations(f"{self.dir}/ca.crt")
        context.verify_mode = ssl.CERT_OPTIONAL
        http.server.ThreadingHTTPServer.allow_reuse_address = True
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.handle_error = lambda *args: None  # connections end as the test wants
        self.server.cluster, self.server.daemon_threads, self.server.block_on_close = self, True, False
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None
            self.end_watches()

    def kubeconfig(self, user=None, **cluster):
        """Path of one; `user` is its user, by default a token in a file beside it."""
        self.write_token("t0ken-of-tests")
        path = os.path.join(self.dir, "kubeconfig")
        where = {"server": f"https://127.0.0.1:{self.port}", "certificate-authority": "ca.crt"} | cluster
        doc = {"apiVersion": "v1", "kind": "Config", "current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
               "clusters": [{"name": "k", "cluster": {k: v for k, v in where.items() if v is not None}}],
               "users": [{"name": "u", "user": {"tokenFile": "token"} if user is None else user}]}
        with open(path + ".new", "w", encoding="utf-8") as f:
            json.dump(doc, f)
        os.rename(path + ".new", path)
        return path

    def write_token(self, token):
        with open(os.path.join(self.dir, "token.new"), "w", encoding="utf-8") as f:
            f.write(token + "\n")
        os.rename(os.path.join(self.dir, "token.new"), os.path.join(self.dir, "token"))


def now(seconds=0):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
