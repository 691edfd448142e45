# SPDX-License-Identifier: Apache-2.0
"""Where the s3 driver finds its keys when the manifest has none: each of AWS's ways, in the end judged by a real MinIO; and what MinIO encrypts. Asked of
tidegate-artifact itself."""
import base64
import hashlib
import http.server
import json
import os
import re
import subprocess
import threading
import urllib.parse

from harness import TIDEGATE, TestCase
from minio_server import MinioServer

HELPER = os.path.join(os.path.dirname(os.path.realpath(TIDEGATE)), "tidegate-artifact")
WEB_IDENTITY = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials>
<AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>
</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"""


class Givers(http.server.BaseHTTPRequestHandler):
    """A container's service, a machine's (version 2) and the token service for web identities."""
    protocol_version = "HTTP/1.1"

    def reply(self, status, text):
        self.server.asked.append(f"{self.command} {self.path}")
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def json_keys(self):
        access, secret, token = self.server.keys
        return json.dumps({"Code": "Success", "AccessKeyId": access, "SecretAccessKey": secret, "Token": token, "Expiration": "2099-01-01T00:00:00Z"})

    def do_GET(self):
        machine = "/latest/meta-data/iam/security-credentials/"
        if self.path == "/container":
            good = self.headers["Authorization"] == "Bearer c0ntainer"
            self.reply(200 if good else 401, self.json_keys() if good else "who are you?")
        elif self.path.startswith(machine) and self.headers["X-aws-ec2-metadata-token"] == "imds-token":
            self.reply(200, self.json_keys() if self.path == machine + "worker" else "worker\n")
        else:
            self.reply(401, "no token")

    def do_PUT(self):
        good = self.path == "/latest/api/token" and self.headers["X-aws-ec2-metadata-token-ttl-seconds"]
        self.reply(200 if good else 404, "imds-token" if good else "")

    def do_POST(self):
        form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        good = (form.get("Action"), form.get("WebIdentityToken"), form.get("RoleArn")) == ("AssumeRoleWithWebIdentity", "j.w.t", "arn:aws:iam::1:role/web")
        self.reply(200 if good else 403, WEB_IDENTITY % self.server.keys if good else "<Error><Code>InvalidIdentityToken</Code><Message>bad</Message></Error>")

    def log_message(self, *_):
        pass


class S3Helper(TestCase):
    SERVER = {}

    def setUp(self):
        super().setUp()
        self.minio = MinioServer(os.path.join(self.directory, "minio"), **self.SERVER)
        self.addCleanup(self.minio.close)
        self.minio.start().bucket("box")

    def ask(self, job, environment):
        job = {"scratch": os.path.join(self.directory, "scratch"), **job}
        none = {"PATH": os.environ["PATH"], "HOME": self.directory, "AWS_EC2_METADATA_DISABLED": "true"}
        p = subprocess.run([HELPER], input=json.dumps(job), capture_output=True, text=True, env={**none, **environment}, check=False, timeout=240)
        self.assertEqual(p.returncode, 0, p.stderr)
        return json.loads(p.stdout)[0].get("problem")


class Locked(http.server.BaseHTTPRequestHandler):
    """A bucket with a default retention, as AWS has it: no object without its MD5, in one piece or in parts."""
    protocol_version = "HTTP/1.1"

    def reply(self, status, text=""):
        self.send_response(status)
        self.send_header("ETag", '"e"')
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_PUT(self):
        body, given = self.rfile.read(int(self.headers["Content-Length"])), self.headers["Content-MD5"]
        if given != base64.b64encode(hashlib.md5(body).digest()).decode():
            self.reply(400, "<Error><Code>InvalidRequest</Code><Message>Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests "
                            "with Object Lock parameters</Message></Error>")
            return
        self.server.pieces.append(len(body))
        self.reply(200)

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.reply(200, "<R><UploadId>u</UploadId></R>" if self.path.endswith("?uploads=") else "<CompleteMultipartUploadResult></CompleteMultipartUploadResult>")

    def do_DELETE(self):
        self.server.given_up += 1
        self.reply(204)

    def log_message(self, *_):
        pass


class S3Locked(TestCase):
    def test_objects_that_are_locked_come_with_their_md5(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Locked)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        log = os.path.join(self.directory, "log")
        s3 = {"endpoint": f"127.0.0.1:{server.server_port}", "bucket": "b", "key": "k", "insecure": True, "accessKey": "a", "secretKey": "s"}
        for megabytes, pieces in ((1, [1 << 20]), (40, [32 << 20, 8 << 20])):
            server.pieces, server.given_up = [], 0
            with open(log, "w", encoding="utf-8") as f:
                f.writelines(f"t {'x' * 1023}\n" for _ in range(megabytes * 1024))
            job = {"do": "save", "scratch": os.path.join(self.directory, "scratch"), "items": [{"name": "x", "place": {"s3": s3}, "log": log}]}
            p = subprocess.run([HELPER], input=json.dumps(job), capture_output=True, text=True, check=False, timeout=240)
            self.assertEqual(p.stdout, "[{}]")
            self.assertEqual(server.pieces, pieces)
            self.assertEqual(server.given_up, 1 if megabytes == 40 else 0)


class S3Keys(S3Helper):
    def setUp(self):
        super().setUp()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Givers)
        self.server.asked, self.server.keys = [], (self.minio.USER, self.minio.PASSWORD, "")
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.base = f"http://127.0.0.1:{self.server.server_port}"

    def session_keys(self):
        """Keys of MinIO's own token service, which go with a token and are nothing without it."""
        text = subprocess.run(["curl", "-sf", "--aws-sigv4", "aws:amz:us-east-1:sts", "--user", f"{self.minio.USER}:{self.minio.PASSWORD}", "-d",
                               "Action=AssumeRole&Version=2011-06-15&DurationSeconds=3600", f"http://127.0.0.1:{self.minio.port}/"],
                              capture_output=True, text=True, check=True).stdout
        return tuple(re.search(f"<{n}>([^<]+)<", text).group(1) for n in ("AccessKeyId", "SecretAccessKey", "SessionToken"))

    def there_and_back(self, environment, problem=None, **place):
        log, back = os.path.join(self.directory, "log"), os.path.join(self.directory, "back")
        s3 = {"endpoint": f"127.0.0.1:{self.minio.port}", "bucket": "box", "key": "a key+/x", "insecure": True, **place}
        with open(log, "w", encoding="utf-8") as f:
            f.write("2026-01-01T00:00:00Z hello\n")
        said = self.ask({"do": "save", "items": [{"name": "x", "place": {"s3": s3}, "log": log}]}, environment)
        if problem:
            self.assertRegex(said, problem)
            return
        self.assertIsNone(said)
        self.assertIsNone(self.ask({"do": "fetch", "into": back, "items": [{"name": "x", "place": {"s3": s3}, "packing": "none"}]}, environment))
        with open(os.path.join(back, "0"), encoding="utf-8") as f:
            self.assertEqual(f.read(), "hello\n")
        self.assertIsNone(self.ask({"do": "remove", "items": [{"name": "x", "place": {"s3": s3}}]}, environment))
        said = self.ask({"do": "fetch", "into": back, "items": [{"name": "x", "place": {"s3": s3}, "packing": "none"}]}, environment)
        self.assertIn("404, NoSuchKey", said)
        self.assertIn(f"127.0.0.1:{self.minio.port}, box/a key+/x", said)

    def test_the_place_itself(self):
        access, secret, token = self.session_keys()
        self.there_and_back({}, accessKey=self.minio.USER, secretKey=self.minio.PASSWORD)
        self.there_and_back({}, accessKey=access, secretKey=secret, sessionToken=token)
        self.there_and_back({}, "403", accessKey=access, secretKey=secret)

    def test_the_environment(self):
        access, secret, token = self.session_keys()
        self.there_and_back({"AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token}, useSDKCreds=True)

    def test_a_profile(self):
        os.mkdir(os.path.join(self.directory, ".aws"))
        with open(os.path.join(self.directory, ".aws", "credentials"), "w", encoding="utf-8") as f:
            f.write("[default]\naws_access_key_id = no\naws_secret_access_key = no\n# a comment\n[box]\n"
                    f"aws_access_key_id={self.minio.USER}\naws_secret_access_key = {self.minio.PASSWORD}\n")
        with open(os.path.join(self.directory, ".aws", "config"), "w", encoding="utf-8") as f:
            f.write("[profile sso]\nsso_session = corporate\n")
        self.there_and_back({"AWS_PROFILE": "box"}, useSDKCreds=True)
        self.there_and_back({}, "403, InvalidAccessKeyId", useSDKCreds=True)
        self.there_and_back({"AWS_PROFILE": "sso"}, "sso_session", useSDKCreds=True)

    def test_a_web_identity(self):
        self.server.keys = self.session_keys()
        with open(os.path.join(self.directory, "token"), "w", encoding="utf-8") as f:
            f.write("j.w.t\n")
        around = {"AWS_WEB_IDENTITY_TOKEN_FILE": f.name, "AWS_ROLE_ARN": "arn:aws:iam::1:role/web", "AWS_ENDPOINT_URL_STS": self.base}
        self.there_and_back(around, useSDKCreds=True)
        self.there_and_back({**around, "AWS_ROLE_ARN": "arn:aws:iam::1:role/other"}, "InvalidIdentityToken", useSDKCreds=True)

    def test_a_container(self):
        self.server.keys = self.session_keys()
        around = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": self.base + "/container", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Bearer c0ntainer"}
        self.there_and_back(around, useSDKCreds=True)
        self.there_and_back({**around, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Bearer other"}, "401 who are you", useSDKCreds=True)

    def test_a_machine(self):
        self.server.keys = self.session_keys()
        self.there_and_back({"AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.base}, useSDKCreds=True)
        self.assertIn("PUT /latest/api/token", self.server.asked)

    def test_a_role(self):
        around = {"AWS_ACCESS_KEY_ID": self.minio.USER, "AWS_SECRET_ACCESS_KEY": self.minio.PASSWORD,
                  "AWS_ENDPOINT_URL_STS": f"http://127.0.0.1:{self.minio.port}"}
        self.there_and_back(around, roleARN="arn:aws:iam::1:role/r")

    def test_there_are_none(self):
        self.there_and_back({}, "there are no AWS keys", useSDKCreds=True)
        self.there_and_back({}, "403, AccessDenied")


class S3Encryption(S3Helper):
    SERVER = {"secure": True, "MINIO_KMS_SECRET_KEY": "its-key:" + base64.b64encode(b"k" * 32).decode()}

    def place(self, options=None):
        s3 = {"endpoint": f"localhost:{self.minio.port}", "bucket": "box", "key": "x", "accessKey": self.minio.USER, "secretKey": self.minio.PASSWORD,
              "ca": self.minio.text("ca.crt")}
        return {"s3": {**s3, "encryptionOptions": options} if options else s3}

    def there_and_back(self, options, megabytes=1):
        """What the server says of the object as it is read without the options."""
        log, back = os.path.join(self.directory, "log"), os.path.join(self.directory, "back")
        line = "x" * 1023
        with open(log, "w", encoding="utf-8") as f:
            f.writelines(f"2026-01-01T00:00:00Z {line}\n" for _ in range(megabytes * 1024))
        self.assertIsNone(self.ask({"do": "save", "items": [{"name": "x", "place": self.place(options), "log": log}]}, {}))
        fetch = {"do": "fetch", "into": back, "items": [{"name": "x", "place": self.place(options), "packing": "none"}]}
        self.assertIsNone(self.ask(fetch, {}))
        with open(os.path.join(back, "0"), encoding="utf-8") as f:
            self.assertEqual(f.read(), f"{line}\n" * (megabytes * 1024))
        fetch["items"][0]["place"] = self.place()
        return self.ask(fetch, {})

    def headers(self):
        url = f"https://localhost:{self.minio.port}/box/x"
        return subprocess.run(["curl", "-sfI", "--cacert", os.path.join(self.minio.dir, "ca.crt"), "--aws-sigv4", "aws:amz:us-east-1:s3", "--user",
                               f"{self.minio.USER}:{self.minio.PASSWORD}", url], capture_output=True, text=True, check=True).stdout.lower()

    def test_a_key_of_ones_own(self):
        options = {"enableEncryption": True, "serverSideCustomerKey": "0123456789abcdef0123456789abcdef"}
        self.assertRegex(self.there_and_back(options), "400")
        self.assertRegex(self.there_and_back(options, 70), "400")  # in parts
        said = self.ask({"do": "fetch", "into": os.path.join(self.directory, "back"), "items": [{"name": "x", "packing": "none", "place": self.place(
            {**options, "serverSideCustomerKey": "another key"})}]}, {})
        self.assertIn("must have 32 bytes, and has 11", said)

    def test_a_key_of_the_servers(self):
        self.assertIsNone(self.there_and_back({"enableEncryption": True}, 40))
        self.assertIn("x-amz-server-side-encryption: aes256", self.headers())

    def test_a_key_of_its_key_service(self):
        self.assertIsNone(self.there_and_back({"enableEncryption": True, "kmsKeyId": "its-key", "kmsEncryptionContext": '{"department": "10103.0"}'}))
        self.assertIn("x-amz-server-side-encryption: aws:kms", self.headers())
        self.assertIn("its-key", self.headers())
