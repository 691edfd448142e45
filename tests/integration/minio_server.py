# SPDX-License-Identifier: Apache-2.0
"""A real MinIO on loopback, from `make build/minio/.installed`, and a client that makes its buckets and objects. What minio_stub.py plays is proven here."""
import datetime
import hashlib
import http.client
import os
import ssl
import urllib.parse

from brokers import Broker
from harness import installed
from test_services import aws_signature


class Client:
    """A connection for requests one after the other, made anew when it breaks."""

    def __init__(self, server):
        self.server, self.connection = server, None

    def connect(self):
        if self.server.secure:
            context = ssl.create_default_context(cafile=os.path.join(self.server.dir, "ca.crt"))
            return http.client.HTTPSConnection("localhost", self.server.port, timeout=60, context=context)
        return http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)

    def request(self, method, path, body=b"", query="", headers=()):
        """The answer's body. `path` as it is called. OSError where there is no answer, AssertionError where it refuses."""
        now = datetime.datetime.now(datetime.timezone.utc)
        target = urllib.parse.quote(path, safe="/~") + ("?" + query if query else "")
        signed = {"host": f"{'localhost' if self.server.secure else '127.0.0.1'}:{self.server.port}", "x-amz-content-sha256": hashlib.sha256(body).hexdigest(),
                  "x-amz-date": now.strftime("%Y%m%dT%H%M%SZ"), **dict(headers)}
        auth = f"AWS4-HMAC-SHA256 Credential={self.server.USER}/{now:%Y%m%d}/{self.server.region}/s3/aws4_request, SignedHeaders={';'.join(sorted(signed))}, Signature="
        call = {"headers": {**signed, "Authorization": auth, "X-Amz-Date": signed["x-amz-date"]}, "path": target, "body": body}
        signed["Authorization"] = auth + aws_signature(call, self.server.PASSWORD, method, once=True)
        self.connection = self.connection or self.connect()
        try:
            self.connection.request(method, target, body, signed)
            answer = self.connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as e:
            self.close()
            raise OSError(str(e)) from None
        if answer.status == 499 or answer.status >= 500:
            raise OSError(f"MinIO begins or ends: {answer.status}")
        if answer.status // 100 != 2:
            raise AssertionError(f"{method} {path}: {answer.status} {text.decode()}")
        return text

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None


class MinioServer(Broker):
    USER, PASSWORD = "minio", "minio-pw"

    def __init__(self, directory, secure=False, region="us-east-1", **environment):
        self.program = installed("minio", "minio")
        super().__init__(directory)
        self.secure, self.region, self.client = secure, region, Client(self)
        self.more = dict(environment, MINIO_SITE_REGION=region)
        if secure:
            self.certificates()
            os.makedirs(os.path.join(self.dir, "certs"))
            for ours, its in (("server.crt", "public.crt"), ("server.key", "private.key")):
                os.link(os.path.join(self.dir, ours), os.path.join(self.dir, "certs", its))

    def environment(self):
        return dict(os.environ, HOME=self.dir, MINIO_ROOT_USER=self.USER, MINIO_ROOT_PASSWORD=self.PASSWORD, MINIO_BROWSER="off", MINIO_CI_CD="1", **self.more)

    def command(self):
        return [self.program, "server", "--quiet", "--address", f"127.0.0.1:{self.port}",
                *(["--certs-dir", os.path.join(self.dir, "certs")] if self.secure else []), os.path.join(self.dir, "data")]

    def ready(self):
        try:
            return super().ready() and self.client.request("GET", "/").startswith(b"<")
        except OSError:
            return False

    def stop(self):
        self.client.close()
        super().stop()

    def request(self, *args, **more):
        return self.client.request(*args, **more)

    def bucket(self, name):
        self.request("PUT", "/" + name)

    def put(self, path, body=b"x"):
        self.request("PUT", path, body)

    def notify(self, bucket, arns):
        """Has the bucket's notifications sent to these targets, by their names in the environment."""
        text = "".join(f"<QueueConfiguration><Id>{i}</Id><Queue>{arn}</Queue><Event>s3:ObjectCreated:*</Event><Event>s3:ObjectRemoved:*</Event>"
                       "</QueueConfiguration>" for i, arn in enumerate(arns))
        self.request("PUT", f"/{bucket}", f"<NotificationConfiguration>{text}</NotificationConfiguration>".encode(), query="notification=")
