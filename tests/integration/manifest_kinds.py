# SPDX-License-Identifier: Apache-2.0
"""For each kind of event source what an entry of a manifest needs, as it stands: its counterpart at the address it has, its secrets, and what makes an event
of it. Peers of the tests' own stand for what is not to be had: the APIs of the forges and services (forge.py), nsqd (nsq_server.py), Service Bus
(queues.py), a name node (webhdfs.py); mosquitto for emitter.io, Apache Kafka for Event Hubs, moto, Azurite and pstest for AWS, Azure and Google:
these services' names lead to them, over TLS."""
import base64
import getpass
import hashlib
import hmac
import http.client
import json
import os
import re
import subprocess
import time
import urllib.parse

import webhdfs
from brokers import Broker, Kafka, Mosquitto, Nats, Rabbit, Redis
from forge import Forge, Hooks
from harness import until
from minio_server import MinioServer
from nsq_server import Lookupd, Nsqd
from private_world import World
from queues import Azurite, Moto, PubSub, ServiceBusPeer, ask
from source_case import MqttPublisher
from test_services import Server
from test_source_objects import FLOW, Eventing

MARK = "marker-of-the-test"
BODY = json.dumps({"marker": MARK}).encode()


class Stage:
    """What the counterparts of one manifest share."""

    def __init__(self, directory):
        self.dir, self.world, self.secrets, self.brokers = directory, World(directory), {}, {}
        self.forge, self.places, self.daemon = None, [], None

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

    def hooks(self, url, path, **more):
        """A place where the forge at that URL keeps hooks."""
        self.places.append(Hooks(re.escape(path).replace(r"\-", "-"), **more))
        self.forge_at(url, self.places[-1].routes())

    def registered(self):
        until(lambda: all(p.hooks for p in self.places), 60, f"a hook in all of {[p.path for p in self.places]}")

    def post(self, webhook, headers=(), body=BODY):
        c = http.client.HTTPConnection("127.0.0.1", int(webhook["port"]), timeout=30)
        c.request(webhook.get("method", "POST"), webhook["endpoint"], body, dict({"Content-Type": "application/json"}, **dict(headers)))
        answer = c.getresponse()
        text = answer.read()
        assert answer.status // 100 == 2, (answer.status, text)


# ---- the kinds: what an entry of each needs, and what makes an event of it. (stage, entry) -> send(); or (send, what the event's data has, if not MARK)


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
    text = (base64.b64encode(BODY) if entry.get("decodeMessage") else BODY).replace(b'"', b"&quot;")
    return lambda: azurite.call("POST", f"/{name}/messages", "", b"<QueueMessage><MessageText>" + text + b"</MessageText></QueueMessage>")


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
    server = stage.broker(Kafka)
    for address in entry["url"].split(","):
        stage.at(address, server.port)
    server.send(entry["topic"], ["before"])  # makes the topic
    return lambda: server.send(entry["topic"], [BODY.decode()], entry.get("partition"))


class EventHub(Kafka):
    """With the name of a hub's namespace, and its login."""

    HOST = ""

    def certificates(self, names=""):
        super().certificates("DNS:" + self.HOST)

    def file(self, name, text):
        return super().file(name, re.sub(r"(advertised.listeners=.*SASL_SSL://).*", rf"\g<1>{self.HOST}:9093", text).replace("sb://localhost/", f"sb://{self.HOST}/"))


def azure_events_hub(stage, entry):
    EventHub.HOST = entry["fqdn"]
    server = stage.broker(EventHub, entry["fqdn"])
    stage.world.trust(server.text("ca.crt"))
    stage.at(entry["fqdn"], server.sasl_port, 9093)
    stage.secret(entry["sharedAccessKeyName"], "send")
    stage.secret(entry["sharedAccessKey"], "k3y=")
    server.send(entry["hubName"], ["before"])
    return lambda: server.send(entry["hubName"], [BODY.decode()])


def emitter(stage, entry):
    server = stage.broker(Mosquitto, entry["broker"])
    stage.at(entry["broker"], server.port, 8080)
    return lambda: MqttPublisher(server.port, f"{entry['channelKey']}/{entry['channelName'].strip('/')}/", 1).publish([BODY])


def calendar(_stage, _entry):
    return lambda: None, "eventTime"


def file_name(watch):
    """One that the entry is about."""
    return watch.get("path") or next(n for n in ("marker.txt", "x.txt", "abc.txt", "x", "a.csv") if re.search(watch["pathRegexp"], n))


def appears(stage, watch):
    """A file that is written when all run."""
    directory, name = stage.world.folder(watch["directory"]), file_name(watch)

    def send():
        with open(os.path.join(directory, name), "w", encoding="utf-8") as f:
            f.write("x")
    return send, name


def file(stage, entry):
    return appears(stage, entry["watchPathConfig"])


class Sshd(Broker):
    """OpenSSH's server, with a key for who runs the tests."""

    def command(self):
        for name in ("host", "user"):
            if not os.path.exists(os.path.join(self.dir, name)):
                self.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", name)
        os.makedirs("/run/sshd", exist_ok=True)
        return ["/usr/sbin/sshd", "-D", "-e", "-f", self.file("sshd_config", f"""
            Port {self.port}
            ListenAddress 127.0.0.1
            HostKey {self.dir}/host
            AuthorizedKeysFile {self.dir}/user.pub
            StrictModes no
            UsePAM no
            PidFile none
            PermitRootLogin yes
            Subsystem sftp internal-sftp
            """)]


def sftp(stage, entry):
    server = stage.broker(Sshd)
    stage.at("sftp.example.org:22", server.port)
    stage.secret(entry["address"], "sftp.example.org:22")
    stage.secret(entry["username"], getpass.getuser())
    stage.secret(entry.get("sshKeySecret"), server.text("user"))
    return appears(stage, entry["watchPathConfig"])


