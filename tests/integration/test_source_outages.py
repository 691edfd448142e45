# SPDX-License-Identifier: Apache-2.0
"""Messages of a broker while the broker is stopped and started again five times and the daemon is killed -9 five times. A publisher sends each until the
broker has said that it has it. 2,000 messages in `make test`, 100,000 in `make integration`.

row              counterpart                                  what must come of it
---------------  -------------------------------------------  ----------------------------------------------------------------
mqtt-qos-1       mosquitto, a session that stays              none is lost, and none is an event twice (QoS 1: but one an outage, whose
mqtt-qos-2       mosquitto, a session that stays              acknowledgement was on its way): what mqtt_memory.h remembers. mosquitto
                                                              2.0.11 has all under way that waits in a session which it has read from
                                                              disk (20 more with each acknowledgement), so no more than 500 wait here
redis-stream     redis-server, appendfsync always             none is lost, and none is an event twice: stream and id
amqp             RabbitMQ, a durable queue                    none is lost, and none is an event twice: message-id and data
nsq              nsqd and nsqlookupd of the tests' own        none is lost, and none is an event twice: nsqd and id
nsq-real         NSQ's own, in `make integration` only        the same
nats-jetstream   nats-server, a stream on disk                none is lost, and none is an event twice: the same message, the same id
kafka            librdkafka's broker                          none is lost, and none is an event twice: partition, offset and time
kafka-apache     Apache Kafka, in `make integration` only     the same
mqtt-qos-0       mosquitto                                    at most once: what came is some of it, in order; after an outage it
nats-subject     nats-server                                  goes on

The brokers are stopped with SIGTERM, since mosquitto writes its sessions when it ends: what a broker loses when it is killed, nobody
behind it can have. At most 20 lines in the log tell of an outage. outages.py has what comes of each."""
import unittest

from amqp_client import AmqpPublisher
from brokers import Mosquitto, Nats, Rabbit, Redis
from brokers import Kafka, KafkaProducer, MockKafka
from nsq_real import RealNsq, RealNsqPublisher
from nsq_server import NsqBroker, NsqPublisher
from outages import Row, Through, case
from source_case import MqttPublisher, Publisher, ref


class Sessions(Mosquitto):
    """Keeps sessions with all that is sent to them, and writes them when it ends."""

    def command(self):
        return ["/usr/sbin/mosquitto", "-c", self.file("mosquitto.conf", f"""
            listener {self.port} 127.0.0.1
            allow_anonymous true
            persistence true
            persistence_location {self.dir}/
            max_queued_messages 0
            user root
            """)]


class MqttQos1(Row):
    kind, broker, qos = "mqtt", Sessions, 1
    fields = "url: tcp://127.0.0.1:PORT\ntopic: t/#\nclientId: c1\njsonBody: true\nqos: 1\ncleanSession: false"

    def publisher(self):
        return MqttPublisher(self.b.port, "t/a", self.qos)

    most_waiting = 500

    def again(self):
        return 1 if self.qos == 1 else 0  # an acknowledgement that was on its way at an idle moment


class MqttQos2(MqttQos1):
    qos = 2
    fields = MqttQos1.fields.replace("qos: 1", "qos: 2")


class MqttQos0(MqttQos1):
    at_most_once = True
    most_waiting = None
    fields = "url: tcp://127.0.0.1:PORT\ntopic: t/#\nclientId: c1\njsonBody: true"


class NatsPublisher(Publisher):
    """Waits for the stream's acknowledgement of each; Nats-Msg-Id makes a repetition none."""

    def __init__(self, broker, subject, stream):
        super().__init__(100)
        self.b, self.subject, self.stream = broker, subject, stream
        self.knows = stream

    def connect(self):
        self.c = self.b.connect()
        self.c.send(b"SUB acks.* 1\r\n")

    def send(self, bodies):
        if not self.c:
            self.connect()
        out = b""
        for i, body in enumerate(bodies):
            head = f"NATS/1.0\r\nNats-Msg-Id: {body.decode()}\r\n\r\n".encode()
            out += f"HPUB {self.subject} acks.{i} {len(head)} {len(head) + len(body)}\r\n".encode() + head + body + b"\r\n"
        self.c.send(out + b"PING\r\n")
        waiting = dict(enumerate(bodies))
        while waiting:
            line = self.c.line()
            if not line:
                raise OSError("closed")
            words = line.split(" ")
            if words[0] == "PING":
                self.c.send(b"PONG\r\n")
            if words[0] == "PONG" and not self.stream:
                bodies.clear()
                return
            if words[0] in ("MSG", "HMSG"):
                data = self.c.f.read(int(words[-1]) + 2)
                if words[0] == "HMSG" or b'"error"' in data:
                    raise OSError("the stream is not there yet")
                bodies.remove(waiting.pop(int(words[1].split(".")[1])))


