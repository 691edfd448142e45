# SPDX-License-Identifier: Apache-2.0
"""What the tests of event sources that take messages from a broker share: a daemon with one entry, its events as they are on disk, its state, and a
publisher of MQTT that waits for the broker's word."""
import contextlib
import itertools
import json
import os
import socket
import sqlite3
import struct
import time

from harness import until
from test_services import Services

TEXT = """apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {name: es}
spec:
  KIND:
    e:
"""
SECRET = """apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData:
"""


def ref(key):
    return "{name: keys, key: " + key + "}"


class SourceCase(Services):
    def setUp(self):
        super().setUp()
        os.environ.setdefault("ASAN_OPTIONS", "quarantine_size_mb=8")  # memory is looked at

    def broker(self, kind, start=True):
        b = kind(os.path.join(self.directory, "broker"))
        self.addCleanup(b.close)
        return b.start() if start else b

    @staticmethod
    def secret(keys):
        return SECRET + "".join(f"  {k}: {json.dumps(v)}\n" for k, v in keys.items())

    @staticmethod
    def entry(kind, lines):
        return TEXT.replace("KIND", kind) + "".join(f"      {x}\n" for x in lines.strip().splitlines())

    def source(self, kind, lines, start=True, **secrets):
        """A daemon with one entry of that kind, whose fields are `lines`."""
        return self.daemon({"source.yaml": self.entry(kind, lines), "keys.yaml": self.secret(dict({"unused": "x"}, **secrets))}, start=start)

    @staticmethod
    def rows(d, columns="id, data"):
        path = f"{d.state}/tidegate.db"
        if not os.path.exists(path):
            return []
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            return db.execute(f"SELECT {columns} FROM bus_event ORDER BY key").fetchall()

    def events(self, d):
        """The data of all events, oldest first."""
        return [json.loads(x) for _, x in self.rows(d)]

    def count(self, d):
        return self.rows_count(d, "1=1")

    @staticmethod
    def rows_count(d, where):
        with contextlib.closing(sqlite3.connect(f"file:{d.state}/tidegate.db?mode=ro", uri=True)) as db:
            return db.execute("SELECT COUNT(*) FROM bus_event WHERE " + where).fetchone()[0]

    def wait_events(self, d, n, seconds=60):
        until(lambda: self.count(d) >= n, seconds, f"{n} events")
        return self.events(d)

    def text(self, d, i):
        """The data of an event as it is on disk."""
        data = self.rows(d)[i][1]
        return data if isinstance(data, str) else data.decode()

    @staticmethod
    def memory(d):
        """The most that the daemon has had, in KiB."""
        with open(f"/proc/{d.process.pid}/status", encoding="ascii") as f:
            return int(next(x for x in f if x.startswith("VmHWM")).split()[1])

    UNTRUSTED = ("authority that is trusted", "for another name", "may want a certificate of the client")

    def check_trust(self, kind, broker, fields, reasons=UNTRUSTED, **secrets):
        """An entry for each way to trust a broker that wants a certificate of whoever connects: two run, the others say why not. `fields`: those of an
        entry, with HOST in it, and CASE where each needs a name of its own. `reasons`: in the words of the client's library, if it has its own."""
        authority, name, client = reasons
        ours = f"clientCertSecret: {ref('cert')}, clientKeySecret: {ref('key')}"
        secrets.update({"ca": broker.text("ca.crt"), "other": broker.text("other.crt"), "cert": broker.text("client.crt"), "key": broker.text("client.key")})
        cases = {
            "good": ("localhost", f"caCertSecret: {ref('ca')}, {ours}", "running", ""),
            "unverified": ("127.0.0.1", f"insecureSkipVerify: true, {ours}", "running", ""),
            "another-authority": ("localhost", f"caCertSecret: {ref('other')}, {ours}", "failed", authority),
            "no-authority": ("localhost", f"enabled: true, {ours}", "failed", authority),
            "another-name": ("127.0.0.1", f"caCertSecret: {ref('ca')}, {ours}", "failed", name),
            "no-certificate-of-ours": ("localhost", f"caCertSecret: {ref('ca')}", "failed", client),
        }
        text = self.entry(kind, "").split("    e:\n")[0]
        for case, (host, tls, _, _) in cases.items():
            text += f"    {case}: {{{fields.replace('HOST', host).replace('CASE', case)}, tls: {{{tls}}}}}\n"
        d = self.daemon({"source.yaml": text, "keys.yaml": self.secret(secrets)})
        def settled():
            got = {s["event"]: s for s in json.loads(d.cli("status", "-o", "json").stdout)["sources"]}
            return all(s["state"] in ("running", "failed") for s in got.values()) and got
        got = until(settled, 90, "an end of all")
        for case, (_, _, state, reason) in cases.items():
            self.assertEqual(got[case]["state"], state, got[case])
            self.assertIn(reason, got[case].get("error", ""), case)
        return d

    @staticmethod
    def state(d):
        return json.loads(d.cli("status", "-o", "json").stdout)["sources"][0]

    def wait_state(self, d, state, reason="", seconds=60):
        return until(lambda: (s := self.state(d))["state"] == state and reason in s.get("error", "") and s, seconds, f"{state} {reason}")

    @staticmethod
    def lines(d):
        """What the log says of the source."""
        return [x for x in d.log().splitlines() if "eventsource=es" in x]


