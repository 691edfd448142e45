# SPDX-License-Identifier: Apache-2.0
"""Event sources as people have them: every manifest of CASES/events/event-sources that is to be accepted, unmodified, is served by a daemon, against the
counterpart of its kind at the very address that the manifest has, until an event has come of each of its entries.

Each has a private world (private_world.py), in which this file is run as a program. Peers of the tests' own stand for what is not to be had: the APIs of the
forges (forge.py), nsqd (nsq_server.py), Service Bus (queues.py); moto, Azurite and pstest for AWS, Azure and Google, whose names lead to them."""
import base64
import hashlib
import hmac
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.parse

from brokers import Kafka, Mosquitto, Nats, Rabbit, Redis
from forge import Forge, Hooks
from harness import FULL, ROOT, Daemon, free_port, until
from minio_server import MinioServer
from nsq_server import Lookupd, Nsqd
from private_world import COMMAND, World
from queues import Azurite, Moto, PubSub, ServiceBusPeer, ask
from source_case import MqttPublisher, SourceCase
from test_services import Server
from test_source_objects import Eventing

CASES = os.path.join(ROOT, os.environ.get("CASES", "../shared/conformance"))
FOLDER = os.path.join(CASES, "events")
NOT_SERVED = {"pulsar": "Debian has no client library for Pulsar"}
MARK = "marker-of-the-test"
BODY = json.dumps({"marker": MARK}).encode()


class Stage:
    """What the counterparts of one manifest share."""

    def __init__(self, directory):
        self.dir, self.world, self.secrets, self.brokers, self.forge, self.places = directory, World(directory), {}, {}, None, []

    def broker(self, kind, key=""):
        """One of that kind, started."""
        if (kind, key) not in self.brokers:
            self.brokers[kind, key] = kind(os.path.join(self.dir, f"{kind.__name__}{len(self.brokers)}"))
            self.brokers[kind, key].start()
        return self.brokers[kind, key]

    def at(self, url, to, default=0, tls=False):
        """That server is where the URL or the host:port says."""
        parts = urllib.parse.urlsplit(url if "//" in url else "//" + url)
        self.world.front(parts.hostname, parts.port or default, to, tls)

    def secret(self, ref, value):
        """The value that a reference of the manifest has; its own, if it has one already."""
        return self.secrets.setdefault(ref["name"], {}).setdefault(ref["key"], value) if ref else ""

    def forge_at(self, url, routes):
        if not self.forge:
            self.forge = Forge()
            self.at(url, self.forge.port, 443 if url.startswith("https") else 80, url.startswith("https"))
        self.forge.routes += routes

    def hooks(self, url, path):
        """A place where the forge at that URL keeps hooks."""
        self.places.append(Hooks(re.escape(path).replace(r"\-", "-")))
        self.forge_at(url, self.places[-1].routes())

    def registered(self):
        until(lambda: all(p.hooks for p in self.places), 60, f"a hook in all of {[p.path for p in self.places]}")

    def post(self, webhook, headers=(), body=BODY):
        c = http.client.HTTPConnection("127.0.0.1", int(webhook["port"]), timeout=30)
        c.request(webhook.get("method", "POST"), webhook["endpoint"], body, dict({"Content-Type": "application/json"}, **dict(headers)))
        answer = c.getresponse()
        text = answer.read()
        assert answer.status // 100 == 2, (answer.status, text)


# ---- the kinds: what an entry of each needs, and what makes an event of it. (stage, entry) -> send()


def webhook(stage, entry):
    token = entry.get("authSecret") and stage.secret(entry["authSecret"], "token-of-the-test")
    return lambda: stage.post(entry, {"Authorization": "Bearer " + token} if token else {})


def signed(secret):
    return "sha256=" + hmac.new(secret.encode(), BODY, hashlib.sha256).hexdigest()


def github(stage, entry):
    secret = stage.secret(entry.get("webhookSecret"), "secret-of-the-test")
    if entry.get("apiToken") and entry["webhook"].get("url"):
        url = entry.get("githubBaseURL", "https://api.github.com/")
        for r in entry.get("repositories", []):
            for n in r["names"]:
                stage.hooks(url, urllib.parse.urlsplit(url).path.rstrip("/") + f"/repos/{r['owner']}/{n}/hooks")
        for o in entry.get("organizations", []):
            stage.hooks(url, urllib.parse.urlsplit(url).path.rstrip("/") + f"/orgs/{o}/hooks")

    def send():
        stage.registered()
        stage.post(entry["webhook"], {"X-GitHub-Event": "push", "X-GitHub-Delivery": MARK, **({"X-Hub-Signature-256": signed(secret)} if secret else {})})
    return send


