# SPDX-License-Identifier: Apache-2.0
"""Event source nats against a real nats-server: subjects as they are, and streams of JetStream; the data of its events, who may connect and whom it
trusts, reconnecting, what is given again, and what happens when messages come faster than they are taken. What 100,000 messages through
outages come to is in test_source_outages.py."""
import base64
import json
import os
import signal
import unittest

from brokers import Nats
from harness import FULL, scaled, until
from source_case import SourceCase, ref


class Server(Nats):
    def publish(self, subject, *bodies, headers=""):
        c = self.connect()
        head = f"NATS/1.0\r\n{headers}\r\n".encode() if headers else b""
        for body in bodies:
            if head:
                c.send(f"HPUB {subject} {len(head)} {len(head) + len(body)}\r\n".encode() + head + body + b"\r\n")
            else:
                c.send(f"PUB {subject} {len(body)}\r\n".encode() + body + b"\r\n")
        c.send(b"PING\r\n")
        until(lambda: c.line() == "PONG", 30, "PONG")
        c.close()


class NatsCase(SourceCase):
    def setUp(self):
        super().setUp()
        self.b = self.broker(Server, start=False)

    def listen(self, more="", host="127.0.0.1", subject="s.>", **secrets):
        return self.source("nats", f'url: nats://{host}:{self.b.port}\nsubject: "{subject}"\n{more}', **secrets)

    def running(self, *args, **more):
        d = self.listen(*args, **more)
        self.wait_state(d, "running")
        return d


