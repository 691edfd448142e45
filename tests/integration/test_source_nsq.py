# SPDX-License-Identifier: Apache-2.0
"""Event source nsq against nsqd and nsqlookupd as nsq_server.py plays them from the published protocol, because no package of Debian's has the real ones;
`make integration` builds those from their Go module, and asks them the same."""
import base64
import json
import os
import sqlite3
import threading
import unittest

from brokers import Broker
from harness import FULL, free_port, scaled, until
from nsq_real import RealNsq
from nsq_server import Lookupd, Nsqd
from source_case import SourceCase, ref


class Nsq(SourceCase):
    def serve(self, *nsqds, host="127.0.0.1"):
        self.lookupd = Lookupd(*[d.start() for d in nsqds], host=host).start()
        self.addCleanup(self.lookupd.stop)
        for d in nsqds:
            self.addCleanup(d.stop)
        return nsqds[0] if nsqds else None

    def listen(self, more="", topic="t", start=True, **secrets):
        return self.source("nsq", f"hostAddress: 127.0.0.1:{self.lookupd.port}\ntopic: {topic}\nchannel: c\n{more}", start=start, **secrets)

    def running(self, *args, **more):
        d = self.listen(*args, **more)
        self.wait_state(d, "running")
        return d

    def bodies(self, d):
        return [base64.b64decode(e["body"]) for e in self.events(d)]

    def test_data(self):
        n = self.serve(Nsqd())
        n.publish("t", b"<one>")
        d = self.running("metadata: {colour: blue}")
        self.wait_events(d, 1)
        self.assertRegex(self.text(d, 0),
                         r'^\{"body":"PG9uZT4=","timestamp":"1\d{18}","nsqdAddress":"127\.0\.0\.1:%d","metadata":\{"colour":"blue"\}\}$' % n.port)
        self.assertEqual([json.loads(x)["type"] for x in d.cli("events", "-o", "json").stdout.splitlines()], ["nsq"])
        until(lambda: n.left() == 0, 30, "the end of the message")
        self.assertEqual(n.identified[0]["tls_v1"], False)

    def test_json_body_that_is_none(self):
        n = self.serve(Nsqd())
        n.publish("t", b"{", b'{ "n": 1.50 }')
        d = self.running("jsonBody: true")
        self.assertEqual([e["body"] for e in self.wait_events(d, 1)], [{"n": 1.5}])
        until(lambda: n.left() == 0, 30, "the end of both")
        until(lambda: self.state(d).get("refused") == 1, 30, "the count")
        d.cli("emit", "es/e", "-d", '{"a": 1}')
        self.assertEqual(self.wait_events(d, 2)[1]["body"], {"a": 1})

    def test_topic_that_comes_later(self):
        """Nobody has it: that is no failure."""
        n = self.serve(Nsqd())
        d = self.running()
        n.publish("t", b"x")
        self.assertEqual([base64.b64decode(e["body"]) for e in self.wait_events(d, 1)], [b"x"])

    def test_many_nsqds(self):
        """One of them comes later, and one that is known is not there."""
        first, second, third = Nsqd(), Nsqd(), Nsqd()
        self.serve(first, second)
        self.lookupd.others.append(free_port())
        for n in (first, second):
            n.publish("t", *[b"%d" % i for i in range(500)])
        d = self.running()
        self.wait_events(d, 1000)
        self.lookupd.nsqds.append(third.start())
        self.addCleanup(third.stop)
        third.publish("t", b"third")
        self.wait_events(d, 1001)
        second.stop()
        first.publish("t", b"goes on")
        self.wait_events(d, 1002)
        self.assertEqual(self.state(d)["state"], "running")
        second.publish("t", b"is back")
        second.start()
        self.wait_events(d, 1003)
        until(lambda: first.left() + second.left() + third.left() == 0, 30, "the end of all")
        self.assertEqual(sorted(self.bodies(d)), sorted([b"%d" % i for i in range(500)] * 2 + [b"third", b"goes on", b"is back"]))
        self.assertLessEqual(first.most_ready, 256)

    def test_restarts(self):
        n = self.serve(Nsqd())
        n.publish("t", b"0")
        d = self.running()
        for i in range(2):
            self.wait_events(d, i + 1)
            n.stop()
            self.wait_state(d, "failed", "nsq: ")
            n.publish("t", b"%d" % (i + 1))
            n.start()
        self.wait_events(d, 3)
        self.assertEqual(self.bodies(d), [b"0", b"1", b"2"])
        self.assertLessEqual(len(self.lines(d)), 10, d.log())

    def test_killed(self):
        n = self.serve(Nsqd())
        count = scaled(3000, 20000)
        n.publish("t", b"first")
        d = self.running()
        sender = threading.Thread(target=lambda: [n.publish("t", b"%d" % i) for i in range(count)])
        sender.start()
        for part in (5, 3, 2):
            until(lambda: self.count(d) > count // part, 120, "some")
            d.kill()
            d.start()
        sender.join()
        until(lambda: self.count(d) > count, 120, "all")
        until(lambda: n.left() == 0, 60, "the end of all")
        self.assertEqual(sorted(self.bodies(d)), sorted([b"first"] + [b"%d" % i for i in range(count)]))

    def test_nothing_is_finished_before_it_is_on_disk(self):
        """While the disk stands still messages are touched, and none is finished; then all are."""
        n = self.serve(Nsqd(time_limit=6))
        n.publish("t", b"before")
        d = self.running()
        until(lambda: n.left() == 0, 30, "the first")
        with sqlite3.connect(f"{d.state}/tidegate.db", timeout=60, isolation_level=None) as db:
            db.execute("BEGIN IMMEDIATE")
            n.publish("t", *[b"%d" % i for i in range(50)])
            until(lambda: sum(c.commands["TOUCH"] for c in n.clients) >= 50, 30, "touches")
            self.assertEqual(n.finished, [b"before"])
            db.execute("ROLLBACK")
        db.close()
        self.wait_events(d, 51)
        until(lambda: n.left() == 0, 30, "the end of all")
        self.assertEqual(len(self.bodies(d)), 51)

    def test_heartbeats(self):
        """An nsqd whose heartbeats are not answered hangs up."""
        n = self.serve(Nsqd(beat=0.2))
        n.publish("t", b"x")
        d = self.running()
        until(lambda: n.clients and n.clients[0].commands["NOP"] >= 20, 60, "answers")
        self.assertLessEqual(len(self.lines(d)), 3, d.log())

    def test_what_is_refused(self):
        n = self.serve(Nsqd(auth=True))
        n.publish("t", b"x")
        d = self.listen()
        self.wait_state(d, "failed", "wants AUTH")
        n.auth = False
        n.bad_topics.add("t")
        self.wait_state(d, "failed", "E_BAD_TOPIC")
        n.bad_topics.clear()
        self.wait_state(d, "running")

    def test_no_lookupd(self):
        self.serve()
        self.lookupd.stop()
        d = self.listen()
        self.wait_state(d, "failed", f"nsq: nsqlookupd: connecting to 127.0.0.1:{self.lookupd.port}: Connection refused")
        self.lookupd.start()
        self.wait_state(d, "running")

    def test_lookupd_that_goes(self):
        """Those that are connected go on."""
        n = self.serve(Nsqd())
        n.publish("t", b"x")
        d = self.running()
        self.wait_events(d, 1)
        self.lookupd.stop()
        n.publish("t", b"y")
        self.wait_events(d, 2)

    def test_tls(self):
        certificates = Broker(os.path.join(self.directory, "certificates"))
        certificates.certificates("DNS:localhost")
        n = self.serve(Nsqd(certificates.dir, tls_required=True), host="localhost")
        n.publish("t", b"x" * 100000)
        keys = {"ca": certificates.text("ca.crt"), "other": certificates.text("other.crt"), "cert": certificates.text("client.crt"),
                "key": certificates.text("client.key")}
        ours = f"clientCertSecret: {ref('cert')}, clientKeySecret: {ref('key')}"
        d = self.running(f"tls: {{caCertSecret: {ref('ca')}, {ours}}}", **keys)
        self.wait_events(d, 1)
        self.assertEqual(len(self.bodies(d)[0]), 100000)
        d.stop()
        for tls, reason in ((f"caCertSecret: {ref('other')}, {ours}", "authority that is trusted"), (f"caCertSecret: {ref('ca')}", "may want a certificate")):
            d = self.listen(f"tls: {{{tls}}}", **keys)
            self.wait_state(d, "failed", reason)
            d.stop()
        d = self.listen()
        self.wait_state(d, "failed", "TLS required")
        d.stop()
        plain = Nsqd()
        self.serve(plain)
        plain.publish("t", b"x")
        self.wait_state(self.listen(f"tls: {{caCertSecret: {ref('ca')}}}", **keys), "failed", "has no TLS")

    def test_names(self):
        self.serve()
        done = self.listen(topic='"t\\nRDY 1"', start=False).cli("lint", os.path.join(self.directory, "manifests"), check=False)
        self.assertIn("topic: a topic has 1 to 64 letters", done.stdout + done.stderr)


@unittest.skipUnless(FULL, "nsqd is not a package of Debian's: make integration")
class Real(SourceCase):
    """NSQ's own servers."""

    def serve(self, *options):
        self.b = RealNsq(os.path.join(self.directory, "nsq"), options)
        self.addCleanup(self.b.close)
        return self.b.start().nsqd

    def listen(self, more="", **secrets):
        d = self.source("nsq", f"hostAddress: 127.0.0.1:{self.b.port}\ntopic: t\nchannel: c\n{more}", **secrets)
        self.wait_state(d, "running")
        return d

    def test_data(self):
        n = self.serve()
        n.publish("t", b"<one>", bytes(range(256)))
        d = self.listen("metadata: {colour: blue}")
        self.wait_events(d, 2)
        self.assertRegex(self.text(d, 0),
                         r'^\{"body":"PG9uZT4=","timestamp":"1\d{18}","nsqdAddress":"localhost:%d","metadata":\{"colour":"blue"\}\}$' % n.port)
        self.assertEqual(base64.b64decode(self.events(d)[1]["body"]), bytes(range(256)))
        until(lambda: n.left("t", "c") == 0, 30, "the end of both")

    def test_killed(self):
        n = self.serve("-msg-timeout=5s")
        d = self.listen()
        wanted = [b"%d" % i for i in range(5000)]
        for k, first in enumerate(range(0, len(wanted), 1000)):
            n.publish("t", *wanted[first:first + 1000])
            until(lambda: self.count(d) > first, 60, "some")  # pylint: disable=cell-var-from-loop
            if k % 2:
                d.kill()
                d.start()
        self.wait_events(d, len(wanted), 120)
        until(lambda: n.left("t", "c") == 0, 60, "the end of all")
        self.assertEqual(sorted(base64.b64decode(e["body"]) for e in self.events(d)), sorted(wanted))

    def test_tls(self):
        c = Broker(os.path.join(self.directory, "certificates"))
        c.certificates("DNS:localhost")
        n = self.serve(f"-tls-cert={c.dir}/server.crt", f"-tls-key={c.dir}/server.key", f"-tls-root-ca-file={c.dir}/ca.crt",
                       "-tls-client-auth-policy=require-verify", "-tls-required=tcp-https")
        n.publish("t", b"x" * 100000)
        d = self.listen(f"tls: {{caCertSecret: {ref('ca')}, clientCertSecret: {ref('cert')}, clientKeySecret: {ref('key')}}}", ca=c.text("ca.crt"),
                        cert=c.text("client.crt"), key=c.text("client.key"))
        self.wait_events(d, 1)
        self.assertEqual(len(base64.b64decode(self.events(d)[0]["body"])), 100000)


if __name__ == "__main__":
    unittest.main()