def gitlab(stage, entry):
    token = stage.secret(entry.get("secretToken"), "secret-of-the-test")
    if entry.get("accessToken") and entry["webhook"].get("url"):
        for what in ("projects", "groups"):
            for name in entry.get(what, []):
                stage.hooks(entry["gitlabBaseURL"], f"/api/v4/{what}/{urllib.parse.quote(name, safe='')}/hooks")

    def send():
        stage.registered()
        stage.post(entry["webhook"], {"X-Gitlab-Event": "Push Hook", **({"X-Gitlab-Token": token} if token else {})})
    return send


def gerrit(stage, entry):
    remotes, name = {}, entry["hookName"]

    def put(match, body, _headers):
        remotes[match[1]] = json.loads(body)
        return 201, b")]}'\n" + body

    path = r"/a/config/server/webhooks~projects/([^/]+)/remotes/"
    stage.forge_at(entry["gerritBaseURL"], [
        ("GET", path, lambda match, *_: (200, b")]}'\n" + json.dumps({name: remotes[match[1]]} if match[1] in remotes else {}).encode())),
        ("PUT", path + re.escape(name), put)])

    def send():
        until(lambda: sorted(remotes) == sorted(urllib.parse.quote(p, safe="") for p in entry["projects"]), 60, "the hooks")
        stage.post(entry["webhook"])
    return send


def sns(stage, entry):
    _, _, _, region, account, topic = entry["topicArn"].split(":")
    os.environ["MOTO_ACCOUNT_ID"] = account
    moto = stage.broker(Moto)
    stage.at(entry.get("endpoint") or f"https://sns.{region}.amazonaws.com", moto.port, 443, not entry.get("endpoint"))
    stage.at(entry["webhook"]["url"], int(entry["webhook"]["port"]), 80)

    def call(**query):
        headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential=AKID/20260101/{region}/sns/aws4_request, SignedHeaders=host, Signature=0",
                   "Content-Type": "application/x-www-form-urlencoded"}
        return ask(moto.port, "POST", "/", urllib.parse.urlencode(dict(query, Version="2010-03-31")).encode(), headers)[1].decode()

    assert call(Action="CreateTopic", Name=topic).find(entry["topicArn"]) > 0

    def send():
        until(lambda: "<Endpoint>" in call(Action="ListSubscriptionsByTopic", TopicArn=entry["topicArn"]), 60, "the subscription")
        call(Action="Publish", TopicArn=entry["topicArn"], Message=BODY.decode())
    return send


def sqs(stage, entry):
    moto = stage.broker(Moto)
    stage.at(entry.get("endpoint") or f"https://sqs.{entry['region']}.amazonaws.com", moto.port, 443, not entry.get("endpoint"))

    def call(action, **body):
        headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS." + action,
                   "Authorization": f"AWS4-HMAC-SHA256 Credential=AKID/20260101/{entry['region']}/sqs/aws4_request, SignedHeaders=host, Signature=0"}
        return json.loads(ask(moto.port, "POST", "/", json.dumps(body).encode(), headers)[1])

    url = call("CreateQueue", QueueName=entry["queue"])["QueueUrl"]
    return lambda: call("SendMessage", QueueUrl=url, MessageBody=BODY.decode())


def azure_queue(stage, entry):
    azurite, name = stage.broker(Azurite), entry["queueName"]
    stage.secret(entry["connectionString"], f"DefaultEndpointsProtocol=https;AccountName={Azurite.ACCOUNT};AccountKey={Azurite.KEY};"
                 f"QueueEndpoint=http://127.0.0.1:{azurite.port}/{Azurite.ACCOUNT};EndpointSuffix=core.windows.net")
    azurite.call("PUT", "/" + name)
    text = base64.b64encode(BODY) if entry.get("decodeMessage") else BODY
    return lambda: azurite.call("POST", f"/{name}/messages", "", b"<QueueMessage><MessageText>" + text.replace(b'"', b"&quot;") + b"</MessageText></QueueMessage>")


