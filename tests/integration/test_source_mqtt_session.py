# SPDX-License-Identifier: Apache-2.0
"""A session of MQTT that stays, with a broker that this file plays packet by packet: the daemon is killed -9 at each step of the handshakes, what had no
last word comes again, and ids are given anew to messages that look the same. A packet that the broker loses is one that it does not heed. What
mosquitto does is in test_source_mqtt.py and test_source_outages.py."""
import socket
import struct
import unittest

from harness import until
from source_case import SourceCase

PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = 3, 4, 5, 6, 7
NAMES = {PUBACK: "PUBACK", PUBREC: "PUBREC", PUBREL: "PUBREL", PUBCOMP: "PUBCOMP"}
BODY = b'"the same"'


class ScriptedBroker:
    """One connection at a time; each method is a step."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(120)
        self.port = self.listener.getsockname()[1]
        self.c = self.f = None

    def close(self):
        self.hang_up()
        self.listener.close()

    def hang_up(self):
        if self.c:
            self.f.close()
            self.c.close()
        self.c = self.f = None

    def packet(self):
        """(type, id) of the next one that is no ping."""
        while True:
            first, n = self.f.read(2)
            body = self.f.read(n)
            if first >> 4 != 12:
                return first >> 4, struct.unpack(">H", body[:2])[0]
            self.c.sendall(b"\xd0\0")

    def accept(self, session, *again):
        """A new connection: whether the session goes on; what is sent again comes before the subscription is answered, in one piece."""
        self.hang_up()
        self.c, _ = self.listener.accept()
        self.c.settimeout(120)
        self.f = self.c.makefile("rb")
        assert self.packet()[0] == 1
        self.c.sendall(bytes([0x20, 2, session, 0]))
        self.send(*again, dup=True)
        kind, ident = self.packet()
        assert kind == 8
        self.c.sendall(struct.pack(">BBHB", 0x90, 3, ident, 2))

    @staticmethod
    def encoded(kind, ident, qos=0, dup=False):
        if kind != PUBLISH:
            return struct.pack(">BBH", kind << 4 | (2 if kind == PUBREL else 0), 2, ident)
        data = b"\0\3t/a" + struct.pack(">H", ident) + BODY
        return bytes([PUBLISH << 4 | 8 * dup | qos << 1, len(data)]) + data

    def send(self, *packets, dup=False):
        """(type, id), of PUBLISH (type, id, QoS): all at once, so that they are received at once."""
        self.c.sendall(b"".join(self.encoded(*p, **({"dup": dup} if p[0] == PUBLISH else {})) for p in packets))


class Session(SourceCase):
    def setUp(self):
        super().setUp()
        self.b = ScriptedBroker()
        self.addCleanup(self.b.close)

    def begin(self, qos):
        self.fields = f"url: tcp://127.0.0.1:{self.b.port}\ntopic: t/#\nclientId: c\njsonBody: true\nqos: {qos}\ncleanSession: false"
        self.d = self.source("mqtt", self.fields)
        self.b.accept(False)

    def expect(self, *wanted):
        """These packets, in this order."""
        for kind, ident in wanted:
            got = self.b.packet()
            self.assertEqual(got, (kind, ident), f"{NAMES.get(got[0], got[0])} {got[1]} for {NAMES[kind]} {ident}")

    def killed(self, *again, session=True):
        self.d.kill()
        self.d.start()
        self.b.accept(session, *again)

    def stored(self, n):
        """So many events and no more, each of which has an id of its own."""
        ids = [x for x, _ in self.rows(self.d)]
        self.assertEqual((len(ids), len(set(ids))), (n, n))

    # ---- QoS 2

    def received(self):
        self.begin(2)
        self.b.send((PUBLISH, 7, 2))
        self.expect((PUBREC, 7))
        self.stored(1)

    def test_qos_2_publish_comes_again(self):
        self.received()
        for _ in range(2):
            self.killed((PUBLISH, 7, 2))
            self.expect((PUBREC, 7))
            self.stored(1)
            self.assertIn('tidegate_events_duplicate_total{eventsource_name="es",event_name="e"} 1\n', self.d.api("GET", "/metrics")[1].decode())
        self.b.send((PUBREL, 7))
        self.expect((PUBCOMP, 7))
        self.b.send((PUBLISH, 7, 2))  # the id is another's from here on
        self.expect((PUBREC, 7))
        self.stored(2)

    def test_qos_2_pubrel_comes_again(self):
        self.received()
        for _ in range(3):  # PUBREC was heeded and PUBREL lost, then each PUBCOMP
            self.killed((PUBREL, 7))
            self.expect((PUBCOMP, 7))
        self.stored(1)

    def test_qos_2_an_id_that_was_given_anew(self):
        """The next message has the id and the contents of the one before, and was lost on its way when it was sent first."""
        self.received()
        self.b.send((PUBREL, 7))
        self.expect((PUBCOMP, 7))
        self.killed((PUBLISH, 7, 2))
        self.expect((PUBREC, 7))
        self.stored(2)
        self.killed((PUBLISH, 7, 2))
        self.expect((PUBREC, 7))
        self.stored(2)

    def test_qos_2_another_session(self):
        self.received()
        self.killed(session=False)
        self.b.send((PUBLISH, 7, 2))
        self.expect((PUBREC, 7))
        self.stored(2)
        self.killed((PUBLISH, 7, 2))
        self.expect((PUBREC, 7))
        self.stored(2)

    def test_qos_2_a_break_and_no_kill(self):
        self.received()
        self.b.accept(True, (PUBLISH, 7, 2))
        self.expect((PUBREC, 7))
        self.b.accept(True, (PUBREL, 7))
        self.expect((PUBCOMP, 7))
        self.stored(1)

    def test_qos_2_publish_behind_its_pubrel(self):
        """As mosquitto 2.0.11 has it when two connections in a row break before PUBCOMP, against the protocol."""
        self.begin(2)
        self.b.send((PUBLISH, 7, 2), (PUBLISH, 8, 2))
        self.expect((PUBREC, 7))
        self.b.send((PUBREL, 7))
        self.expect((PUBCOMP, 7))
        self.killed((PUBLISH, 7, 2), (PUBLISH, 8, 2))
        self.expect((PUBREC, 7))
        self.stored(2)

    def test_several_topics_and_qualities(self):
        """What is released goes, what is not is known, whatever came between."""
        self.begin(2)
        self.b.send(*((PUBLISH, ident, 1 + ident % 2) for ident in (1, 2, 3, 4)))
        self.expect((PUBREC, 1), (PUBACK, 2), (PUBREC, 3))
        self.b.send((PUBREL, 1))
        self.expect((PUBCOMP, 1))
        self.killed((PUBLISH, 2, 1), (PUBLISH, 3, 2), (PUBLISH, 4, 1), (PUBLISH, 1, 2))
        self.expect((PUBACK, 2), (PUBREC, 3), (PUBACK, 4))
        self.stored(5)

    # ---- QoS 1

    def two(self):
        self.begin(1)
        self.b.send((PUBLISH, 1, 1), (PUBLISH, 2, 1))
        self.expect((PUBACK, 1))
        self.stored(2)

    def test_qos_1_what_is_on_disk_comes_again(self):
        self.two()
        for _ in range(2):
            self.killed((PUBLISH, 1, 1), (PUBLISH, 2, 1))
            self.expect((PUBACK, 1))
            self.stored(2)
        self.b.send((PUBLISH, 3, 1))
        self.expect((PUBACK, 2))
        self.stored(3)

    def test_qos_1_an_id_that_was_given_anew(self):
        """The broker has heeded PUBACK 1, and gives 1, the lowest that is free, to a message that looks the same and is lost on its way."""
        self.two()
        self.killed((PUBLISH, 2, 1), (PUBLISH, 1, 1))
        self.expect((PUBACK, 2))
        self.stored(3)
        self.killed((PUBLISH, 1, 1))
        self.expect((PUBACK, 1))
        self.stored(3)

    def test_qos_1_where_the_broker_has_room_for_one(self):
        """It gets its PUBACK, and what comes then with the same id and contents may be another: none is lost."""
        self.begin(1)
        for n in range(1, 4):
            self.b.send((PUBLISH, 1, 1))
            self.expect((PUBACK, 1))
            self.stored(n)
        self.killed((PUBLISH, 1, 1))
        self.expect((PUBACK, 1))
        self.stored(4)

    def test_qos_1_another_session(self):
        self.two()
        self.killed((PUBLISH, 1, 1), (PUBLISH, 2, 1), session=False)
        self.expect((PUBACK, 1))
        self.stored(4)

    def test_qos_1_a_client_that_goes_and_comes(self):
        """Stopped in peace, the newest has no PUBACK yet."""
        self.two()
        self.d.stop()
        self.d.start()
        self.b.accept(True, (PUBLISH, 2, 1))
        self.expect((PUBACK, 2))
        self.stored(2)

    def test_qos_1_a_manifest_that_changes(self):
        """The source that takes over reads what the one before it has written."""
        self.two()
        self.d.write("source.yaml", self.entry("mqtt", self.fields + "\nmetadata: {a: b}"))
        until(lambda: "source stops" in self.d.log(), 120, "the new manifest")
        self.b.accept(True, (PUBLISH, 2, 1))
        self.expect((PUBACK, 2))
        self.stored(2)

    def test_qos_1_another_client(self):
        """What the one before had is nothing to it, though its broker has a session for it, too."""
        self.two()
        self.d.write("source.yaml", self.entry("mqtt", self.fields.replace("clientId: c", "clientId: d")))
        until(lambda: "source stops" in self.d.log(), 120, "the new manifest")
        self.b.accept(True, (PUBLISH, 1, 1), (PUBLISH, 2, 1))
        self.expect((PUBACK, 1))
        self.stored(4)


if __name__ == "__main__":
    unittest.main()
