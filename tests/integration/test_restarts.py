# SPDX-License-Identifier: Apache-2.0
"""Every kind of trigger that sends something out, through an absence of its counterpart and a kill -9 of the daemon meanwhile. Nothing is
lost, and because the triggers say atLeastOnce what arrives is in the order of the events. A kill may repeat a message: then with its id.

kind            counterpart                                        what arrived is read from                id of the firing
--------------  -------------------------------------------------  ---------------------------------------  -----------------------
http            an HTTP server                                     its calls                                X-Tidegate-Firing-Id
awsLambda       an HTTP server that checks the signature           its calls                                client context
openWhisk       an HTTP server                                     its calls                                X-Tidegate-Firing-Id
slack           an HTTP server                                     its calls                                (Slack knows none)
email           an SMTP server (aiosmtpd)                          what it was given                        Message-ID
custom          a gRPC server (grpcio) with the published service  its calls of Execute                     x-tidegate-firing-id
nats            nats-server, a JetStream stream on disk            the stream                               Nats-Msg-Id, and each once
mqtt            mosquitto with persistence                         a session that misses nothing            user property (MQTT 5)
amqp            RabbitMQ, a durable queue                          the queue                                message-id
redis           Redis with an append-only file, a stream           the stream                               field of the entry
kafka           Kafka in KRaft mode                                the topic                                header
azureEventHubs  Kafka in KRaft mode: SASL PLAIN over TLS           the topic                                header

Not in the table: plain subjects of NATS and channels of Redis, which keep nothing for who does not listen; argoWorkflow, k8s, exec and
log, which send nothing out (their kills are in test_kills.py, test_services.py and test_crash.py)."""
import base64
import email
import json
import os
import re
import unittest

from brokers import Kafka, Mosquitto, Nats, Rabbit, Redis
from harness import FULL, until
from test_services import Services, aws_signature

HEADER = "X-Tidegate-Firing-Id"
PAYLOAD = """
        payload:
        - {src: {dependencyName: d, dataKey: body.n, useRawData: true}, dest: n}"""


class Counterpart:
    """What a kind sends to: `trigger` and `secrets` are for the manifest; started once before the first message."""

    needs_full = False
    secrets = {"unused": "x"}
    trigger = None

    def __init__(self, test):
        self.test = test
        self.server = self.make(test)

    def start(self):
        self.server.start()

    def stop(self):
        self.server.stop()

    def received(self):
        """[(number, id or None)] in the order of arrival."""
        raise NotImplementedError


class Http(Counterpart):
    def make(self, test):
        server = test.serve(self.answer, start=False)
        self.trigger = f"      http:\n        url: http://127.0.0.1:{server.port}/x" + PAYLOAD
        return server

    def answer(self, call):
        return 200, {}, b"ok"

    def received(self):
        return [(json.loads(c["body"])["n"], c["headers"][HEADER]) for c in self.server.good()]


class AwsLambda(Http):
    secrets = {"access": "AKID", "secret": "s3cr3t-key-of-tests"}

    def make(self, test):
        server = test.serve(self.answer, start=False)
        self.trigger = (f"      awsLambda:\n        functionName: f\n        region: eu-central-1\n        endpoint: http://127.0.0.1:{server.port}\n"
                        "        accessKey: {name: keys, key: access}\n        secretKey: {name: keys, key: secret}" + PAYLOAD)
        return server

    def answer(self, call):
        signed = call["headers"]["Authorization"].endswith("Signature=" + aws_signature(call, self.secrets["secret"]))
        return 200 if signed else 403, {}, b"{}"

    def received(self):
        return [(json.loads(c["body"])["n"], json.loads(base64.b64decode(c["headers"]["X-Amz-Client-Context"]))["custom"]["firingId"])
                for c in self.server.good()]


