# SPDX-License-Identifier: Apache-2.0
"""nsqd and nsqlookupd as the tests play them, from the published protocol (nsq.io/clients/tcp_protocol_spec.html), because no package and no registry
has the real ones: what a channel holds, who may have how much of it, time limits, heartbeats, TLS. What it has outlives stop(), as on nsqd's disk.
What that leaves unproven: whatever nsqd does otherwise than its documentation says."""
import collections
import json
import socket
import ssl
import struct
import threading
import time
import urllib.parse

from harness import free_port
from test_services import Server


class Client:
    def __init__(self, server, sock):
        self.server, self.sock, self.f = server, sock, sock.makefile("rb")
        self.channel, self.ready, self.flying, self.open = None, 0, {}, True
        self.write = threading.Lock()
        self.said, self.commands = time.monotonic(), collections.Counter()

    def send(self, kind, data):
        with self.write:
            self.sock.sendall(struct.pack(">Ii", len(data) + 4, kind) + data)

    def body(self):
        return self.f.read(struct.unpack(">I", self.f.read(4))[0])

    def identify(self):
        asked = json.loads(self.body())
        tls = bool(self.server.context and asked.get("tls_v1"))
        self.server.identified.append(asked)
        self.send(0, json.dumps({"max_rdy_count": self.server.max_ready, "version": "test", "max_msg_timeout": 900000, "tls_v1": tls,
                                 "msg_timeout": int(self.server.time_limit * 1000), "auth_required": self.server.auth}).encode())
        if tls:
            self.f.close()
            self.sock = self.server.context.wrap_socket(self.sock, server_side=True)
            self.f = self.sock.makefile("rb")
            self.send(0, b"OK")
        elif self.server.context and self.server.tls_required:
            raise ValueError("E_INVALID cannot SUB in current state (TLS required)")

    def run(self):
        try:
            if self.f.read(4) != b"  V2":
                raise OSError
            while line := self.f.readline():
                self.command(*line.decode().rstrip("\n").split(" "))
        except ValueError as e:
            self.send(1, str(e).encode())
        except (OSError, struct.error):
            pass
        finally:
            self.server.leave(self)

    def command(self, name, *words):
        self.said = time.monotonic()
        self.commands[name] += 1
        if name == "IDENTIFY":
            self.identify()
        elif name == "SUB":
            if words[0] in self.server.bad_topics:
                raise ValueError(f"E_BAD_TOPIC SUB topic name \"{words[0]}\" is not valid")
            with self.server.changed:
                self.channel = self.server.topic(words[0], words[1])
            self.send(0, b"OK")
        elif name == "RDY":
            with self.server.changed:
                self.ready = int(words[0])
                self.server.most_ready = max(self.server.most_ready, self.ready)
                self.server.changed.notify_all()
        elif name in ("FIN", "TOUCH"):
            with self.server.changed:
                message = self.flying.get(words[0].encode())
                if message and name == "FIN":
                    del self.flying[words[0].encode()]
                    self.server.finished.append(message["body"])
                elif message:
                    message["until"] = time.monotonic() + self.server.time_limit
                self.server.changed.notify_all()
            if not message:
                self.send(1, f"E_{name}_FAILED {name} {words[0]} failed ID not in flight".encode())
        elif name != "NOP":
            raise ValueError("E_INVALID invalid command " + name)