def hdfs(stage, entry):
    directory = entry["directory"].rstrip("/")
    parts = directory.split("/")[1:]
    server = webhdfs.start({"/" + "/".join(parts[:i + 1]): ["DIRECTORY", i + 1, 0, 1, "755"] for i in range(len(parts))})
    for address in entry["addresses"]:
        stage.at(address, server.server_port, 9870)
    name = file_name(entry)
    return lambda: server.files.update({f"{directory}/{name}": ["FILE", 100, 3, 1000, "644"]}), name


def resource(stage, _entry):
    def send():
        path = os.path.join(stage.dir, "workflow.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(FLOW.replace("NAME", MARK).replace("TEAM", "a").replace("DURATION", 'duration: "0"'))
        stage.daemon.cli("submit", path)
    return send


def slack(stage, entry):
    token, secret = stage.secret(entry.get("token"), "token-of-the-test"), stage.secret(entry.get("signingSecret"), "secret-of-the-test")
    body = json.dumps({"token": token, "type": "event_callback", "event_id": "Ev1", "event": {"type": "app_mention", "text": MARK, "ts": "1.2"}}).encode()

    def send():
        at = str(int(time.time()))
        mac = hmac.new(secret.encode(), b"v0:" + at.encode() + b":" + body, hashlib.sha256).hexdigest()
        stage.post(entry["webhook"], {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": "v0=" + mac}, body)
    return send


def stripe(stage, entry):
    made = []

    def create(_match, body, _headers):
        form = urllib.parse.parse_qs(body.decode())
        made.append({"id": "we_1", "url": form["url"][0], "enabled_events": form["enabled_events[]"]})
        return 200, made[-1]

    stage.forge_at(entry.get("endpoint", "https://api.stripe.com"), [
        ("GET", r"/v1/webhook_endpoints\?limit=100", lambda *_: (200, {"data": made})), ("POST", "/v1/webhook_endpoints", create)])
    event = {"id": "evt_1", "object": "event", "type": (entry.get("eventFilter") or ["charge.failed"])[0], "data": {"object": {"id": MARK}}}

    def send():
        until(lambda: made or not entry.get("createWebhook"), 60, "the endpoint")
        stage.post(entry["webhook"], (), json.dumps(event).encode())
    return send


def storage_grid(stage, entry):
    base, bucket, keys = urllib.parse.urlsplit(entry["apiURL"]).path.rstrip("/"), entry["bucket"], entry.get("filter", {})
    stage.forge_at(entry["apiURL"], [("GET", base + "/org/endpoints", (200, {"data": []})), ("POST", base + "/org/endpoints", (201, {"data": {"id": "e1"}})),
                                     ("PUT", f"{base}/org/containers/{bucket}/notification", (200, {"data": {}}))])
    message = {"Records": [{"eventName": entry["events"][0], "responseElements": {"x-amz-request-id": "r1"},
                            "s3": {"object": {"key": keys.get("prefix", "") + MARK + keys.get("suffix", ""), "size": 10}}}]}
    form = urllib.parse.urlencode({"Action": "Publish", "Message": json.dumps(message), "TopicArn": entry["topicArn"], "Version": "2010-03-31"}).encode()

    def send():
        until(lambda: stage.forge.seen("PUT"), 60, "the configuration")
        stage.post(entry["webhook"], {"Content-Type": "application/x-www-form-urlencoded"}, form)
    return send


def bitbucket(stage, entry):
    secret = stage.secret(entry.get("webhookSecret"), "secret-of-the-test")
    for r in entry.get("repositories") or [entry]:
        if entry["webhook"].get("url"):
            stage.hooks("https://api.bitbucket.org", f"/2.0/repositories/{r['owner']}/{r['repositorySlug']}/hooks", wrap=lambda hooks: {"values": hooks},
                        key="uuid")

    def send():
        stage.registered()
        stage.post(entry["webhook"], {"X-Event-Key": "repo:push", "X-Request-UUID": MARK, **({"X-Hub-Signature": signed(secret)} if secret else {})})
    return send


def bitbucketserver(stage, entry):
    secret, base = stage.secret(entry.get("webhookSecret"), "secret-of-the-test"), urllib.parse.urlsplit(entry["bitbucketserverBaseURL"]).path
    for r in entry.get("repositories") or [entry]:
        if entry["webhook"].get("url"):
            stage.hooks(entry["bitbucketserverBaseURL"], f"{base}/api/1.0/projects/{r['projectKey']}/repos/{r['repositorySlug']}/webhooks",
                        wrap=lambda hooks: {"values": hooks, "isLastPage": True})

    def send():
        stage.registered()
        stage.post(entry["webhook"], {"X-Event-Key": entry["events"][0], "X-Request-Id": MARK, **({"X-Hub-Signature": signed(secret)} if secret else {})})
    return send


KINDS = {"webhook": webhook, "github": github, "gitlab": gitlab, "gerrit": gerrit, "sns": sns, "sqs": sqs, "azureQueueStorage": azure_queue,
         "azureServiceBus": service_bus, "pubSub": pub_sub, "generic": generic, "redis": redis, "redisStream": redis_stream, "mqtt": mqtt, "nats": nats,
         "nsq": nsq, "amqp": amqp, "kafka": kafka, "minio": minio,
         "azureEventsHub": azure_events_hub, "emitter": emitter, "calendar": calendar, "file": file, "sftp": sftp, "hdfs": hdfs, "resource": resource,
         "slack": slack, "stripe": stripe, "storageGrid": storage_grid, "bitbucket": bitbucket, "bitbucketserver": bitbucketserver}
