# SPDX-License-Identifier: Apache-2.0
"""Event sources that pull queues over HTTP: sqs, mns, azureQueueStorage, pubSub. In `make test` each against a peer of the tests' own
(queues.py, pubsub_peer.py), for the data of its events, what it signs, what it does when it is refused, and that nothing is lost; in `make
integration` against ElasticMQ and moto, Azurite, and Google's pstest. Of MNS there is no server to be had: that its peer answers
as the service does is from its documentation, and unproven."""
import base64
import collections
import contextlib
import json
import os
import sqlite3
import unittest
import unittest.mock

from harness import FULL, scaled, until
from queues import ElasticMq, Moto, SqsPeer
from test_services import Services

SECRET = """
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData:
"""


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


class SqsSource(Pulled):
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

    def test_given_again_is_the_same_event(self):
        d = self.gateway(sqs(self.server.port)).start()
        self.peer.refuse = lambda call: (503, {}, b"") if b"DeleteMessage" in call["headers"]["X-Amz-Target"].encode() else None
        one = self.queue.put("once")
        self.wait_for(d, 1)
        self.wait_for_state(d, "failed", "SQS answered 503")
        self.queue.show()
        self.peer.refuse = None
        until(lambda: self.queue.deleted == [one], 60, "the deletion")
        self.queue.put("next")
        self.assertEqual([text_of(x) for _, x in self.wait_for(d, 2)], ["once", "next"])
        self.wait_for_state(d, "running")

    def test_refusals_are_told_and_tried_again(self):
        d = self.gateway(sqs(self.server.port)).start()
        self.wait_for_state(d, "running")
        for refuse, reason in (
                (self.peer.error(400, "ThrottlingException", "Rate exceeded"), "SQS answered 400: ThrottlingException: Rate exceeded"),
                ((500, {}, b"<html>oops</html>"), "SQS answered 500: <html>oops</html>"),
                ((200, {}, b"{\"Messages\": ["), "the answer of SQS"),
                ((200, {"Content-Length": "1000"}, b"{\"Messages\": []"), "transfer closed")):
            self.peer.refuse = refuse
            one = self.queue.put("x")
            self.wait_for_state(d, "failed", reason)
            self.peer.refuse = None
            until(lambda: one in self.queue.deleted, 60, "the message")
            self.wait_for_state(d, "running")
        self.assertLessEqual(len(self.lines(d)), 12)

    def test_a_queue_that_comes_later_and_new_keys(self):
        self.peer.name, self.peer.keys = "other", {"AKID": "new"}
        d = self.gateway(sqs(self.server.port)).start()
        self.wait_for_state(d, "failed", "SignatureDoesNotMatch")
        d.write("keys.yaml", self.secret(dict(self.KEYS, secret="new")))
        self.wait_for_state(d, "failed", "QueueDoesNotExist: The specified queue does not exist.")
        self.peer.name = "orders"
        self.queue.put("x")
        self.wait_for(d, 1)
        self.assertNotIn("new", "".join(self.lines(d)))

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

    def test_nothing_is_lost(self):
        """While the service goes away and comes back, and the daemon is killed, many times."""
        n, bodies = scaled(400, 4000), []
        d = self.gateway(sqs(self.server.port)).start()
        for part in range(4):
            bodies += [f"{part}-{i}" for i in range(n // 4)]
            for b in bodies[-(n // 4):]:
                self.queue.put(b)
            until(lambda: self.queue.given >= part * n // 4 + 10, 60, "some of it")
            if part % 2:
                self.server.stop()
                self.queue.show()
                d.kill()
                d.start()
                self.server.start()
            else:
                d.kill()
                self.queue.show()
                d.start()
        until(lambda: self.queue.show() or not self.queue.messages, 120, "all are deleted")
        self.once_each(d, bodies, text_of)

    def test_an_outage_is_a_few_lines(self):
        d = self.gateway(sqs(self.server.port)).start()
        self.wait_for_state(d, "running")
        self.server.stop()
        self.wait_for_state(d, "failed", "")
        calls = len(self.server.calls)
        self.server.start()
        self.wait_for_state(d, "running")
        self.assertLessEqual(len(self.lines(d)), 5)
        self.assertLessEqual(len(self.server.calls) - calls, 20)

    def test_stopping_waits_for_what_is_under_way(self):
        d = self.gateway(sqs(self.server.port)).start()
        for i in range(50):
            self.queue.put(str(i))
        self.wait_for(d, 50)
        d.write("source.yaml", "")
        until(lambda: "source stops" in d.log(), 30, "the stop")
        self.assertEqual(d.stop(), 0)

    def test_emit_has_the_same_shape(self):
        d = self.gateway(sqs(self.server.port, "jsonBody: true")).start()
        d.cli("emit", "es/e", "-d", '{"n": 1}')
        self.assertEqual(self.wait_for(d, 1)[0][1], {"messageId": "", "messageAttributes": None, "body": {"n": 1}})


@unittest.skipUnless(FULL, "servers of SQS are no Debian packages: make integration")
class RealSqs(Pulled):
    def restarts(self, kind, keeps):
        server = self.broker(kind)
        d = self.gateway(sqs(server.port, "waitTimeSeconds: 2").replace("waitTimeSeconds: 1\n", "\n")).start()
        n, bodies = 4000, []
        for part in range(4):
            bodies += [f"{part}-{i}" for i in range(n // 4)]
            server.put(bodies[-(n // 4):])
            self.wait_for(d, part * n // 4 + 50)
            d.kill()
            if keeps:
                server.stop()
                server.start()
            d.start()
        self.once_each(d, bodies, text_of)
        until(lambda: server.left() == 0, 200, "all are deleted")

    def test_elasticmq(self):
        self.restarts(ElasticMq, True)

    def test_moto(self):
        self.restarts(Moto, False)


if __name__ == "__main__":
    unittest.main()
