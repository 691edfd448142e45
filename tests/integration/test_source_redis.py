# SPDX-License-Identifier: Apache-2.0
"""Event sources redis and redisStream against a real redis-server: the data of their events, login and trust, and for streams the consumer group:
what is pending comes again, what another left behind is taken over, and nothing is lost when either side dies. What 100,000 entries through outages
come to is in test_source_outages.py."""
import json
import os
import threading
import unittest

from brokers import Redis
from harness import free_port, scaled, until
from source_case import SourceCase, ref


class Secured(Redis):
    """With TLS, and a user who may do nothing but read channel a."""

    def __init__(self, directory):
        super().__init__(directory)
        self.secure = free_port()
        self.certificates("DNS:localhost")

    def command(self):
        return super().command() + ["--user", "ann", "on", ">ann-pw", "&a", "+subscribe", "+ping"]


class Case(SourceCase):
    KIND = ""
    LINES = ""

    def server(self, kind=Redis):
        self.b = self.broker(kind)
        return self.b

    def listen(self, more="", port=None, host="127.0.0.1", start=True, password="pw"):
        return self.source(self.KIND, f"hostAddress: {host}:{port or self.b.port}\npassword: {ref('pw')}\n{self.LINES}\n{more}", start=start, pw=password)

    def running(self, *args, **more):
        d = self.listen(*args, **more)
        self.wait_state(d, "running")
        return d

    def check_tls(self, lines):
        self.server(Secured)
        return self.check_trust(self.KIND, self.b, f"hostAddress: 'HOST:{self.b.secure}', password: {ref('pw')}, {lines}", pw="pw")


class Channels(Case):
    KIND = "redis"
    LINES = "namespace: default\nchannels: [a, b]"

    def publish(self, channel, body):
        until(lambda: self.b.call("PUBLISH", channel, body) == 1, 30, "a subscriber")

    def test_data(self):
        self.server()
        d = self.running("metadata: {colour: blue}")
        self.publish("a", "<one>\n")
        self.publish("b", "two")
        self.b.call("PUBLISH", "c", "of another channel")
        self.publish("a", "")
        self.wait_events(d, 3)
        self.assertEqual([self.text(d, i) for i in range(3)], [
            '{"channel":"a","pattern":"","body":"\\u003cone\\u003e\\n","metadata":{"colour":"blue"}}',
            '{"channel":"b","pattern":"","body":"two","metadata":{"colour":"blue"}}',
            '{"channel":"a","pattern":"","body":"","metadata":{"colour":"blue"}}'])
        self.assertEqual([json.loads(x)["type"] for x in d.cli("events", "-o", "json").stdout.splitlines()], ["redis"] * 3)

    def test_json_body_that_is_none(self):
        self.server()
        d = self.running("jsonBody: true")
        self.publish("a", "{")
        self.publish("a", '{ "n": 1.50, "t": "<" }')
        self.wait_events(d, 1)
        self.assertEqual(self.text(d, 0), '{"channel":"a","pattern":"","body":{"n":1.50,"t":"\\u003c"}}')
        until(lambda: self.state(d).get("refused") == 1, 30, "the count")
        d.cli("emit", "es/e", "-d", '{"a": 1}')
        self.assertEqual(self.wait_events(d, 2)[1], {"channel": "a", "pattern": "", "body": {"a": 1}})
        done = d.cli("emit", "es/e", "-d", "{", check=False)
        self.assertEqual(done.returncode, 2, done.stderr)

    def test_flood(self):
        """What is never quiet leaves the thread its turns; all that a server with room for it sends is there, in order."""
        self.server()
        self.b.call("CONFIG", "SET", "client-output-buffer-limit", "pubsub 0 0 0")
        d = self.running()
        n, c = scaled(20000, 200000), self.b.connect()
        for i in range(0, n, 1000):
            c.send(b"".join(self.b.encode("PUBLISH", "a", str(i + k)) for k in range(1000)))
            self.assertEqual([self.b.reply(c) for _ in range(1000)], [1] * 1000)
        c.close()
        self.wait_events(d, n, 120)
        self.assertEqual([e["body"] for e in self.events(d)], [str(i) for i in range(n)])

    def test_hears_again_after_a_restart(self):
        self.server()
        d = self.running()
        for i in range(2):
            self.b.stop()
            self.wait_state(d, "failed", "redis: ")
            self.b.start()
            self.wait_state(d, "running")
            self.publish("a", str(i))
            self.wait_events(d, i + 1)
        self.assertLessEqual(len(self.lines(d)), 10, d.log())

    def test_login(self):
        self.server(Secured)
        d = self.listen(password="wrong")
        self.wait_state(d, "failed", "redis: logging in: WRONGPASS")
        d.write("keys.yaml", self.secret({"pw": "pw"}))  # read again with each attempt
        self.wait_state(d, "running")
        d.stop()
        d = self.listen("username: ann", password="ann-pw")
        self.wait_state(d, "failed", "redis: subscribing: NOPERM")
        d.write("source.yaml", self.entry("redis", f"hostAddress: 127.0.0.1:{self.b.port}\nchannels: [a]\nnamespace: default\n"
                                                   f"password: {ref('pw')}\nusername: ann"))
        self.wait_state(d, "running")

    def test_secret_that_is_missing(self):
        self.server()
        d = self.source("redis", f"hostAddress: 127.0.0.1:{self.b.port}\npassword: {ref('pw')}\n{self.LINES}")
        self.wait_state(d, "failed", "keys")
        d.write("keys.yaml", self.secret({"pw": "pw"}))
        self.wait_state(d, "running")

    def test_database_that_is_not_there(self):
        self.server()
        self.wait_state(self.listen("db: 99"), "failed", "redis: choosing the database: ERR DB index is out of range")

    def test_tls(self):
        d = self.check_tls("channels: [a], namespace: default")
        until(lambda: self.b.call("PUBLISH", "a", "x" * 300000) == 2, 30, "two subscribers")
        self.wait_events(d, 2)
        self.assertEqual([len(e["body"]) for e in self.events(d)], [300000] * 2)
        self.b.stop()
        until(lambda: all(s["state"] == "failed" for s in json.loads(d.cli("status", "-o", "json").stdout)["sources"]), 60, "all down")

    def test_no_tls_there(self):
        self.server()
        d = self.listen("", host="rediss://localhost")
        self.wait_state(d, "failed", "redis: TLS: ")


