# SPDX-License-Identifier: Apache-2.0
"""Triggers that send to a message broker, each against the real one on loopback: what arrives there, what is refused, and whom they trust.
That nothing is lost while a broker is away is in test_restarts.py."""
import json
import os
import unittest

from brokers import Kafka, Mosquitto, Nats, Rabbit, Redis
from harness import FULL, free_port, until
from test_services import HOOKED, KEYS, Services

PAYLOAD = """
        payload:
        - {src: {dependencyName: d, dataKey: body.n, useRawData: true}, dest: n}
"""


class Brokers(Services):
    def broker(self, kind):
        b = kind(os.path.join(self.directory, "broker"))
        self.addCleanup(b.close)
        return b

    def sends(self, trigger, **secrets):
        return self.gateway(trigger + PAYLOAD, dict({"unused": "x"}, **secrets))


MANY = HOOKED + "TRIGGERS\n" + KEYS.rstrip() + " SECRETS\n"


def ref(key):
    return "{name: keys, key: " + key + "}"


class Tls(Brokers):
    """One sensor with a trigger for each case; one event tells them all. Its broker wants a certificate of whoever connects."""

    OURS = f"clientCertSecret: {ref('cert')}, clientKeySecret: {ref('key')}"
    CASES = {
        "good": ("localhost", f"caCertSecret: {ref('ca')}, {OURS}", None),
        "unverified": ("127.0.0.1", f"insecureSkipVerify: true, {OURS}", None),
        "another-authority": ("localhost", f"caCertSecret: {ref('other')}, {OURS}", "certificate"),
        "no-authority": ("localhost", f"enabled: true, {OURS}", "certificate"),
        "another-name": ("127.0.0.1", f"caCertSecret: {ref('ca')}, {OURS}", "name|mismatch"),
        "no-certificate-of-ours": ("localhost", f"caCertSecret: {ref('ca')}", "may want a certificate of the client"),
    }

    def outcomes(self, d):
        event = json.loads(d.cli("events", "-o", "json").stdout.splitlines()[-1])
        return {x["trigger"]: (x["verdict"], x.get("reason", "")) for x in event.get("decisions", []) if x.get("trigger") in self.CASES}

    def check(self, b, trigger, **more):
        """`trigger`: with HOST, TLS and CASE in it."""
        self.hook = free_port()
        secrets = {"ca": b.text("ca.crt"), "other": b.text("other.crt"), "cert": b.text("client.crt"), "key": b.text("client.key"), "user": "guest", **more}
        triggers = "\n".join(f"  - retryStrategy: {{steps: 1}}\n    template:\n      name: {case}\n" +
                             trigger.replace("HOST", host).replace("TLS", "{" + tls + "}").replace("CASE", case) + PAYLOAD.rstrip()
                             for case, (host, tls, _) in self.CASES.items())
        d = self.daemon({"all.yaml": MANY.replace("PORT", str(self.hook)).replace("TRIGGERS", triggers).replace("SECRETS", json.dumps(secrets))})
        self.send({"n": 1})
        def ended():
            got = self.outcomes(d)
            return len(got) == len(self.CASES) and all(v[0] in ("fired", "dead-letter") for v in got.values()) and got
        got = until(ended, 120, "an end of all")
        for case, (_, _, reason) in self.CASES.items():
            self.assertEqual(got[case][0], "dead-letter" if reason else "fired", got[case])
            if reason:
                self.assertRegex(got[case][1].lower(), reason, case)

    def secured(self, kind, port):
        b = self.broker(kind)
        b.certificates("DNS:localhost")
        b.secure = port
        return b.start()

    def test_nats(self):
        b = self.secured(Nats, True)
        c = b.subscribe("x.*")
        self.check(b, f"      nats:\n        url: nats://HOST:{b.port}\n        subject: x.CASE\n        tls: TLS")
        self.assertEqual({b.message(c)[0] for _ in range(2)}, {"x.good", "x.unverified"})
        c.close()

    def test_mqtt(self):
        b = self.secured(Mosquitto, free_port())
        b.listen()
        self.check(b, f"      mqtt:\n        url: tcp://HOST:{b.secure}\n        topic: t/CASE\n        tls: TLS")
        self.assertEqual({m["topic"] for m in b.messages(2)}, {"t/good", "t/unverified"})

    def test_redis(self):
        b = self.secured(Redis, free_port())
        self.check(b, f"      redis:\n        hostAddress: HOST:{b.secure}\n        password: {ref('pw')}\n        list: l\n        tls: TLS", pw="pw")
        self.assertEqual(b.call("LLEN", "l"), 2)

    def test_amqp(self):
        b = self.secured(Rabbit, free_port())
        self.check(b, f"      amqp:\n        url: amqps://HOST:{b.secure}\n        routingKey: q\n        tls: TLS\n"
                      f"        auth: {{username: {ref('user')}, password: {ref('user')}}}")
        self.assertEqual(len(b.take()), 2)