class Publisher:
    """Sends bodies, so many at a time, until the broker has said of each that it has it, over new connections when one breaks. `send` takes them out of
    the list as the broker speaks of them; `repeated` are those that it may have twice, unless it knows what it has."""

    knows = False

    def __init__(self, window):
        self.window, self.c, self.repeated = window, None, set()

    def send(self, bodies):
        raise NotImplementedError

    def close(self):
        if self.c:
            self.c.close()
        self.c = None

    def publish(self, bodies, seconds=1200):
        end, source = time.monotonic() + seconds, iter(bodies)
        while some := list(itertools.islice(source, self.window)):
            while some:
                try:
                    self.send(some)
                except (OSError, ValueError, IndexError, AssertionError):
                    if not self.knows:
                        self.repeated.update(some)
                    self.close()
                    if time.monotonic() > end:
                        raise
                    time.sleep(0.05)


class MqttPublisher(Publisher):
    """With QoS 1 or 2."""

    def __init__(self, port, topic, qos, window=100):
        super().__init__(window if qos < 2 else 20)  # of QoS 2 mosquitto takes no more
        self.port, self.topic, self.qos, self.data = port, topic.encode(), qos, b""

    def packet(self, first, body):
        n, length = len(body), b""
        while True:
            length += bytes([n & 127 | (128 if n > 127 else 0)])
            n >>= 7
            if not n:
                return bytes([first]) + length + body

    def connect(self):
        self.c = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        self.data = b""
        self.c.sendall(self.packet(0x10, b"\0\4MQTT\4\2\0\0\0\0"))
        kind, body = self.read()
        if kind != 0x20 or body[1]:
            raise OSError("refused")

    def read(self):
        while True:
            if len(self.data) >= 2 and len(self.data) >= 2 + self.data[1]:  # acknowledgements are short
                kind, body = self.data[0], self.data[2:2 + self.data[1]]
                self.data = self.data[2 + self.data[1]:]
                return kind, body
            got = self.c.recv(65536)
            if not got:
                raise OSError("closed")
            self.data += got

    def send(self, bodies):
        if not self.c:
            self.connect()
        waiting, out = {}, b""
        for i, body in enumerate(bodies):
            waiting[i + 1] = body
            out += self.packet(0x30 | self.qos << 1, struct.pack(">H", len(self.topic)) + self.topic + struct.pack(">H", i + 1) + body)
        self.c.sendall(out)
        while waiting:
            kind, body = self.read()
            ident = struct.unpack(">H", body[:2])[0]
            if kind == 0x50:
                self.c.sendall(self.packet(0x62, body[:2]))
            else:
                bodies.remove(waiting.pop(ident))
