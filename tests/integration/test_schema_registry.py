# SPDX-License-Identifier: Apache-2.0
"""Avro with a schema registry: event source and trigger kafka. The registry is a stub of the tests (schema_registry.py), the messages are by Apache's
own Avro, the broker is librdkafka's in `make test` and Apache Kafka in `make integration`."""
import base64
import struct
import unittest

import schema_registry
from brokers import Kafka, KafkaProducer, MockKafka
from harness import FULL, until
from test_services import Services
from test_source_kafka import GROUP, PARTITION, Kafkas, kafka

ORDER = {"type": "record", "name": "Order", "namespace": "shop", "fields": [
    {"name": "i", "type": "int"}, {"name": "total", "type": "double"}, {"name": "note", "type": ["null", "string"], "default": None},
    {"name": "tags", "type": {"type": "array", "items": "string"}}, {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["NEW", "PAID"]}}]}
MORE = """jsonBody: true
      schemaRegistry:
        url: URL
        schemaId: 7
        auth: {username: {name: keys, key: user}, password: {name: keys, key: password}}"""
LOGIN = {"user": "ann", "password": "s3cr3t"}


def order(i, **more):
    return dict({"i": i, "total": 1.5, "note": None, "tags": ["a"], "at": 1700000000123, "state": "PAID"}, **more)


class Avro:
    """With `self.broker` in place: send(list of messages), address."""

    def setUp(self):
        super().setUp()
        self.registry = schema_registry.Registry(("ann", "s3cr3t")).start()
        self.addCleanup(self.registry.stop)
        self.registry.schemas[7] = ORDER

    def avro(self, source, **keys):
        return self.gateway(kafka(source, self.address, MORE.replace("URL", self.registry.url)), dict(LOGIN, **keys))

    def orders(self, numbers, schema=7):
        self.send(schema_registry.messages(schema, self.registry.schemas[schema], [order(i) for i in numbers]))

    def of(self, data):
        return data["body"]["i"]

    def test_a_body_is_the_json_of_the_message(self):
        d = self.avro(GROUP).start()
        self.send(schema_registry.messages(7, ORDER, [order(1), order(2, note="<é>")]))
        bodies = {x["body"]["i"]: x["body"] for _, x in self.wait_for(d, 2)}
        self.assertEqual(bodies[1], order(1))
        self.assertEqual(bodies[2], order(2, note={"string": "<é>"}))
        self.assertEqual(self.registry.asked, ["/schemas/ids/7"])

    def test_messages_that_are_none_are_passed_over(self):
        d = self.avro(GROUP).start()
        self.send([b"{}", b"\0\0", b"\0\0\0\0\x08x", b"\0\0\0\0\x07", b"\x01\0\0\0\x07"])
        self.orders([1])
        self.once_each(d, [1], self.of)
        until(lambda: self.source(d).get("refused") == 5, 60, "five refused")
        self.assertEqual(sorted(set(self.registry.asked)), ["/schemas/ids/7", "/schemas/ids/8"])

    def test_a_schema_that_changes(self):
        self.registry.schemas[9] = dict(ORDER, fields=ORDER["fields"] + [{"name": "more", "type": "boolean", "default": False}])
        d = self.avro(PARTITION).start()
        self.wait_for_partitions(d, 1)
        self.orders([1])
        self.send(schema_registry.messages(9, self.registry.schemas[9], [order(2, more=True)]))
        self.orders([3])
        self.assertEqual([x["body"].get("more") for _, x in self.wait_for(d, 3)], [None, True, None])

    def test_a_registry_that_is_away_loses_nothing(self):
        d = self.avro(GROUP).start()
        self.orders(range(10))
        self.wait_for(d, 10)
        self.registry.stop()
        d.kill()  # what it knew of schemas is gone
        self.orders(range(10, 20))
        d.start()
        self.wait_for_state(d, "failed", "schema registry: GET http://127.0.0.1")
        self.assertEqual(self.source(d)["partitions"], self.PARTITIONS)  # it stays in its group
        self.registry.status = 503
        self.registry.start()
        self.wait_for_state(d, "failed", "status 503")
        self.registry.status = None
        self.once_each(d, range(20), self.of)
        self.wait_for_state(d, "running")
        self.assertFalse(self.source(d).get("refused"))
        self.assertLess(len(self.lines(d)), 20)

    def test_a_login_that_is_wrong_and_then_right(self):
        d = self.avro(GROUP, password="not-this-one").start()
        self.orders(range(10))
        self.wait_for_state(d, "failed", "status 401")
        self.assertNotIn("not-this-one", d.log())
        d.write("keys.yaml", self.secret(LOGIN))
        self.once_each(d, range(10), self.of)

    def test_without_json_a_body_is_the_message(self):
        d = self.gateway(kafka(GROUP, self.address, MORE.replace("URL", self.registry.url).replace("jsonBody: true", "jsonBody: false")), LOGIN).start()
        sent = schema_registry.messages(7, ORDER, [order(1)])
        self.send(sent)
        self.assertEqual([x["body"] for _, x in self.wait_for(d, 1)], [base64.b64encode(sent[0]).decode()])
        self.assertEqual(self.registry.asked, [])


