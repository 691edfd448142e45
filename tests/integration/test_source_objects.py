# SPDX-License-Identifier: Apache-2.0
"""Sources of objects: `resource` over workflows and the other objects of the daemon itself, through kills at any moment; `generic` with a server by
grpcio, which is one more client's idea of the protocol and not a peer of our own."""
import base64
import contextlib
import json
import os
import sqlite3
import subprocess
import threading
import time
import unittest

from brokers import Broker, Redis
from ceph import Ceph
from harness import FULL, TestCase, free_port, post, scaled, until
from minio_stub import Minio

SOURCE = """apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {name: objects}
spec:
  resource:
"""
WORKFLOWS = "group: argoproj.io, version: v1alpha1, resource: workflows"
FLOW = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: NAME, labels: {team: TEAM}}
spec: {entrypoint: main, templates: [{name: main, suspend: {DURATION}}]}
"""
CHAIN = """---
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {name: chain}
spec:
  dependencies: [{name: d, eventSourceName: objects, eventName: ended}]
  triggers:
  - template:
      name: next
      argoWorkflow:
        operation: submit
        parameters: [{src: {dependencyName: d, dataKey: body.metadata.name}, dest: spec.arguments.parameters.0.value}]
        source:
          resource:
            apiVersion: argoproj.io/v1alpha1
            kind: Workflow
            metadata: {generateName: second-}
            spec:
              entrypoint: main
              arguments: {parameters: [{name: of, value: ""}]}
              templates: [{name: main, suspend: {duration: "0"}}]
"""


def config_map(name, value):
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, labels: {{team: a}}}}\ndata: {{key: \"{value}\"}}\n"


def events(d, subject):
    """The data of all events of an entry, oldest first, as they are on disk."""
    with contextlib.closing(sqlite3.connect(f"file:{d.state}/tidegate.db?mode=ro", uri=True)) as db:
        return [json.loads(row[0]) for row in db.execute("SELECT data FROM bus_event WHERE subject = ? ORDER BY key", (subject,))]


def told(d, subject):
    return [(e["type"], e["body"]["metadata"]["name"]) for e in events(d, subject)]


class Resource(TestCase):
    def submit(self, d, name, team="a", duration='duration: "0"'):
        path = os.path.join(self.directory, name + ".yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(FLOW.replace("NAME", name).replace("TEAM", team).replace("DURATION", duration))
        d.cli("submit", path)

    def settled(self, d, subject, wanted):
        until(lambda: len(told(d, subject)) >= len(wanted), 60, f"{wanted} of {subject}")
        self.assertEqual(told(d, subject), wanted)

    def test_the_life_of_a_workflow(self):
        d = self.daemon({"m.yaml": SOURCE + f"    all: {{{WORKFLOWS}, eventTypes: [ADD, UPDATE, DELETE], metadata: {{k: v}}}}\n"
                                            f"    gone: {{{WORKFLOWS}, eventTypes: [DELETE]}}\n"})
        self.submit(d, "w", duration="")
        until(lambda: told(d, "all"), what="the first event")
        d.cli("resume", "w")
        until(lambda: events(d, "all")[-1]["body"]["status"].get("phase") == "Succeeded", what="the end")
        d.cli("delete", "w")
        until(lambda: told(d, "gone") == [("DELETE", "w")], what="the deletion")
        until(lambda: told(d, "all")[-1][0] == "DELETE", what="the deletion")
        all_ = events(d, "all")
        self.assertEqual(list(all_[0]), ["type", "body", "oldBody", "group", "version", "resource", "metadata"])
        self.assertEqual([all_[0][k] for k in ("oldBody", "group", "version", "resource", "metadata")],
                         [None, "argoproj.io", "v1alpha1", "workflows", {"k": "v"}])
        self.assertEqual(all_[0]["body"]["kind"], "Workflow")
        self.assertEqual(set(t for t, _ in told(d, "all")[1:-1]), {"UPDATE"})
        last = all_[-2]
        self.assertEqual((last["oldBody"]["status"]["phase"], last["body"]["status"]["phase"]), ("Running", "Succeeded"))
        self.assertIsNone(all_[-1]["oldBody"])
        self.assertEqual(all_[-1]["body"]["status"]["phase"], "Succeeded")

    def test_filters(self):
        d = self.daemon({"m.yaml": SOURCE + f"""
    prefix: {{{WORKFLOWS}, eventTypes: [ADD], filter: {{prefix: a-}}}}
    label: {{{WORKFLOWS}, eventTypes: [ADD], filter: {{labels: [{{key: team, operation: in, value: "x,b"}}, {{key: none, operation: "!"}}]}}}}
    field: {{{WORKFLOWS}, eventTypes: [ADD], filter: {{fields: [{{key: metadata.name, operation: ==, value: "^b.*1$"}}]}}}}
    other: {{{WORKFLOWS}, eventTypes: [ADD], filter: {{fields: [{{key: metadata.name, operation: "!=", value: "^b"}}]}}}}
    old: {{{WORKFLOWS}, eventTypes: [ADD], filter: {{createdBy: "2020-01-01T00:00:00Z"}}}}
    elsewhere: {{{WORKFLOWS}, eventTypes: [ADD], namespace: none}}
    # As a watch by labels sees it: a workflow is added when it comes to have them, and deleted when it has them no more.
    ended: {{{WORKFLOWS}, eventTypes: [ADD], filter: {{labels: [{{key: workflows.argoproj.io/phase, operation: ==, value: Succeeded}}]}}}}
    began: {{{WORKFLOWS}, eventTypes: [DELETE], filter: {{labels: [{{key: workflows.argoproj.io/phase, value: Running}}]}}}}
    every: {{{WORKFLOWS}, eventTypes: [ADD]}}