def service_bus(stage, entry):
    peer = ServiceBusPeer()
    peer.PATH = "/" + (entry.get("queueName") or f"{entry['topicName']}/subscriptions/{entry['subscriptionName']}")
    server = Server(peer).start()
    stage.secret(entry["connectionString"], f"Endpoint=http://127.0.0.1:{server.port}/;SharedAccessKeyName=listen;SharedAccessKey={peer.KEY}")
    return lambda: peer.queue.put(BODY.decode())


def pub_sub(stage, entry):
    server = stage.broker(PubSub)
    os.environ["PUBSUB_EMULATOR_HOST"] = f"127.0.0.1:{server.port}"
    topic = f"projects/{entry.get('topicProjectID') or entry['projectID']}/topics/{entry['topic']}"
    return lambda: ask(server.control, "POST", "/publish?topic=" + topic, BODY)


def generic(stage, entry):
    server = stage.broker(Eventing, entry["url"])
    stage.at(entry["url"], server.port, tls=not entry.get("insecure"))
    return lambda: server.send(BODY)


class OpenRedis(Redis):
    """Without a password."""

    def command(self):
        words = super().command()
        i = words.index("--requirepass")
        return words[:i] + words[i + 2:]

    @staticmethod
    def encode(*words):
        return Redis.encode(*(("PING",) if words[0] == "AUTH" else words))


def redis_server(stage, entry):
    server = stage.broker(Redis if entry.get("password") else OpenRedis, entry["hostAddress"])
    stage.secret(entry.get("password"), "pw")
    stage.at(entry["hostAddress"], server.port)
    return server


def redis(stage, entry):
    server = redis_server(stage, entry)
    return lambda: until(lambda: server.call("PUBLISH", entry["channels"][0], BODY.decode()), 60, "a subscriber")


def redis_stream(stage, entry):
    server = redis_server(stage, entry)
    return lambda: server.call("XADD", entry["streams"][0], "*", "marker", MARK)


def mqtt(stage, entry):
    server = stage.broker(Mosquitto, entry["url"])
    stage.at(entry["url"], server.port, 1883)
    topic = entry["topic"].replace("+", "any").replace("#", "any")
    return lambda: MqttPublisher(server.port, topic, 1).publish([BODY])


def nats(stage, entry):
    server = stage.broker(Nats, entry["url"])
    stage.at(entry["url"], server.port, 4222)
    subject = entry["subject"].replace("*", "any").replace(">", "any")

    def send():
        c = server.connect()
        c.send(f"PUB {subject} {len(BODY)}\r\n".encode() + BODY + b"\r\nPING\r\n")
        until(lambda: c.line() == "PONG", 30, "PONG")
    return send


def nsq(stage, entry):
    nsqd = Nsqd().start()
    stage.at(entry["hostAddress"], Lookupd(nsqd).start().port)
    return lambda: nsqd.publish(entry["topic"], BODY)


def amqp(stage, entry):
    server = stage.broker(Rabbit, entry.get("url", ""))
    stage.secret(entry.get("urlSecret"), f"amqp://guest:guest@127.0.0.1:{server.port}")
    if entry.get("url"):
        stage.at(entry["url"], server.port, 5672)
    for name in ("username", "password"):
        stage.secret(entry.get("auth", {}).get(name), "guest")
    key = entry.get("routingKey", "").replace("*", "any").replace("#", "any")
    return lambda: server.tool("amqp-publish", "-e", entry["exchangeName"], "-r", key, "-b", BODY.decode())


def minio(stage, entry):
    server = stage.broker(MinioServer, entry["endpoint"])
    stage.secret(entry["accessKey"], server.USER)
    stage.secret(entry["secretKey"], server.PASSWORD)
    stage.at(entry["endpoint"], server.port, 80 if entry.get("insecure") else 443, not entry.get("insecure"))
    bucket, keys = entry["bucket"]["name"], entry.get("filter", {})
    server.bucket(bucket)
    return lambda: server.put(f"/{bucket}/{keys.get('prefix', '')}{MARK}{keys.get('suffix', '')}")


def kafka(stage, entry):
    server = stage.broker(Kafka, entry["url"])
    for address in entry["url"].split(","):
        stage.at(address, server.port)
    return lambda: server.send(entry["topic"], [BODY.decode()])


KINDS = {"webhook": webhook, "github": github, "gitlab": gitlab, "gerrit": gerrit, "sns": sns, "sqs": sqs, "azureQueueStorage": azure_queue,
         "azureServiceBus": service_bus, "pubSub": pub_sub, "generic": generic, "redis": redis, "redisStream": redis_stream, "mqtt": mqtt, "nats": nats,
         "nsq": nsq, "amqp": amqp, "kafka": kafka, "minio": minio}