class AvroSource(Avro, Kafkas):
    PARTITIONS = 3

    def setUp(self):
        super().setUp()
        self.b = MockKafka()
        self.addCleanup(self.b.close)
        self.b.topic("t", 3)
        self.address = self.b.address

    def send(self, sent):
        for m in sent:
            self.b.send("t", m, partition=0)
        self.b.flush()


@unittest.skipUnless(FULL, "Kafka is not a package of Debian's: make integration")
class ApacheAvroSource(Avro, Kafkas):
    PARTITIONS = 4

    def setUp(self):
        super().setUp()
        self.b = self.broker(Kafka)
        self.address = f"127.0.0.1:{self.b.port}"
        self.producer = KafkaProducer(self.address)
        self.addCleanup(self.producer.close)

    def send(self, sent):
        for m in sent:
            self.producer.send("t", m, partition=0)
        self.producer.flush()

    # the others need no broker of Apache's, which takes its time
    test_messages_that_are_none_are_passed_over = test_a_schema_that_changes = test_without_json_a_body_is_the_message = None
    test_a_login_that_is_wrong_and_then_right = None


TRIGGER = """
      kafka:
        url: ADDRESS
        topic: t
        schemaRegistry:
          url: URL
          schemaId: 7
          auth: {username: {name: keys, key: user}, password: {name: keys, key: password}}
        payload:
"""


class AvroTrigger(Services):
    def setUp(self):
        super().setUp()
        self.registry = schema_registry.Registry(("ann", "s3cr3t")).start()
        self.addCleanup(self.registry.stop)
        self.registry.schemas[7] = ORDER
        self.b = MockKafka()
        self.addCleanup(self.b.close)
        self.b.topic("t", 1)

    def sends(self, **keys):
        fields = "".join(f"        - {{src: {{dependencyName: d, dataKey: body.{f['name']}, useRawData: true}}, dest: {f['name']}}}\n"
                         for f in ORDER["fields"] if f["name"] != "note")
        return self.gateway((TRIGGER + fields).replace("ADDRESS", self.b.address).replace("URL", self.registry.url), dict(LOGIN, **keys))

    def test_a_payload_is_sent_as_avro(self):
        d = self.sends()
        for i in range(3):
            self.send(order(i))
        self.wait_for(d, 3)
        sent = self.b.consume("t", 3)
        self.assertEqual({m[:5] for m in sent}, {b"\0" + struct.pack(">I", 7)})
        self.assertEqual(sorted(schema_registry.values(ORDER, sent), key=lambda x: x["i"]), [order(i) for i in range(3)])
        self.assertEqual(self.registry.asked, ["/schemas/ids/7"])

    def test_a_payload_that_the_schema_does_not_have(self):
        d = self.sends()
        self.send(order("one"))
        until(lambda: any("avro: a string is no int" in v[1] for v in self.verdicts(d)), 60, "a refusal")

    def test_a_registry_that_is_away_is_waited_for(self):
        self.registry.stop()
        d = self.sends()
        self.send(order(1))
        until(lambda: any("schema registry: GET http://127.0.0.1" in v[1] for v in self.verdicts(d)), 60, "the reason")
        self.registry.start()
        self.wait_for(d, 1)
        self.assertEqual(len(self.b.consume("t", 1)), 1)


if __name__ == "__main__":
    unittest.main()
