# SPDX-License-Identifier: Apache-2.0
"""What of MinIO the source `minio` needs, for the tests: ListenBucketNotification as a stream that the test breaks when it likes, and ListObjectsV2, both with
the signature checked. A peer of our own, made from MinIO's answers: what it leaves unproven is said in docs/event-sources.md."""
import datetime
import hashlib
import http.server
import json
import queue
import socket
import ssl
import threading
import time
import urllib.parse
from xml.sax.saxutils import escape

from harness import free_port, reply
from test_services import aws_signature

BREAK = object()


def iso(t):
    return datetime.datetime.fromtimestamp(t, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        stub = self.server.stub
        call = {"path": self.path, "headers": self.headers, "body": b""}
        stub.calls.append(self.path)
        if not self.headers.get("Authorization", "").endswith("Signature=" + aws_signature(call, stub.secret, "GET", once=True)):
            self.answer(403, "<Error><Code>SignatureDoesNotMatch</Code><Message>Check your key &amp; method.</Message></Error>")
            return
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query, keep_blank_values=True)
        if url.path != "/in-box":
            self.answer(404, "<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message></Error>")
        elif "list-type" in query:
            self.answer(*stub.listing(query))
        else:
            self.listen(stub, query)

    def answer(self, status, text):
        reply(self, status, text)

    def listen(self, stub, query):
        """As MinIO: the head comes with what comes first, an empty notification every second; `held_back`: nothing before there are 4 KiB."""
        mine, self.begun, self.kept = queue.Queue(), False, b""
        with stub.lock:
            stub.streams.append((mine, query))
        try:
            while True:
                try:
                    piece = mine.get(timeout=1)
                except queue.Empty:
                    piece = b'{"Records":null}\n' if stub.pings else b""
                    stub.pinged += stub.pings
                if piece is BREAK:
                    break
                self.kept += piece
                if self.kept and (not stub.held_back or len(self.kept) >= 4096):
                    self.flush()
        except OSError:
            pass
        finally:
            with stub.lock:
                stub.streams = [s for s in stub.streams if s[0] is not mine]
            self.close_connection = True
            try:
                self.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def flush(self):
        if not self.begun:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
        self.begun = True
        self.wfile.write(b"%x\r\n%s\r\n" % (len(self.kept), self.kept))
        self.wfile.flush()
        self.kept = b""


class Minio:
    """One bucket, called in-box."""

    def __init__(self, secret="s3cr3t", tls=None):
        self.secret, self.tls, self.port = secret, tls, free_port()
        self.objects, self.streams, self.calls = {}, [], []
        self.lock, self.page, self.held_back, self.pings, self.listing_fails = threading.Lock(), 1000, False, True, False
        self.server, self.pinged = None, 0
        self.held_listing, self.holding = None, threading.Event()  # an event that the next listing waits for, to fail then; whether it does

    def start(self):
        http.server.ThreadingHTTPServer.allow_reuse_address = True
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.handle_error = lambda *args: None  # connections end as the test wants
        self.server.stub, self.server.daemon_threads, self.server.block_on_close = self, True, False
        if self.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None
            self.break_streams()

    def break_streams(self):
        with self.lock:
            for s, _ in self.streams:
                s.put(BREAK)
            self.streams = []

    def listeners(self):
        with self.lock:
            return len(self.streams)

    def record(self, key, name, at, obj):
        return {"eventVersion": "2.0", "eventSource": "minio:s3", "awsRegion": "", "eventTime": iso(at + 0.003), "eventName": name,
                "userIdentity": {"principalId": "minio"}, "requestParameters": {"principalId": "minio", "region": "", "sourceIPAddress": "127.0.0.1"},
                "responseElements": {"x-amz-request-id": "17", "x-minio-deployment-id": "d"},
                "s3": {"s3SchemaVersion": "1.0", "configurationId": "Config", "bucket": {"name": "in-box", "ownerIdentity": {"principalId": "minio"},
                       "arn": "arn:aws:s3:::in-box"}, "object": {"key": key, **obj, "sequencer": "%X" % int(at * 1e9)}},
                "source": {"host": "127.0.0.1", "port": "", "userAgent": "test"}}

    def send(self, key, name, at, obj):
        line = json.dumps({"Records": [self.record(key, name, at, obj)]}).encode() + b"\n"
        with self.lock:
            for s, query in self.streams:
                prefix, suffix = query.get("prefix", [""])[0], query.get("suffix", [""])[0]
                if key.startswith(prefix) and key.endswith(suffix) and any(name.startswith(e.rstrip("*")) for e in query.get("events", [])):
                    s.put(line[:40])
                    s.put(line[40:])
                    s.put(b" ")

    def put(self, key, body=b"x", at=None):
        at = at or time.time()
        etag = hashlib.md5(body).hexdigest()
        self.objects[key] = (etag, at, len(body))
        self.send(key, "s3:ObjectCreated:Put", at, {"size": len(body), "eTag": etag, "contentType": "text/plain", "userMetadata": {"content-type": "text/plain"}})

    def remove(self, key):
        del self.objects[key]
        self.send(key, "s3:ObjectRemoved:Delete", time.time(), {})

    def say(self, piece):
        with self.lock:
            for s, _ in self.streams:
                s.put(piece)

    def listing(self, query):
        held, self.held_listing = self.held_listing, None
        if held:
            self.holding.set()
            held.wait(60)
            return 503, "<Error><Code>SlowDown</Code><Message>Later.</Message></Error>"
        if self.listing_fails:
            return 403, "<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>"
        after, prefix = query.get("continuation-token", [""])[0], query.get("prefix", [""])[0]
        keys = sorted(k for k in list(self.objects) if k > after and k.startswith(prefix))
        page, text = keys[:self.page], "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>in-box</Name>"
        for key in page:
            etag, at, size = self.objects[key]
            text += (f"<Contents><Key>{escape(urllib.parse.quote(key))}</Key><LastModified>{iso(at)}</LastModified><ETag>&#34;{etag}&#34;</ETag>"
                     f"<Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>")
        more = len(keys) > len(page)
        text += f"<IsTruncated>{'true' if more else 'false'}</IsTruncated>"
        if more:
            text += f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>"
        return 200, text + "</ListBucketResult>"