"""})
        for name, team in (("a-1", "a"), ("b-1", "b"), ("b-2", "b")):
            self.submit(d, name, team, duration="")
            d.cli("resume", name)
        self.settled(d, "every", [("ADD", "a-1"), ("ADD", "b-1"), ("ADD", "b-2")])
        self.settled(d, "ended", [("ADD", "a-1"), ("ADD", "b-1"), ("ADD", "b-2")])
        self.settled(d, "prefix", [("ADD", "a-1")])
        self.settled(d, "label", [("ADD", "b-1"), ("ADD", "b-2")])
        self.settled(d, "field", [("ADD", "b-1")])
        self.settled(d, "other", [("ADD", "a-1")])
        self.settled(d, "began", [("DELETE", "a-1"), ("DELETE", "b-1"), ("DELETE", "b-2")])
        for none in ("old", "elsewhere"):
            self.assertEqual(told(d, none), [])

    def test_what_was_there_before_is_told_once(self):
        """Also when the daemon is killed meanwhile and started again: never twice, as Argo does at every start."""
        d = self.daemon({"none.yaml": config_map("cm", "1")})
        n = scaled(70, 500)
        wanted = []
        for i in range(n):
            self.submit(d, f"w-{i:03}")
            wanted.append(("ADD", f"w-{i:03}"))
        until(lambda: len(d.list()) == n and all(w["status"]["phase"] == "Succeeded" for w in d.list()), 120, "their end")
        d.write("m.yaml", SOURCE + f"    all: {{{WORKFLOWS}, eventTypes: [ADD]}}\n    new: {{{WORKFLOWS}, eventTypes: [ADD], filter: {{afterStart: true}}}}\n")
        until(lambda: told(d, "all"), what="the first ones")
        d.kill()
        d.start()
        until(lambda: len(told(d, "all")) >= n, 60, "all of them")
        d.kill()
        d.start()
        self.submit(d, "after")
        self.settled(d, "all", wanted + [("ADD", "after")])
        self.settled(d, "new", [("ADD", "after")])

    def test_a_workflow_that_ended_starts_the_next_through_kills(self):
        """Each that ends starts exactly one, wherever the daemon is killed between the end of the first and the start of the second."""
        d = self.daemon({"m.yaml": SOURCE + f"    ended: {{{WORKFLOWS}, eventTypes: [ADD], filter: {{afterStart: true, prefix: first-,"
                                            " labels: [{key: workflows.argoproj.io/phase, operation: ==, value: Succeeded}]}}\n" + CHAIN})
        names = []
        for kill in range(scaled(6, 40)):
            for i in range(5):
                names.append(f"first-{kill}-{i}")
                self.submit(d, names[-1])
            d.kill()
            d.start()

        def seconds():
            found = [w for w in d.list() if w["metadata"]["name"].startswith("second-")]
            return found if len(found) >= len(names) and all(w["status"].get("phase") == "Succeeded" for w in found) else None

        until(seconds, 120, "a second one of each")
        of = sorted(w["spec"]["arguments"]["parameters"][0]["value"] for w in seconds())
        self.assertEqual(of, sorted(names))

    def test_objects_of_the_configuration(self):
        """What changed while nothing ran is told at the next start, with what it was before."""
        d = self.daemon({"cm.yaml": config_map("one", "1"), "m.yaml": SOURCE + """
    maps: {version: v1, resource: configmaps, eventTypes: [ADD, UPDATE, DELETE]}
    later: {version: v1, resource: configmaps, eventTypes: [ADD], filter: {afterStart: true}}
    sources: {group: argoproj.io, version: v1alpha1, resource: eventsources, eventTypes: [ADD]}