class OpenWhisk(Http):
    secrets = {"auth": "uuid:key"}

    def make(self, test):
        server = test.serve(self.answer, start=False)
        self.trigger = (f"      openWhisk:\n        host: http://127.0.0.1:{server.port}/\n        actionName: a\n        authToken: {{name: keys, key: auth}}"
                        + PAYLOAD)
        return server

    def answer(self, call):
        return 200, {}, b"{}"


class Slack(Http):
    secrets = {"token": "xoxb-token"}

    def make(self, test):
        server = test.serve(self.answer, start=False)
        self.trigger = f"""
      slack:
        apiURL: http://127.0.0.1:{server.port}/api
        slackToken: {{name: keys, key: token}}
        channel: builds
        message: one
        parameters:
        - {{src: {{dependencyName: d, dataKey: body.n}}, dest: message}}"""
        return server

    def answer(self, call):
        return 200, {}, b'{"ok":true,"channel":"C1","ts":"100.1"}'

    def received(self):
        return [(int(json.loads(c["body"])["text"]), None) for c in self.server.good()]


class Email(Counterpart):
    def make(self, test):
        server = test.program("smtp_server.py", os.path.join(test.directory, "records"), start=False)
        self.trigger = f"""
      email:
        host: 127.0.0.1
        port: {server.port}
        from: gate@example.org
        to: [ann@example.org]
        subject: one
        body: two
        parameters:
        - {{src: {{dependencyName: d, dataKey: body.n}}, dest: subject}}"""
        return server

    def received(self):
        mails = [email.message_from_string(m["text"]) for m in self.test.records()]
        return [(int(m["Subject"]), m["Message-ID"]) for m in mails]


class Custom(Counterpart):
    def make(self, test):
        server = test.program("grpc_server.py", os.path.join(test.directory, "records"), start=False)
        self.trigger = f"      custom:\n        serverURL: 127.0.0.1:{server.port}\n        spec: {{url: x}}" + PAYLOAD
        return server

    def received(self):
        return [(json.loads(c["fields"]["2"])["n"], c["firing"]) for c in self.test.records() if c["method"] == "Execute"]


class OfBroker(Counterpart):
    kind = None

    def make(self, test):
        b = self.kind(os.path.join(test.directory, "broker"))
        test.addCleanup(b.close)
        return b


class JetStream(OfBroker):
    kind = Nats
    prepared = False

    def start(self):
        self.server.start()
        self.trigger = f"      nats:\n        url: nats://127.0.0.1:{self.server.port}\n        subject: s.x\n        jetStream: true" + PAYLOAD
        if not self.prepared:
            made = self.server.request("$JS.API.STREAM.CREATE.S", {"name": "S", "subjects": ["s.>"], "storage": "file"})
            self.test.assertNotIn("error", made)
        self.prepared = True

    def received(self):
        stored = self.server.stored("S")
        self.test.assertEqual(len({h for h, _ in stored}), len(stored))  # a repetition is dropped by the stream
        return [(json.loads(body)["n"], re.search(r"Nats-Msg-Id: (\S+)", h).group(1)) for h, body in stored]


class Mqtt(OfBroker):
    kind = Mosquitto
    prepared = False
    got = ()

    def start(self):
        self.server.start()
        self.trigger = f"      mqtt:\n        url: tcp://127.0.0.1:{self.server.port}\n        topic: t/x" + PAYLOAD
        if not self.prepared:
            self.server.listen()
        self.prepared = True

    def received(self):
        self.got = list(self.got) + self.server.messages(self.test.N)
        return [(m["payload"]["n"] if isinstance(m["payload"], dict) else json.loads(m["payload"])["n"],
                 json.dumps(m["properties"]) if "properties" in m else None) for m in self.got]


class Amqp(OfBroker):
    kind = Rabbit
    secrets = {"u": "guest", "p": "guest"}
    got = ()

    def start(self):
        self.server.start()
        self.trigger = (f"      amqp:\n        url: amqp://127.0.0.1:{self.server.port}\n        routingKey: q\n"
                        "        auth: {username: {name: keys, key: u}, password: {name: keys, key: p}}" + PAYLOAD)

    def received(self):
        self.got = list(self.got) + self.server.take()
        return [(json.loads(x)["n"], None) for x in self.got]


