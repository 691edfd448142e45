# SPDX-License-Identifier: Apache-2.0
"""Event sources kafka and azureEventsHub. In `make test` kafka against the broker that librdkafka has for tests: the data of its events, groups,
one partition, outages, and that nothing is lost. It has neither TLS nor logins, and is by the authors of the client; so `make
integration` does the rest against Apache Kafka. Of Azure's service there is no server to be had: azureEventsHub is tested against
Kafka with the login that the service's documentation gives, which leaves the service's own answers unproven."""
import base64
import collections
import contextlib
import json
import os
import sqlite3
import unittest

from brokers import Kafka, MockKafka
from harness import FULL, Daemon, scaled, until
from test_source_queues import Pulled

GROUP = """
  kafka:
    e:
      url: URL
      topic: t
      consumerGroup: {groupName: g, oldest: true}
      MORE
"""
PARTITION = """
  kafka:
    e:
      url: URL
      topic: t
      partition: "0"
      MORE
"""
HUB = """
  azureEventsHub:
    e:
      fqdn: localhost:PORT
      hubName: hub
      sharedAccessKeyName: {name: keys, key: name}
      sharedAccessKey: {name: keys, key: key}
      metadata: {a: b}
"""


def kafka(text, url, more="jsonBody: true"):
    return text.replace("URL", url).replace("MORE", more)


def number(data):
    return data["body"]["i"]


class Kafkas(Pulled):
    @staticmethod
    def rows(d, columns):
        with contextlib.closing(sqlite3.connect(f"file:{d.state}/tidegate.db?mode=ro", uri=True)) as db:
            return db.execute(f"SELECT {columns} FROM bus_event ORDER BY key").fetchall()

    def wait_for_partitions(self, d, n):
        return until(lambda: self.source(d).get("partitions") == n, 120, f"{n} partitions")

    def mark(self, d):
        with contextlib.closing(sqlite3.connect(f"file:{d.state}/tidegate.db?mode=ro", uri=True)) as db:
            return next((n for (n,) in db.execute("SELECT mark FROM source_mark WHERE event = 'e\nt:0'")), 0)

    def numbers(self, *daemons):
        return {number(x) for d in daemons for _, x in self.events(d)}

    def apart(self, name, source, keys=None):
        """A daemon with a directory of its own."""
        text = f"apiVersion: argoproj.io/v1alpha1\nkind: EventSource\nmetadata: {{name: es}}\nspec:\n{source}\n"
        d = Daemon(os.path.join(self.directory, name), {"source.yaml": text, "keys.yaml": self.secret(keys or self.KEYS)})
        self.addCleanup(self.end, d)
        return d


