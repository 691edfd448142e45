# SPDX-License-Identifier: Apache-2.0
"""NSQ's own nsqd and nsqlookupd, which `make integration` builds from their Go module (tests/integration/nsq): what nsq_server.py plays cannot prove."""
import http.client
import json
import os
import time

from brokers import Broker, answers
from harness import ROOT, free_port

PROGRAMS = os.path.join(ROOT, "build", "nsq")


class RealLookupd(Broker):
    def __init__(self, directory):
        super().__init__(directory)
        self.nsqds = free_port()

    def command(self):
        return [f"{PROGRAMS}/nsqlookupd", f"-tcp-address=127.0.0.1:{self.nsqds}", f"-http-address=127.0.0.1:{self.port}", "-broadcast-address=127.0.0.1"]


class RealNsqd(Broker):
    """Keeps all messages on disk, so that a stop loses none."""

    def __init__(self, directory, lookupd, options=()):
        super().__init__(directory)
        self.lookupd, self.http, self.options = lookupd, free_port(), options

    def command(self):
        return [f"{PROGRAMS}/nsqd", f"-tcp-address=127.0.0.1:{self.port}", f"-http-address=127.0.0.1:{self.http}", f"-data-path={self.dir}",
                "-broadcast-address=localhost", f"-lookupd-tcp-address=127.0.0.1:{self.lookupd.nsqds}", "-mem-queue-size=0", *self.options]

    def ready(self):
        return answers(self.port) and answers(self.http)

    def ask(self, method, path, body=b""):
        c = http.client.HTTPConnection("127.0.0.1", self.http, timeout=30)
        try:
            c.request(method, path, body)
            r = c.getresponse()
            text = r.read()
            if r.status != 200:
                raise OSError(f"{method} {path}: {r.status} {text}")
            return text
        finally:
            c.close()

    def publish(self, topic, *bodies):
        self.ask("POST", f"/mpub?topic={topic}&binary=true",
                 len(bodies).to_bytes(4, "big") + b"".join(len(b).to_bytes(4, "big") + b for b in bodies))

    def left(self, topic, channel):
        """Messages of a channel that are not finished."""
        for t in json.loads(self.ask("GET", "/stats?format=json"))["topics"]:
            if t["topic_name"] == topic:
                return t["depth"] + sum(c["depth"] + c["in_flight_count"] + c["deferred_count"] for c in t["channels"] if c["channel_name"] == channel)
        return 0


class RealNsq:
    """Both, as a broker that the test of outages stops and starts. Their port is nsqlookupd's for clients."""

    def __init__(self, directory, options=()):
        os.makedirs(directory, exist_ok=True)
        self.lookupd = RealLookupd(os.path.join(directory, "lookupd"))
        self.nsqd = RealNsqd(os.path.join(directory, "nsqd"), self.lookupd, options)
        self.port = self.lookupd.port

    def start(self):
        self.lookupd.start()
        self.nsqd.start()
        return self

    def stop(self):
        self.nsqd.stop()
        self.lookupd.stop()

    def close(self):
        self.nsqd.close()
        self.lookupd.close()


class RealNsqPublisher:
    """Sends some at a time, until nsqd has said that it has them."""

    def __init__(self, broker, topic, window=200):
        self.b, self.topic, self.window, self.repeated = broker, topic, window, set()

    def send(self, some, end):
        while True:
            try:
                return self.b.nsqd.publish(self.topic, *some)
            except (OSError, http.client.HTTPException):
                self.repeated.update(some)
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def publish(self, bodies, seconds=1200):
        end, some = time.monotonic() + seconds, []
        for body in bodies:
            some.append(body)
            if len(some) == self.window:
                self.send(some, end)
                some = []
        if some:
            self.send(some, end)

    def close(self):
        pass
