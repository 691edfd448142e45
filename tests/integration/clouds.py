# SPDX-License-Identifier: Apache-2.0
"""Object stores of clouds on loopback: Azurite and fake-gcs-server, started by the tests; a peer of the tests' own that speaks Alibaba's OSS as its
documentation has it, and checks each signature anew; a wire that is cut after so many bytes."""
import base64
import email.utils
import hashlib
import hmac
import json
import os
import threading
import urllib.parse
import xml.etree.ElementTree
import xml.sax.saxutils

from brokers import Broker
from checksums import crc64
from harness import free_port, installed
from queues import Wire, ask, azure_signature


class CutWire(Wire):
    """Cuts every connection once each time so many bytes more have gone through it."""

    def __init__(self, port, cuts=()):
        super().__init__(port)
        self.cuts, self.gone, self.lock = list(cuts), 0, threading.Lock()
        self.copy = self.count

    def count(self, a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
                with self.lock:
                    self.gone += len(data)
                    if self.cuts and self.gone >= self.cuts[0]:
                        self.gone = 0
                        self.cuts.pop(0)
                        raise OSError("cut")
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(2)
            except OSError:
                pass


class AzuriteBlobs(Broker):
    """Azure's own emulator, from `make build/azurite/.installed`. It checks signatures."""

    ACCOUNT, KEY = "account", base64.b64encode(b"key of the account").decode()

    def environment(self):
        return dict(os.environ, AZURITE_ACCOUNTS=f"{self.ACCOUNT}:{self.KEY}")

    def command(self):
        return ["node", installed("azurite", "node_modules", "azurite", "dist", "src", "blob", "main.js"), "--silent",
                "--skipApiVersionCheck", "--disableTelemetry", "--blobHost", "127.0.0.1", "--blobPort", str(self.port), "--location", self.dir]

    def call(self, method, path, query="", body=b"", **more):
        headers = {"x-ms-date": email.utils.formatdate(usegmt=True), "x-ms-version": "2021-12-02", "Content-Length": str(len(body)), **more}
        path = f"/{self.ACCOUNT}{path}"
        headers["Authorization"] = f"SharedKey {self.ACCOUNT}:" + azure_signature(method, path, query, headers, self.ACCOUNT, self.KEY, len(body))
        status, got = ask(self.port, method, path + ("?" + query if query else ""), body, headers)
        if status >= 300:
            raise AssertionError(f"{method} {path}: {status} {got.decode()}")
        return got

    def sas(self, permissions="rwdlac"):
        """An account SAS, as published in "Create an account SAS"."""
        got = {"sv": "2020-12-06", "ss": "b", "srt": "sco", "sp": permissions, "se": "2099-01-01T00:00:00Z"}
        text = "\n".join([self.ACCOUNT, got["sp"], got["ss"], got["srt"], "", got["se"], "", "", got["sv"], "", ""])
        got["sig"] = base64.b64encode(hmac.new(base64.b64decode(self.KEY), text.encode(), hashlib.sha256).digest()).decode()
        return "?" + urllib.parse.urlencode(got)


class FakeGcs(Broker):
    """fake-gcs-server, from `make build/gcs/.installed`. `front` is the port that it names in what it answers."""

    def __init__(self, directory):
        super().__init__(directory)
        self.front = self.port

    def command(self):
        return [installed("gcs", "fake-gcs-server"), "-scheme", "http", "-host", "127.0.0.1", "-port", str(self.port), "-backend", "memory",
                "-log-level", "error", "-public-host", f"127.0.0.1:{self.front}", "-external-url", f"http://127.0.0.1:{self.front}"]

    def bucket(self, name):
        status, text = ask(self.port, "POST", "/storage/v1/b?project=p", json.dumps({"name": name}).encode(), {"Content-Type": "application/json"})
        if status != 200:
            raise AssertionError(text)


class OssPeer:
    """OSS, as an answer() for test_services.Server: not the real service, which nobody can run elsewhere. `cuts`: of so many answers the body breaks off half way."""

    SIGNED = ("lifecycle", "partNumber", "uploadId", "uploads")

    def __init__(self, buckets=("box",), page=100):
        self.keys = {"AKID": ("s3cr3t-key-of-tests", None)}
        self.buckets, self.parts, self.rules, self.page, self.cuts, self.numbers, self.ranges, self.damage = {b: {} for b in buckets}, {}, {}, page, 0, 0, [], False

    @staticmethod
    def error(status, code, text):
        return status, {"Content-Type": "application/xml"}, f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{text}</Message></Error>'.encode()

    def refusal(self, call, path, asked):
        h = call["headers"]
        access, _, signature = h.get("Authorization", "").removeprefix("OSS ").partition(":")
        if access not in self.keys:
            return self.error(403, "InvalidAccessKeyId", "The OSS Access Key Id you provided does not exist in our records.")
        secret, token = self.keys[access]
        ours = "".join(f"{k.lower()}:{v}\n" for k, v in sorted(h.items(), key=lambda x: x[0].lower()) if k.lower().startswith("x-oss-"))
        sub = "&".join(f"{k}={v}" if v else k for k, v in sorted(asked.items()) if k in self.SIGNED)
        text = f"{call['method']}\n{h.get('Content-MD5', '')}\n{h.get('Content-Type', '')}\n{h['Date']}\n{ours}{path}{'?' + sub if sub else ''}"
        wanted = base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()).decode()
        if signature != wanted or token != h.get("x-oss-security-token"):
            return self.error(403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.")
        if "Content-MD5" in h and h["Content-MD5"] != base64.b64encode(hashlib.md5(call["body"]).digest()).decode():
            return self.error(400, "InvalidDigest", "The Content-MD5 you specified is not valid.")
        return None

    def __call__(self, call):
        target, _, query = call["path"].partition("?")
        path, asked = urllib.parse.unquote(target), dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        bucket, _, key = path[1:].partition("/")
        refusal = self.refusal(call, path, asked)
        if refusal:
            return refusal
        if not key and call["method"] == "PUT" and not asked:
            self.buckets[bucket] = {}
            return 200, {}, b""
        if bucket not in self.buckets:
            return self.error(404, "NoSuchBucket", "The specified bucket does not exist.")
        return self.object(call, self.buckets[bucket], key, asked) if key else self.whole(call, bucket, asked)

    def whole(self, call, bucket, asked):
        if "lifecycle" in asked and call["method"] == "PUT":
            xml.etree.ElementTree.fromstring(call["body"])
            self.rules[bucket] = call["body"].decode()
            return 200, {}, b""
        if "lifecycle" in asked:
            return (200, {}, self.rules[bucket].encode()) if bucket in self.rules else self.error(404, "NoSuchLifecycle", "No Row found in Lifecycle Table.")
        names = sorted(k for k in self.buckets[bucket] if k.startswith(asked["prefix"]) and k > asked["marker"])
        some = names[:min(int(asked["max-keys"]), self.page)]
        more = "<IsTruncated>false</IsTruncated>"
        if len(names) > len(some):
            more = f"<IsTruncated>true</IsTruncated><NextMarker>{urllib.parse.quote(self.next_of(asked['marker'], some))}</NextMarker>"
        items = "".join(f"<Contents><Key>{urllib.parse.quote(k)}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;e&quot;</ETag>"
                        f"<Size>{self.size_of(self.buckets[bucket][k])}</Size></Contents>" for k in some)
        return 200, {}, f'<?xml version="1.0"?><ListBucketResult><EncodingType>url</EncodingType>{more}{items}</ListBucketResult>'.encode()

    @staticmethod
    def next_of(marker, some):
        return some[-1]

    size_of = staticmethod(len)

    def object(self, call, objects, key, asked):
        return getattr(self, call["method"].lower())(call, objects, key, asked)

    def put(self, call, objects, key, asked):
        if "uploadId" in asked:
            if asked["uploadId"] not in self.parts:
                return self.error(404, "NoSuchUpload", "The specified upload does not exist.")
            self.parts[asked["uploadId"]][int(asked["partNumber"])] = call["body"]
        else:
            objects[key] = call["body"]
        return 200, {"ETag": '"' + hashlib.md5(call["body"]).hexdigest().upper() + '"'}, b""

    def post(self, call, objects, key, asked):
        if "uploads" in asked:
            self.numbers += 1
            self.parts[f"id+{self.numbers}/="] = {}
            return 200, {}, f"<InitiateMultipartUploadResult><UploadId>id+{self.numbers}/=</UploadId></InitiateMultipartUploadResult>".encode()
        if asked["uploadId"] not in self.parts:
            return self.error(404, "NoSuchUpload", "The specified upload does not exist.")
        parts = self.parts.pop(asked["uploadId"])
        listed = {int(p.find("PartNumber").text): p.find("ETag").text for p in xml.etree.ElementTree.fromstring(call["body"])}
        if listed != {n: '"' + hashlib.md5(p).hexdigest().upper() + '"' for n, p in parts.items()}:
            return self.error(400, "InvalidPart", "One or more of the specified parts could not be found.")
        objects[key] = b"".join(parts[n] for n in sorted(parts))
        return 200, {}, b"<CompleteMultipartUploadResult/>"

    def get(self, call, objects, key, asked):
        if key not in objects:
            return self.error(404, "NoSuchKey", "The specified key does not exist.")
        data, start = objects[key], call["headers"].get("Range")
        headers = {"ETag": '"' + hashlib.md5(data).hexdigest() + '"'}
        if len(data) < 1 << 16:
            headers["x-oss-hash-crc64ecma"] = str(crc64(data))
        if self.damage:
            data = bytes([data[0] ^ 1]) + data[1:]
        status, body = 200, data
        if start:
            n = int(start.removeprefix("bytes=").removesuffix("-"))
            self.ranges.append(n)
            status, body = 206, data[n:]
            headers["Content-Range"] = f"bytes {n}-{len(data) - 1}/{len(data)}"
        headers["Content-Length"] = str(len(body))
        if self.cuts and len(body) > 1 << 20:
            self.cuts -= 1
            body = body[:len(body) // 2]
        return status, headers, body

    def delete(self, call, objects, key, asked):
        if "uploadId" in asked:
            self.parts.pop(asked["uploadId"], None)
        else:
            objects.pop(key, None)
        return 204, {}, b""