class NatsTrigger(Brokers):
    def test_a_message_reaches_who_listens_with_its_id(self):
        b = self.broker(Nats).start()
        d = self.sends(f"      nats:\n        url: nats://127.0.0.1:{b.port}\n        subject: a.b")
        c = b.subscribe("a.*")
        self.send({"n": 1})
        subject, headers, body = b.message(c)
        c.close()
        self.assertEqual((subject, json.loads(body)), ("a.b", {"n": 1}))
        self.assertRegex(headers, r"X-Tidegate-Firing-Id: [0-9a-f]{32}\r\n")
        self.wait_for(d, 1)

    def stream(self, b):
        made = b.request("$JS.API.STREAM.CREATE.S", {"name": "S", "subjects": ["s.>"], "storage": "file"})
        self.assertNotIn("error", made)

    def test_a_stream_acknowledges(self):
        b = self.broker(Nats).start()
        self.stream(b)
        d = self.sends(f"      nats:\n        url: nats://127.0.0.1:{b.port}\n        subject: s.x\n        jetStream: true")
        self.send({"n": 1})
        self.assertEqual(self.wait_for(d, 1)[0][2], {"stream": "S", "sequence": 1})
        self.assertIn("Nats-Msg-Id", b.stored("S")[0][0])

    def test_a_subject_without_a_stream_and_a_wrong_password_are_failures(self):
        b = self.broker(Nats)
        b.CONFIG = "authorization { users: [{user: u, password: p}] }"
        b.start()
        d = self.sends(f"      nats:\n        url: nats://127.0.0.1:{b.port}\n        subject: no.stream\n        jetStream: true\n"
                       "        auth: {basic: {username: {name: keys, key: user}, password: {name: keys, key: password}}}", user="u", password="p\n")
        self.send({"n": 1})
        until(lambda: any("no stream takes subject no.stream" in v[1] for v in self.verdicts(d)), 60, "a failure")
        d.stop()
        d = self.sends(f"      nats:\n        url: nats://127.0.0.1:{b.port}\n        subject: x\n"
                       "        auth: {basic: {username: {name: keys, key: user}, password: {name: keys, key: password}}}", user="u", password="wrong-one")
        self.send({"n": 1})
        until(lambda: any("uthorization" in v[1] or "uthentication" in v[1] for v in self.verdicts(d)), 60, "a refusal")
        self.assertNotIn("wrong-one", d.log())


    def auth(self, b, kind):
        return f"      nats:\n        url: nats://127.0.0.1:{b.port}\n        subject: x\n        auth: {{{kind}: {{name: keys, key: it}}}}"

    def test_a_user_by_nkey(self):
        b = self.broker(Nats)
        seed, public = b.key("user", b.USER)
        b.CONFIG = 'authorization { users: [{nkey: "%s"}] }' % public
        b.start()
        d = self.sends(self.auth(b, "nkey"), it=seed + "\n")
        self.send({"n": 1})
        self.wait_for(d, 1)
        d.stop()
        d = self.sends(self.auth(b, "nkey"), it="SU" + seed[2:][::-1])
        self.send({"n": 2})
        until(lambda: any("the NKey is not the seed of a user" in v[1] for v in self.verdicts(d)), 60, "a refusal")

    def test_a_user_by_credentials(self):
        b = self.broker(Nats)
        right, other, seed = b.by_credentials()
        b.start()
        d = self.sends(self.auth(b, "credential"), it=right)
        self.send({"n": 1})
        self.wait_for(d, 1)
        d.stop()
        d = self.sends(self.auth(b, "credential"), it=other)
        self.send({"n": 2})
        until(lambda: any("uthorization" in v[1] or "uthentication" in v[1] for v in self.verdicts(d)), 60, "a refusal")
        self.assertNotIn(seed, d.log())


