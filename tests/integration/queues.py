# SPDX-License-Identifier: Apache-2.0
"""Queues that are pulled over HTTP: servers of the real protocols (ElasticMQ, moto, Azurite, Google's pstest), each started on loopback, and
peers of the tests' own, which speak as much of a protocol as is asked of them, check each signature anew from the provider's
documentation, and can be told to refuse, to break off, and to give a message again."""
import base64
import hashlib
import hmac
import http.client
import json
import os
import threading
import time
import urllib.parse
import uuid
import xml.sax.saxutils

from brokers import Broker
from harness import ROOT, free_port
from test_services import aws_signature


def ask(port, method, path, body=b"", headers=None):
    """(status, body)"""
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        c.request(method, path, body, headers or {})
        r = c.getresponse()
        return r.status, r.read()
    finally:
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


class SqsPeer(Peer):
    """SQS's JSON protocol."""

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


# ---- servers


class Sqs(Broker):
    """What tests ask of a server of SQS: no real signatures."""

    def call(self, action, **body):
        headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS." + action,
                   "Authorization": "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0"}
        status, text = ask(self.port, "POST", "/", json.dumps(body).encode(), headers)
        if status != 200:
            raise AssertionError(f"{action}: {status} {text.decode()}")
        return json.loads(text or b"{}")

    def url(self):
        return self.call("GetQueueUrl", QueueName="orders")["QueueUrl"]

    def put(self, bodies, **more):
        url, ids = self.url(), []
        for i in range(0, len(bodies), 10):
            entries = [dict({"Id": str(k), "MessageBody": b}, **more) for k, b in enumerate(bodies[i:i + 10])]
            got = self.call("SendMessageBatch", QueueUrl=url, Entries=entries)["Successful"]
            ids += [x["MessageId"] for x in sorted(got, key=lambda x: int(x["Id"]))]
        return ids

    def left(self):
        got = self.call("GetQueueAttributes", QueueUrl=self.url(), AttributeNames=["All"])["Attributes"]
        return int(got["ApproximateNumberOfMessages"]) + int(got["ApproximateNumberOfMessagesNotVisible"])


class ElasticMq(Sqs):
    """From the jars of `make build/sqs/.installed`. Keeps its messages over a restart, and shows those that were taken again then."""

    LIBS = os.path.join(ROOT, "build", "sqs", "libs")

    def command(self):
        path = self.file("elasticmq.conf", f"""
            include classpath("application.conf")
            node-address {{ host = "127.0.0.1", port = {self.port} }}
            rest-sqs {{ enabled = true, bind-hostname = "127.0.0.1", bind-port = {self.port} }}
            rest-stats {{ enabled = false }}
            messages-storage {{ enabled = true, uri = "jdbc:h2:{self.dir}/data" }}
            queues {{ orders {{ defaultVisibilityTimeout = 120 seconds }} }}
            """)
        return ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Dconfig.file={path}", "-cp", os.path.join(self.LIBS, "*"),
                "org.elasticmq.server.Main"]


class Moto(Sqs):
    """From `make build/moto/.installed`. Keeps nothing over a restart."""

    def command(self):
        return [os.path.join(ROOT, "build", "moto", "env", "bin", "python"), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]

    def start(self):
        super().start()
        self.call("CreateQueue", QueueName="orders")
        return self
