# SPDX-License-Identifier: Apache-2.0
"""Event sources that pull queues over HTTP: sqs, mns, azureQueueStorage, azureServiceBus, pubSub. In `make test` each against a peer of the tests' own
(queues.py, pubsub_peer.py), for the data of its events, what it signs, what it does when it is refused, and that nothing is lost; in `make
integration` against moto here, and ElasticMQ, Azurite and Google's pstest in test_queue_outages.py. Of MNS and of Service Bus's REST interface there is no server
to be had: that their peers answer as the services do is from the documentation, and unproven."""
import base64
import collections
import contextlib
import json
import os
import sqlite3
import ssl
import subprocess
import time
import unittest
import unittest.mock
import urllib.parse

from harness import FULL, free_port, scaled, until
from queues import AzurePeer, IdentityPeer, MnsPeer, Moto, PubSubPeer, ServiceBusPeer, SqsPeer, azure_connection, bus_connection
from test_services import KEYS as SECRET
from test_services import Server, Services


class Pulled(Services):
    KEYS = {"access": "AKID", "secret": "s3cr3t-key-of-tests"}

    def gateway(self, source, keys=None):
        text = f"apiVersion: argoproj.io/v1alpha1\nkind: EventSource\nmetadata: {{name: es}}\nspec:\n{source}\n"
        return self.daemon({"source.yaml": text, "keys.yaml": self.secret(keys or self.KEYS)}, start=False)

    @staticmethod
    def secret(keys):
        return SECRET + "".join(f"  {k}: {json.dumps(v)}\n" for k, v in keys.items())

    def broker(self, kind):
        b = kind(self.directory + "/broker")
        self.addCleanup(b.close)
        return b.start()

    @staticmethod
    def events(d):
        """[(id of the event, its data)], oldest first."""
        with contextlib.closing(sqlite3.connect(f"file:{d.state}/tidegate.db?mode=ro", uri=True)) as db:
            return [(i, json.loads(data)) for i, data in db.execute("SELECT id, data FROM bus_event ORDER BY key")]

    def wait_for(self, d, n):
        return until(lambda: len(got := self.events(d)) >= n and got, 120, f"{n} events")

    @staticmethod
    def source(d):
        return json.loads(d.cli("status", "-o", "json").stdout)["sources"][0]

    def wait_for_state(self, d, state, reason=""):
        return until(lambda: (s := self.source(d))["state"] == state and reason in s.get("error", "") and s, 60, f"{state} {reason}")

    @staticmethod
    def lines(d):
        """Lines about the source's state."""
        return [x for x in d.log().splitlines() if "source runs" in x or "source does not run" in x]

    def once_each(self, d, bodies, of):
        """Each body is one event, whatever happened."""
        until(lambda: len(self.events(d)) >= len(bodies), 300, "all messages")
        got = collections.Counter(of(data) for _, data in self.events(d))
        self.assertEqual(got, collections.Counter(bodies))


class TlsServer(Server):
    def __init__(self, answer, cert, key):
        super().__init__(answer)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert, key)

    def listener(self, handler):
        server = super().listener(handler)
        server.socket = self.context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.handle_error = lambda *args: None  # who asked may be gone
        return server


