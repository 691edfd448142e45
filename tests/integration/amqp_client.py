# SPDX-License-Identifier: Apache-2.0
"""A publisher of AMQP 0-9-1 with confirmations, and the few other methods that tests need: what amqp-tools cannot say (message-id and the other
properties). By the protocol's specification."""
import socket
import struct

from source_case import Publisher

PROPERTIES = ("content_type", "content_encoding", "headers", "delivery_mode", "priority", "correlation_id", "reply_to", "expiration", "message_id",
              "timestamp", "type", "user_id", "app_id")
FORMS = {"delivery_mode": ">B", "priority": ">B", "timestamp": ">Q"}


def short(text):
    data = text.encode()
    return bytes([len(data)]) + data


def long(data):
    return struct.pack(">I", len(data)) + data


class Amqp:
    def __init__(self, port, timeout=30):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.f = self.sock.makefile("rb")
        self.published, self.confirmed, self.out = 0, 0, []
        self.sock.sendall(b"AMQP\0\0\x09\x01")
        try:
            self.begin()
        except OSError:
            self.close()
            raise

    def begin(self):
        self.expect(10, 10)
        self.send(10, 11, struct.pack(">I", 0) + short("PLAIN") + long(b"\0guest\0guest") + short("en_US"), channel=0)
        self.expect(10, 30)
        self.send(10, 31, struct.pack(">HIH", 1, 131072, 0), channel=0)
        self.send(10, 40, short("/") + short("") + b"\0", channel=0)
        self.expect(10, 41)
        self.call(20, 10, short(""), 11)
        self.call(85, 10, b"\0", 11)  # confirm.select

    def frame(self, kind, channel, payload):
        return struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"

    def send(self, cls, method, arguments, channel=1):
        self.sock.sendall(self.frame(1, channel, struct.pack(">HH", cls, method) + arguments))

    def read(self):
        """The next method: (class, method, arguments)."""
        while True:
            head = self.f.read(7)
            if len(head) < 7:
                raise OSError("closed")
            kind, _, size = struct.unpack(">BHI", head)
            data = self.f.read(size + 1)[:-1]
            if len(data) < size:
                raise OSError("closed")
            if kind == 1:
                cls, method = struct.unpack(">HH", data[:4])
                if method == 50 and cls == 10 or method == 40 and cls == 20:
                    raise OSError("the broker closes: " + data[7:].decode(errors="replace"))
                return cls, method, data[4:]

    def expect(self, cls, method):
        """Takes confirmations that come before it as what they are."""
        while True:
            got = self.read()
            if got[:2] == (cls, method):
                return got[2]
            self.confirmation(got)

    def confirmation(self, got):
        cls, method, arguments = got
        if (cls, method) != (60, 80):
            raise OSError(f"unexpected method {cls}.{method}")
        tag, multiple = struct.unpack(">QB", arguments[:9])
        self.confirmed = max(self.confirmed, tag) if multiple else self.confirmed + 1

    def call(self, cls, method, arguments, answer):
        self.send(cls, method, arguments)
        return self.expect(cls, answer)

    def declare_exchange(self, name, kind, durable=True):
        self.call(40, 10, b"\0\0" + short(name) + short(kind) + bytes([2 * durable]) + long(b""), 11)

    def declare_queue(self, name, durable=True, arguments=b""):
        self.call(50, 10, b"\0\0" + short(name) + bytes([2 * durable]) + long(arguments), 11)

    def messages_in(self, name):
        """How many wait there, for nobody."""
        got = self.call(50, 10, b"\0\0" + short(name) + b"\1" + long(b""), 11)  # passive
        return struct.unpack(">I", got[1 + got[0]:][:4])[0]

    def bind(self, queue, exchange, key):
        self.call(50, 20, b"\0\0" + short(queue) + short(exchange) + short(key) + b"\0" + long(b""), 21)

    def delete_queue(self, name):
        self.call(50, 40, b"\0\0" + short(name) + b"\0", 41)

    def message(self, exchange, key, body, **properties):
        flags, values = 0, b""
        for i, name in enumerate(PROPERTIES):
            if name in properties:
                flags |= 1 << (15 - i)
                values += struct.pack(FORMS[name], properties[name]) if name in FORMS else short(properties[name])
        frames = self.frame(1, 1, struct.pack(">HHH", 60, 40, 0) + short(exchange) + short(key) + b"\0")
        frames += self.frame(2, 1, struct.pack(">HHQH", 60, 0, len(body), flags) + values)
        for i in range(0, len(body), 100000):
            frames += self.frame(3, 1, body[i:i + 100000])
        self.published += 1
        return frames

    def publish(self, exchange, key, body, **properties):
        """One, until the broker has it."""
        self.sock.sendall(self.message(exchange, key, body, **properties))
        self.confirm()

    def confirm(self):
        while self.confirmed < self.published:
            self.confirmation(self.read())

    def close(self):
        self.f.close()
        self.sock.close()


class AmqpPublisher(Publisher):
    """The bodies are their message-ids as well."""

    def __init__(self, port, exchange, key):
        super().__init__(200)
        self.port, self.exchange, self.key = port, exchange, key

    def send(self, bodies):
        self.c = self.c or Amqp(self.port)
        self.c.sock.sendall(b"".join(self.c.message(self.exchange, self.key, b, message_id=b.decode(), delivery_mode=2) for b in bodies))
        self.c.confirm()
        bodies.clear()


def numbers(*limits):
    return (b"%d" % i for i in range(*limits))
