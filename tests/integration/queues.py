# SPDX-License-Identifier: Apache-2.0
"""Queues that are pulled over HTTP: servers of the real protocols (ElasticMQ, moto, Azurite, Google's pstest), each started on loopback, and
peers of the tests' own, which speak as much of a protocol as is asked of them, check each signature anew from the provider's
documentation, and can be told to refuse, to break off, and to give a message again."""
import base64
import contextlib
import email.utils
import hashlib
import hmac
import http.client
import json
import os
import socket
import threading
import time
import urllib.parse
import uuid
import xml.etree.ElementTree
import xml.sax.saxutils

from brokers import Broker, answers
from harness import ROOT, free_port, installed
from test_services import Server, aws_signature


def connect(port):
    return http.client.HTTPConnection("127.0.0.1", port, timeout=60)


def ask(port, method, path, body=b"", headers=None, over=None):
    """(status, body). Over a connection of its own, or over one that stays."""
    c = over or connect(port)
    try:
        c.request(method, path, body, headers or {})
        r = c.getresponse()
        return r.status, r.read()
    finally:
        if not over:
            c.close()


# ---- peers


class Queue:
    """Messages, each given to one at a time: who takes one has it for `hidden` seconds, or until show()."""

    def __init__(self):
        self.change, self.messages, self.deleted, self.given = threading.Condition(), {}, [], 0

    def put(self, body, **more):
        with self.change:
            one = dict(more, id=str(uuid.uuid4()), body=body, until=0, count=0, receipt=None)
            self.messages[one["id"]] = one
            self.change.notify_all()
            return one["id"]

    def take(self, most, hidden, wait):
        end = time.monotonic() + wait
        with self.change:
            while True:
                now = time.monotonic()
                got = [m for m in self.messages.values() if m["until"] <= now][:most]
                if got or now >= end:
                    break
                self.change.wait(min(end - now, 0.5))
            for m in got:
                m["until"], m["receipt"], m["count"] = now + hidden, f"{m['id']}/{m['count'] + 1}==", m["count"] + 1
                self.given += 1
            return [dict(m) for m in got]

    def of(self, receipt):
        return next((m for m in self.messages.values() if m["receipt"] == receipt), None)

    def delete(self, receipt):
        with self.change:
            m = self.of(receipt)
            if m:
                self.deleted.append(self.messages.pop(m["id"])["id"])
            return m is not None

    def release(self, receipt):
        with self.change:
            m = self.of(receipt)
            if m:
                m["until"] = 0
            self.change.notify_all()
            return m is not None

    def show(self):
        """What was taken and not deleted may be taken again at once."""
        with self.change:
            for m in self.messages.values():
                m["until"] = 0
            self.change.notify_all()


class Peer:
    """A protocol around a Queue, as an answer() for test_services.Server. `refuse` is what it answers instead, while it is set."""

    def __init__(self):
        self.queue, self.refuse, self.keys = Queue(), None, {"AKID": "s3cr3t-key-of-tests"}

    def __call__(self, call):
        refuse = self.refuse
        if callable(refuse):
            refuse = refuse(call)
        return refuse or self.answer(call)

    @staticmethod
    def acknowledges(call):
        return call["method"] == "DELETE"

    def refusal_of(self, answer):
        """An answer, or what error() makes one of. One that looks good is given to nobody who acknowledges: it would be believed."""
        answer = self.error(*answer[0]) if isinstance(answer[0], tuple) else answer
        return lambda call: None if answer[0] < 300 and self.acknowledges(call) else answer

    @property
    def ACKNOWLEDGEMENTS_REFUSED(self):
        return lambda call: (503, {}, b"later") if self.acknowledges(call) else None