class NatsJetStream(Row):
    kind, broker, keyed = "nats", Nats, True
    fields = "url: nats://127.0.0.1:PORT\nsubject: s.x\njsonBody: true\njetStream: {stream: S, durable: d, ackWait: 2s}"

    def prepare(self):
        made = self.b.request("$JS.API.STREAM.CREATE.S", {"name": "S", "subjects": ["s.>"], "storage": "file"})
        self.test.assertNotIn("error", made)

    def publisher(self):
        return NatsPublisher(self.b, "s.x", True)


class NatsSubject(Row):
    kind, broker, at_most_once = "nats", Nats, True
    fields = "url: nats://127.0.0.1:PORT\nsubject: s.x\njsonBody: true"

    def publisher(self):
        return NatsPublisher(self.b, "s.x", False)


class SafeRedis(Redis):
    def command(self):
        return super().command() + ["--appendfsync", "always"]


class RedisPublisher(Publisher):
    def __init__(self, broker, stream):
        super().__init__(100)
        self.b, self.stream = broker, stream

    def send(self, bodies):
        self.c = self.c or self.b.connect()
        self.c.send(b"".join(self.b.encode("XADD", self.stream, "*", "body", b.decode()) for b in bodies))
        while bodies:
            self.b.reply(self.c)
            del bodies[0]


class RedisStream(Row):
    kind, broker, keyed, secrets = "redisStream", SafeRedis, True, {"pw": "pw"}
    fields = f"hostAddress: 127.0.0.1:PORT\npassword: {ref('pw')}\nstreams: [s]\nmaxMsgCountPerRead: 100"

    def publisher(self):
        return RedisPublisher(self.b, "s")


class Amqp(Row):
    kind, broker, keyed = "amqp", Rabbit, True
    fields = ("url: amqp://guest:guest@127.0.0.1:PORT\nexchangeName: x\nexchangeType: direct\nroutingKey: r\njsonBody: true\n"
              "exchangeDeclare: {durable: true}\nqueueDeclare: {name: outages, durable: true}")

    def publisher(self):
        return AmqpPublisher(self.b.port, "x", "r")


class Nsq(Row):
    kind, broker, keyed = "nsq", NsqBroker, True
    fields = "hostAddress: 127.0.0.1:PORT\ntopic: t\nchannel: c\njsonBody: true"

    def publisher(self):
        return NsqPublisher(self.b, "t")


class NsqReal(Nsq):
    broker, needs_full = RealNsq, True

    def prepare(self):
        """The channel is there before the first message: what comes before a topic's first channel waits in the topic."""

    def publisher(self):
        return RealNsqPublisher(self.b, "t")


ROWS = {"mqtt-qos-1": MqttQos1, "mqtt-qos-2": MqttQos2, "mqtt-qos-0": MqttQos0, "nats-jetstream": NatsJetStream, "nats-subject": NatsSubject,
        "redis-stream": RedisStream, "amqp": Amqp, "nsq": Nsq, "nsq-real": NsqReal}


class KafkaPublisher:
    """librdkafka sends until the broker has it, each once."""

    repeated = ()

    def __init__(self, port):
        self.p = KafkaProducer(f"127.0.0.1:{port}", 100)

    def publish(self, bodies, seconds=1200):
        for b in bodies:
            self.p.send("t", b)
        self.p.flush(seconds)

    def close(self):
        self.p.close()


class KafkaMock(Row):
    kind, broker, keyed = "kafka", MockKafka, True
    fields = "url: 127.0.0.1:PORT\ntopic: t\njsonBody: true\nconsumerGroup: {groupName: g, oldest: true}"

    def prepare(self):
        self.b.topic("t", 8)

    def publisher(self):
        return KafkaPublisher(self.b.port)


class KafkaApache(KafkaMock):
    broker, needs_full = Kafka, True

    def prepare(self):
        """The first who asks for the topic makes it."""


ROWS |= {"kafka": KafkaMock, "kafka-apache": KafkaApache}


class Outages(Through):
    """A test for each row."""


for name, row in ROWS.items():
    setattr(Outages, "test_" + name.replace("-", "_"), case(row))

if __name__ == "__main__":
    unittest.main()
