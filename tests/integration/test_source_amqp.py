# SPDX-License-Identifier: Apache-2.0
"""Event source amqp against a real RabbitMQ: the data of its events, what is declared and refused, acknowledgements, dead letters, trust, and that nothing
is lost when either side dies. What 100,000 messages through outages come to is in test_source_outages.py."""
import json
import os
import shutil
import tempfile
import threading
import time
import unittest

from amqp_client import Amqp, AmqpPublisher, numbers
from brokers import Rabbit
from harness import free_port, scaled, until
from source_case import SourceCase, ref

DURABLE = "exchangeDeclare: {durable: true}\nqueueDeclare: {name: q1, durable: true}\n"
TIME = time.strftime("%Y-%m-%d %H:%M:%S %z %Z", time.localtime(1_700_000_000))


class Case(SourceCase):
    def entry_lines(self, more, exchange, kind="direct", url=""):
        url = url or f"amqp://guest:guest@127.0.0.1:{self.b.port}"
        return f"url: \"{url}\"\nexchangeName: {exchange}\nexchangeType: {kind}\nroutingKey: r\n{more}"

    def running(self, more="", exchange="x", kind="direct", **secrets):
        d = self.source("amqp", self.entry_lines(more, exchange, kind), **secrets)
        self.wait_state(d, "running")
        return d

    def client(self):
        c = Amqp(self.b.port)
        self.addCleanup(c.close)
        return c