class RedisTrigger(Brokers):
    def redis(self, b, where):
        return self.sends(f"      redis:\n        hostAddress: 127.0.0.1:{b.port}\n        password: {{name: keys, key: pw}}\n        {where}", pw="pw")

    def test_an_entry_of_a_stream(self):
        b = self.broker(Redis).start()
        d = self.redis(b, "stream: s")
        self.send({"n": 1})
        self.wait_for(d, 1)
        entry = b.call("XRANGE", "s", "-", "+")[0]
        self.assertEqual(entry[1][0::2], ["payload", "X-Tidegate-Firing-Id"])
        self.assertEqual(self.verdicts(d)[0][2], {"id": entry[0]})

    def test_a_list_of_another_database_and_a_channel(self):
        b = self.broker(Redis).start()
        d = self.redis(b, "list: l\n        db: 3")
        self.send({"n": 7})
        self.assertEqual(self.wait_for(d, 1)[0][2], {"length": 1})
        c = b.connect()
        c.send(b.encode("SELECT", "3") + b.encode("LRANGE", "l", "0", "-1"))
        b.reply(c)
        self.assertEqual([json.loads(x) for x in b.reply(c)], [{"n": 7}])
        c.close()
        d.stop()
        listener = b.connect()
        listener.send(b.encode("SUBSCRIBE", "c"))
        b.reply(listener)
        d = self.redis(b, "channel: c")
        self.send({"n": 8})
        self.assertEqual(json.loads(b.reply(listener)[2]), {"n": 8})
        listener.close()
        self.assertEqual(self.wait_for(d, 2)[-1][2], {"receivers": 1})

    def test_a_refusal_is_told_as_the_server_tells_it(self):
        b = self.broker(Redis).start()
        b.call("SET", "s", "a string")
        d = self.redis(b, "stream: s")
        self.send({"n": 1})
        until(lambda: any("WRONGTYPE" in v[1] for v in self.verdicts(d)), 60, "a refusal")


class MqttTrigger(Brokers):
    def test_a_message_has_its_id(self):
        b = self.broker(Mosquitto).start()
        b.listen()
        d = self.sends(f"      mqtt:\n        url: tcp://127.0.0.1:{b.port}\n        topic: t/x")
        self.send({"n": 1})
        self.wait_for(d, 1)
        [got] = b.messages(1)
        self.assertEqual(got["topic"], "t/x")
        self.assertIn("X-Tidegate-Firing-Id", json.dumps(got))

    def test_a_retained_message_waits_for_who_comes_later(self):
        b = self.broker(Mosquitto).start()
        d = self.sends(f"      mqtt:\n        url: mqtt://127.0.0.1:{b.port}\n        topic: t/kept\n        retain: true\n        qos: 2")
        self.send({"n": 5})
        self.wait_for(d, 1)
        self.assertEqual([m["retain"] for m in b.messages(1)], [1])


class AmqpTrigger(Brokers):
    def test_what_goes_nowhere_is_told(self):
        b = self.broker(Rabbit).start()
        where = f"      amqp:\n        url: amqp://127.0.0.1:{b.port}\n        auth: {{username: {{name: keys, key: u}}, password: {{name: keys, key: p}}}}\n"
        for n, (place, reason) in enumerate((("routingKey: nobody", "no queue takes it"), ("exchangeName: none", "NOT_FOUND - no exchange 'none'"))):
            d = self.sends(where + "        " + place, u="guest", p="guest")
            self.send({"n": n})
            until(lambda: any(reason in v[1] for v in self.verdicts(d)), 60, reason)
            d.stop()
        d = self.sends(where + "        routingKey: q", u="guest", p="not-this-one")
        self.send({"n": 3})
        until(lambda: any("ACCESS_REFUSED" in v[1] for v in self.verdicts(d)), 60, "a refusal")
        self.assertNotIn("not-this-one", d.log())


