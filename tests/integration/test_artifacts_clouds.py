# SPDX-License-Identifier: Apache-2.0
"""Artifacts in Google Cloud Storage (fake-gcs-server), Azure (Azurite) and Alibaba's OSS (a peer): from step to step with connections that are cut, and
what the helper that moves them says of each place."""
import base64
import io
import json
import os
import subprocess
import tarfile
import unittest
import unittest.mock

from clouds import AzuriteBlobs, CutWire, FakeGcs, OssPeer
from door import SessionDoor
from harness import TIDEGATE, TestCase
from test_artifacts_s3 import THERE_AND_BACK, expected
from test_services import Server

MEGABYTES, FILES = 70, 150
SECRET = """
apiVersion: v1
kind: Secret
metadata: {{name: keys}}
stringData: {{access: AKID, secret: '{secret}'}}
"""


def tar(files):
    """A tar as the step helper keeps one, of the folder `out`."""
    kept = io.BytesIO()
    with tarfile.open(fileobj=kept, mode="w") as t:
        for name, data in files.items():
            one = tarfile.TarInfo("out/" + name if name else "out")
            one.size, one.mode = len(data), 0o644
            t.addfile(one, io.BytesIO(data))
    return kept.getvalue()


class Clouds(TestCase):
    def helper(self, what, place, key="k", environment=None, files=None, packing="none", **more):
        """What tidegate-artifact says of one item: its problem, or None."""
        (driver, fields), = place.items()
        fields = dict(fields, **{{"azure": "blob", "hdfs": "path"}.get(driver, "key"): key})
        item = dict({"name": "a", "place": {driver: fields}, "packing": packing}, **more)
        if what == "save":
            item["from"], item["file"] = os.path.join(self.directory, "kept"), "out"
            with open(item["from"], "wb") as f:
                f.write(tar(files))
        job = {"do": what, "into": os.path.join(self.directory, "into"), "scratch": os.path.join(self.directory, "scratch"), "bytes": 1 << 32, "files": 10000,
               "items": [item]}
        done = subprocess.run([os.path.join(os.path.dirname(TIDEGATE), "tidegate-artifact")], input=json.dumps(job), capture_output=True, text=True, timeout=300,
                              env=dict(os.environ, **(environment or {})), check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return json.loads(done.stdout)[0].get("problem")

    def came(self, name=""):
        path = os.path.join(self.directory, "into", "0", name)
        with open(path.rstrip("/"), "rb") as f:
            return f.read()

    def there_and_back(self, driver, place, secret, key="key", environment=None, root=""):
        with unittest.mock.patch.dict(os.environ, environment or {}):
            d = self.daemon({"secrets.yaml": SECRET.format(secret=secret)})
        text = THERE_AND_BACK.format(place=place, megabytes=MEGABYTES, files=FILES).replace("s3: {", driver + ": {").replace(', key: "', f', {key}: "{root}')
        name = d.submit(text)
        w = d.ended(name, 400)
        nodes = {n["displayName"]: n for n in w["status"]["nodes"].values()}
        self.assertEqual(w["status"]["phase"], "Succeeded", [n.get("message") for n in nodes.values()])
        self.assertEqual(nodes["look"]["outputs"]["result"].split("\n"), expected(MEGABYTES, FILES))

    def small_things(self, place, environment=None, root="", missing="404"):
        """A tree, odd names, nothing at all, what is not there, and that it goes."""
        files, tree = {"": b"", "a": b"1", "sub dir/b+c &%é": b"2" * 3000}, root + "a/tree"
        self.assertIsNone(self.helper("save", place, files={"": b"", **{}}, key=root + "empty", environment=environment))
        self.assertIsNone(self.helper("fetch", place, key=root + "empty", environment=environment))
        self.assertEqual(self.came(), b"")
        del files[""]
        self.assertIsNone(self.helper("save", place, files=files, key=tree, environment=environment))
        self.assertIsNone(self.helper("fetch", place, key=tree, environment=environment))
        self.assertEqual([self.came(n) for n in files], list(files.values()))
        self.assertIsNone(self.helper("remove", place, key=tree, environment=environment))
        self.assertIsNone(self.helper("remove", place, key=tree, environment=environment))
        self.assertIn(missing, self.helper("fetch", place, key=tree, environment=environment))
        self.assertIsNone(self.helper("fetch", place, key=tree, environment=environment, optional=True))

    def refused(self, problem, *words, secret):
        for word in words:
            self.assertIn(word, problem)
        self.assertNotIn(secret, problem)


class Azure(Clouds):
    def server(self, cuts=()):
        s = AzuriteBlobs(os.path.join(self.directory, "azurite"))
        self.addCleanup(s.close)
        s.start().call("PUT", "/box", "restype=container")
        wire = CutWire(s.port, cuts).start()
        self.addCleanup(wire.stop)
        return s, wire

    @staticmethod
    def place(port, key=AzuriteBlobs.KEY, container="box"):
        return {"azure": {"endpoint": f"http://127.0.0.1:{port}/{AzuriteBlobs.ACCOUNT}", "container": container, "accountKey": key}}

    def test_there_and_back_over_a_wire_that_is_cut(self):
        s, wire = self.server((20 << 20, 30 << 20, 40 << 20))
        self.there_and_back("azure", f"endpoint: 'http://127.0.0.1:{wire.port}/{s.ACCOUNT}', container: box, accountKeySecret: {{name: keys, key: secret}}", s.KEY,
                            key="blob")
        self.assertEqual(wire.cuts, [])

    def test_small_things_with_key_and_signature(self):
        s, _ = self.server()
        self.small_things(self.place(s.port))
        self.small_things(self.place(s.port, s.sas()))

    def test_the_blob_of_a_folder_is_no_file(self):
        """As accounts with a hierarchical namespace have them."""
        s, _ = self.server()
        s.call("PUT", "/box/dir", **{"x-ms-blob-type": "BlockBlob", "x-ms-meta-hdi_isfolder": "true"})
        s.call("PUT", "/box/dir/f", "", b"text", **{"x-ms-blob-type": "BlockBlob"})
        self.assertIsNone(self.helper("fetch", self.place(s.port), key="dir"))
        self.assertEqual(self.came("f"), b"text")

    def test_who_is_refused_is_told(self):
        s, _ = self.server()
        wrong = base64.b64encode(b"another key").decode()
        self.refused(self.helper("fetch", self.place(s.port, wrong)), "azure http://127.0.0.1", "box/k", "403", "AuthorizationFailure", secret=wrong)
        sas = s.sas().replace("sig=", "sig=x")
        self.refused(self.helper("save", self.place(s.port, sas), files={"": b"x"}), "403", secret=sas[-20:])
        self.refused(self.helper("save", self.place(s.port, container="nowhere"), files={"": b"x"}), "404", "ContainerNotFound", secret=s.KEY)
        self.refused(self.helper("fetch", self.place(s.port, "no key!")), "accountKeySecret", secret="no key!")

    def test_the_machine_signs_in(self):
        tokens = Server(lambda call: (200, {}, json.dumps({"access_token": "t0ken-of-tests", "expires_in": "3600"}).encode())).start()
        blobs = Server(lambda call: (200, {}, b"text") if call["headers"]["Authorization"] == "Bearer t0ken-of-tests" else (401, {}, b"")).start()
        self.addCleanup(tokens.stop)
        self.addCleanup(blobs.stop)
        place = {"azure": {"endpoint": f"http://127.0.0.1:{blobs.port}/a", "container": "box", "useSDKCreds": True}}
        self.assertIsNone(self.helper("fetch", place, environment={"IDENTITY_ENDPOINT": f"http://127.0.0.1:{tokens.port}/t", "IDENTITY_HEADER": "h"}))
        self.assertEqual(self.came(), b"text")
        self.assertIn("resource=https%3A%2F%2Fstorage.azure.com", tokens.calls[0]["path"])


class Gcs(Clouds):
    def server(self, cuts=()):
        s = FakeGcs(os.path.join(self.directory, "gcs"))
        self.door = SessionDoor(r"^PUT .*upload_id=\w+ bytes (\d+-\d+)/")
        wire = CutWire(self.door.port, cuts).start()
        self.door.to, s.front = s.port, wire.port
        self.addCleanup(s.close)
        self.addCleanup(self.door.close)
        self.addCleanup(wire.stop)
        s.start().bucket("box")
        return s, wire

    def test_there_and_back_over_a_wire_that_is_cut(self):
        """Chunks that have arrived are not sent again, nor is another session begun."""
        _, wire = self.server((20 << 20, 30 << 20, 40 << 20))
        self.there_and_back("gcs", "bucket: box", "x", environment={"STORAGE_EMULATOR_HOST": f"127.0.0.1:{wire.port}"})
        self.assertEqual(wire.cuts, [])
        self.assertEqual((self.door.parts(), self.door.count("POST", "uploadType=resumable")), ([1, 1, 1, 1, 1], 1))

    def test_small_things(self):
        s, _ = self.server()
        self.small_things({"gcs": {"bucket": "box"}}, {"STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{s.port}/"})

    def test_a_bucket_that_is_not_there_is_named(self):
        s, _ = self.server()
        self.refused(self.helper("fetch", {"gcs": {"bucket": "nowhere"}}, environment={"STORAGE_EMULATOR_HOST": f"127.0.0.1:{s.port}"}),
                     "gcs http://127.0.0.1", "nowhere/k", "404", secret="s3cr3t")

    def tokens(self):
        """A giver of tokens, and a server that wants one."""
        tokens = Server(lambda call: (200, {}, json.dumps({"access_token": "t0ken-of-tests", "expires_in": 3600}).encode())).start()
        refusal = json.dumps({"error": {"code": 401, "message": "Invalid Credentials", "errors": [{"reason": "authError"}]}}).encode()
        objects = Server(lambda call: (200, {}, b"text") if call["headers"]["Authorization"] == "Bearer t0ken-of-tests" else (401, {}, refusal)).start()
        self.addCleanup(tokens.stop)
        self.addCleanup(objects.stop)
        return tokens, objects, {"CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": f"http://127.0.0.1:{objects.port}/storage/v1/"}

    def account(self, tokens):
        pem = subprocess.run(["openssl", "genrsa", "2048"], capture_output=True, text=True, check=True).stdout
        return json.dumps({"type": "service_account", "client_email": "a@b", "private_key": pem, "private_key_id": "1",
                           "token_uri": f"http://127.0.0.1:{tokens.port}/token"})

    def test_an_account_signs_in(self):
        tokens, objects, environment = self.tokens()
        self.assertIsNone(self.helper("fetch", {"gcs": {"bucket": "box", "serviceAccountKey": self.account(tokens)}}, environment=environment))
        self.assertIn(b"assertion=", tokens.calls[0]["body"])
        self.assertEqual(objects.calls[0]["path"], "/storage/v1/b/box/o/k?alt=media")
        path = os.path.join(self.directory, "key.json")
        with open(path, "w", encoding="utf-8") as f:
            f.write(self.account(tokens))
        self.assertIsNone(self.helper("fetch", {"gcs": {"bucket": "box"}}, environment=dict(environment, GOOGLE_APPLICATION_CREDENTIALS=path)))
        self.assertIsNone(self.helper("fetch", {"gcs": {"bucket": "box"}}, environment=dict(environment, GCE_METADATA_HOST=f"127.0.0.1:{tokens.port}")))
        self.assertEqual(tokens.calls[-1]["headers"]["Metadata-Flavor"], "Google")

    def test_who_is_refused_is_told(self):
        tokens, _, environment = self.tokens()
        tokens.answer = lambda call: (200, {}, b'{"access_token": "wrong", "expires_in": 3600}')
        key = self.account(tokens)
        self.refused(self.helper("save", {"gcs": {"bucket": "box", "serviceAccountKey": key}}, files={"": b"x"}, environment=environment),
                     "box/k", "401", "authError: Invalid Credentials", secret="wrong")
        tokens.answer = lambda call: (400, {}, b'{"error": "invalid_grant", "error_description": "Invalid JWT"}')
        self.refused(self.helper("fetch", {"gcs": {"bucket": "box", "serviceAccountKey": key}}, environment=environment), "400", "invalid_grant: Invalid JWT",
                     secret="PRIVATE KEY")
        self.refused(self.helper("fetch", {"gcs": {"bucket": "box", "serviceAccountKey": "{s3cr3t"}}, environment=environment), "not JSON", secret="s3cr3t")


class Oss(Clouds):
    SECRET = "s3cr3t-key-of-tests"

    def server(self, **more):
        peer = OssPeer(**more)
        s = Server(peer).start()
        self.addCleanup(s.stop)
        return peer, s

    def place(self, s, **more):
        return {"oss": dict({"endpoint": f"127.0.0.1:{s.port}", "bucket": "box", "accessKey": "AKID", "secretKey": self.SECRET}, **more)}

    def test_there_and_back_with_answers_that_break_off(self):
        peer, s = self.server()
        peer.cuts = 2
        self.there_and_back("oss", f"endpoint: '127.0.0.1:{s.port}', bucket: box, accessKeySecret: {{name: keys, key: access}}, secretKeySecret: {{name: keys, "
                            "key: secret}", self.SECRET)
        self.assertEqual((peer.cuts, len(peer.ranges), peer.parts), (0, 2, {}))

    def test_small_things(self):
        _, s = self.server(page=1)
        self.small_things(self.place(s))

    def test_who_is_refused_is_told(self):
        _, s = self.server()
        wrong = self.helper("save", self.place(s, secretKey="an0ther-key"), files={"": b"x"})
        self.refused(wrong, "oss http://127.0.0.1", "box/k", "403", "SignatureDoesNotMatch", secret="an0ther-key")
        self.refused(self.helper("save", self.place(s, bucket="nowhere"), files={"": b"x"}), "404", "NoSuchBucket", "nowhere", secret=self.SECRET)
        self.refused(self.helper("fetch", {"oss": {"endpoint": "h", "bucket": "b"}}), "accessKeySecret and secretKeySecret are needed", secret=self.SECRET)

    def test_what_came_damaged_is_not_taken(self):
        """Whatever is asked for again: half a minute."""
        peer, s = self.server()
        peer.buckets["box"]["k"], peer.damage = b"text", True
        self.refused(self.helper("fetch", self.place(s)), "box/k: its CRC-64 is", secret=self.SECRET)

    def test_a_bucket_is_made_and_gets_its_rule_beside_others(self):
        peer, s = self.server(buckets=())
        peer.rules["made"] = "<LifecycleConfiguration><Rule><ID>other</ID></Rule></LifecycleConfiguration>"
        rule = {"markInfrequentAccessAfterDays": 10, "markDeletionAfterDays": 20}
        for _ in range(2):
            self.assertIsNone(self.helper("save", self.place(s, bucket="made", createBucketIfNotPresent=True, lifecycleRule=rule), files={"": b"x"}))
        self.assertEqual(peer.buckets["made"], {"k": b"x"})
        for words in ("<ID>other</ID>", "<Prefix>k</Prefix>", "<Days>10</Days><StorageClass>IA", "<Expiration><Days>20</Days>"):
            self.assertEqual(peer.rules["made"].count(words), 1, peer.rules)
        late = self.helper("save", self.place(s, lifecycleRule={"markInfrequentAccessAfterDays": 30, "markDeletionAfterDays": 20}), files={"": b"x"})
        self.assertIn("cannot be larger than markDeletionAfterDays", late)

    def test_keys_for_a_while_of_the_environment_and_of_the_machine(self):
        peer, s = self.server()
        peer.keys["STS.1"] = ("secret-of-role", "t0ken")
        self.assertIsNone(self.helper("save", self.place(s, accessKey="STS.1", secretKey="secret-of-role", securityToken="t0ken"), files={"": b"x"}))
        place = {"oss": {"endpoint": f"http://127.0.0.1:{s.port}", "bucket": "box", "useSDKCreds": True}}
        around = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "STS.1", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "secret-of-role", "ALIBABA_CLOUD_SECURITY_TOKEN": "t0ken"}
        self.assertIsNone(self.helper("fetch", place, environment=around))
        machine = Server(self.metadata).start()
        self.addCleanup(machine.stop)
        self.assertIsNone(self.helper("fetch", place, environment={"http_proxy": f"http://127.0.0.1:{machine.port}", "no_proxy": "127.0.0.1"}))
        self.assertEqual(self.came(), b"x")
        self.assertEqual([c["status"] for c in machine.calls], [200, 200, 200])

    @staticmethod
    def metadata(call):
        base = "http://100.100.100.200/latest/"
        if call["path"] == base + "api/token" and call["method"] == "PUT":
            return 200, {}, b"session"
        if call["headers"].get("X-aliyun-ecs-metadata-token") != "session":
            return 403, {}, b""
        keys = {"AccessKeyId": "STS.1", "AccessKeySecret": "secret-of-role", "SecurityToken": "t0ken", "Expiration": "2099-01-01T00:00:00Z"}
        return {base + "meta-data/ram/security-credentials/": (200, {}, b"role"),
                base + "meta-data/ram/security-credentials/role": (200, {}, json.dumps(keys).encode())}[call["path"]]


if __name__ == "__main__":
    unittest.main()