class SqsPeer(Peer):
    """SQS's JSON protocol."""

    @staticmethod
    def acknowledges(call):
        return "DeleteMessage" in call["headers"]["X-Amz-Target"]

    def __init__(self, name="orders"):
        super().__init__()
        self.name = name

    def error(self, status, kind, text):
        return status, {"Content-Type": "application/x-amz-json-1.0"}, json.dumps({"__type": f"com.amazonaws.sqs#{kind}", "message": text}).encode()

    def refusal(self, call):
        auth = call["headers"]["Authorization"]
        access = auth.split("Credential=")[1].split("/")[0]
        if access not in self.keys:
            return self.error(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
        if auth.split("Signature=")[1] != aws_signature(call, self.keys[access]):
            return self.error(403, "SignatureDoesNotMatch", "The request signature we calculated does not match")
        return None

    def answer(self, call):
        body, action = json.loads(call["body"]), call["headers"]["X-Amz-Target"].split(".")[1]
        return self.refusal(call) or getattr(self, action)(body)

    def good(self, answer):
        return 200, {"Content-Type": "application/x-amz-json-1.0"}, json.dumps(answer).encode()

    def GetQueueUrl(self, body):
        if body["QueueName"] != self.name:
            return self.error(400, "QueueDoesNotExist", "The specified queue does not exist.")
        return self.good({"QueueUrl": f"http://sqs/{body.get('QueueOwnerAWSAccountId', '000000000000')}/{self.name}"})

    def ReceiveMessage(self, body):
        assert body["MaxNumberOfMessages"] <= 10 and body["VisibilityTimeout"] == 120 and body["MessageAttributeNames"] == ["All"]
        got = self.queue.take(body["MaxNumberOfMessages"], body["VisibilityTimeout"], body["WaitTimeSeconds"])
        return self.good({"Messages": [dict({"MessageId": m["id"], "ReceiptHandle": m["receipt"], "Body": m["body"]},
                                            **({"MessageAttributes": m["attributes"]} if "attributes" in m else {})) for m in got]} if got else {})

    def entries(self, body, what):
        good = {e["Id"]: what(e["ReceiptHandle"]) for e in body["Entries"]}
        assert 0 < len(good) <= 10
        return self.good({"Successful": [{"Id": i} for i, ok in good.items() if ok],
                          "Failed": [{"Id": i, "Code": "ReceiptHandleIsInvalid", "SenderFault": True} for i, ok in good.items() if not ok]})

    def DeleteMessageBatch(self, body):
        return self.entries(body, self.queue.delete)

    def ChangeMessageVisibilityBatch(self, body):
        assert all(e["VisibilityTimeout"] == 0 for e in body["Entries"])
        return self.entries(body, self.queue.release)


def escaped(text):
    return xml.sax.saxutils.escape(text)


def azure_signature(method, path, query, headers, account, key, size=0):
    """Shared Key as Azure documents it, for requests with a body of that size and no other header that counts. `path` as it was sent."""
    ours = "".join(f"{k.lower()}:{v}\n" for k, v in sorted(headers.items(), key=lambda x: x[0].lower()) if k.lower().startswith("x-ms-"))
    asked = "".join(f"\n{k}:{v}" for k, v in sorted((k.lower(), v) for k, v in urllib.parse.parse_qsl(query)))
    text = f"{method}\n\n\n{size or ''}" + "\n" * 9 + ours + f"/{account}{path}{asked}"
    return base64.b64encode(hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()).decode()


class AzurePeer(Peer):
    """Azure's queues, with the account in the path as the emulator has it."""

    ACCOUNT, KEY = "account", base64.b64encode(b"key of the account").decode()
    NAME = "orders"
    bearer = None  # the Authorization of whom the machine is

    def error(self, status, code, text):
        return status, {"Content-Type": "application/xml", "x-ms-error-code": code}, \
            f'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{text}</Message></Error>'.encode("latin-1")

    def answer(self, call):
        path, _, query = call["path"].partition("?")
        asked = dict(urllib.parse.parse_qsl(query))
        wanted = f"SharedKey {self.ACCOUNT}:" + azure_signature(call["method"], path, query, call["headers"], self.ACCOUNT, self.KEY)
        if asked.get("sig") != "good" and call["headers"].get("Authorization") not in (wanted, self.bearer):
            return self.error(403, "AuthenticationFailed", "Server failed to authenticate the request.")
        base = f"/{self.ACCOUNT}/{self.NAME}/messages"
        if not path.startswith(base):
            return self.error(404, "QueueNotFound", "The specified queue does not exist.")
        if call["method"] == "GET":
            got = self.queue.take(int(asked["numofmessages"]), int(asked["visibilitytimeout"]), 0)
            items = "".join(f"<QueueMessage><MessageId>{m['id']}</MessageId><InsertionTime>Fri, 09 Oct 2026 21:04:30 GMT</InsertionTime><PopReceipt>"
                            f"{escaped(m['receipt'])}</PopReceipt><DequeueCount>1</DequeueCount><MessageText>{escaped(m['body'])}</MessageText></QueueMessage>"
                            for m in got)
            return 200, {"Content-Type": "application/xml"}, \
                f'\ufeff<?xml version="1.0" encoding="utf-8"?><QueueMessagesList>{items}</QueueMessagesList>'.encode()
        if call["method"] == "DELETE" and self.queue.delete(asked["popreceipt"]):
            return 204, {}, b""
        return self.error(404, "MessageNotFound", "The specified message does not exist.")


def azure_connection(port, key=AzurePeer.KEY):
    """The connection string."""
    return f"DefaultEndpointsProtocol=http;AccountName={AzurePeer.ACCOUNT};AccountKey={key};QueueEndpoint=http://127.0.0.1:{port}/{AzurePeer.ACCOUNT};"


class IdentityPeer:
    """Who gives tokens in Azure: the metadata service of a machine, that of App Service, and Entra ID; the peers of `queues` take the last one only."""

    def __init__(self, resource, *queues):
        self.resource, self.queues, self.seconds, self.given, self.asked, self.refuse = resource, queues, 3600, 0, [], None

    def is_asked_well(self, call):
        path, _, query = call["path"].partition("?")
        asked, form = dict(urllib.parse.parse_qsl(query)), dict(urllib.parse.parse_qsl(call["body"].decode()))
        self.asked.append((path, asked, form))
        client = {"client_id": "client"} if "client_id" in asked else {}
        if path == "/metadata/identity/oauth2/token":
            return call["headers"]["Metadata"] == "true" and asked == {"api-version": "2018-02-01", "resource": self.resource} | client
        if path == "/msi/token":
            return call["headers"]["X-IDENTITY-HEADER"] == "h3ader-of-tests" and asked == {"api-version": "2019-08-01", "resource": self.resource} | client
        proof = form.pop("client_secret", None) or (form.pop("client_assertion_type", None), form.pop("client_assertion", None))
        return path == "/tenant/oauth2/v2.0/token" and form == {"grant_type": "client_credentials", "client_id": "client", "scope": self.resource + "/.default"} \
            and proof in ("s3cr3t&of=tests", ("urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "jwt.of.tests"))

    def __call__(self, call):
        if self.refuse or not self.is_asked_well(call):
            return 400, {}, json.dumps({"error": "invalid_request", "error_description": self.refuse or "Wrong."}).encode()
        self.given += 1
        for q in self.queues:
            q.bearer = f"Bearer t0ken-of-tests-{self.given}"
        life = {"expires_in": str(self.seconds)} if call["method"] == "GET" and "metadata" in call["path"] else {"expires_in": self.seconds} \
            if call["method"] == "POST" else {"expires_on": str(int(time.time()) + self.seconds)}
        return 200, {}, json.dumps(dict(life, access_token=f"t0ken-of-tests-{self.given}", token_type="Bearer")).encode()


class MnsPeer(Peer):
    """Alibaba's MNS, as its documentation has it."""

    NAME = "orders"

    def error(self, status, code, text):
        return status, {"Content-Type": "text/xml"}, f'<?xml version="1.0"?>\n<Error xmlns="http://mns.aliyuncs.com/doc/v1">\n  <Code>{code}</Code>\n' \
            f"  <Message>{text}</Message>\n  <RequestId>1</RequestId>\n</Error>".encode()

    def answer(self, call):
        h, (path, _, query) = call["headers"], call["path"].partition("?")
        access, _, signature = h["Authorization"].removeprefix("MNS ").partition(":")
        text = f"{call['method']}\n{h.get('Content-MD5', '')}\n{h['Content-Type']}\n{h['Date']}\nx-mns-version:{h['x-mns-version']}\n{call['path']}"
        if access not in self.keys or signature != base64.b64encode(hmac.new(self.keys[access].encode(), text.encode(), hashlib.sha1).digest()).decode():
            return self.error(403, "SignatureDoesNotMatch", "The request signature we calculated does not match")
        if path != f"/queues/{self.NAME}/messages":
            return self.error(404, "QueueNotExist", "The queue name you provided is not exist.")
        asked = dict(urllib.parse.parse_qsl(query))
        if call["method"] == "GET":
            got = self.queue.take(int(asked["numOfMessages"]), 30, min(int(asked["waitseconds"]), 1))
            items = "".join(f"<Message><MessageId>{m['id']}</MessageId><ReceiptHandle>{escaped(m['receipt'])}</ReceiptHandle><MessageBody>"
                            f"{escaped(m['body'])}</MessageBody><Priority>8</Priority></Message>" for m in got)
            return (200, {"Content-Type": "text/xml"}, f'<?xml version="1.0"?><Messages xmlns="http://mns.aliyuncs.com/doc/v1">{items}</Messages>'.encode()) \
                if got else self.error(404, "MessageNotExist", "Message not exist.")
        gone = [x.text for x in xml.etree.ElementTree.fromstring(call["body"]) if not self.queue.delete(x.text)]
        items = "".join(f"<Error><ErrorCode>ReceiptHandleError</ErrorCode><ErrorMessage>no</ErrorMessage><ReceiptHandle>{escaped(x)}</ReceiptHandle></Error>"
                        for x in gone)
        return (404, {}, f'<Errors xmlns="http://mns.aliyuncs.com/doc/v1">{items}</Errors>'.encode()) if gone else (204, {}, b"")


class ServiceBusPeer(Peer):
    """Azure Service Bus's REST interface, as its documentation has it."""

    KEY = "key of the namespace="
    PATH = "/orders"
    numbers = 0
    bearer = None  # the Authorization of whom the machine is

    def refusal(self, call):
        if call["headers"]["Authorization"].startswith("Bearer "):
            return None if call["headers"]["Authorization"] == self.bearer else (401, {}, b"<Error><Code>401</Code><Detail>InvalidToken</Detail></Error>")
        got = dict(x.partition("=")[::2] for x in call["headers"]["Authorization"].removeprefix("SharedAccessSignature ").split("&"))
        text = f"{got['sr']}\n{got['se']}".encode()
        wanted = base64.b64encode(hmac.new(self.KEY.encode(), text, hashlib.sha256).digest()).decode()
        if got["skn"] != "listen" or urllib.parse.unquote(got["sig"]) != wanted or int(got["se"]) < time.time() \
                or urllib.parse.unquote(got["sr"]) != "http://" + call["headers"]["Host"]:
            return 401, {"Content-Type": "application/xml"}, b"<Error><Code>401</Code><Detail>InvalidSignature: The token has an invalid signature.</Detail></Error>"
        return None

    def answer(self, call):
        path, _, query = call["path"].partition("?")
        base = self.PATH + "/messages/"
        refusal = self.refusal(call)
        if refusal or not path.startswith(base):
            return refusal or (404, {}, b"<Error><Code>404</Code><Detail>The messaging entity could not be found.</Detail></Error>")
        if call["method"] == "POST" and path == base + "head":
            got = self.queue.take(1, 60, min(int(query.removeprefix("timeout=")), 1))
            return self.message(got[0]) if got else (204, {}, b"")
        done = {"DELETE": self.queue.delete, "PUT": self.queue.release}[call["method"]]
        return (200, {}, b"") if done(path.removeprefix(base)) else (404, {}, b"")

    def message(self, m):
        with self.queue.change:
            mine = self.queue.messages[m["id"]]
            if "number" not in mine:
                self.numbers = mine["number"] = self.numbers + 1
            number, mine["receipt"] = mine["number"], f"{mine['number']}/{uuid.uuid4()}"
        broker = dict({"MessageId": m["id"], "SequenceNumber": number, "LockToken": mine["receipt"].split("/")[1], "DeliveryCount": m["count"],
                       "EnqueuedTimeUtc": "Thu, 24 Sep 2026 01:48:16 GMT", "LockedUntilUtc": "Thu, 24 Sep 2026 01:49:16 GMT"}, **m.get("broker", {}))
        return 201, dict({"BrokerProperties": json.dumps(broker)}, **m.get("headers", {})), m["body"].encode()


def bus_connection(port, key=ServiceBusPeer.KEY):
    """The connection string."""
    return f"Endpoint=http://127.0.0.1:{port}/;SharedAccessKeyName=listen;SharedAccessKey={key}"


class PeerServer(Server):
    """A peer behind its server, as a broker."""

    peer = None

    def __init__(self, _directory):
        super().__init__(self.peer())
        self.queue = self.answer.queue

    close = Server.stop


class MnsServer(PeerServer):
    peer = MnsPeer


class ServiceBusServer(PeerServer):
    peer = ServiceBusPeer


class PubSubPeer:
    """pubsub_peer.py seen from the tests: its queue, and what it is told. `program` is a started one."""

    ACKNOWLEDGEMENTS_REFUSED = ["Acknowledge", "UNAVAILABLE", "later"]

    @staticmethod
    def refusal_of(answer):
        return answer

    def __init__(self, control):
        self.__dict__["control"] = control
        self.__dict__["queue"] = self

    def tell(self, verb, argument=None):
        status, text = ask(self.control, "POST", "/", json.dumps([verb, argument]).encode())
        assert status == 200
        return json.loads(text)

    def __getattr__(self, name):
        return self.tell("state")[name]

    def __setattr__(self, name, value):
        self.tell("set", {name: value})

    def put(self, body, **more):
        return self.tell("put", dict(more, body=body))

    def show(self):
        self.tell("show")

    def start(self):
        self.tell("start")

    def stop(self):
        self.tell("stop")


# ---- servers


class Sqs(Broker):
    """What tests ask of a server of SQS: no real signatures."""

    def call(self, action, over=None, **body):
        headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS." + action,
                   "Authorization": "AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-central-1/sqs/aws4_request, SignedHeaders=host, Signature=0"}
        for _ in range(20):
            status, text = ask(self.port, "POST", "/", json.dumps(body).encode(), headers, over)
            if status == 200:
                return json.loads(text or b"{}")
            if status not in (500, 503):  # ElasticMQ's words for being busy, and for a store that is not quite up
                break
            time.sleep(0.2)
        raise AssertionError(f"{action}: {status} {text.decode()}")

    def url(self):
        return self.call("GetQueueUrl", QueueName="orders")["QueueUrl"]

    def put(self, bodies, over=None):
        url = self.url()
        for i in range(0, len(bodies), 10):
            self.put_batch(url, bodies[i:i + 10], over)

    def put_batch(self, url, bodies, over=None):
        """At most ten."""
        entries = [{"Id": str(k), "MessageBody": b} for k, b in enumerate(bodies)]
        assert len(self.call("SendMessageBatch", over, QueueUrl=url, Entries=entries)["Successful"]) == len(bodies)

    def left(self):
        got = self.call("GetQueueAttributes", QueueUrl=self.url(), AttributeNames=["All"])["Attributes"]
        return int(got["ApproximateNumberOfMessages"]) + int(got["ApproximateNumberOfMessagesNotVisible"])


class ElasticMq(Sqs):
    """From the jars of `make build/sqs/.installed`. Keeps its messages over a restart, and shows those that were taken again then. Its database is
    not closed when it is told to end: else what it takes meanwhile is good in its answers, and not on disk."""

    LIBS = os.path.join(ROOT, "build", "sqs", "libs")

    def command(self):
        path = self.file("elasticmq.conf", f"""
            include classpath("application.conf")
            node-address {{ host = "127.0.0.1", port = {self.port} }}
            rest-sqs {{ enabled = true, bind-hostname = "127.0.0.1", bind-port = {self.port} }}
            rest-stats {{ enabled = false }}
            messages-storage {{ enabled = true, uri = "jdbc:h2:{self.dir}/data;DB_CLOSE_ON_EXIT=FALSE;WRITE_DELAY=0" }}
            queues {{ orders {{ defaultVisibilityTimeout = 120 seconds }} }}
            """)
        return ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Dconfig.file={path}", "-cp", os.path.join(self.LIBS, "*"),
                "org.elasticmq.server.Main"]


class Moto(Sqs):
    """From `make build/moto/.installed`. Keeps nothing over a restart."""

    def command(self):
        return [installed("moto", "env", "bin", "python"), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]

    def start(self):
        super().start()
        self.call("CreateQueue", QueueName="orders")
        return self


class Azurite(Broker):
    """Azure's own emulator, from `make build/azurite/.installed`. It checks signatures, and keeps what it has on disk."""

    ACCOUNT, KEY = "account", AzurePeer.KEY

    def environment(self):
        return dict(os.environ, AZURITE_ACCOUNTS=f"{self.ACCOUNT}:{self.KEY}")

    def command(self):
        return ["node", installed("azurite", "node_modules", "azurite", "dist", "src", "queue", "main.js"), "--silent",
                "--skipApiVersionCheck", "--disableTelemetry", "--queueHost", "127.0.0.1", "--queuePort", str(self.port), "--location", self.dir]

    def call(self, method, path, query="", body=b"", over=None):
        headers = {"x-ms-date": email.utils.formatdate(usegmt=True), "x-ms-version": "2021-12-02", "Content-Length": str(len(body))}
        path = f"/{self.ACCOUNT}{path}"
        text = azure_signature(method, path, query, headers, self.ACCOUNT, self.KEY, len(body))
        headers["Authorization"] = f"SharedKey {self.ACCOUNT}:{text}"
        status, got = ask(self.port, method, path + ("?" + query if query else ""), body, headers, over)
        if status >= 300:
            raise AssertionError(f"{method} {path}: {status} {got.decode()}")
        return got

    def put(self, body, over=None):
        self.call("POST", "/orders/messages", "", f"<QueueMessage><MessageText>{escaped(body)}</MessageText></QueueMessage>".encode(), over)

    def left(self):
        """Messages that nobody has now; those that were taken and not deleted come back after two minutes."""
        return self.call("GET", "/orders/messages", "peekonly=true").count(b"<MessageId>")


class PubSub(Broker):
    """Google's own fake, from `make build/pubsub/.installed`. It does not stop for a restart: it would forget all."""

    def __init__(self, directory):
        super().__init__(directory)
        self.control = free_port()

    def command(self):
        return [installed("pubsub", "pstest"), str(self.port), str(self.control)]

    def ready(self):
        return super().ready() and answers(self.control)

    def put(self, bodies):
        return ask(self.control, "POST", "/publish?topic=projects/p/topics/orders", "\n".join(bodies).encode())[1].decode().split()

    def messages(self):
        return json.loads(ask(self.control, "GET", "/messages")[1])

    def subscriptions(self):
        return json.loads(ask(self.control, "GET", "/subscriptions")[1])


class Wire:
    """Between the daemon and a server that must not be restarted: stop() cuts all connections, and refuses new ones until start()."""

    def __init__(self, port):
        self.port, self.to, self.listener, self.open = free_port(), port, None, []

    def start(self):
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()
        return self

    def accept(self, listener):
        with contextlib.suppress(OSError):
            while True:
                pair = listener.accept()[0], socket.create_connection(("127.0.0.1", self.to))
                self.open += pair
                for a, b in (pair, pair[::-1]):
                    threading.Thread(target=self.copy, args=(a, b), daemon=True).start()

    @staticmethod
    def copy(a, b):
        with contextlib.suppress(OSError):
            while data := a.recv(65536):
                b.sendall(data)
        for s in (a, b):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for s in self.open:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
            s.close()
        self.open = []