class Subject(NatsCase):
    def test_data(self):
        self.b.start()
        d = self.running("metadata: {colour: blue}")
        self.b.publish("s.a", b"<one>")
        self.b.publish("t.a", b"another")
        self.b.publish("s.b.c", b"", headers="B: 2\r\nA: <x>\r\nB: 1\r\n")
        self.wait_events(d, 2)
        text = [row[1].decode() for row in self.rows(d)]
        self.assertEqual(text[0], '{"subject":"s.a","body":"%s","metadata":{"colour":"blue"}}' % base64.b64encode(b"<one>").decode())
        self.assertEqual(text[1], '{"subject":"s.b.c","body":"","header":{"A":["\\u003cx\\u003e"],"B":["2","1"]},"metadata":{"colour":"blue"}}')

    def test_json_body_that_is_none(self):
        self.b.start()
        d = self.running("jsonBody: true")
        self.b.publish("s.a", b"{", b'{ "n": 1.50 }')
        self.wait_events(d, 1)
        self.assertEqual(self.rows(d)[0][1].decode(), '{"subject":"s.a","body":{"n":1.50}}')
        until(lambda: self.state(d).get("refused") == 1, 30, "the count")

    def test_queue(self):
        """Others of the same queue get what this source does not."""
        self.b.start()
        d = self.running("queue: q")
        c = self.b.connect()
        c.send(b"SUB s.> q 1\r\nPING\r\n")
        until(lambda: c.line() == "PONG", 30, "PONG")
        self.b.publish("s.a", *[b"%d" % i for i in range(200)])
        c.send(b"PING\r\n")
        theirs = 0
        while (line := c.line()) != "PONG":
            theirs += line.startswith("MSG")
        c.close()
        self.assertTrue(0 < theirs < 200, theirs)
        self.wait_events(d, 200 - theirs)

    @unittest.skipUnless(FULL, "some hundred megabytes: make integration")
    def test_slow_consumer(self):
        """More than the client keeps while the disk is behind: NATS drops it, and the source says so and goes on."""
        self.b.start()
        d = self.running()
        big, sent = b"x" * 900000, 0
        while "refused" not in self.state(d):
            self.assertLess(sent, 4000, "nothing was dropped")
            self.b.publish("s.a", *[big] * 200)
            sent += 200
        self.assertIn("slow consumer", d.log())
        self.assertLess(self.count(d), sent)
        self.b.publish("s.b", b"after")
        until(lambda: self.rows_count(d, "CAST(data AS TEXT) LIKE '%\"s.b\"%'") or self.b.publish("s.b", b"after"), 120, "what came after")

    def test_reconnects(self):
        self.b.start()
        d = self.running()
        for i in range(2):
            self.b.stop()
            self.wait_state(d, "failed", "nats")
            self.b.start()
            self.wait_state(d, "running")
            self.b.publish("s.a", b"%d" % i)
            self.wait_events(d, i + 1)
        self.assertLessEqual(len(self.lines(d)), 10, d.log())

    def test_logins(self):
        seed, public = self.b.key("user", self.b.USER)
        cases = {
            "password": (f"basic: {{username: {ref('user')}, password: {ref('pw')}}}", "authorization { user: ann, password: right }", {"user": "ann", "pw": "right"}, "pw"),
            "token": (f"token: {ref('token')}", "authorization { token: right }", {"token": "right"}, "token"),
            "nkey": (f"nkey: {ref('nkey')}", "authorization { users: [{ nkey: %s }] }" % public, {"nkey": seed}, None),
        }
        for case, (auth, config, secrets, wrong) in cases.items():
            with self.subTest(case=case):
                self.b.CONFIG = config
                self.b.start()
                if wrong:
                    d = self.listen(f"auth: {{{auth}}}", **dict(secrets, **{wrong: "wrong"}))
                    s = self.wait_state(d, "failed", "nats: connecting: ")
                    self.assertRegex(s["error"].lower(), "authorization|authentication")
                    d.write("keys.yaml", self.secret(secrets))
                else:
                    d = self.listen(f"auth: {{{auth}}}", **secrets)
                self.wait_state(d, "running")
                d.stop()
                self.b.stop()

    def test_credentials(self):
        right, other, _ = self.b.by_credentials()
        self.b.start()
        d = self.listen(f"auth: {{credential: {ref('it')}}}", it=other)
        self.assertRegex(self.wait_state(d, "failed", "nats: connecting: ")["error"].lower(), "authorization|authentication")
        d.write("keys.yaml", self.secret({"it": right}))
        self.wait_state(d, "running")

    def test_tls(self):
        self.b.certificates("DNS:localhost")
        self.b.secure = True
        self.b.start()
        self.check_trust("nats", self.b, f"url: 'nats://HOST:{self.b.port}', subject: s", ("certificate", "mismatch", "certificate"))

    def test_subject_that_is_not_permitted(self):
        self.b.CONFIG = 'authorization { users: [{ user: ann, password: pw, permissions: { subscribe: "other.>" } }] }'
        self.b.start()
        d = self.listen(f"auth: {{basic: {{username: {ref('u')}, password: {ref('p')}}}}}", u="ann", p="pw")
        self.wait_state(d, "failed", "Permissions Violation for Subscription to \"s.>\"")


STREAM = "jsonBody: true\njetStream: {stream: S, durable: d1}"