"""})
        self.settled(d, "maps", [("ADD", "one")])
        self.settled(d, "sources", [("ADD", "objects")])
        d.write("cm.yaml", config_map("one", "2"))
        until(lambda: len(told(d, "maps")) == 2, what="the change")
        last = events(d, "maps")[-1]
        self.assertEqual((last["type"], last["oldBody"]["data"], last["body"]["data"], last["group"]), ("UPDATE", {"key": "1"}, {"key": "2"}, ""))
        d.kill()
        d.write("cm.yaml", config_map("two", "<3>"))
        d.start()
        until(lambda: len(told(d, "maps")) == 4, what="what came meanwhile")
        self.assertEqual(told(d, "maps")[:2] + sorted(told(d, "maps")[2:]), [("ADD", "one"), ("UPDATE", "one"), ("ADD", "two"), ("DELETE", "one")])
        self.settled(d, "later", [("ADD", "two")])
        d.kill()
        d.write("cm2.yaml", config_map("three", "4"))
        d.start()
        until(lambda: len(told(d, "maps")) >= 5, what="the third one")
        self.assertEqual(told(d, "maps")[4:], [("ADD", "three")])

    def test_a_chain_that_leads_to_itself_lets_others_go_on(self):
        d = self.daemon({"m.yaml": SOURCE + f"    ended: {{{WORKFLOWS}, eventTypes: [ADD]}}\n" + CHAIN})
        self.submit(d, "seed")
        until(lambda: len(told(d, "ended")) > 20, 60, "a few rounds")
        self.submit(d, "another")
        until(lambda: ("ADD", "another") in told(d, "ended"), 60, "the other one")
        d.cli("get", "another")

    def test_what_is_not_told_of_is_refused(self):
        path = os.path.join(self.directory, "m.yaml")
        for entry, text in (("version: v1, resource: pods", "nothing to complain about"),  # of a cluster, if the settings name one: test_source_cluster.py
                            ("version: v1, resource: secrets", "secrets are not told of"),
                            ("group: argoproj.io, version: v1, resource: workflows", 'are of group "argoproj.io" and version v1alpha1')):
            with open(path, "w", encoding="utf-8") as f:
                f.write(SOURCE + f"    e: {{{entry}, eventTypes: [ADD]}}\n")
            d = self.daemon({}, start=False)
            self.assertIn(text, d.cli("lint", path, check=False).stdout + d.cli("lint", path, check=False).stderr)


class Eventing(Broker):
    """The server of grpc_events.py; its events are lines of a file."""

    def __init__(self, directory, tls=False):
        super().__init__(directory)
        self.tls, self.calls_path = tls, os.path.join(directory, "calls")
        if tls:
            self.certificates()

    def start(self):
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "grpc_events.py")
        files = [os.path.join(self.dir, "server.crt"), os.path.join(self.dir, "server.key")] if self.tls else []
        self.process = subprocess.Popen(["/usr/bin/python3", program, str(self.port), self.calls_path, *files], stdout=subprocess.PIPE)
        if not self.process.stdout.readline():
            raise AssertionError("the server of gRPC does not start: python3-grpcio is needed")

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(60)
            self.process.stdout.close()
            self.process = None

    def send(self, *payloads):
        with open(self.calls_path + ".events", "ab") as f:
            f.write(b"".join(p + b"\n" for p in payloads))

    def calls(self):
        if not os.path.exists(self.calls_path):
            return []
        with open(self.calls_path, encoding="utf-8") as f:
            return [json.loads(line) for line in f]


class Generic(TestCase):
    def eventing(self, tls=False):
        server = Eventing(os.path.join(self.directory, "eventing"), tls)
        self.addCleanup(server.stop)
        server.start()
        return server

    @staticmethod
    def source(port, more, host="127.0.0.1"):
        return ("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {token: sesame, wrong: other, ca: $CA}\n---\n"
                "apiVersion: argoproj.io/v1alpha1\nkind: EventSource\nmetadata: {name: g}\n"
                f"spec:\n  generic:\n    e: {{url: \"{host}:{port}\", {more}}}\n")

    def bodies(self, d):
        return [e["body"] for e in events(d, "e")]

    def state(self, d):
        return json.loads(d.cli("get", "eventsources", "-o", "json").stdout)

    def test_events_through_restarts_of_both(self):
        server = self.eventing()
        d = self.daemon({"m.yaml": self.source(server.port, "insecure: true, config: \"a: <b>\", jsonBody: true, metadata: {k: v},"
                                                            " authSecret: {name: s, key: token}")})
        server.send(b'{"n": 1.50, "t": "<"}', b"no JSON", b'"two"')
        until(lambda: len(self.bodies(d)) == 2, what="two events")
        self.assertEqual(events(d, "e")[0], {"body": {"n": 1.5, "t": "<"}, "metadata": {"k": "v"}})
        self.assertEqual(server.calls(), [{"token": "Bearer sesame", "name": "e", "config": "a: <b>"}])
        self.assertIn("invalid character 'o' in literal null", d.log())
        for i in range(scaled(2, 5)):
            server.stop()
            server.send(f'"while it was away {i}"'.encode())
            server.start()
            until(lambda: f"while it was away {i}" in self.bodies(d), 120, "what came meanwhile")
            d.kill()
            server.send(f'"while nobody asked {i}"'.encode())
            d.start()
            server.send(f'"and then {i}"'.encode())
            until(lambda: f"and then {i}" in self.bodies(d), 120, "what came then")
        self.assertEqual(len(self.bodies(d)), len(set(json.dumps(b) for b in self.bodies(d))))

    def test_a_burst_comes_whole_and_in_order(self):
        server, n = self.eventing(), scaled(20000, 200000)
        d = self.daemon({"m.yaml": self.source(server.port, f"insecure: true, config: burst {n}, jsonBody: true")})
        until(lambda: len(self.bodies(d)) >= n, 300, "all of them")
        self.assertEqual([b["n"] for b in self.bodies(d)], list(range(n)))

    def test_large_events_and_bodies_as_base64(self):
        server = self.eventing()
        d = self.daemon({"m.yaml": self.source(server.port, "insecure: true, config: huge 3000000")})
        until(lambda: self.bodies(d), 60, "the event")
        self.assertEqual(base64.b64decode(self.bodies(d)[0]), b'"' + b"x" * 3000000 + b'"')

    def test_an_outage_is_a_few_lines_of_log(self):
        d = self.daemon({"m.yaml": self.source(free_port(), "insecure: true, config: c")})
        until(lambda: "Could not connect" in d.log() or "Couldn't connect" in d.log() or "Failed to connect" in d.log(), what="the reason")
        until(lambda: "failed" in d.cli("status").stdout, what="the state")
        self.assertLess(d.log().count("source does not run"), 3)

    def test_a_wrong_token_is_named(self):
        server = self.eventing()
        d = self.daemon({"m.yaml": self.source(server.port, "insecure: true, config: c, authSecret: {name: s, key: wrong}")})
        until(lambda: "UNAUTHENTICATED: who are you?" in d.log(), what="the server's words")

    def test_tls_is_verified(self):
        server = self.eventing(tls=True)
        ca = json.dumps(server.text("ca.crt"))
        d = self.daemon({"m.yaml": self.source(server.port, "config: c, jsonBody: true, caCertificate: {name: s, key: ca}").replace("$CA", ca)})
        server.send(b'"secret"')
        until(lambda: self.bodies(d) == ["secret"], what="the event over TLS")
        d.stop()
        d.write("m.yaml", self.source(server.port, "config: c, jsonBody: true"))
        d.start()
        until(lambda: "certificate" in d.log(), what="the refusal")
        self.assertEqual(len(server.calls()), 1)


class Bucket(TestCase):
    """`minio` against minio_stub.py, a peer of these tests."""

    def stub(self, **options):
        stub = Minio(**options)
        self.addCleanup(stub.stop)
        stub.start()
        return stub

    @staticmethod
    def source(stub, more="insecure: true", secret="s3cr3t", ca="none", events='["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]'):
        return ("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {access: AKID, secret: " + secret + ", ca: " + ca + "}\n---\n"
                "apiVersion: argoproj.io/v1alpha1\nkind: EventSource\nmetadata: {name: m}\n"
                f"spec:\n  minio:\n    e: {{endpoint: \"127.0.0.1:{stub.port}\", bucket: {{name: in-box}}, accessKey: {{name: s, key: access}},"
                f" secretKey: {{name: s, key: secret}}, events: {events}, {more}}}\n")

    @staticmethod
    def told(d):
        return [(e["notification"][0]["eventName"].split(":")[1], e["notification"][0]["s3"]["object"]["key"]) for e in events(d, "e")]

    def listening(self, stub):
        until(stub.listeners, 60, "a listener")

    def test_notifications(self):
        stub = self.stub()
        d = self.daemon({"m.yaml": self.source(stub, "insecure: true, metadata: {k: v}, filter: {prefix: in/, suffix: .csv}")})
        self.listening(stub)
        stub.put("in/a b<ü>.csv", b"12345")
        stub.put("out/b.csv")
        stub.put("in/b.txt")
        stub.say(b"\n \n{\"Records\": null}\nno JSON\n")
        stub.remove("in/a b<ü>.csv")
        until(lambda: len(self.told(d)) == 2, what="two events")
        self.assertEqual(self.told(d), [("ObjectCreated", "in/a b<ü>.csv"), ("ObjectRemoved", "in/a b<ü>.csv")])
        first = events(d, "e")[0]
        self.assertEqual((list(first), first["metadata"]), (["notification", "metadata"], {"k": "v"}))
        record = first["notification"][0]
        self.assertEqual(list(record), ["eventVersion", "eventSource", "awsRegion", "eventTime", "eventName", "userIdentity", "requestParameters", "responseElements",
                                        "s3", "source"])
        self.assertEqual(list(record["s3"]["object"]), ["key", "size", "eTag", "contentType", "userMetadata", "sequencer"])
        self.assertEqual(list(events(d, "e")[1]["notification"][0]["s3"]["object"]), ["key", "sequencer"])
        until(lambda: "a notification cannot be read" in d.log(), what="the word about the broken line")
        self.assertIn("events=s3%3AObjectCreated%3A%2A&events=s3%3AObjectRemoved%3A%2A&ping=1&prefix=in%2F&suffix=.csv", stub.calls[0])

    def test_what_was_missed_is_found_once(self):
        """Through breaks of the stream, restarts of the server and kills of the daemon; the listing comes in pages."""
        stub = self.stub()
        stub.page = 3
        for i in range(8):
            stub.put(f"before-{i}.csv", at=1784109600 + i)
        d = self.daemon({"m.yaml": self.source(stub, "insecure: true, filter: {suffix: .csv}")})
        wanted = []

        def put(name, n):
            for i in range(n):
                wanted.append(f"{name}-{i}.csv")
                stub.put(wanted[-1], name.encode())
                stub.put(f"{name}-{i}.txt")

        def settled():
            until(lambda: len(self.told(d)) >= len(wanted), 90, "all of them")
            self.assertEqual(sorted(k for _, k in self.told(d)), sorted(wanted))

        self.listening(stub)
        until(lambda: "source runs" in d.log(), what="the connection")
        for i in range(scaled(3, 8)):
            put(f"live{i}", 3)
            settled()
            stub.stop()
            put(f"away{i}", 5)
            stub.start()
            self.listening(stub)
            put(f"back{i}", 2)
            settled()
            d.kill()
            until(lambda: not stub.listeners() or stub.break_streams() is None, what="the end of the stream")
            put(f"killed{i}", 5)
            d.start()
            self.listening(stub)
            settled()
            stub.break_streams()
            put(f"broken{i}", 4)
            self.listening(stub)
            settled()
        found = next(e["notification"][0] for e in events(d, "e") if e["notification"][0]["s3"]["object"]["key"] == "away0-0.csv")
        self.assertEqual((found["eventName"], found["s3"]["configurationId"], found["s3"]["object"]["size"]), ("s3:ObjectCreated:Put", "tidegate-listing", 5))
        self.assertLess(d.log().count("source does not run"), 20 * scaled(3, 8))

    def test_a_listing_of_a_connection_before_may_fail(self):
        """What is asked for after it is asked for at once, not when a failed listing would be tried again."""
        stub = self.stub()
        d = self.daemon({"m.yaml": self.source(stub)})
        self.listening(stub)
        until(lambda: "source runs" in d.log(), what="the connection")
        fail = stub.held_listing = threading.Event()
        stub.break_streams()
        until(stub.holding.is_set, what="the listing")
        stub.break_streams()
        until(lambda: not stub.listeners(), what="the end of the stream")
        stub.put("missed")
        runs = d.log().count("source runs")
        until(lambda: d.log().count("source runs") > runs, what="the next connection")
        fail.set()
        until(lambda: self.told(d), 120, what="what was missed")
        self.assertNotIn("notifications that were missed are not known yet", d.log())

    def test_only_creations_are_looked_for_if_they_are_asked_for(self):
        stub = self.stub()
        d = self.daemon({"m.yaml": self.source(stub, events='["s3:ObjectRemoved:*"]')})
        self.listening(stub)
        stub.put("a")
        stub.break_streams()
        stub.put("b")
        self.listening(stub)
        stub.remove("a")
        until(lambda: self.told(d), what="the removal")
        self.assertEqual(self.told(d), [("ObjectRemoved", "a")])

    def test_a_burst_comes_whole_and_in_order(self):
        stub, n = self.stub(), scaled(20000, 100000)
        d = self.daemon({"m.yaml": self.source(stub)})
        self.listening(stub)
        line = json.dumps({"Records": [stub.record("KEY", "s3:ObjectCreated:Put", 1784109600, {"eTag": "e"})]}).encode() + b"\n"
        for i in range(0, n, 500):
            stub.say(b"".join(line.replace(b"KEY", b"%d" % k) for k in range(i, i + 500)))
        until(lambda: len(self.told(d)) >= n, 300, "all of them")
        self.assertEqual([int(k) for _, k in self.told(d)], list(range(n)))

    def test_refusals_say_why(self):
        stub = self.stub()
        d = self.daemon({"m.yaml": self.source(stub, secret="wrong")})
        until(lambda: "403: SignatureDoesNotMatch: Check your key & method." in d.log(), what="the server's words")
        d.write("m.yaml", self.source(stub).replace("in-box", "out-box"))
        until(lambda: "404: NoSuchBucket" in d.log(), what="the other refusal")

    def test_a_listing_that_is_refused_leaves_the_stream(self):
        stub = self.stub()
        d = self.daemon({"m.yaml": self.source(stub)})
        self.listening(stub)
        stub.put("a")
        until(lambda: len(self.told(d)) == 1, what="the first")
        stub.listing_fails = True
        stub.break_streams()
        stub.put("missed")
        self.listening(stub)
        until(lambda: "notifications that were missed are not known yet" in d.log(), what="the word about it")
        stub.put("b")
        until(lambda: len(self.told(d)) == 2, what="the next")
        d.kill()
        stub.listing_fails = False
        d.start()
        until(lambda: len(self.told(d)) == 3, 60, "what was missed")
        self.assertEqual([k for _, k in self.told(d)], ["a", "b", "missed"])

    def test_tls_is_verified(self):
        made = Broker(os.path.join(self.directory, "certificates"))
        made.certificates()
        stub = self.stub(tls=(os.path.join(made.dir, "server.crt"), os.path.join(made.dir, "server.key")))
        d = self.daemon({"m.yaml": self.source(stub, "caCertificate: {name: s, key: ca}", ca=json.dumps(made.text("ca.crt")))})
        self.listening(stub)
        stub.put("secret")
        until(lambda: self.told(d), what="the event over TLS")
        d.write("m.yaml", self.source(stub, "caCertificate: {name: s, key: ca}", ca=json.dumps(made.text("other.crt"))))
        until(lambda: "certificate" in d.log() or stub.break_streams(), 60, "the refusal")

    def test_a_server_that_holds_its_stream_back_is_listed(self):
        """As MinIO's releases of 2025 and later do. What was written is found soon, and is not told again when the stream comes; what was deleted comes with it."""
        stub = self.stub()
        stub.held_back = True
        stub.put("before", at=time.time() - 5)
        d = self.daemon({"m.yaml": self.source(stub)})
        until(lambda: "running" in d.cli("get", "eventsources").stdout, 60, "the source to run")
        for i in range(3):
            stub.put(f"key {i}")
            until(lambda: len(self.told(d)) == i + 1, 60, "the object")
        stub.remove("key 1")
        stub.say(b'{"Records":null}\n' * 250)
        until(lambda: self.told(d)[-1] == ("ObjectRemoved", "key 1"), 60, "the removal")
        stub.put("key 3")
        until(lambda: len(self.told(d)) == 5, 60, "the next")
        self.assertEqual(self.told(d), [("ObjectCreated", "key 0"), ("ObjectCreated", "key 1"), ("ObjectCreated", "key 2"), ("ObjectRemoved", "key 1"),
                                        ("ObjectCreated", "key 3")])
        d.kill()
        stub.put("key 4")
        d.start()
        until(lambda: len(self.told(d)) >= 6, 60, "what was missed")
        stub.stop()
        until(lambda: "failed" in d.cli("get", "eventsources").stdout, 60, "the failure")
        stub.put("key 5")
        stub.start()
        until(lambda: len(self.told(d)) >= 7, 90, "what was missed")
        stub.say(b'{"Records":null}\n' * 250)
        stub.put("key 6")
        until(lambda: len(self.told(d)) >= 8, 60, "the last")
        self.assertEqual([k for _, k in self.told(d)][5:], ["key 4", "key 5", "key 6"])

    def test_a_server_that_holds_its_stream_back_and_refuses_listings(self):
        stub = self.stub()
        stub.held_back = stub.listing_fails = True
        d = self.daemon({"m.yaml": self.source(stub)})
        until(lambda: "listing the bucket: the server answered 403: AccessDenied" in d.cli("get", "eventsources", "-o", "json").stdout, 60, "the reason")
        stub.put("a")
        stub.say(b'{"Records":null}\n' * 250)
        until(lambda: self.told(d) == [("ObjectCreated", "a")], 60, "what came by the stream")
        until(lambda: "running" in d.cli("get", "eventsources").stdout, 60, "the source to run")

    @unittest.skipUnless(FULL, "waits until a broken stream is given up")
    def test_a_stream_that_breaks_without_a_word(self):
        stub = self.stub()
        d = self.daemon({"m.yaml": self.source(stub)})
        self.listening(stub)
        until(lambda: "source runs" in d.log(), what="the connection")
        stub.put("a")
        until(lambda: self.told(d), what="the first")
        until(lambda: stub.pinged >= 3, what="pings")
        stub.pings = False
        until(lambda: "nothing came for 35 s" in d.log(), 120, "the end")
        self.assertLess(len([c for c in stub.calls if "list-type" in c]), 3, "it is not one that holds its stream back")
        stub.pings = True
        stub.put("b")
        until(lambda: len(self.told(d)) == 2, 60, "the next")

    def test_lint(self):
        d = self.daemon({}, start=False)
        path = os.path.join(self.directory, "m.yaml")
        for change, text in ((("endpoint: \"", "endpoint: \"https://"), "without a scheme"), (("bucket: {name: in-box}, ", ""), "bucket: must be given"),
                             (("127.0.0.1:1", "s3.amazonaws.com"), "has no such notifications")):
            with open(path, "w", encoding="utf-8") as f:
                f.write(self.source(type("Stub", (), {"port": 1})).replace(*change))
            done = d.cli("lint", path, check=False)
            self.assertIn(text, done.stdout + done.stderr)


