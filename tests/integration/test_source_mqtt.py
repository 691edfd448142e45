# SPDX-License-Identifier: Apache-2.0
"""Event sources mqtt and emitter against a real mosquitto: the data of their events, sessions, trust, reconnecting, and what a daemon that stands still
holds. emitter.io's broker is not to be had, so for `emitter` mosquitto stands in as an MQTT broker: that the keys of channels are refused
as emitter.io does it, with a message of emitter/error/, is played by a few lines of this file, and unproven against the real one. What 100,000 messages
through outages come to is in test_source_outages.py."""
import base64
import json
import os
import socket
import subprocess
import threading
import unittest

from brokers import Mosquitto
from harness import TIDEGATE, free_ports, scaled, until
from source_case import MqttPublisher, SourceCase, ref


class Broker(Mosquitto):
    """With a port for each case: who are you, TLS, WebSocket."""

    def __init__(self, directory):
        super().__init__(directory)
        self.port, self.login, self.tls, self.ws = free_ports(4)
        self.certificates("DNS:localhost")
        self.run("mosquitto_passwd", "-c", "-b", os.path.join(directory, "users"), "ann", "right")

    def command(self):
        return ["/usr/sbin/mosquitto", "-c", self.file("mosquitto.conf", f"""
            per_listener_settings true
            max_queued_messages 0
            persistence true
            persistence_location {self.dir}/
            user root
            listener {self.port} 127.0.0.1
            allow_anonymous true
            listener {self.login} 127.0.0.1
            allow_anonymous false
            password_file {self.dir}/users
            listener {self.tls} 127.0.0.1
            allow_anonymous true
            cafile {self.dir}/ca.crt
            certfile {self.dir}/server.crt
            keyfile {self.dir}/server.key
            require_certificate true
            listener {self.ws} 127.0.0.1
            protocol websockets
            allow_anonymous true
            """)]

    def publish(self, topic, body, *options):
        subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.port), "-t", topic, "-m", body, "-q", "1", *options], check=True, timeout=60)