class Streams(Case):
    KIND = "redisStream"
    LINES = "streams: [s, t]"

    def add(self, stream, *fields):
        return self.b.call("XADD", stream, "*", *fields)

    def pending(self, stream="s", group="argo-events-cg"):
        return self.b.call("XPENDING", stream, group)[0]

    def entries(self, d):
        return [(e["stream"], e["message_id"]) for e in self.events(d)]

    def test_data(self):
        self.server()
        self.add("s", "before", "the group")
        d = self.running("metadata: {colour: blue}")
        one = self.add("s", "b", "<x>", "a", "1", "b", "2")
        two = self.add("t", "k", "v")
        self.wait_events(d, 2)
        self.assertEqual(sorted(self.text(d, i) for i in range(2)), sorted([
            '{"stream":"s","message_id":"%s","values":{"a":"1","b":"2"},"metadata":{"colour":"blue"}}' % one,
            '{"stream":"t","message_id":"%s","values":{"k":"v"},"metadata":{"colour":"blue"}}' % two]))
        until(lambda: self.pending("s") == 0 and self.pending("t") == 0, 30, "the acknowledgements")
        d.cli("emit", "es/e", "-d", '{"a": "1"}')
        self.assertEqual(self.wait_events(d, 3)[2], {"stream": "s", "message_id": "0-0", "values": {"a": "1"}, "metadata": {"colour": "blue"}})

    def test_what_came_while_the_daemon_was_away(self):
        self.server()
        d = self.running("maxMsgCountPerRead: 3")
        d.stop()
        ids = [("s", self.add("s", "i", str(i))) for i in range(100)]
        d.start()
        self.wait_events(d, 100)
        self.assertEqual(self.entries(d), ids)

    def test_killed(self):
        """What was not acknowledged is pending for us, and comes again; what was stored already is the same event."""
        self.server()
        d = self.running()
        name, n = self.state(d)["consumer"], scaled(3000, 20000)
        ids = []
        def fill():
            c = self.b.connect()
            for i in range(n):
                c.send(self.b.encode("XADD", "s", "*", "i", str(i)))
                ids.append(("s", self.b.reply(c)))
            c.close()
        sender = threading.Thread(target=fill)
        sender.start()
        for part in (5, 3, 2):
            until(lambda: self.count(d) >= n // part, 120, "some")
            d.kill()
            d.start()
        sender.join()
        until(lambda: self.count(d) >= n, 120, "all")
        until(lambda: self.pending() == 0, 30, "the acknowledgements")
        self.assertEqual(sorted(self.entries(d)), sorted(ids))
        self.assertEqual(self.state(d)["consumer"], name)

    def test_what_another_consumer_left(self):
        """Taken over when it has had it for a minute; its clock is put back here."""
        self.server()
        d = self.running()
        d.stop()
        old, new = self.add("s", "k", "old"), self.add("s", "k", "new")
        self.assertEqual(len(self.b.call("XREADGROUP", "GROUP", "argo-events-cg", "argo-events-worker", "STREAMS", "s", ">")[0][1]), 2)
        self.b.call("XCLAIM", "s", "argo-events-cg", "argo-events-worker", "0", old, "IDLE", "70000")
        d.start()
        self.wait_events(d, 1)
        until(lambda: self.pending() == 1, 30, "the acknowledgement")
        self.assertEqual(self.entries(d), [("s", old)])
        self.assertEqual([x[0] for x in self.b.call("XPENDING", "s", "argo-events-cg", "-", "+", "10")], [new])

    def test_deleted_while_pending(self):
        self.server()
        d = self.running()
        name = self.state(d)["consumer"]
        d.stop()
        one, two = self.add("s", "k", "1"), self.add("s", "k", "2")
        self.b.call("XREADGROUP", "GROUP", "argo-events-cg", name, "STREAMS", "s", ">")
        self.b.call("XDEL", "s", one)
        d.start()
        self.wait_events(d, 1)
        self.assertEqual(self.entries(d), [("s", two)])
        until(lambda: self.pending() == 0, 30, "the acknowledgement")
        self.assertEqual(self.state(d).get("refused"), 1)

    def test_two_daemons_share_a_group(self):
        """Each has a name of its own, so that neither reads what is pending for the other."""
        self.server()
        d = self.running()
        files = {}
        for name in ("source.yaml", "keys.yaml"):
            with open(os.path.join(d.manifests, name), encoding="utf-8") as f:
                files[name] = f.read()
        home, self.directory = self.directory, os.path.join(self.directory, "other")
        other = self.daemon(files)
        self.directory = home
        self.wait_state(other, "running")
        self.assertNotEqual(self.state(d)["consumer"], self.state(other)["consumer"])
        ids = sorted(("s", self.add("s", "i", str(i))) for i in range(200))
        until(lambda: self.count(d) + self.count(other) >= 200, 60, "all")
        self.assertEqual(sorted(self.entries(d) + self.entries(other)), ids)

    def test_group_that_is_deleted(self):
        self.server()
        d = self.running()
        self.add("s", "k", "1")
        self.wait_events(d, 1)
        self.b.call("XGROUP", "DESTROY", "s", "argo-events-cg")
        until(lambda: "NOGROUP" in self.state(d).get("lastError", ""), 30, "the reason")
        self.wait_state(d, "running")
        self.add("s", "k", "2")
        self.wait_events(d, 2)

    def test_key_that_is_no_stream(self):
        self.server()
        self.b.call("SET", "s", "text")
        self.wait_state(self.listen(), "failed", "redis: joining the group: WRONGTYPE")

    def test_restarts_of_the_server(self):
        self.server()
        d = self.running()
        for i in range(2):
            self.b.stop()
            self.wait_state(d, "failed", "redis: ")
            self.b.start()
            self.add("s", "i", str(i))
            self.wait_events(d, i + 1)
        self.assertLessEqual(len(self.lines(d)), 10, d.log())

    def test_backlog_is_taken_in_by_and_by(self):
        self.server()
        d = self.running("maxMsgCountPerRead: 100")
        idle = self.memory(d)
        d.stop()
        n, body = scaled(3000, 20000), "x" * (16 << 10)
        c = self.b.connect()
        for i in range(n):
            c.send(self.b.encode("XADD", "s", "*", "i", str(i), "body", body))
            self.b.reply(c)
        c.close()
        d.start()
        until(lambda: self.count(d) == n, 300, "all")
        self.assertLess(self.memory(d) - idle, 80 << 10, "KiB more than idle")

    def test_tls(self):
        d = self.check_tls("streams: [s], consumerGroup: g")
        ids = [("s", self.add("s", "k", "x" * 100000)) for _ in range(20)]
        self.wait_events(d, 20)
        self.assertEqual(sorted(self.entries(d)), ids)
        until(lambda: self.pending(group="g") == 0, 30, "the acknowledgements")


if __name__ == "__main__":
    unittest.main()
