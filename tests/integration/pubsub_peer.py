# SPDX-License-Identifier: Apache-2.0
"""Pub/Sub as far as it is asked, by grpcio, for the tests: pubsub_peer.py PORT CONTROL. It is run by Debian's own python3, and told over HTTP on
CONTROL what to do: each POST is a line of Python's JSON, [verb, argument]. Its messages are those
of google/pubsub/v1/pubsub.proto."""
import http.server
import json
import sys
import threading

import grpc

from grpc_peer import field, fields, start
from queues import Queue


class Service(grpc.GenericRpcHandler):
    def __init__(self):
        self.queue, self.topics, self.subscriptions, self.refuse, self.token, self.calls = Queue(), [], {}, None, None, []

    def service(self, details):
        method = details.method.removeprefix("/google.pubsub.v1.")
        told = dict(details.invocation_metadata).get("authorization")
        return grpc.unary_unary_rpc_method_handler(lambda request, context: self.answer(method, told, fields(request), context))

    def answer(self, method, told, asked, context):
        self.calls.append(method)
        name = method.split("/")[1]
        if self.refuse and self.refuse[0] in (name, "*"):
            context.abort(getattr(grpc.StatusCode, self.refuse[1]), self.refuse[2])
        if self.token and told != "Bearer " + self.token:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "Request had invalid authentication credentials.")
        first = asked[1][0].decode()
        if name not in ("CreateSubscription", "CreateTopic") and first not in self.subscriptions:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Resource not found (resource={first}).")
        return getattr(self, name)(first, asked, context)

    def CreateTopic(self, name, asked, context):
        self.topics.append(name)
        return field(1, name.encode())

    def CreateSubscription(self, name, asked, context):
        topic = asked[2][0].decode()
        if topic not in self.topics:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Resource not found (resource={topic}).")
        self.subscriptions[name] = topic
        return self.GetSubscription(name, asked, context)

    def GetSubscription(self, name, asked, context):
        return field(1, name.encode()) + field(2, self.subscriptions[name].encode()) + field(5, 10)

    def DeleteSubscription(self, name, asked, context):
        del self.subscriptions[name]
        return b""

    def Pull(self, name, asked, context):
        out = b""
        for m in self.queue.take(asked[3][0], 10, 1):
            message = field(1, m["body"].encode()) if m["body"] else b""
            for k, v in m.get("attributes", {}).items():
                message += field(2, field(1, k.encode()) + field(2, v.encode()))
            message += field(3, m["id"].encode()) + field(4, field(1, 1790000000) + field(2, 120000000))
            out += field(1, field(1, m["receipt"].encode()) + field(2, message) + field(5, m["count"]))
        return out

    def Acknowledge(self, name, asked, context):
        for receipt in asked[2]:
            self.queue.delete(receipt.decode())
        return b""

    def ModifyAckDeadline(self, name, asked, context):
        assert asked.get(3, [0]) == [0]
        for receipt in asked[4]:
            self.queue.release(receipt.decode())
        return b""


class Control(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        verb, argument = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = json.dumps(getattr(self, "do_" + verb)(service, argument)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_put(self, service, argument):
        return service.queue.put(**argument)

    def do_set(self, service, argument):
        for k, v in argument.items():
            setattr(service, k, v)

    def do_show(self, service, argument):
        service.queue.show()

    def do_state(self, service, argument):
        q = service.queue
        with q.change:
            return {"messages": list(q.messages), "deleted": q.deleted, "given": q.given, "topics": service.topics, "subscriptions": service.subscriptions,
                    "calls": service.calls}

    def do_stop(self, service, argument):
        running.pop().stop(0).wait()

    def do_start(self, service, argument):
        running.append(start(service, sys.argv[1], 16, options=[("grpc.so_reuseport", 0)]))

    def log_message(self, *args):
        pass


service, running = Service(), []
if __name__ == "__main__":
    control = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Control)
    control.daemon_threads = True
    Control.do_start(None, service, None)
    print("ready", flush=True)
    threading.Thread(target=control.serve_forever, daemon=True).start()
    threading.Event().wait()