# ---- one manifest, inside its world


def references(value):
    """All that refer to a key of a Secret."""
    if isinstance(value, dict):
        if set(value) == {"name", "key"}:
            yield value
        for v in value.values():
            yield from references(v)
    elif isinstance(value, list):
        for v in value:
            yield from references(v)


def read(path, directory):
    """The EventSource of a manifest, as the daemon reads it."""
    d = Daemon(os.path.join(directory, "reader"), {})
    shutil.copy(path, d.manifests)
    d.start()
    try:
        source, = d.api("GET", "/api/v1/event-sources/default")[1]["items"]
        return source
    finally:
        d.stop()


def came(d, entry):
    """The events of that entry, with what was sent in them."""
    rows = SourceCase.rows(d, "subject, data")
    texts = [data if isinstance(data, str) else data.decode() for subject, data in rows if subject == entry]
    return [x for x in texts if MARK in x or base64.b64encode(BODY).decode() in x]


def serve(path, directory):
    """Ends with an error if not every entry comes up, and gives its event."""
    World(os.path.join(directory)).open()  # loopback
    source = read(path, directory)
    stage = Stage(directory)
    entries = {name: (kind, entry) for kind, by_name in source["spec"].items() if kind in KINDS for name, entry in by_name.items()}
    unknown = [k for k, v in source["spec"].items() if k not in KINDS and k not in ("service", "template", "replicas", "eventBusName", "persistence")]
    assert entries and not unknown, f"no counterpart is known for {unknown}"
    send = {name: KINDS[kind](stage, entry) for name, (kind, entry) in entries.items()}
    for ref in references(source["spec"]):
        stage.secret(ref, "value-of-the-test")
    stage.world.open()
    secrets = [{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values} for name, values in stage.secrets.items()]
    d = Daemon(os.path.join(directory, "daemon"), {f"secret-{i}.yaml": json.dumps(s) for i, s in enumerate(secrets)})
    shutil.copy(path, d.manifests)
    d.start()
    try:
        for name in send:
            def state(name=name):
                return next(s for s in json.loads(d.cli("get", "eventsources", "-o", "json").stdout) if s["event"] == name)
            try:
                until(lambda state=state: state()["state"] == "running", 120, f"{name} to run")
                send[name]()
                until(lambda name=name: came(d, name), 120, f"an event of {name}")
            except AssertionError as e:
                raise AssertionError(f"{e}: {state()}\n{d.log()}") from None
            print(f"{name}: {state()['state']}, {len(came(d, name))} event")
    finally:
        d.stop()
        for b in stage.brokers.values():
            getattr(b, "close", b.stop)()


class EventManifests(unittest.TestCase):
    """A test for each manifest."""

    def served(self, path):
        with tempfile.TemporaryDirectory(prefix="tidegate-test-") as directory:
            done = subprocess.run([*COMMAND, sys.executable, os.path.abspath(__file__), path, directory], capture_output=True, text=True, timeout=900)
        print(done.stdout, end="")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def refused(self, path, why):
        with tempfile.TemporaryDirectory(prefix="tidegate-test-") as directory:
            done = Daemon(directory, {}).cli("lint", path)
        self.assertIn(why, done.stdout + done.stderr)

    def test_there_are_manifests(self):
        if not FULL or not os.path.isdir(FOLDER):
            self.skipTest(f"there is no {FOLDER}" if FULL else "make integration")
        self.assertTrue([x for x in dir(self) if x.startswith("test_manifest_")])


def manifests():
    """Those of event sources that are to be accepted."""
    if not FULL or not os.path.isdir(FOLDER):
        return
    with open(os.path.join(FOLDER, "lint.tsv"), encoding="utf-8") as f:
        for line in f:
            words = line.rstrip("\n").split("\t")
            if words[0].startswith("event-sources/") and words[1] == "ok":
                yield os.path.join(FOLDER, words[0])


for _path in manifests():
    _name = os.path.basename(_path).removesuffix(".yaml")
    if _name in NOT_SERVED:
        setattr(EventManifests, f"test_manifest_{_name}", lambda self, p=_path, why=NOT_SERVED[_name]: self.refused(p, why))
    else:
        setattr(EventManifests, f"test_manifest_{_name}", lambda self, p=_path: self.served(p))


if __name__ == "__main__":
    serve(*sys.argv[1:])