class JetStream(NatsCase):
    def setUp(self):
        super().setUp()
        self.b.start()
        self.stream()

    def stream(self):
        self.assertNotIn("error", self.b.request("$JS.API.STREAM.CREATE.S", {"name": "S", "subjects": ["s.>", "t.>"], "storage": "file"}))

    def consumer(self):
        return self.b.request("$JS.API.CONSUMER.INFO.S.d1", {})

    def test_data(self):
        self.b.publish("s.a", b"1", headers="Nats-Msg-Id: m-1\r\n")
        self.b.publish("t.a", b"2")
        self.b.publish("s.b", b"3")
        d = self.running(STREAM)
        got = self.wait_events(d, 2)
        self.assertEqual(got, [{"subject": "s.a", "body": 1, "header": {"Nats-Msg-Id": ["m-1"]}}, {"subject": "s.b", "body": 3}])
        self.assertRegex(self.rows(d, "dedup")[1][0], r"^S:3:\d+$")
        until(lambda: (c := self.consumer())["ack_floor"]["stream_seq"] == 3 and c["num_ack_pending"] == 0, 30, "the acknowledgements")

    def test_deliver_new(self):
        self.b.publish("s.a", b"1")
        d = self.running("jsonBody: true\njetStream: {stream: S, durable: d1, deliverPolicy: new, ackWait: 5s}")
        self.b.publish("s.a", b"2")
        self.assertEqual([x["body"] for x in self.wait_events(d, 1)], [2])
        config = self.consumer()["config"]
        self.assertEqual((config["ack_wait"], config["ack_policy"], config["filter_subject"]), (5 * 10**9, "explicit", "s.>"))

    def test_given_again(self):
        """What was on disk and not acknowledged when the daemon was killed is the same event."""
        n = scaled(3000, 20000)
        d = self.running("jsonBody: true\njetStream: {stream: S, durable: d1, ackWait: 1s}")
        self.b.publish("s.a", *[b"%d" % i for i in range(n)])
        for k in range(3):
            until(lambda: self.count(d) >= (k + 1) * n // 5, 60, "some")
            d.kill()
            d.start()
        self.wait_events(d, n, 120)
        until(lambda: (c := self.consumer())["num_ack_pending"] == 0 and c["num_pending"] == 0, 60, "the acknowledgements")
        self.assertEqual(sorted(x["body"] for x in self.events(d)), list(range(n)))

    def test_stands_still(self):
        """While the daemon stands still the server keeps what it was not asked for."""
        d = self.running(STREAM)
        os.kill(d.process.pid, signal.SIGSTOP)
        self.b.publish("s.a", *[b"%d" % i for i in range(3000)])
        self.assertLessEqual(self.consumer()["num_ack_pending"], 256)
        os.kill(d.process.pid, signal.SIGCONT)
        self.assertEqual([x["body"] for x in self.wait_events(d, 3000)], list(range(3000)))

    def test_large_messages(self):
        """More bytes than one request asks for, and one message that has more alone."""
        self.b.stop()
        self.b.CONFIG = "max_payload: 16777216"
        self.b.start()
        d = self.running(STREAM)
        sizes = [3 << 20] * 6 + [9 << 20, 1]
        self.b.publish("s.a", *[json.dumps("x" * n).encode() for n in sizes])
        self.assertEqual([len(x["body"]) for x in self.wait_events(d, len(sizes), 120)], sizes)

    def test_stream_that_is_made_anew(self):
        """It counts from 1 again, and its messages are no repetitions."""
        d = self.running(STREAM)
        self.b.publish("s.a", b"1", b"2")
        self.wait_events(d, 2)
        self.b.request("$JS.API.STREAM.DELETE.S", {})
        self.wait_state(d, "failed", "nats")
        self.stream()
        self.b.publish("s.a", b"3", b"4")
        self.assertEqual([x["body"] for x in self.wait_events(d, 4)], [1, 2, 3, 4])

    def test_stream_that_is_not_there(self):
        self.b.request("$JS.API.STREAM.DELETE.S", {})
        d = self.listen(STREAM)
        self.wait_state(d, "failed", "nats: stream S: Error: stream not found")

    def test_no_jetstream(self):
        self.b.stop()
        self.b.streams = False
        self.b.start()
        self.wait_state(self.listen(STREAM), "failed", "the server has no JetStream")

    def test_another_consumer_of_that_name(self):
        self.b.request("$JS.API.CONSUMER.DURABLE.CREATE.S.d1", {"stream_name": "S", "config": {
            "durable_name": "d1", "ack_policy": "explicit", "filter_subject": "t.a"}})
        self.wait_state(self.listen(STREAM), "failed", "there is one of that name for subject t.a")

    def test_broker_goes(self):
        d = self.running(STREAM)
        for i in range(2):
            self.b.stop()
            self.wait_state(d, "failed", "nats")
            self.b.start()
            self.b.publish("s.a", b"%d" % i)
            self.assertEqual([x["body"] for x in self.wait_events(d, i + 1)], list(range(i + 1)))
        self.assertLessEqual(len(self.lines(d)), 10, d.log())


if __name__ == "__main__":
    unittest.main()