class Mqtt(SourceCase):
    def listen(self, more="", port=None, start=True, host="127.0.0.1", scheme="tcp", **secrets):
        url = f"{scheme}://{host}:{port or self.b.port}"
        return self.source("mqtt", f'url: "{url}"\ntopic: t/#\nclientId: c1\n{more}', start=start, **secrets)

    def setUp(self):
        super().setUp()
        self.b = self.broker(Broker)

    def running(self, *args, **more):
        d = self.listen(*args, **more)
        self.wait_state(d, "running")
        return d

    def test_data(self):
        d = self.running("metadata: {colour: blue}")
        self.b.publish("t", "parent")
        self.b.publish("t/a/b", "<one>")
        self.b.publish("u/a", "another topic")
        self.b.publish("t/x", "last")
        got = self.wait_events(d, 3)
        text = [row[1].decode() for row in self.rows(d)]
        self.assertEqual(text[1], '{"topic":"t/a/b","messageId":0,"body":"%s","metadata":{"colour":"blue"}}' % base64.b64encode(b"<one>").decode())
        self.assertEqual([x["topic"] for x in got], ["t", "t/a/b", "t/x"])
        self.assertEqual([x["type"] for x in map(json.loads, d.cli("events", "-o", "json").stdout.splitlines())], ["mqtt"] * 3)

    def test_json_body_that_is_none(self):
        """Dropped and counted, and not sent by the broker for ever."""
        d = self.running("jsonBody: true\nqos: 1\ncleanSession: false")
        self.b.publish("t/a", "{")
        self.b.publish("t/a", '{ "n": 1.50, "t": "<" }')
        self.wait_events(d, 1)
        self.assertIn('"body":{"n":1.50,"t":"\\u003c"}', self.rows(d)[0][1].decode())
        self.assertGreater(self.events(d)[0]["messageId"], 0)
        until(lambda: self.state(d).get("refused") == 1, 30, "the count")
        d.stop()
        d.start()
        self.b.publish("t/a", "2")
        self.assertEqual([x["body"] for x in self.wait_events(d, 2)], [{"n": 1.5, "t": "<"}, 2])
        self.assertNotIn("refused", self.state(d))

    def test_user_properties(self):
        d = self.running("protocolVersion: 5\nqos: 1\njsonBody: true")
        user = ["-V", "5", "-D", "publish", "user-property"]
        self.b.publish("t/a", "1", *user, "b", "<x>", *user[2:], "a", "1", *user[2:], "b", "2")
        self.b.publish("t/a", "2")
        self.wait_events(d, 2)
        text = [row[1].decode() for row in self.rows(d)]
        self.assertRegex(text[0], r'^\{"topic":"t/a","messageId":\d+,"body":1,"userProperties":\{"a":\["1"\],"b":\["\\u003cx\\u003e","2"\]\}\}$')
        self.assertRegex(text[1], r'"body":2,"userProperties":\{\}\}$')

    def test_emit(self):
        d = self.running("jsonBody: true")
        d.cli("emit", "es/e", "-d", '{"a": 1}')
        self.assertEqual(self.wait_events(d, 1), [{"topic": "t/#", "messageId": 0, "body": {"a": 1}}])

    def test_retained(self):
        """As in Argo, with each new session; MQTT 5 with a session that stays: once."""
        self.b.publish("t/r", "kept", "-r")
        d = self.running("protocolVersion: 5\nqos: 1\ncleanSession: false")
        self.wait_events(d, 1)
        d.stop()
        d.start()
        self.wait_state(d, "running")
        self.b.publish("t/x", "then")
        self.assertEqual([x["topic"] for x in self.wait_events(d, 2)], ["t/r", "t/x"])

    def test_session_that_stays(self):
        for qos in (1, 2):
            with self.subTest(qos=qos):
                d = self.running(f"jsonBody: true\nqos: {qos}\ncleanSession: false")
                before = self.count(d)
                d.stop()
                p = MqttPublisher(self.b.port, "t/a", qos)
                p.publish([b"%d" % i for i in range(300)])
                p.close()
                self.b.stop()
                self.b.start()
                d.start()
                got = self.wait_events(d, before + 300)[before:]
                self.assertEqual([x["body"] for x in got], list(range(300)))
                d.stop()

    def test_reconnects_and_hears_again(self):
        """Argo's source connects again and stays deaf."""
        d = self.running()
        for i in range(2):
            self.b.stop()
            self.wait_state(d, "failed", "mqtt")
            self.b.start()
            self.wait_state(d, "running")
            self.b.publish("t/a", str(i))
            self.wait_events(d, i + 1)
        self.assertLessEqual(len(self.lines(d)), 10, d.log())

    def test_broker_that_comes_later(self):
        self.b.stop()
        d = self.listen()
        self.wait_state(d, "failed", "mqtt: connecting")
        self.b.start()
        self.wait_state(d, "running")

    def test_login(self):
        login = f"auth: {{username: {ref('user')}, password: {ref('password')}}}"
        for version in (4, 5):
            with self.subTest(version=version):
                d = self.listen(f"protocolVersion: {version}\n{login}", port=self.b.login, user="ann", password="wrong")
                self.wait_state(d, "failed", "not authorised" if version == 5 else "mqtt: connecting: ")
                d.write("keys.yaml", self.secret({"user": "ann", "password": "right"}))  # read again with each attempt
                self.wait_state(d, "running")
                d.stop()

    def test_tls(self):
        d = self.check_trust("mqtt", self.b, f"url: 'ssl://HOST:{self.b.tls}', topic: 't/#', clientId: CASE",
                             ("certificate", "SSL: no alternative certificate subject name", "certificate"))
        self.b.publish("t/a", "x")
        self.wait_events(d, 2)

    def test_websocket(self):
        d = self.running("qos: 1\njsonBody: true", port=self.b.ws, scheme="ws")
        p = MqttPublisher(self.b.port, "t/a", 1)
        p.publish([json.dumps("x" * n).encode() for n in (1, 125, 126, 70000)])
        p.close()
        self.assertEqual([len(x["body"]) for x in self.wait_events(d, 4)], [1, 125, 126, 70000])

    def test_websocket_where_there_is_none(self):
        d = self.listen(port=self.b.port, scheme="ws")
        self.wait_state(d, "failed", "mqtt")

    def test_killed(self):
        """What was acknowledged is there, and what was not comes again."""
        d = self.running("jsonBody: true\nqos: 1\ncleanSession: false")
        p = MqttPublisher(self.b.port, "t/a", 1)
        n = 2000
        sender = threading.Thread(target=p.publish, args=([b"%d" % i for i in range(n)],))
        sender.start()
        until(lambda: self.count(d) >= n // 4, 60, "some")
        d.kill()
        sender.join()
        d.start()
        until(lambda: len({x["body"] for x in self.events(d)}) == n, 60, "all")
        p.close()

    def test_backlog_is_taken_in_by_and_by(self):
        """A backlog of many times the window does not come into memory at once."""
        size, n = 16 << 10, scaled(6000, 20000)
        d = self.running("qos: 1\ncleanSession: false")
        with open(f"/proc/{d.process.pid}/status", encoding="ascii") as f:
            idle = int(next(x for x in f if x.startswith("VmHWM")).split()[1])
        d.stop()
        p = MqttPublisher(self.b.port, "t/a", 1)
        p.publish((b"%06d" % i + b"x" * size for i in range(n)))
        p.close()
        d.start()
        until(lambda: self.count(d) == n, 300, "all")
        with open(TIDEGATE, "rb") as f:
            if b"__asan_" in f.read():  # which keeps what was freed
                return
        with open(f"/proc/{d.process.pid}/status", encoding="ascii") as f:
            peak = int(next(x for x in f if x.startswith("VmHWM")).split()[1])
        self.assertLess(peak - idle, 80 << 10, "KiB more than idle")

    def test_two_of_one_client(self):
        """The broker ends the older connection; who has lost it does not fight for it in a loop."""
        d = self.running("protocolVersion: 5")
        with socket.create_connection(("127.0.0.1", self.b.port)) as s:
            s.sendall(b"\x10\x0e\0\4MQTT\4\2\0\0\0\2c1")
            until(lambda: "closed the connection" in self.state(d).get("lastError", ""), 30, "the reason")
            self.wait_state(d, "running")
        self.assertLessEqual(len(self.lines(d)), 4, d.log())

    def test_address(self):
        done = self.listen("", scheme="amqp", start=False).cli("lint", os.path.join(self.directory, "manifests"), check=False)
        self.assertIn("amqp:// is none of tcp, mqtt", done.stdout + done.stderr)


class Peer(SourceCase):
    """A server that does as it is told, with a keep-alive of a second (MQTT 5)."""

    def serve(self, talk):
        def serve():
            while True:
                try:
                    c, _ = listener.accept()
                except OSError:
                    return
                with c:
                    c.recv(1000)
                    c.sendall(b"\x20\x06\0\0\x03\x13\0\1")
                    c.recv(1000)
                    c.sendall(b"\x90\4\0\1\0\0")
                    try:
                        talk(c)
                    except OSError:
                        pass
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        threading.Thread(target=serve, daemon=True).start()
        return self.source("mqtt", f"url: tcp://127.0.0.1:{listener.getsockname()[1]}\ntopic: t\nclientId: c\nprotocolVersion: 5")

    def test_silent_server(self):
        """It is asked, and given up."""
        got = []
        def talk(c):
            while data := c.recv(1000):
                got.append(data)
        d = self.serve(talk)
        until(lambda: "mqtt: the server is silent" in self.state(d).get("lastError", ""), 60, "the reason")
        self.assertIn(b"\xc0\0", got[0])

    def test_sign_of_life_in_a_flood(self):
        """Who receives without a pause says that it lives, too."""
        pings, over = [], threading.Event()
        self.addCleanup(over.set)
        def talk(c):
            while not over.is_set():
                c.settimeout(None)
                c.sendall(b"\x30\x05\0\1t\0x" * 500)
                c.settimeout(0.0001)
                try:
                    pings.append(c.recv(1000))
                except TimeoutError:
                    pass
        d = self.serve(talk)
        until(lambda: len(pings) >= 3, 60, "pings")
        self.assertEqual(set(b"".join(pings)), {0xc0, 0})
        self.assertGreater(self.count(d), 0)


class Emitter(SourceCase):
    def test_data(self):
        b = self.broker(Broker)
        d = self.source("emitter", f"broker: tcp://127.0.0.1:{b.port}\nchannelKey: k3y\nchannelName: a/b\njsonBody: true\nmetadata: {{x: y}}")
        self.wait_state(d, "running")
        b.publish("k3y/a/b/", '{"n":1}')
        self.wait_events(d, 1)
        self.assertEqual(self.rows(d)[0][1].decode(), '{"topic":"k3y/a/b/","body":{"n":1},"metadata":{"x":"y"}}')

    def test_key_that_is_refused(self):
        """As emitter.io answers it: the subscription is acknowledged, and the error comes as a message."""
        def packet(first, body):
            return bytes([first, len(body)]) + body
        def serve(listener):
            while True:
                try:
                    c, _ = listener.accept()
                except OSError:
                    return
                with c:
                    c.recv(1000)
                    c.sendall(packet(0x20, b"\0\0"))
                    c.recv(1000)
                    topic, text = b"emitter/error/", b'{"status":401,"message":"the security key provided is not authorized"}'
                    c.sendall(packet(0x90, b"\0\1\0") + packet(0x30, bytes([0, len(topic)]) + topic + text))
                    c.recv(1000)
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        d = self.source("emitter", f"broker: tcp://127.0.0.1:{listener.getsockname()[1]}\nchannelKey: bad\nchannelName: c")
        self.wait_state(d, "failed", "the security key provided is not authorized")
        self.assertEqual(self.count(d), 0)


if __name__ == "__main__":
    unittest.main()