class OneBroker(Case):
    """One RabbitMQ for all of them, since it takes its time; each test has an exchange and queues of its own."""

    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.mkdtemp(prefix="tidegate-test-")
        cls.b = Rabbit(os.path.join(cls.home, "broker"))
        cls.b.certificates("DNS:localhost")
        cls.b.secure = free_port()
        cls.b.start()

    @classmethod
    def tearDownClass(cls):
        cls.b.close()
        shutil.rmtree(cls.home, ignore_errors=True)

    def test_data(self):
        d = self.running("metadata: {colour: blue}", "data")
        c = self.client()
        c.publish("data", "r", b"<one>", content_type="text/plain", content_encoding="utf-8", delivery_mode=2, priority=3, correlation_id="c<1>", reply_to="me",
                  expiration="60000", message_id="m1", timestamp=1_700_000_000, type="kind", user_id="guest", app_id="app")
        c.publish("data", "other", b"to another key")
        c.publish("data", "r", b"")
        self.wait_events(d, 2)
        self.assertEqual(self.text(d, 0), '{"contentType":"text/plain","contentEncoding":"utf-8","deliveryMode":2,"priority":3,"correlationId":"c\\u003c1\\u003e",'
                         '"replyTo":"me","expiration":"60000","messageId":"m1","timestamp":"%s","type":"kind","appId":"app","exchange":"data",'
                         '"routingKey":"r","body":"PG9uZT4=","metadata":{"colour":"blue"}}' % TIME)
        self.assertEqual(self.text(d, 1), '{"contentType":"","contentEncoding":"","deliveryMode":0,"priority":0,"correlationId":"","replyTo":"","expiration":"",'
                         '"messageId":"","timestamp":"0001-01-01 00:00:00 +0000 UTC","type":"","appId":"","exchange":"data","routingKey":"r","body":"",'
                         '"metadata":{"colour":"blue"}}')
        self.assertEqual([json.loads(x)["type"] for x in d.cli("events", "-o", "json").stdout.splitlines()], ["amqp"] * 2)

    def test_json_body_that_is_none(self):
        """Rejected, so that a dead-letter exchange gets it, and what came before and behind is acknowledged."""
        c = self.client()
        c.declare_exchange("dead", "fanout")
        c.declare_queue("dead-letters")
        c.bind("dead-letters", "dead", "")
        d = self.running("jsonBody: true\nqueueDeclare:\n  name: poison\n  durable: true\n  arguments: |\n    x-dead-letter-exchange: dead\n"
                         "    x-max-length: 1000\n", "poison")
        for body in (b'{ "n": 1 }', b"{", b"2", b"nope", b"3"):
            c.publish("poison", "r", body)
        self.assertEqual([e["body"] for e in self.wait_events(d, 3)], [{"n": 1}, 2, 3])
        until(lambda: c.messages_in("dead-letters") == 2, 30, "the dead letters")
        self.assertEqual(self.state(d)["refused"], 2)
        d.cli("emit", "es/e", "-d", '{"a": 1}')
        self.assertEqual(self.wait_events(d, 4)[3]["body"], {"a": 1})
        d.stop()
        self.assertEqual(c.messages_in("poison"), 0)

    def test_same_message_id(self):
        """Another message with a message-id that was there before is another event; the same one is not."""
        d = self.running("", "ids")
        c = self.client()
        for body in (b"a", b"b", b"a"):
            c.publish("ids", "r", body, message_id="one")
        for _ in range(2):
            c.publish("ids", "r", b"a")
        c.publish("ids", "r", b"last")
        until(lambda: self.count(d) and self.events(d)[-1]["body"] == "bGFzdA==", 30, "the last")
        self.assertEqual([e["messageId"] for e in self.events(d)], ["one", "one", "", "", ""])

    def test_what_is_refused(self):
        """Told with the broker's words, and tried again until it fits."""
        c = self.client()
        c.declare_queue("durable")
        d = self.source("amqp", self.entry_lines("queueDeclare: {name: durable}", "refused"))
        self.wait_state(d, "failed", "amqp: declaring the queue: PRECONDITION_FAILED - inequivalent arg 'durable'")
        c.delete_queue("durable")
        self.wait_state(d, "running")
        d.stop()
        d = self.source("amqp", self.entry_lines("", "refused", "fanout"))
        self.wait_state(d, "failed", "amqp: declaring the exchange: PRECONDITION_FAILED - inequivalent arg 'type'")
        d.stop()
        d = self.source("amqp", self.entry_lines("", "refused", "nonsense"))
        self.wait_state(d, "failed", "nonsense")
        self.assertLessEqual(len(self.lines(d)), 10, d.log())

    def test_queue_that_is_deleted(self):
        d = self.running(DURABLE.replace("q1", "deleted"), "deleted")
        c = self.client()
        c.delete_queue("deleted")
        until(lambda: "the broker ended the consumer" in self.state(d).get("lastError", ""), 30, "the reason")
        self.wait_state(d, "running")
        c.publish("deleted", "r", b"x")
        self.wait_events(d, 1)

    def test_exclusive_consumer(self):
        d = self.running("consume: {exclusive: true, consumerTag: me}\n" + DURABLE.replace("q1", "alone"), "alone")
        home, self.directory = self.directory, os.path.join(self.directory, "other")
        other = self.source("amqp", self.entry_lines(DURABLE.replace("q1", "alone"), "alone"))
        self.directory = home
        self.wait_state(other, "failed", "amqp: consuming the queue: ACCESS_REFUSED")
        d.stop()
        self.wait_state(other, "running")

    def test_default_exchange(self):
        d = self.running("queueDeclare: {name: plain}", "''")
        self.client().publish("", "plain", b"x")
        self.assertEqual(self.wait_events(d, 1)[0]["routingKey"], "plain")

    def test_login(self):
        auth = f"auth: {{username: {ref('user')}, password: {ref('password')}}}"
        d = self.source("amqp", self.entry_lines(auth, "login", url=f"amqp://127.0.0.1:{self.b.port}"), user="guest", password="wrong")
        self.wait_state(d, "failed", "amqp: logging in: ACCESS_REFUSED - Login was refused")
        d.write("keys.yaml", self.secret({"user": "guest", "password": "guest"}))  # read again with each attempt
        self.wait_state(d, "running")
        d.stop()
        lines = f"urlSecret: {ref('url')}\nexchangeName: login\nexchangeType: direct\nroutingKey: r\n"
        d = self.source("amqp", lines, url=f"amqp://guest:guest@127.0.0.1:{self.b.port}/nowhere")
        self.wait_state(d, "failed", "nowhere")
        self.assertNotIn("guest:guest", d.log())
        d.write("keys.yaml", self.secret({"url": f"amqp://guest:guest@127.0.0.1:{self.b.port}"}))
        self.wait_state(d, "running")

    def test_tls(self):
        d = self.check_trust("amqp", self.b, f"url: 'amqps://guest:guest@HOST:{self.b.secure}', exchangeName: tls, exchangeType: direct, routingKey: r")
        self.client().publish("tls", "r", b"x" * 300000)
        self.assertEqual([len(e["body"]) for e in self.wait_events(d, 2)], [400000] * 2)

    def test_killed(self):
        """Argo acknowledges as it is sent: here what was not on disk comes again, and what was is the same event."""
        d = self.running("jsonBody: true\n" + DURABLE.replace("q1", "killed"), "killed")
        n = scaled(3000, 20000)
        p = AmqpPublisher(self.b.port, "killed", "r")
        sender = threading.Thread(target=p.publish, args=(numbers(n),))
        sender.start()
        for part in (5, 3, 2):
            until(lambda: self.count(d) >= n // part, 120, "some")
            d.kill()
            d.start()
        sender.join()
        p.close()
        until(lambda: self.count(d) >= n, 120, "all")
        self.wait_state(d, "running")
        c = self.client()
        d.stop()
        self.assertEqual(c.messages_in("killed"), 0)
        self.assertEqual(sorted(e["body"] for e in self.events(d)), list(range(n)))

    def test_auto_ack(self):
        """Written down explicitly it is as in Argo."""
        d = self.running("jsonBody: true\nconsume: {autoAck: true}\n" + DURABLE.replace("q1", "auto"), "auto")
        p = AmqpPublisher(self.b.port, "auto", "r")
        p.publish(numbers(2000))
        p.close()
        self.assertEqual([e["body"] for e in self.wait_events(d, 2000)], list(range(2000)))

    def test_backlog_is_taken_in_by_and_by(self):
        d = self.running(DURABLE.replace("q1", "backlog"), "backlog")
        idle = self.memory(d)
        d.stop()
        n, body = scaled(3000, 20000), b"x" * (16 << 10)
        c = self.client()
        for i in range(0, n, 100):
            c.sock.sendall(b"".join(c.message("backlog", "r", body, message_id=str(i + k), delivery_mode=2) for k in range(100)))
            c.confirm()
        d.start()
        until(lambda: self.count(d) == n, 300, "all")
        self.assertLess(self.memory(d) - idle, 80 << 10, "KiB more than idle")


class Restarts(Case):
    def test_restart_of_the_broker(self):
        self.b = self.broker(Rabbit)
        d = self.running("jsonBody: true\n" + DURABLE)
        p = AmqpPublisher(self.b.port, "x", "r")
        p.publish(numbers(100))
        self.wait_events(d, 100)
        self.b.stop()
        self.wait_state(d, "failed", "amqp: ")
        self.b.start()
        p.publish(numbers(100, 200))
        self.assertEqual([e["body"] for e in self.wait_events(d, 200, 120)], list(range(200)))
        self.assertLessEqual(len(self.lines(d)), 10, d.log())
        p.close()


if __name__ == "__main__":
    unittest.main()