KAFKA = """
      kafka:
        url: 127.0.0.1:PORT
        topic: TOPIC
"""


@unittest.skipUnless(FULL, "Kafka is not a package of Debian's: make integration")
class KafkaTrigger(Brokers):
    def kafka(self, port, topic, more="", **secrets):
        return self.sends(KAFKA.strip("\n").replace("PORT", str(port)).replace("TOPIC", topic) + more, **secrets)

    def test_a_message_has_key_and_headers(self):
        b = self.broker(Kafka).start()
        d = self.kafka(b.port, "t", "\n        compress: true\n        partitioningKey: one\n        headers: {colour: blue}\n        secureHeaders:"
                       "\n        - {name: secret, valueFrom: {secretKeyRef: {name: keys, key: h}}}", h="hidden\n")
        for n in range(3):
            self.send({"n": n})
        self.wait_for(d, 3)
        got = b.topic("t")
        self.assertEqual({m["key"] for m in got}, {"one"})
        self.assertEqual(len({m["partition"] for m in got}), 1)
        h = got[0]["headers"]
        headers = dict(zip(h[0::2], h[1::2]))
        self.assertEqual((headers["colour"], headers["secret"]), ("blue", "hidden"))
        self.assertRegex(headers["X-Tidegate-Firing-Id"], "^[0-9a-f]{32}$")
        fired = self.verdicts(d)[0][2]
        self.assertEqual(fired, {"partition": got[0]["partition"], "offset": 0})

    def test_logins_over_tls(self):
        b = self.broker(Kafka).start()
        with open(os.path.join(b.dir, "ca.crt"), encoding="utf-8") as f:
            ca = f.read()
        sasl = "\n        tls: {caCertSecret: {name: keys, key: ca}}\n        sasl: {mechanism: MECHANISM, userSecret: {name: keys, key: user}, " \
               "passwordSecret: {name: keys, key: password}}"
        for n, (mechanism, user) in enumerate((("PLAIN", "ann"), ("SCRAM-SHA-256", "bob"), ("SCRAM-SHA-512", "bob")), 1):
            d = self.kafka(b.sasl_port, "u", sasl.replace("MECHANISM", mechanism), user=user, password=user + "-pw", ca=ca)
            self.send({"n": n})
            self.wait_for(d, n)
            d.stop()
        self.assertEqual([json.loads(m["payload"])["n"] for m in sorted(b.topic("u"), key=lambda m: json.loads(m["payload"])["n"])], [1, 2, 3])
        d = self.kafka(b.sasl_port, "u", sasl.replace("MECHANISM", "PLAIN"), user="ann", password="not-this-one", ca=ca)
        self.send({"n": 4})
        until(lambda: any("uthentication failed" in v[1] for v in self.verdicts(d)), 60, "a refusal")
        self.assertNotIn("not-this-one", d.log())
        d.stop()
        d = self.kafka(b.sasl_port, "u", "\n        tls: {enabled: true}")
        self.send({"n": 5})
        until(lambda: any("certificate verify failed" in v[1] for v in self.verdicts(d)), 60, "a certificate that nobody vouches for")

    def test_an_event_hub_by_its_kafka_endpoint(self):
        b = self.broker(Kafka).start()
        os.environ["SSL_CERT_FILE"] = os.path.join(b.dir, "ca.crt")  # the system's authorities, for the daemon
        self.addCleanup(os.environ.pop, "SSL_CERT_FILE")
        d = self.sends(f"      azureEventHubs:\n        fqdn: localhost:{b.sasl_port}\n        hubName: hub\n"
                       "        sharedAccessKeyName: {name: keys, key: name}\n        sharedAccessKey: {name: keys, key: key}", name="send", key="k3y=")
        self.send({"n": 1})
        self.wait_for(d, 1)
        self.assertEqual([json.loads(m["payload"]) for m in b.topic("hub")], [{"n": 1}])


if __name__ == "__main__":
    unittest.main()