class RedisStream(OfBroker):
    kind = Redis
    secrets = {"pw": "pw"}

    def start(self):
        self.server.start()
        self.trigger = (f"      redis:\n        hostAddress: 127.0.0.1:{self.server.port}\n        password: {{name: keys, key: pw}}\n        stream: s"
                        + PAYLOAD)

    def received(self):
        entries = [dict(zip(e[1][0::2], e[1][1::2])) for e in self.server.call("XRANGE", "s", "-", "+")]
        return [(json.loads(e["payload"])["n"], e[HEADER]) for e in entries]


class KafkaTopic(OfBroker):
    kind = Kafka
    needs_full = True
    topic = "t"

    def start(self):
        self.server.start()
        self.trigger = (f"      kafka:\n        url: 127.0.0.1:{self.server.port}\n        topic: t\n        compress: true\n        partitioningKey: one\n"
                        "        headers: {colour: blue}" + PAYLOAD)

    def received(self):
        out = []
        for m in sorted(self.server.topic(self.topic), key=lambda m: (m["partition"], m["offset"])):
            headers = dict(zip(m["headers"][0::2], m["headers"][1::2]))
            out.append((json.loads(m["payload"])["n"], headers[HEADER]))
        return out


class EventHub(KafkaTopic):
    secrets = {"name": "send", "key": "k3y="}
    topic = "hub"

    def start(self):
        self.server.start()
        os.environ["SSL_CERT_FILE"] = os.path.join(self.server.dir, "ca.crt")  # the system's authorities, for the daemon
        self.test.addCleanup(os.environ.pop, "SSL_CERT_FILE", None)
        self.trigger = (f"      azureEventHubs:\n        fqdn: localhost:{self.server.sasl_port}\n        hubName: hub\n"
                        "        sharedAccessKeyName: {name: keys, key: name}\n        sharedAccessKey: {name: keys, key: key}" + PAYLOAD)

    def received(self):
        got = super().received()
        return sorted(got)  # without a key the messages are spread over partitions, which have no order between them


KINDS = {"http": Http, "awsLambda": AwsLambda, "openWhisk": OpenWhisk, "slack": Slack, "email": Email, "custom": Custom, "nats": JetStream,
         "mqtt": Mqtt, "amqp": Amqp, "redis": RedisStream, "kafka": KafkaTopic, "azureEventHubs": EventHub}


class Restart(Services):
    N = 12

    def through_a_restart(self, make):
        c = make(self)
        c.start()
        d = self.gateway(c.trigger + "\n    atLeastOnce: true", c.secrets)
        self.send({"n": 0})
        self.wait_for(d, 1)
        c.stop()
        for i in range(1, self.N // 2):
            self.send({"n": i})
        until(lambda: any(v[0] == "failed" for v in self.verdicts(d)), 60, "a failure")
        d.kill()
        d.start()
        for i in range(self.N // 2, self.N):
            self.send({"n": i})
        c.start()
        self.wait_for(d, self.N)
        got = c.received()
        first = list(dict(got))  # of each number the first
        self.assertEqual(first, list(range(self.N)))
        ids = {n: {i for m, i in got if m == n} for n in first}
        self.assertTrue(all(len(of) == 1 for of in ids.values()), ids)
        if got[0][1] is not None:
            self.assertEqual(len(set.union(*ids.values())), self.N)


def case(name, make):
    def test(self):
        self.through_a_restart(make)
    test.__doc__ = None
    return unittest.skipUnless(FULL or not make.needs_full, "its counterpart is not a package of Debian's: make integration")(test)


for kind_name, counterpart in KINDS.items():
    setattr(Restart, "test_" + kind_name, case(kind_name, counterpart))

if __name__ == "__main__":
    unittest.main()
