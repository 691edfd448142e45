# SPDX-License-Identifier: Apache-2.0
"""Event source minio against a real MinIO, and the notifications that it sends by itself to a webhook, Redis, MQTT and NATS. The release that is taken holds
its stream back until it has 4 KiB (minio_stub.py plays those that don't): what is written is found by listings, what is deleted comes with the stream."""
import collections
import json
import os
import threading
import unittest

from brokers import Mosquitto, Nats, Redis
from harness import FULL, free_port, until
from minio_server import Client, MinioServer
from source_case import SourceCase, ref

OUTAGES = 5
LINES = 20  # of the log, for one


@unittest.skipUnless(FULL, "MinIO is no Debian package: make integration")
class RealMinio(SourceCase):
    def server(self, **more):
        s = MinioServer(os.path.join(self.directory, "minio"), **more)
        self.addCleanup(s.close)
        s.start().bucket("in-box")
        return s

    def listen(self, server, more="insecure: true", events='["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]', secret=MinioServer.PASSWORD, start=True):
        keys = {"access": server.USER, "secret": secret}
        if server.secure:
            keys.update(ca=server.text("ca.crt"), other=server.text("other.crt"))
        host = "localhost" if server.secure else "127.0.0.1"
        return self.source("minio", f"endpoint: {host}:{server.port}\nbucket: {{name: in-box}}\nevents: {events}\naccessKey: {ref('access')}\n"
                           f"secretKey: {ref('secret')}\n{more}", start=start, **keys)

    def told(self, d):
        records = [r for e in self.events(d) for r in e["notification"]]
        return [(r["eventName"].split(":")[1], r["s3"]["object"]["key"]) for r in records]

    def wait_told(self, d, wanted):
        """These and no others, each once, in any order."""
        until(lambda: len(self.told(d)) >= len(wanted), 180, f"{wanted[-1]} and the others")
        self.assertEqual(sorted(self.told(d)), sorted(wanted))

    def test_each_object_once_through_restarts_and_kills(self):
        server = self.server()
        server.put("/in-box/in/before.csv")
        d = self.listen(server, "insecure: true\nfilter: {prefix: in/, suffix: .csv}")
        self.wait_state(d, "running")
        wanted = []

        def put(*names):
            for name in names:
                server.put(f"/in-box/in/{name}.csv", name.encode())
                server.put(f"/in-box/in/{name}.txt")
                server.put(f"/in-box/out/{name}.csv")
                wanted.append(("ObjectCreated", f"in/{name}.csv"))

        put("one", "a b<ü>+%", "100%25")
        self.wait_told(d, wanted)
        put(*[f"enough {i}" for i in range(20)])  # for the stream to come
        self.wait_told(d, wanted)
        server.stop()
        self.wait_state(d, "failed")
        server.start()
        put("back")
        self.wait_told(d, wanted)
        d.kill()
        put("killed")
        server.stop()
        server.start()
        put("both were away")
        d.start()
        self.wait_told(d, wanted)
        server.put("/in-box/in/one.csv", b"another version")
        wanted.append(("ObjectCreated", "in/one.csv"))
        self.wait_told(d, wanted)
        server.request("DELETE", "/in-box/in/one.csv")
        wanted.append(("ObjectRemoved", "in/one.csv"))
        put(*[f"and {i}" for i in range(20)])
        self.wait_told(d, wanted)

    def test_what_is_wrong_is_said(self):
        server = self.server()
        d = self.listen(server, secret="wrong")
        self.wait_state(d, "failed", "403: SignatureDoesNotMatch")
        d.write("keys.yaml", self.secret({"access": server.USER, "secret": server.PASSWORD}))
        self.wait_state(d, "running")
        d.write("source.yaml", self.entry("minio", f"endpoint: 127.0.0.1:{server.port}\nbucket: {{name: nowhere}}\nevents: ['s3:ObjectCreated:*']\n"
                                                   f"accessKey: {ref('access')}\nsecretKey: {ref('secret')}\ninsecure: true"))
        self.wait_state(d, "failed", "404: NoSuchBucket")
        server.bucket("nowhere")
        self.wait_state(d, "running")

    def test_a_region_that_the_manifest_does_not_have(self):
        server = self.server(region="eu-central-1")
        d = self.listen(server)
        self.wait_state(d, "running")
        server.put("/in-box/one")
        self.wait_told(d, [("ObjectCreated", "one")])
        d.stop()
        self.listen(server, "insecure: true\nregion: us-east-1")
        self.wait_state(d, "failed", "400: AuthorizationHeaderMalformed")

    def test_tls(self):
        server = self.server(secure=True)
        d = self.listen(server, f"caCertificate: {ref('ca')}")
        self.wait_state(d, "running")
        server.put("/in-box/secret")
        self.wait_told(d, [("ObjectCreated", "secret")])
        d.stop()
        self.listen(server, f"caCertificate: {ref('other')}")
        self.wait_state(d, "failed", "certificate")

    def test_its_own_notifications(self):
        """By a webhook with a token, Redis, MQTT and NATS into the sources of these: all become the same data."""
        port, redis, mosquitto, nats = free_port(), self.beside(Redis), self.beside(Mosquitto), self.beside(Nats)
        server = self.server(
            MINIO_NOTIFY_WEBHOOK_ENABLE_W="on", MINIO_NOTIFY_WEBHOOK_ENDPOINT_W=f"http://127.0.0.1:{port}/s3", MINIO_NOTIFY_WEBHOOK_AUTH_TOKEN_W="token",
            MINIO_NOTIFY_WEBHOOK_QUEUE_DIR_W=self.folder("queue-w"),
            MINIO_NOTIFY_REDIS_ENABLE_R="on", MINIO_NOTIFY_REDIS_ADDRESS_R=f"127.0.0.1:{redis.port}", MINIO_NOTIFY_REDIS_PASSWORD_R="pw",
            MINIO_NOTIFY_REDIS_FORMAT_R="access", MINIO_NOTIFY_REDIS_KEY_R="log",
            MINIO_NOTIFY_MQTT_ENABLE_M="on", MINIO_NOTIFY_MQTT_BROKER_M=f"tcp://127.0.0.1:{mosquitto.port}", MINIO_NOTIFY_MQTT_TOPIC_M="s3",
            MINIO_NOTIFY_MQTT_QOS_M="1",
            MINIO_NOTIFY_NATS_ENABLE_N="on", MINIO_NOTIFY_NATS_ADDRESS_N=f"127.0.0.1:{nats.port}", MINIO_NOTIFY_NATS_SUBJECT_N="s3")
        s3 = "s3Events: {prefix: in/,suffix: .csv}, metadata: {way: WAY}"
        entries = {"webhook": f"endpoint: /s3, port: \"{port}\", method: POST, authSecret: {ref('token').replace(', ', ',')}, {s3}",
                   "mqtt": f"url: \"tcp://127.0.0.1:{mosquitto.port}\", topic: s3, clientId: c, jsonBody: true, {s3}",
                   "nats": f"url: \"nats://127.0.0.1:{nats.port}\", subject: s3, {s3}"}
        manifests = {"keys.yaml": self.secret({"token": "token"})}
        for kind, fields in entries.items():
            manifests[f"{kind}.yaml"] = self.entry(kind, fields.replace("WAY", kind).replace(", ", "\n")).replace("{name: es}", f"{{name: {kind}}}")
        d = self.daemon(manifests)
        until(lambda: all(s["state"] == "running" for s in json.loads(d.cli("status", "-o", "json").stdout)["sources"]), 60, "all to run")
        server.notify("in-box", ["arn:minio:sqs::W:webhook", "arn:minio:sqs::R:redis", "arn:minio:sqs::M:mqtt", "arn:minio:sqs::N:nats"])
        server.put("/in-box/in/a b.csv", b"123")
        server.put("/in-box/in/a b.txt", b"123")
        self.wait_events(d, len(entries))
        for event in self.events(d):
            record, = event["notification"]
            self.assertEqual((record["eventName"], record["s3"]["object"]["key"], record["s3"]["object"]["size"]), ("s3:ObjectCreated:Put", "in%2Fa+b.csv", 3))
        self.assertEqual({e["metadata"]["way"] for e in self.events(d)}, set(entries))
        d.kill()
        server.put("/in-box/in/kept.csv")
        d.start()
        until(lambda: "in%2Fkept.csv" in [k for _, k in self.told(d)], 120, "what MinIO kept for the webhook")

    def beside(self, kind):
        b = kind(self.folder(kind.__name__))
        self.addCleanup(b.close)
        return b.start()

    def folder(self, name):
        path = os.path.join(self.directory, name)
        os.makedirs(path, exist_ok=True)
        return path

    def test_outages(self):
        """20,000 objects, while MinIO is stopped and started five times and the daemon is killed five times."""
        n, writers = 20000, 8
        server = self.server()
        d = self.listen(server)
        self.wait_state(d, "running")
        written, repeated, failed = [], set(), []

        def write(first):
            client = Client(server)
            try:
                for i in range(first, n, writers):
                    put(client, f"{i % 97}/{i}")
            except Exception as e:  # told below
                failed.append(e)

        def put(client, key):
            def done():
                try:
                    client.request("PUT", "/in-box/" + key, b"x")
                    return True
                except OSError:  # MinIO may have it
                    repeated.add(key)
                    return False
            until(done, 600, key)
            written.append(key)

        threads = [threading.Thread(target=write, args=(i,), daemon=True) for i in range(writers)]
        for t in threads:
            t.start()
        for k in range(2 * OUTAGES):
            until(lambda k=k: len(written) >= (k + 1) * n // (2 * OUTAGES + 1) or failed, 900, "the writers")
            lines = len(self.lines(d))
            if k % 2:
                d.kill()
                d.start()
            else:
                server.stop()
                server.start()
            self.wait_state(d, "running")
            self.assertLessEqual(len(self.lines(d)) - lines, LINES, d.log()[-5000:])
        for t in threads:
            t.join(900)
        self.assertEqual(failed, [])
        until(lambda: len({k for _, k in self.told(d)}) == n, 300, "all objects")
        times = collections.Counter(k for _, k in self.told(d))
        self.assertEqual([k for k in times if times[k] > 1 and k not in repeated], [])
        print(f"ledger, minio: {n} objects, 5 restarts, 5 kills: 0 lost, {sum(times.values()) - n} more events of {len(repeated)} objects written again")


if __name__ == "__main__":
    unittest.main()