class Nsqd:
    def __init__(self, directory=None, time_limit=60, beat=15, tls_required=False, auth=False, max_ready=2500):
        self.port, self.time_limit, self.beat, self.auth, self.max_ready = free_port(), time_limit, beat, auth, max_ready
        self.context, self.tls_required = None, tls_required
        if directory:
            self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=f"{directory}/ca.crt")
            self.context.load_cert_chain(f"{directory}/server.crt", f"{directory}/server.key")
            self.context.verify_mode = ssl.CERT_REQUIRED
        self.changed = threading.Condition()
        self.topics, self.clients, self.listener = {}, [], None
        self.finished, self.identified, self.bad_topics, self.number, self.most_ready = [], [], set(), 0, 0
        self.commands = collections.Counter()

    def start(self):
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.listen, args=(self.listener,), daemon=True).start()
        threading.Thread(target=self.tick, args=(self.listener,), daemon=True).start()
        return self

    def listen(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            client = Client(self, sock)
            with self.changed:
                self.clients.append(client)
            threading.Thread(target=client.run, daemon=True).start()
            threading.Thread(target=self.deliver, args=(client,), daemon=True).start()

    def tick(self, listener):
        """Heartbeats and time limits."""
        beaten = time.monotonic()
        while self.listener is listener:
            with self.changed:
                self.changed.wait(0.05)
                now = time.monotonic()
                for c in self.clients:
                    for key in [k for k, m in c.flying.items() if m["until"] < now]:
                        c.channel.appendleft(c.flying.pop(key))
                clients = list(self.clients)
                self.changed.notify_all()
            if now - beaten < self.beat:
                continue
            beaten = now
            for c in clients:
                try:
                    if now - c.said > max(2 * self.beat, 10):
                        c.sock.shutdown(socket.SHUT_RDWR)
                    elif c.channel is not None:
                        c.send(0, b"_heartbeat_")
                except OSError:
                    pass

    def deliver(self, client):
        while True:
            with self.changed:
                self.changed.wait_for(lambda: not client.open or (client.channel and len(client.flying) < client.ready))
                if not client.open:
                    return
                m = client.channel.popleft()
                m["attempts"] += 1
                m["until"] = time.monotonic() + self.time_limit
                client.flying[m["id"]] = m
            try:
                client.send(2, struct.pack(">qH", m["time"], m["attempts"]) + m["id"] + m["body"])
            except OSError:
                return

    def leave(self, client):
        client.sock.close()
        with self.changed:
            client.open = False
            if client in self.clients:
                self.clients.remove(client)
                self.commands += client.commands
            for m in client.flying.values():
                client.channel.appendleft(m)
            client.flying = {}
            self.changed.notify_all()

    def topic(self, topic, channel):
        channels = self.topics.setdefault(topic, {})
        if channel not in channels:
            channels[channel] = collections.deque(channels.pop(None, ()))
        return channels[channel]

    def publish(self, topic, *bodies):
        with self.changed:
            channels = self.topics.setdefault(topic, {}) or {None: collections.deque()}
            self.topics[topic] = channels
            for body in bodies:
                self.number += 1
                m = {"id": b"%016x" % self.number, "time": time.time_ns(), "body": body}
                for queue in channels.values():
                    queue.append(dict(m, attempts=0))
            self.changed.notify_all()

    def left(self):
        """Messages that are not finished."""
        with self.changed:
            return sum(len(q) for channels in self.topics.values() for q in channels.values()) + sum(len(c.flying) for c in self.clients)

    def stop(self):
        listener, self.listener = self.listener, None
        if listener:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self.changed:
            clients = list(self.clients)
        for c in clients:
            try:
                c.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        with self.changed:
            self.changed.wait_for(lambda: not self.clients, 10)

    close = stop


class Lookupd(Server):
    """Knows which of the nsqds has a topic."""

    def __init__(self, *nsqds, host="127.0.0.1"):
        super().__init__(self.look)
        self.nsqds, self.host, self.asked = list(nsqds), host, 0
        self.others = []  # addresses where nobody is

    def look(self, call):
        self.asked += 1
        url = urllib.parse.urlsplit(call["path"])
        status, body = self.who_has(urllib.parse.parse_qs(url.query)["topic"][0]) if url.path == "/lookup" else (404, {})
        return status, {}, json.dumps(body).encode()

    def who_has(self, topic):
        found = [d.port for d in self.nsqds if topic in d.topics] + self.others
        producers = [{"remote_address": "127.0.0.1:1", "hostname": "h", "broadcast_address": self.host, "tcp_port": p, "http_port": 1, "version": "1"} for p in found]
        return (200, {"channels": [], "producers": producers}) if producers else (404, {"message": "TOPIC_NOT_FOUND"})


class NsqBroker:
    """Both, as a broker that the test of outages stops and starts."""

    def __init__(self, directory):
        self.nsqd = Nsqd()
        self.lookupd = Lookupd(self.nsqd)
        self.port, self.up = self.lookupd.port, False
        self.nsqd.publish("t")

    def start(self):
        self.nsqd.start()
        self.lookupd.start()
        self.up = True
        return self

    def stop(self):
        self.up = False
        self.nsqd.stop()
        self.lookupd.stop()

    close = stop


class NsqPublisher:
    """Puts messages into the nsqd while it is up."""

    def __init__(self, broker, topic):
        self.b, self.topic, self.repeated = broker, topic, set()

    def publish(self, bodies, seconds=1200):
        end = time.monotonic() + seconds
        for body in bodies:
            while not self.b.up:
                if time.monotonic() > end:
                    raise OSError("the nsqd is down")
                time.sleep(0.01)
            self.b.nsqd.publish(self.topic, body)

    def close(self):
        pass