class EachQueue:
    """What holds for every kind. `peer` and `server` are set up, source_of(port) is the manifest, text_of(data) the text of an event's body."""

    DENIED = " answered 403: "

    def test_nothing_is_lost(self):
        """While the service goes away and comes back, and the daemon is killed, many times."""
        n, bodies, queue = scaled(400, 4000), [], self.peer.queue
        d = self.gateway(self.source_of(self.server.port)).start()
        for part in range(4):
            bodies += [f"{part}-{i}" for i in range(n // 4)]
            for b in bodies[-(n // 4):]:
                queue.put(b)
            until(lambda: queue.given >= part * n // 4 + 10, 60, "some of it")
            d.kill()
            if part % 2:
                self.server.stop()
            queue.show()
            d.start()
            if part % 2:
                self.server.start()
        self.drain(queue)
        self.once_each(d, bodies, self.text_of)

    @staticmethod
    def drain(queue):
        """Until nothing is left. What a killed daemon took is shown again when nothing has moved for a while: not sooner, for it makes receipts old."""
        seen = [-1, 0]

        def is_empty():
            left = len(queue.messages)
            if left != seen[0]:
                seen[:] = left, time.monotonic()
            elif time.monotonic() - seen[1] > 3:
                queue.show()
                seen[1] = time.monotonic()
            return not left

        until(is_empty, 300, "all are deleted")

    def test_given_again_is_the_same_event(self):
        d = self.gateway(self.source_of(self.server.port)).start()
        self.peer.refuse = self.peer.ACKNOWLEDGEMENTS_REFUSED
        one = self.peer.queue.put("once")
        self.wait_for(d, 1)
        self.wait_for_state(d, "failed", ": later")
        self.peer.queue.show()
        self.peer.refuse = None
        until(lambda: self.peer.queue.deleted == [one], 60, "the deletion")
        self.peer.queue.put("next")
        self.assertEqual([self.text_of(x) for _, x in self.wait_for(d, 2)], ["once", "next"])
        self.wait_for_state(d, "running")

    def test_refusals_are_told_and_tried_again(self):
        d = self.gateway(self.source_of(self.server.port)).start()
        self.wait_for_state(d, "running")
        for refuse, reason in self.REFUSALS:
            self.peer.refuse = self.peer.refusal_of(refuse)
            one = self.peer.queue.put("x")
            self.wait_for_state(d, "failed", reason)
            self.peer.refuse = None
            until(lambda: one in self.peer.queue.deleted, 60, "the message after " + reason)
            self.wait_for_state(d, "running")
        self.assertLessEqual(len(self.lines(d)), 2 + 2 * len(self.REFUSALS))

    def test_an_outage_is_a_few_lines(self):
        d = self.gateway(self.source_of(self.server.port)).start()
        self.wait_for_state(d, "running")
        self.server.stop()
        self.wait_for_state(d, "failed")
        self.server.start()
        self.wait_for_state(d, "running")
        self.assertLessEqual(len(self.lines(d)), 5)

    def test_wrong_keys_and_then_the_right_ones(self):
        d = self.gateway(self.source_of(self.server.port), self.WRONG).start()
        self.wait_for_state(d, "failed", self.DENIED)
        d.write("keys.yaml", self.secret(self.KEYS))
        self.peer.queue.put("x")
        self.wait_for(d, 1)
        for wrong in self.WRONG.values():
            self.assertNotIn(wrong, d.log())

    def test_a_source_that_is_removed(self):
        d = self.gateway(self.source_of(self.server.port)).start()
        for i in range(50):
            self.peer.queue.put(str(i))
        until(lambda: self.peer.queue.given, 60, "some of it")
        d.write("source.yaml", "")
        until(lambda: "source stops" in d.log(), 30, "the stop")
        until(lambda: not json.loads(d.cli("status", "-o", "json").stdout)["sources"], 30, "its end")
        self.assertEqual(d.stop(), 0)


# ---- SQS


SQS = """
  sqs:
    e:
      region: eu-central-1
      queue: orders
      endpoint: http://127.0.0.1:PORT
      accessKey: {name: keys, key: access}
      secretKey: {name: keys, key: secret}
      waitTimeSeconds: 1
      MORE
"""


def sqs(port, more="metadata: {a: b}"):
    return SQS.replace("PORT", str(port)).replace("MORE", more)


def text_of(data):
    return base64.b64decode(data["body"]).decode()


class SqsSource(EachQueue, Pulled):
    WRONG = {"access": "AKID", "secret": "wr0ng-key-of-tests"}
    REFUSALS = (
        (((400, "ThrottlingException", "Rate exceeded"),), "SQS answered 400: ThrottlingException: Rate exceeded"),
        ((500, {}, b"<html>oops</html>"), "SQS answered 500: <html>oops</html>"),
        ((200, {}, b'{"Messages": ['), "the answer of SQS"),
        ((200, {"Content-Length": "1000"}, b'{"Messages": []'), "transfer closed"))
    source_of, text_of = staticmethod(sqs), staticmethod(text_of)

    def setUp(self):
        super().setUp()
        self.peer = SqsPeer()
        self.server = self.serve(self.peer)
        self.queue = self.peer.queue

    def test_data_and_deletion(self):
        d = self.gateway(sqs(self.server.port)).start()
        attributes = {"kind": {"DataType": "String", "StringValue": "<new>"}, "blob": {"DataType": "Binary", "BinaryValue": "AAEC"}}
        one, two = self.queue.put("hello", attributes=attributes), self.queue.put("<two> ä")
        got = {x["messageId"]: x for _, x in self.wait_for(d, 2)}
        self.assertEqual(got[one], {
            "messageId": one, "body": base64.b64encode(b"hello").decode(), "metadata": {"a": "b"},
            "messageAttributes": {"kind": {"BinaryListValues": None, "BinaryValue": None, "DataType": "String", "StringListValues": None, "StringValue": "<new>"},
                                  "blob": {"BinaryListValues": None, "BinaryValue": "AAEC", "DataType": "Binary", "StringListValues": None, "StringValue": None}}})
        self.assertEqual(got[two], {"messageId": two, "messageAttributes": None, "body": base64.b64encode("<two> ä".encode()).decode(), "metadata": {"a": "b"}})
        until(lambda: not self.queue.messages, 30, "the deletion")
        self.assertEqual(self.source(d)["state"], "running")

    def test_json_bodies_and_what_is_none(self):
        d = self.gateway(sqs(self.server.port, "jsonBody: true")).start()
        self.queue.put("no json")
        good = self.queue.put('{"n": 12345678901234567890, "x":  "<"}')
        until(lambda: not self.queue.messages, 30, "both are deleted")
        self.assertEqual([x for _, x in self.events(d)], [{"messageId": good, "messageAttributes": None, "body": {"n": 12345678901234567890, "x": "<"}}])
        self.assertIn("messages that cannot be events are not taken", d.log())

    def test_with_dlq_what_is_no_json_is_left(self):
        d = self.gateway(sqs(self.server.port, "jsonBody: true\n      dlq: true")).start()
        bad, good = self.queue.put("no json"), self.queue.put("{}")
        until(lambda: good in self.queue.deleted, 30, "the good one is deleted")
        self.assertEqual(list(self.queue.messages), [bad])
        self.queue.show()
        until(lambda: self.queue.messages[bad]["count"] == 2, 30, "it is given again")
        self.assertEqual(len(self.events(d)), 1)

    def test_a_queue_that_comes_later(self):
        self.peer.name = "other"
        d = self.gateway(sqs(self.server.port)).start()
        self.wait_for_state(d, "failed", "QueueDoesNotExist: The specified queue does not exist.")
        self.peer.name = "orders"
        self.queue.put("x")
        self.wait_for(d, 1)

    def test_an_unknown_account_and_no_keys(self):
        d = self.gateway(sqs(self.server.port, 'queueAccountId: "42"').replace("      accessKey", "      #").replace("      secretKey", "      #")).start()
        self.wait_for_state(d, "failed", "AWS_ACCESS_KEY_ID")

    def test_a_role_is_taken_on(self):
        self.peer.keys = {"ASIAROLE": "role-s3cr3t&key"}
        sts = self.program("sts_server.py", self.directory + "/records", "AKID", "s3cr3t-key-of-tests", "3600")
        d = self.gateway(sqs(self.server.port, "roleARN: arn:aws:iam::123456789012:role/r"))
        with unittest.mock.patch.dict(os.environ, AWS_ENDPOINT_URL_STS=f"http://127.0.0.1:{sts.port}"):
            d.start()
        self.queue.put("x")
        self.wait_for(d, 1)
        self.assertEqual([c["headers"]["X-Amz-Security-Token"] for c in self.server.calls if c["status"] == 200][0], "role/token==")
        self.assertEqual(len(self.records()), 1)

    def test_emit_has_the_same_shape(self):
        d = self.gateway(sqs(self.server.port, "jsonBody: true")).start()
        d.cli("emit", "es/e", "-d", '{"n": 1}')
        self.assertEqual(self.wait_for(d, 1)[0][1], {"messageId": "", "messageAttributes": None, "body": {"n": 1}})


@unittest.skipUnless(FULL, "servers of SQS are no Debian packages: make integration")
class RealSqs(Pulled):
    def test_moto(self):
        """It keeps nothing over a restart, and takes the longer the more it has: only the daemon is killed. ElasticMQ is in test_queue_outages.py."""
        server, n, bodies = self.broker(Moto), 800, []
        d = self.gateway(sqs(server.port)).start()
        for part in range(4):
            bodies += [f"{part}-{i}" for i in range(n // 4)]
            server.put(bodies[-(n // 4):])
            self.wait_for(d, part * n // 4 + 20)
            d.kill()
            d.start()
        until(lambda: server.left() == 0, 600, "all are deleted")  # those that were with a killed daemon come again after two minutes
        self.once_each(d, bodies, text_of)


# ---- Azure's queues


AZURE = """
  azureQueueStorage:
    e:
      queueName: orders
      connectionString: {name: keys, key: connection}
      waitTimeInSeconds: 1
      MORE
"""


def azure(port, more="metadata: {a: b}"):
    return AZURE.replace("MORE", more)


class AzureSource(EachQueue, Pulled):
    REFUSALS = (
        (((503, "ServerBusy", "The server is busy."),), "Azure answered 503: ServerBusy: The server is busy."),
        ((500, {}, b"<html>oops"), "Azure answered 500: <html>oops"),
        ((200, {}, b"<QueueMessagesList><QueueMessage>"), "the answer of Azure: XML, line 1"),
        ((200, {"Content-Length": "1000"}, b"<QueueMessagesList/>"), "transfer closed"))
    source_of, text_of = staticmethod(azure), staticmethod(text_of)

    def setUp(self):
        super().setUp()
        self.peer = AzurePeer()
        self.server = self.serve(self.peer)
        self.queue = self.peer.queue
        self.KEYS = {"connection": azure_connection(self.server.port)}
        self.WRONG = {"connection": azure_connection(self.server.port, base64.b64encode(b"another key").decode())}

    def test_data_and_deletion(self):
        d = self.gateway(azure(0)).start()
        one = self.queue.put("<hello> & ä")
        self.assertEqual(self.wait_for(d, 1)[0][1], {"body": base64.b64encode("<hello> & ä".encode()).decode(), "messageID": one,
                                                     "insertionTime": "2026-10-09T21:04:30Z", "metadata": {"a": "b"}})
        until(lambda: not self.queue.messages, 30, "the deletion")

    def test_decoded_json_and_what_is_none(self):
        d = self.gateway(azure(0, "decodeMessage: true\n      jsonBody: true")).start()
        for bad in ("***", base64.b64encode(b"no json").decode()):
            self.queue.put(bad)
        self.queue.put(base64.b64encode(b'{"n": 1}').decode())
        until(lambda: not self.queue.messages, 30, "all are deleted")
        self.assertEqual([x["body"] for _, x in self.events(d)], [{"n": 1}])

    def test_with_dlq_what_cannot_be_read_is_left(self):
        d = self.gateway(azure(0, "decodeMessage: true\n      dlq: true")).start()
        bad, good = self.queue.put("***"), self.queue.put("aGk=")
        until(lambda: good in self.queue.deleted, 30, "the good one is deleted")
        self.assertEqual(list(self.queue.messages), [bad])
        self.assertEqual([text_of(x) for _, x in self.events(d)], ["hi"])

    def test_a_shared_access_signature(self):
        d = self.gateway(azure(0), {"connection": f"QueueEndpoint=http://127.0.0.1:{self.server.port}/account/;SharedAccessSignature=?sv=2021-12-02&sig=good"}).start()
        self.queue.put("x")
        self.wait_for(d, 1)
        until(lambda: not self.queue.messages, 30, "the deletion")

    def test_connection_strings_that_will_not_do(self):
        for text, reason in (("UseDevelopmentStorage=true", "UseDevelopmentStorage is not read"), ("AccountName=a;AccountKey=***", "AccountKey is not base64"),
                             ("AccountName=a", "must be in it"), ("", "begins with https://")):
            with self.subTest(text):
                d = self.gateway(azure(0), {"connection": text}).start()
                self.wait_for_state(d, "failed", reason)
                d.stop()

    def identity(self, resource="https://storage.azure.com"):
        """(who gives tokens, where it is asked)"""
        peer = IdentityPeer(resource, self.peer)
        return peer, f"http://127.0.0.1:{self.serve(peer).port}"

    def by_identity(self, **env):
        """The source, without a connection string, started with that environment."""
        text = azure(0).replace("connectionString: {name: keys, key: connection}", "storageAccountName: account")
        d = self.gateway(text)
        with unittest.mock.patch.dict(os.environ, AZURE_STORAGE_SERVICE_ENDPOINT=f"http://127.0.0.1:{self.server.port}/account/", **env):
            return d.start()

    def test_a_managed_identity(self):
        giver, at = self.identity()
        d = self.by_identity(AZURE_POD_IDENTITY_AUTHORITY_HOST=at)
        for i in range(3):
            self.queue.put(str(i))
            self.wait_for(d, i + 1)
        until(lambda: not self.queue.messages, 30, "the deletion")
        self.assertEqual(giver.given, 1)
        self.peer.bearer = "Bearer another"  # it was taken back: 403, as for a wrong key
        self.peer.refuse = lambda call: (401, {}, b"<Error><Code>InvalidAuthenticationInfo</Code><Message>no</Message></Error>") \
            if call["headers"]["Authorization"] == "Bearer t0ken-of-tests-1" else None
        self.queue.put("3")
        self.wait_for(d, 4)
        self.assertEqual(giver.given, 2)
        self.assertNotIn("t0ken-of-tests", d.log())

    def test_a_token_is_renewed_before_it_ends(self):
        giver, at = self.identity()
        giver.seconds = 4
        d = self.by_identity(AZURE_POD_IDENTITY_AUTHORITY_HOST=at)
        self.queue.put("x")
        self.wait_for(d, 1)
        until(lambda: giver.given > 2, 30, "another")

    def test_other_identities(self):
        giver, at = self.identity()
        with open(self.directory + "/federated", "w", encoding="utf-8") as f:
            f.write("jwt.of.tests\n")
        client = {"AZURE_TENANT_ID": "tenant", "AZURE_CLIENT_ID": "client", "AZURE_AUTHORITY_HOST": at + "/"}
        cases = [({"IDENTITY_ENDPOINT": at + "/msi/token", "IDENTITY_HEADER": "h3ader-of-tests", "AZURE_CLIENT_ID": "client"}, "/msi/token"),
                 (dict(client, AZURE_FEDERATED_TOKEN_FILE=self.directory + "/federated"), "/tenant/oauth2/v2.0/token"),
                 (dict(client, AZURE_CLIENT_SECRET="s3cr3t&of=tests"), "/tenant/oauth2/v2.0/token")]
        for i, (env, path) in enumerate(cases):
            d = self.by_identity(**env)
            self.queue.put(str(i))
            self.wait_for(d, i + 1)
            d.stop()
            self.assertEqual((giver.given, giver.asked[-1][0]), (i + 1, path))

    def test_an_identity_that_is_refused(self):
        giver, at = self.identity()
        giver.refuse = "Identity not found"
        d = self.by_identity(AZURE_POD_IDENTITY_AUTHORITY_HOST=at)
        self.wait_for_state(d, "failed", "a token of the managed identity: Azure answered 400: invalid_request: Identity not found")
        giver.refuse = None
        self.wait_for_state(d, "running")


# ---- MNS


MNS = """
  mns:
    e:
      queue: orders
      endpoint: http://127.0.0.1:PORT
      accessKey: {name: keys, key: access}
      secretKey: {name: keys, key: secret}
      MORE
"""


def mns(port, more="metadata: {a: b}"):
    return MNS.replace("PORT", str(port)).replace("MORE", more)


class MnsSource(EachQueue, Pulled):
    WRONG = SqsSource.WRONG
    REFUSALS = (
        (((403, "QpsLimitExceeded", "too fast"),), "MNS answered 403: QpsLimitExceeded: too fast"),
        ((500, {}, b"<html>oops"), "MNS answered 500: <html>oops"),
        ((200, {}, b"<Messages><Message>"), "the answer of MNS: XML, line 1"),
        ((200, {"Content-Length": "1000"}, b"<Messages/>"), "transfer closed"))
    source_of = staticmethod(mns)

    def setUp(self):
        super().setUp()
        self.peer = MnsPeer()
        self.server = self.serve(self.peer)

    @staticmethod
    def text_of(data):
        return data["body"]

    def test_data_and_deletion(self):
        d = self.gateway(mns(self.server.port)).start()
        one = self.peer.queue.put('{"a": "<ä>"}')
        self.assertEqual(self.wait_for(d, 1)[0][1], {"messageId": one, "body": '{"a": "<ä>"}', "metadata": {"a": "b"}})
        until(lambda: not self.peer.queue.messages, 30, "the deletion")

    def test_a_queue_that_is_not_there(self):
        d = self.gateway(mns(self.server.port).replace("queue: orders", "queue: other")).start()
        self.wait_for_state(d, "failed", "MNS answered 404: QueueNotExist")


# ---- Azure Service Bus


SERVICE_BUS = """
  azureServiceBus:
    e:
      queueName: orders
      connectionString: {name: keys, key: connection}
      MORE
"""


def service_bus(_port=0, more="metadata: {a: b}"):
    return SERVICE_BUS.replace("MORE", more)


class ServiceBusSource(EachQueue, Pulled):
    DENIED = " answered 401: "
    REFUSALS = (
        ((429, {}, b"slow down"), "Service Bus answered 429: slow down"),
        ((500, {}, b"oops"), "Service Bus answered 500: oops"),
        ((201, {}, b"x"), "BrokerProperties in the answer"),
        ((201, {"BrokerProperties": '{"SequenceNumber": 1}'}, b"x"), "no LockToken"),
        ((201, {"Content-Length": "1000"}, b"x"), "transfer closed"))
    source_of, text_of = staticmethod(service_bus), staticmethod(text_of)

    def setUp(self):
        super().setUp()
        self.peer = ServiceBusPeer()
        self.server = self.serve(self.peer)
        self.KEYS = {"connection": bus_connection(self.server.port)}
        self.WRONG = {"connection": bus_connection(self.server.port, "another key")}

    def test_data_and_deletion(self):
        d = self.gateway(service_bus()).start()
        one = self.peer.queue.put("<hello>", broker={"CorrelationId": "c", "Label": "<subject>", "ReplyTo": "r"},
                                  headers={"Content-Type": "text/plain", "priority": '"High"', "n": "12345678901234567890", "yes": "true", "odd": "a b"})
        two = self.peer.queue.put("two")
        got = {x["messageID"]: x for _, x in self.wait_for(d, 2)}
        body = base64.b64encode(b"<hello>").decode()
        self.assertEqual(got[one], {
            "applicationProperties": {"n": 12345678901234567890, "odd": "a b", "priority": "High", "yes": True}, "body": body, "contentType": "text/plain",
            "correlationID": "c", "enqueuedTime": "2026-09-24T01:48:16Z", "messageID": one, "replyTo": "r", "sequenceNumber": 1, "subject": "<subject>",
            "metadata": {"a": "b"}})
        self.assertEqual(got[two], {
            "applicationProperties": None, "body": base64.b64encode(b"two").decode(), "contentType": None, "correlationID": None,
            "enqueuedTime": "2026-09-24T01:48:16Z", "messageID": two, "replyTo": None, "sequenceNumber": 2, "subject": None, "metadata": {"a": "b"}})
        until(lambda: not self.peer.queue.messages, 30, "the deletion")

    def test_json_and_what_is_none(self):
        d = self.gateway(service_bus(0, "jsonBody: true")).start()
        bad, good = self.peer.queue.put("no json"), self.peer.queue.put('{"n": 1}')
        until(lambda: good in self.peer.queue.deleted, 30, "the good one")
        self.assertEqual(list(self.peer.queue.messages), [bad])  # until the queue's maximum of deliveries
        self.assertEqual([x["body"] for _, x in self.events(d)], [{"n": 1}])

    def test_a_subscription_of_a_topic(self):
        self.peer.PATH = "/news/subscriptions/mine"
        d = self.gateway(service_bus().replace("queueName: orders", "topicName: news\n      subscriptionName: mine")).start()
        self.peer.queue.put("x")
        self.wait_for(d, 1)

    def test_a_managed_identity(self):
        cert, key = self.certificate()
        server = TlsServer(self.peer, cert, key)
        self.addCleanup(server.stop)
        server.start()
        giver = IdentityPeer("https://servicebus.azure.net", self.peer)
        at = f"http://127.0.0.1:{self.serve(giver).port}"
        with open(cert, encoding="ascii") as f:
            self.KEYS = {"ca": f.read()}
        d = self.gateway(service_bus(0, "tls: {caCertSecret: {name: keys, key: ca}}").replace(
            "connectionString: {name: keys, key: connection}", f"fullyQualifiedNamespace: 127.0.0.1:{server.port}"))
        with unittest.mock.patch.dict(os.environ, AZURE_POD_IDENTITY_AUTHORITY_HOST=at):
            d.start()
        for i in range(3):
            self.peer.queue.put(str(i))
            self.wait_for(d, i + 1)
        until(lambda: not self.peer.queue.messages, 30, "the deletion")
        self.assertEqual(giver.given, 1)
        self.peer.bearer = "Bearer another"
        self.peer.queue.put("3")
        self.wait_for(d, 4)
        until(lambda: giver.given == 2 and not self.peer.queue.messages, 60, "another token")  # with the next call: those that wait are let wait


# ---- Pub/Sub


PUBSUB = """
  pubSub:
    e:
      projectID: p
      topic: orders
      MORE
"""


def pub_sub(_port=0, more="metadata: {a: b}"):
    return PUBSUB.replace("MORE", more)


def fnv32a(text):
    h = 0x811C9DC5
    for c in text.encode():
        h = (h ^ c) * 0x01000193 & 0xFFFFFFFF
    return h


class PubSubSource(EachQueue, Pulled):
    KEYS = {"unused": "x"}
    REFUSALS = (
        (["Pull", "RESOURCE_EXHAUSTED", "Quota exceeded"], "Pub/Sub: RESOURCE_EXHAUSTED: Quota exceeded"),
        (["Pull", "PERMISSION_DENIED", "no"], "Pub/Sub: PERMISSION_DENIED: no"),
        (["Pull", "INTERNAL", "oops"], "Pub/Sub: INTERNAL: oops"))
    source_of, text_of = staticmethod(pub_sub), staticmethod(text_of)
    NAMES = {"PUBSUB_EMULATOR_HOST": "127.0.0.1:PORT"}

    def setUp(self):
        super().setUp()
        control = free_port()
        program = self.program("pubsub_peer.py", str(control))
        self.peer = self.server = PubSubPeer(control)
        self.port = self.server.__dict__["port"] = program.port
        names = {k: v.replace("PORT", str(program.port)) for k, v in self.NAMES.items()}
        patch = unittest.mock.patch.dict(os.environ, names)
        patch.start()
        self.addCleanup(patch.stop)

    def test_wrong_keys_and_then_the_right_ones(self):
        self.skipTest("the emulator has no keys")

    def test_data_and_names(self):
        d = self.gateway(pub_sub()).start()
        self.wait_for_state(d, "running")
        one, two = self.peer.put("<hello>", attributes={"b": "2", "a": "<1>"}), self.peer.put("")
        got = {x["id"]: x for _, x in self.wait_for(d, 2)}
        when = "2026-09-21 14:13:20.12 +0000 UTC"
        self.assertEqual(got[one], {"id": one, "body": base64.b64encode(b"<hello>").decode(), "attributes": {"a": "<1>", "b": "2"}, "publishTime": when,
                                    "metadata": {"a": "b"}})
        self.assertEqual(got[two], {"id": two, "body": None, "attributes": None, "publishTime": when, "metadata": {"a": "b"}})
        until(lambda: not self.peer.messages, 30, "the acknowledgements")
        name = fnv32a('e{"projectID":"p","topicProjectID":"p","topic":"orders","subscriptionID":"","metadata":{"a":"b"}}')
        self.assertEqual(self.peer.subscriptions, {f"projects/p/subscriptions/e-{name}": "projects/p/topics/orders"})

    def test_the_name_is_the_hash_of_all_that_is_given(self):
        more = ["jsonBody: true", "deleteSubscriptionOnFinish: true", "credentialSecret: {name: k, key: c}", "topicProjectID: other",
                """filter: {expression: 'id != "<"'}"""]
        d = self.gateway(pub_sub(0, "\n      ".join(more))).start()
        self.wait_for_state(d, "running")
        name = fnv32a('e{"projectID":"p","topicProjectID":"other","topic":"orders","subscriptionID":"","credentialSecret":{"name":"k","key":"c"},'
                      '"deleteSubscriptionOnFinish":true,"jsonBody":true,"filter":{"expression":"id != \\"\\u003c\\""}}')
        self.assertEqual(self.peer.subscriptions, {f"projects/p/subscriptions/e-{name}": "projects/other/topics/orders"})

    def test_json_and_what_is_none(self):
        d = self.gateway(pub_sub(0, "jsonBody: true")).start()
        self.wait_for_state(d, "running")
        bad, good = self.peer.put("no json"), self.peer.put('{"n": 1}')
        until(lambda: good in self.peer.deleted, 30, "the good one")
        self.assertEqual(self.peer.messages, [bad])  # it comes again, until the subscription's dead-letter policy takes it
        self.assertEqual([x["body"] for _, x in self.events(d)], [{"n": 1}])

    def test_a_subscription_of_another_topic(self):
        self.peer.subscriptions = {"projects/p/subscriptions/mine": "projects/p/topics/theirs"}
        d = self.gateway(pub_sub(0, "subscriptionID: mine")).start()
        self.wait_for_state(d, "failed", "projects/p/subscriptions/mine belongs to projects/p/topics/theirs, not to projects/p/topics/orders")

    def test_a_subscription_without_a_topic(self):
        d = self.gateway(pub_sub(0, "subscriptionID: mine").replace("topic: orders", "")).start()
        self.wait_for_state(d, "failed", "no topic is given to make one of")
        self.peer.subscriptions = {"projects/p/subscriptions/mine": "projects/p/topics/theirs"}
        self.peer.put("x")
        self.wait_for(d, 1)
        self.assertNotIn("Subscriber/GetSubscription", self.peer.calls)

    def test_a_subscription_that_is_deleted_is_made_again(self):
        d = self.gateway(pub_sub()).start()
        self.wait_for_state(d, "running")
        self.peer.subscriptions = {}
        until(lambda: self.peer.subscriptions, 60, "a new one")
        self.peer.put("x")
        self.wait_for(d, 1)

    def test_the_subscription_of_a_removed_source_is_deleted(self):
        d = self.gateway(pub_sub(0, "deleteSubscriptionOnFinish: true")).start()
        self.wait_for_state(d, "running")
        d.stop()
        self.assertEqual(len(self.peer.subscriptions), 1)  # what is published meanwhile must not be lost
        d.start()
        self.wait_for_state(d, "running")
        d.write("source.yaml", "")
        until(lambda: not self.peer.subscriptions, 60, "the deletion")


class PubSubTokens(PubSubSource):
    """Without the emulator's variable: each call has a token, got with the key of a service account."""

    NAMES = {"CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB": "http://127.0.0.1:PORT/"}
    DENIED = "a token for Pub/Sub: Pub/Sub answered 401"
    source_of = staticmethod(lambda port=0, more="metadata: {a: b}": pub_sub(port, more + "\n      credentialSecret: {name: keys, key: credentials}"))

    def setUp(self):
        super().setUp()
        self.peer.token = "tok-1"
        self.tokens, self.token = [], "tok-1"
        self.account = self.serve(self.give_token)
        self.KEYS = {"credentials": self.credentials("good")}
        self.WRONG = {"credentials": self.credentials("other")}

    def run_openssl(self, *args, data=None):
        return subprocess.run(["openssl", *args], input=data, capture_output=True, cwd=self.directory, timeout=60)

    def credentials(self, name):
        self.run_openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", name + ".key")
        self.run_openssl("pkey", "-in", name + ".key", "-pubout", "-out", name + ".pub")
        with open(f"{self.directory}/{name}.key", encoding="utf-8") as f:
            return json.dumps({"type": "service_account", "client_email": "me@p.iam", "private_key_id": "k1", "private_key": f.read(),
                               "token_uri": f"http://127.0.0.1:{self.account.port}/token"})

    def give_token(self, call):
        form = dict(urllib.parse.parse_qsl(call["body"].decode()))
        parts = [base64.urlsafe_b64decode(x + "=" * (-len(x) % 4)) for x in form["assertion"].split(".")]
        with open(f"{self.directory}/signature", "wb") as f:
            f.write(parts[2])
        good = self.run_openssl("dgst", "-sha256", "-verify", "good.pub", "-signature", "signature", data=form["assertion"].rpartition(".")[0].encode())
        head, claims = json.loads(parts[0]), json.loads(parts[1])
        if good.returncode or form["grant_type"] != "urn:ietf:params:oauth:grant-type:jwt-bearer" or head != {"alg": "RS256", "typ": "JWT", "kid": "k1"}:
            return 401, {}, b'{"error": "invalid_grant"}'
        self.tokens.append(claims)
        return 200, {}, json.dumps({"access_token": self.token, "expires_in": 3599, "token_type": "Bearer"}).encode()

    def test_wrong_keys_and_then_the_right_ones(self):
        EachQueue.test_wrong_keys_and_then_the_right_ones(self)
        self.assertEqual({k: self.tokens[0][k] for k in ("iss", "scope", "aud")}, {
            "iss": "me@p.iam", "scope": "https://www.googleapis.com/auth/pubsub", "aud": f"http://127.0.0.1:{self.account.port}/token"})
        self.assertEqual(self.tokens[0]["exp"] - self.tokens[0]["iat"], 3600)

    def test_a_token_is_kept_until_it_is_refused(self):
        d = self.gateway(self.source_of()).start()
        for i in range(5):
            self.peer.put(str(i))
            self.wait_for(d, i + 1)
        self.assertEqual(len(self.tokens), 1)
        self.token = self.peer.token = "tok-2"
        self.peer.put("x")
        self.wait_for(d, 6)
        until(lambda: not self.peer.messages, 60, "the acknowledgement")
        self.assertEqual(len(self.tokens), 2)

    def test_credentials_that_will_not_do(self):
        for text, reason in (("no json", "the credentials are not JSON"), ('{"type": "authorized_user"}', "must be those of a service_account"),
                             (json.dumps(dict(json.loads(self.KEYS["credentials"]), private_key="x")), "not an RSA key in PEM")):
            with self.subTest(reason):
                d = self.gateway(self.source_of(), {"credentials": text}).start()
                self.wait_for_state(d, "failed", reason)
                d.stop()

    def test_the_account_of_the_machine(self):
        def metadata(call):
            if call["headers"]["Metadata-Flavor"] != "Google":
                return 403, {}, b""
            return 200, {}, b"p\n" if call["path"].endswith("/project/project-id") else b'{"access_token": "tok-1", "expires_in": 600}'

        server = self.serve(metadata)
        with unittest.mock.patch.dict(os.environ, GCE_METADATA_HOST=f"127.0.0.1:{server.port}"):
            d = self.gateway(pub_sub().replace("projectID: p", "")).start()
        self.wait_for_state(d, "running")
        self.peer.put("x")
        self.wait_for(d, 1)
        self.assertEqual(list(self.peer.subscriptions.values()), ["projects/p/topics/orders"])

    # these are about what is the same with tokens and without
    test_data_and_names = test_the_name_is_the_hash_of_all_that_is_given = test_json_and_what_is_none = test_a_subscription_of_another_topic = test_a_subscription_without_a_topic = None
    test_the_subscription_of_a_removed_source_is_deleted = test_a_subscription_that_is_deleted_is_made_again = None
    test_refusals_are_told_and_tried_again = test_an_outage_is_a_few_lines = test_nothing_is_lost = test_given_again_is_the_same_event = None


if __name__ == "__main__":
    unittest.main()