class NotificationsByOtherWays(TestCase):
    """One sensor for notifications of S3, whatever the way they come."""

    MANIFEST = """apiVersion: v1
kind: Secret
metadata: {name: s}
stringData: {pw: pw}
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {name: s3}
spec:
  redis:
    e: {hostAddress: "127.0.0.1:REDIS", password: {name: s, key: pw}, namespace: default, channels: [s3], s3Events: {suffix: .csv}, metadata: {way: redis}}
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {name: hook}
spec:
  webhook:
    e: {endpoint: /s3, port: "PORT", method: POST, s3Events: {suffix: .csv}, filter: {expression: 'notification[0].s3.bucket.name == "in-box"'}}
---
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {name: files}
spec:
  dependencies: [{name: a, eventSourceName: s3, eventName: e}, {name: b, eventSourceName: hook, eventName: e}]
  triggers:
""" + "".join("""
  - template:
      name: NAME
      conditions: NAME
      argoWorkflow:
        operation: submit
        parameters: [{src: {dependencyName: NAME, dataKey: notification.0.s3.object.key}, dest: spec.arguments.parameters.0.value}]
        source:
          resource:
            apiVersion: argoproj.io/v1alpha1
            kind: Workflow
            metadata: {generateName: file-}
            spec:
              entrypoint: main
              arguments: {parameters: [{name: key, value: ""}]}
              templates: [{name: main, suspend: {duration: "0"}}]
""".replace("NAME", name) for name in "ab")

    def test_by_webhook_and_by_redis(self):
        redis, port = Redis(os.path.join(self.directory, "redis")), free_port()
        redis.start()
        self.addCleanup(redis.stop)
        d = self.daemon({"m.yaml": self.MANIFEST.replace("REDIS", str(redis.port)).replace("PORT", str(port))})

        def keys():
            return sorted(w["spec"]["arguments"]["parameters"][0]["value"] for w in d.list())

        def notification(key, bucket="in-box"):
            return json.dumps({"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": bucket}, "object": {"key": key, "size": 1}}}]})

        until(lambda: post(port, "/s3", notification("out/1.csv", "other"))[0] == 200, what="the endpoint")
        self.assertEqual(post(port, "/s3", json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent"})), (200, b"success"))
        self.assertEqual(post(port, "/s3", notification("in/1.txt"))[0], 200)
        self.assertEqual(post(port, "/s3", notification("in/1.csv"))[0], 200)
        self.assertEqual(post(port, "/s3", json.dumps({"Type": "Notification", "Message": notification("in/2.csv")}))[0], 200)
        until(lambda: keys() == ["in/1.csv", "in/2.csv"], what="the first two")
        until(lambda: int(redis.call("PUBSUB", "NUMSUB", "s3")[1]), what="the subscription")
        redis.call("PUBLISH", "s3", notification("in/3.csv"))
        until(lambda: "in/3.csv" in keys(), what="the third")
        self.assertEqual(next(e["metadata"] for e in events(d, "e") if e.get("metadata")), {"way": "redis"})
        self.assertEqual(sorted(set(keys())), ["in/1.csv", "in/2.csv", "in/3.csv"])

    @unittest.skipUnless(FULL, "Ceph takes half a minute to start")
    def test_a_bucket_of_ceph_pushes_to_a_webhook(self):
        """Real notifications of a real bucket, by radosgw; also after a kill of the daemon."""
        port, ceph = free_port(), Ceph(os.path.join(self.directory, "ceph"))
        self.addCleanup(ceph.stop)
        ceph.start()
        d = self.daemon({"m.yaml": ("apiVersion: argoproj.io/v1alpha1\nkind: EventSource\nmetadata: {name: hook}\nspec:\n  webhook:\n    e: {endpoint: /s3,"
                                    f" port: \"{port}\", method: POST, s3Events: {{prefix: \"in/a b\", suffix: .csv}}}}\n")})
        ceph.notify("in-box", f"http://127.0.0.1:{port}/s3")
        for path in ("in/a%20b-1.csv", "in/a%20b-1.txt", "out/a%20b.csv"):
            ceph.request("PUT", "/in-box/" + path, b"123")
        d.kill()
        d.start()
        ceph.request("PUT", "/in-box/in/a%20b-2.csv", b"1234")
        ceph.request("DELETE", "/in-box/in/a%20b-1.csv")
        until(lambda: len(events(d, "e")) == 3, 60, "three events")
        told = [e["notification"][0] for e in events(d, "e")]
        self.assertEqual([(r["eventName"], r["s3"]["object"]["key"], r["s3"]["object"]["size"]) for r in told],
                         [("ObjectCreated:Put", "in%2Fa+b-1.csv", 3), ("ObjectCreated:Put", "in%2Fa+b-2.csv", 4), ("ObjectRemoved:Delete", "in%2Fa+b-1.csv", 3)])


if __name__ == "__main__":
    unittest.main()
