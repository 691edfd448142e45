# SPDX-License-Identifier: Apache-2.0
"""A bucket that speaks S3's protocol as far as artifacts need it, and does what it is told: it damages what it gives, stops in the middle and goes on when it is
let, forgets an upload. It does not check signatures: MinIO does that (minio_server.py)."""
import base64
import binascii
import hashlib
import http.server
import re
import ssl
import threading
import urllib.parse

from checksums import crc32c, crc64nvme


def b64(data):
    return base64.b64encode(data).decode()


SUMS = {
    "md5": lambda d: hashlib.md5(d).hexdigest(),
    "x-amz-checksum-sha256": lambda d: b64(hashlib.sha256(d).digest()),
    "x-amz-checksum-sha1": lambda d: b64(hashlib.sha1(d).digest()),
    "x-amz-checksum-crc32": lambda d: b64(binascii.crc32(d).to_bytes(4, "big")),
    "x-amz-checksum-crc32c": lambda d: b64(crc32c(d).to_bytes(4, "big")),
    "x-amz-checksum-crc64nvme": lambda d: b64(crc64nvme(d).to_bytes(8, "big")),
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def setup(self):
        super().setup()
        self.stub = self.server.stub

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status, code):
        self.answer(status, f"<Error><Code>{code}</Code><Message>as it was told</Message></Error>".encode())

    def asked(self):
        """The key, the query, the body; and it is noted."""
        path, _, query = self.path.partition("?")
        query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        key = urllib.parse.unquote(path).partition("/")[2].partition("/")[2]
        self.stub.calls.append((self.command, key, query, self.headers.get("Range")))
        return key, query, body

    def do_PUT(self):
        key, query, body = self.asked()
        if hashlib.sha256(body).hexdigest() != self.headers["x-amz-content-sha256"]:
            self.refuse(400, "XAmzContentSHA256Mismatch")
        elif "uploadId" not in query:
            self.stub.objects[key] = (body, {"ETag": f'"{hashlib.md5(body).hexdigest()}"'})
            self.answer(200, b"", self.stub.objects[key][1])
        elif query["uploadId"] not in self.stub.uploads:
            self.refuse(404, "NoSuchUpload")
        elif int(query["partNumber"]) == self.stub.refused_part:
            self.refuse(403, "AccessDenied")
        else:
            number = int(query["partNumber"])
            self.stub.at_part(number)
            if query["uploadId"] in self.stub.uploads:
                self.stub.uploads[query["uploadId"]][1][number] = body
            self.answer(200, b"", {"ETag": f'"{hashlib.md5(body).hexdigest()}"'})

    def do_POST(self):
        key, query, body = self.asked()
        if "uploads" in query:
            self.stub.serial += 1
            name = f"upload/{self.stub.serial}"
            self.stub.uploads[name] = (key, {})
            self.answer(200, f"<InitiateMultipartUploadResult><UploadId>{name}</UploadId></InitiateMultipartUploadResult>".encode())
            return
        if query["uploadId"] not in self.stub.uploads:
            self.refuse(404, "NoSuchUpload")
            return
        parts = self.stub.uploads[query["uploadId"]][1]
        listed = [(int(n), e) for n, e in re.findall(r'<PartNumber>(\d+)</PartNumber><ETag>"(\w+)"</ETag>', body.decode())]
        if any(n not in parts or hashlib.md5(parts[n]).hexdigest() != e for n, e in listed):
            self.refuse(400, "InvalidPart")
            return
        del self.stub.uploads[query["uploadId"]]
        self.stub.objects[key] = (b"".join(parts[n] for n, _ in listed), {"ETag": f'"{"0" * 32}-{len(listed)}"'})
        self.answer(200, b"<CompleteMultipartUploadResult></CompleteMultipartUploadResult>")

    def do_DELETE(self):
        key, query, _ = self.asked()
        if "uploadId" in query:
            self.stub.uploads.pop(query["uploadId"], None)
        else:
            self.stub.objects.pop(key, None)
        self.answer(204)

    def do_GET(self):
        key, query, _ = self.asked()
        if "list-type" in query:
            self.answer(200, b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
        elif key not in self.stub.objects:
            self.refuse(404, "NoSuchKey")
        elif self.headers.get("If-Match", self.stub.objects[key][1].get("ETag")) != self.stub.objects[key][1].get("ETag"):
            self.refuse(412, "PreconditionFailed")
        else:
            self.give(key, *self.stub.objects[key])

    def give(self, key, body, headers):
        body = self.stub.damaged(key, body)
        begins = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        first = int(begins.group(1)) if begins else 0
        self.send_response(206 if begins else 200)
        for name, value in headers.items():
            if not name.startswith("x-amz-checksum-") or (self.headers["x-amz-checksum-mode"] == "ENABLED" and not begins):
                self.send_header(name, value)
        if begins:
            self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - first))
        self.end_headers()
        stop = self.stub.stop_at if first == 0 and self.stub.stop_at else len(body)
        self.wfile.write(body[first:stop])
        if stop < len(body):
            self.wfile.flush()
            self.stub.stopped.set()
            self.stub.go_on.wait(600)
            self.close_connection = True


class S3Stub:
    def __init__(self, tls=None):
        self.objects, self.uploads, self.calls, self.serial = {}, {}, [], 0
        self.damages = {}          # of a key: how often what is given is damaged
        self.stop_at = 0           # bytes of an object, after which nothing comes
        self.refused_part = 0
        self.stop_at_part = 0      # of an upload: its request is not answered
        self.stopped, self.go_on = threading.Event(), threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads, self.server.stub, self.server.handle_error = True, self, lambda *_: None  # who asked was killed
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.go_on.set()
        self.server.shutdown()
        self.server.server_close()

    def place(self, key, host="127.0.0.1", **more):
        return {"s3": {"endpoint": f"{host}:{self.server.server_port}", "bucket": "b", "key": key, "insecure": True, "accessKey": "a", "secretKey": "s", **more}}

    def damaged(self, key, body):
        if not self.damages.get(key):
            return body
        self.damages[key] -= 1
        return body[:-1] + bytes([body[-1] ^ 1])

    def at_part(self, number):
        if number == self.stop_at_part:
            self.stopped.set()
            self.go_on.wait(600)

    def count(self, method, word="", key=None):
        return sum(m == method and (not word or word in q) and key in (None, k) for m, k, q, _ in self.calls)