class KafkaSource(Kafkas):
    """A member that was killed is missed after five seconds, not ten; less than this broker waits for members is too little."""

    @staticmethod
    def quick(source):
        return source.replace("      topic:", '      config: "{session.timeout.ms: 5000, heartbeat.interval.ms: 1000}"\n      topic:')

    def gateway(self, source, keys=None):
        return super().gateway(self.quick(source), keys)

    def apart(self, name, source, keys=None):
        return super().apart(name, self.quick(source), keys)

    def setUp(self):
        super().setUp()
        self.b = MockKafka()
        self.addCleanup(self.b.close)
        self.b.topic("t", 3)

    def send(self, numbers, **how):
        for i in numbers:
            self.b.send("t", json.dumps({"i": i}).encode(), **how)
        self.b.flush()

    def test_data(self):
        d = self.gateway(kafka(GROUP, self.b.address, "jsonBody: true\n      metadata: {m: n}")).start()
        at = dict(partition=1, timestamp=1700000000123)
        self.b.send("t", b' {"a": [1.50, "<&>"]} ', key=b"k\xff", headers=[("z", b"1"), ("a", b"first"), ("a", b"last")], **at)
        self.b.send("t", b"no JSON", **at)
        self.b.send("t", None, **at)
        self.b.flush()
        self.wait_for(d, 2)
        first, null = self.rows(d, "id, data")
        self.assertEqual(first[0], f"es:e:{self.b.address}:t:1:0")
        self.assertRegex(first[1].decode(), r'^\{"topic":"t","key":"k\\ufffd","partition":1,"body":\{"a":\[1.50,"\\u003c\\u0026\\u003e"\]\},"timestamp":'
                                            r'"2023-11-14 \d\d:\d\d:20\.123 [+-]\d{4} \S+","headers":\{"a":"last","z":"1"\},"metadata":\{"m":"n"\}\}$')
        data = json.loads(null[1])
        self.assertEqual((null[0], data["body"], data["key"], data["headers"]), (f"es:e:{self.b.address}:t:1:2", None, "", {}))
        until(lambda: self.source(d).get("refused") == 1, 60, "the refused one")
        self.assertIn("jsonBody: invalid character 'o' in literal null", d.log())

    def test_it_runs_when_its_group_has_taken_it_in(self):
        """What is sent to a source that says it runs is told: a group that is new, and begins with what is new, has its places by then."""
        d = self.gateway(kafka(GROUP, self.b.address).replace("oldest: true", "oldest: false")).start()
        seen = set()
        until(lambda: seen.add(self.source(d)["state"]) or self.source(d)["state"] == "running", 120, "to run")
        self.assertEqual(self.source(d)["partitions"], 3)
        self.assertLessEqual(seen, {"connecting", "running"})
        self.send(range(3))
        self.assertEqual(sorted(number(x) for _, x in self.wait_for(d, 3)), [0, 1, 2])

    def test_data_without_json(self):
        d = self.gateway(kafka(GROUP, self.b.address, "")).start()
        self.b.send("t", b"\x00any")
        self.b.send("t", b"")
        self.b.flush()
        self.assertEqual(sorted(x["body"] for _, x in self.wait_for(d, 2)), ["", base64.b64encode(b"\x00any").decode()])

    def test_emit(self):
        d = self.gateway(kafka(GROUP, self.b.address)).start()
        d.cli("emit", "es/e", "--data", '{"i": 7}')
        self.assertEqual(self.wait_for(d, 1)[0][1]["body"], {"i": 7})
        self.assertNotEqual(d.cli("emit", "es/e", "--data", "no", check=False).returncode, 0)

    def test_a_group_goes_on_where_it_was(self):
        d = self.gateway(kafka(GROUP, self.b.address)).start()
        self.send(range(50))
        self.wait_for(d, 50)
        d.stop()
        self.send(range(50, 100))
        d.start()
        self.wait_for(d, 100)
        self.send(range(100, 150))
        self.wait_for(d, 110)
        d.kill()
        d.start()
        self.once_each(d, range(150), number)

    def test_a_group_that_is_new_keeps_its_first_place(self):
        d = self.gateway(kafka(GROUP, self.b.address).replace(", oldest: true", "")).start()
        self.send(range(10))
        self.wait_for_partitions(d, 3)
        self.send(range(10, 20))
        first = min(number(x) for _, x in self.wait_for(d, 10))
        d.kill()
        self.send(range(20, 50))
        d.start()
        self.once_each(d, range(first, 50), number)

    def test_a_topic_that_is_made_later_is_read_from_its_beginning(self):
        source = kafka(GROUP, self.b.address).replace(", oldest: true", "").replace("topic: t", "topic: later")
        self.b.fail_topic("later", 3)  # UNKNOWN_TOPIC_OR_PART, as a broker that makes none
        d = self.gateway(source).start()
        self.wait_for_state(d, "failed", "topic later: ")
        self.b.fail_topic("later", 0)
        for i in range(10):
            self.b.send("later", json.dumps({"i": i}).encode())
        self.b.flush()
        self.once_each(d, range(10), number)
        self.assertEqual(self.source(d)["state"], "running")

    def test_one_partition_goes_on_where_it_was(self):
        self.send(range(1000, 1010), partition=0)
        d = self.gateway(kafka(PARTITION, self.b.address)).start()
        self.wait_for_partitions(d, 1)
        until(lambda: self.mark(d) == 11, 60, "the place where it began")
        d.kill()
        self.send(range(5), partition=0)
        self.send(range(2000, 2010), partition=1)
        d.start()
        self.wait_for(d, 5)
        d.stop()
        self.send(range(5, 10), partition=0)
        d.start()
        self.wait_for(d, 10)
        d.kill()
        self.send(range(10, 15), partition=0)
        d.start()
        self.once_each(d, range(15), number)

    def test_a_broker_that_is_away(self):
        d = self.gateway(kafka(GROUP, self.b.address)).start()
        self.send(range(10))
        self.wait_for(d, 10)
        self.b.down(True)
        self.wait_for_state(d, "failed", "kafka: 127.0.0.1:")
        before = len(d.log().splitlines())
        d.kill()
        d.start()
        self.wait_for_state(d, "failed", "Connection refused")
        self.b.down(False)
        self.wait_for_state(d, "running")
        self.send(range(10, 20))
        self.once_each(d, range(20), number)
        self.assertLess(len(d.log().splitlines()) - before, 20)

    def members(self, strategy):
        """Two daemons of one group: nothing is lost when one goes, and is killed."""
        source = kafka(GROUP, self.b.address, "jsonBody: true").replace("oldest: true", f"oldest: true, rebalanceStrategy: {strategy}")
        one = self.gateway(source).start()
        self.send(range(100))
        self.wait_for(one, 100)
        two = self.apart("two", source).start()
        until(lambda: 0 < self.source(two).get("partitions", 0) < 3 and self.source(one)["partitions"] + self.source(two)["partitions"] == 3, 120, "both")
        self.send(range(100, 200))
        until(lambda: len(self.numbers(one, two)) == 200, 120, "all messages")
        two.kill()
        self.send(range(200, 300))
        until(lambda: len(self.numbers(one, two)) == 300, 120, "all messages")
        self.assertLessEqual(max(collections.Counter(number(x) for _, x in self.events(one)).values()), 1)

    def test_members_that_share_by_range(self):
        self.members("range")

    def test_members_that_share_stickily(self):
        self.members("sticky")

    def test_many(self):
        n, kills = scaled(3000, 30000), scaled(2, 5)
        d = self.gateway(kafka(GROUP, self.b.address)).start()
        for i in range(kills):
            self.send(range(i * n // kills, (i + 1) * n // kills))
            self.wait_for(d, i * n // kills + n // (2 * kills))
            d.kill()
            d.start()
        self.once_each(d, range(n), number)


SASL = """sasl:
        mechanism: MECHANISM
        userSecret: {name: keys, key: user}
        passwordSecret: {name: keys, key: password}
      tls: {caCertSecret: {name: keys, key: ca}}
      jsonBody: true"""


@unittest.skipUnless(FULL, "Kafka is not a package of Debian's: make integration")
class ApacheKafka(Kafkas):
    def setUp(self):
        super().setUp()
        self.b = self.broker(Kafka)

    def url(self):
        return f"127.0.0.1:{self.b.port}"

    def send(self, numbers, topic="t", partition=None):
        self.b.send(topic, [json.dumps({"i": i}) for i in numbers], partition)

    def test_members_that_come_and_go(self):
        for strategy in ("range", "roundrobin", "sticky"):
            with self.subTest(strategy=strategy):
                self.members(strategy)

    def members(self, strategy):
        source = kafka(GROUP, self.url()).replace("topic: t", "topic: " + strategy).replace("{groupName: g,", f"{{groupName: {strategy}, rebalanceStrategy: {strategy},")
        daemons = [self.apart(strategy + name, source) for name in ("1", "2")]
        daemons[0].start()
        self.send(range(5000), strategy)
        self.wait_for(daemons[0], 100)
        daemons[1].start()
        until(lambda: self.source(daemons[1]).get("partitions") == 2, 120, "its part")
        self.send(range(5000, 10000), strategy)
        until(lambda: len(self.numbers(*daemons)) == 10000, 120, "all messages")
        daemons[0].stop()
        self.wait_for_partitions(daemons[1], 4)
        self.send(range(10000, 15000), strategy)
        until(lambda: len(self.numbers(*daemons)) == 15000, 120, "all messages")
        for d in daemons:
            self.assertEqual(max(collections.Counter(number(x) for _, x in self.events(d)).values()), 1)
            d.stop()

    def test_one_partition_over_restarts(self):
        self.send(range(1000, 1010), partition=0)
        d = self.gateway(kafka(PARTITION, self.url())).start()
        until(lambda: self.mark(d) == 11, 60, "the place where it began")
        self.send(range(100), partition=0)
        self.wait_for(d, 50)
        d.kill()
        self.send(range(100, 200), partition=0)
        d.start()
        self.wait_for(d, 150)
        self.b.stop()
        self.wait_for_state(d, "failed")
        self.b.start()
        self.send(range(200, 300), partition=0)
        self.once_each(d, range(300), number)

    def test_a_place_that_was_deleted(self):
        """Retention took what stood there: the oldest there is comes next."""
        self.send(range(10), partition=0)
        d = self.gateway(kafka(PARTITION, self.url())).start()
        until(lambda: self.mark(d) == 11, 60, "the place where it began")
        d.stop()
        self.send(range(10, 20), partition=0)
        self.b.delete("t", 0, 15)
        d.start()
        self.once_each(d, range(15, 20), number)

    def test_logins(self):
        self.send(range(10))
        ca = self.b.text("ca.crt")
        for user, mechanism in (("ann", "PLAIN"), ("bob", "SCRAM-SHA-256"), ("bob", "SCRAM-SHA-512")):
            with self.subTest(mechanism=mechanism):
                source = kafka(GROUP, f"localhost:{self.b.sasl_port}", SASL.replace("MECHANISM", mechanism)).replace("groupName: g,", f"groupName: {mechanism},")
                d = self.apart(mechanism, source, {"user": user, "password": user + "-pw", "ca": ca}).start()
                self.once_each(d, range(10), number)
                d.stop()

    def test_a_password_that_is_wrong_and_then_right(self):
        self.send(range(10))
        keys = {"user": "ann", "password": "not-this-one", "ca": self.b.text("ca.crt")}
        d = self.gateway(kafka(GROUP, f"localhost:{self.b.sasl_port}", SASL.replace("MECHANISM", "PLAIN")), keys).start()
        self.wait_for_state(d, "failed", "Authentication failed")
        self.assertNotIn("not-this-one", d.log())
        d.write("keys.yaml", self.secret(dict(keys, password="ann-pw")))
        self.wait_for_state(d, "running")
        self.once_each(d, range(10), number)
        self.assertLess(len(self.lines(d)), 10)

    def test_a_certificate_of_another_authority(self):
        keys = {"user": "ann", "password": "ann-pw", "ca": self.b.text("other.crt")}
        d = self.gateway(kafka(GROUP, f"localhost:{self.b.sasl_port}", SASL.replace("MECHANISM", "PLAIN")), keys).start()
        self.wait_for_state(d, "failed", "certificate verify failed")

    def test_an_event_hub_by_its_kafka_endpoint(self):
        os.environ["SSL_CERT_FILE"] = os.path.join(self.b.dir, "ca.crt")  # the system's authorities, for the daemon
        self.addCleanup(os.environ.pop, "SSL_CERT_FILE")
        d = self.gateway(HUB.replace("PORT", str(self.b.sasl_port)), {"name": "send", "key": "k3y="}).start()
        self.wait_for_partitions(d, 4)
        self.b.send("hub", ["one"], 0, key="k")
        (_, data), = self.wait_for(d, 1)
        self.assertEqual(data, {"id": "0:0", "partitionKey": "k", "body": base64.b64encode(b"one").decode(), "metadata": {"a": "b"}})
        d.kill()
        self.b.send("hub", ["two"], 1)
        d.start()
        self.assertEqual(self.wait_for(d, 2)[1][1], {"id": "1:0", "body": base64.b64encode(b"two").decode(), "metadata": {"a": "b"}})
