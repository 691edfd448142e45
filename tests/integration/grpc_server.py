# SPDX-License-Identifier: Apache-2.0
"""A custom trigger's server by grpcio, for the tests: grpc_server.py PORT FILE [CERT KEY]. Each call is a line of JSON in FILE. It encodes
protobuf by itself: the three messages have one or two fields of bytes."""
import concurrent.futures
import json
import signal
import sys

import grpc


def varint(data, i):
    value = shift = 0
    while True:
        value |= (data[i] & 0x7F) << shift
        shift, i = shift + 7, i + 1
        if not data[i - 1] & 0x80:
            return value, i


def decode(data):
    fields, i = {}, 0
    while i < len(data):
        tag, i = varint(data, i)
        n, i = varint(data, i)
        if tag & 7 == 2:
            fields[tag >> 3], i = data[i:i + n], i + n
        else:
            fields[tag >> 3] = n
    return fields


def encode(fields):
    out = b""
    for number, value in fields.items():
        if isinstance(value, bool):
            out += bytes([number << 3, value]) if value else b""
            continue
        n, size = len(value), b""
        while n >= 0x80:
            size, n = size + bytes([n & 0x7F | 0x80]), n >> 7
        out += bytes([number << 3 | 2]) + size + bytes([n]) + value
    return out


class Trigger(grpc.GenericRpcHandler):
    def __init__(self, path):
        self.path = path

    def service(self, details):
        method = details.method.rsplit("/", 1)[1]
        if not details.method.startswith("/triggers.Trigger/"):
            return None
        firing = dict(details.invocation_metadata).get("x-tidegate-firing-id", "")
        return grpc.unary_unary_rpc_method_handler(lambda request, context: self.answer(method, firing, request, context),
                                                   request_deserializer=decode, response_serializer=encode)

    def answer(self, method, firing, request, context):
        with open(self.path, "a", encoding="utf-8") as f:
            f.write(json.dumps({"method": method, "firing": firing, "fields": {k: v.decode() for k, v in request.items()}}) + "\n")
        if method == "FetchResource":
            return {1: json.dumps({"kind": "Thing", "spec": request[1].decode()}).encode()}
        if method == "Execute":
            payload = json.loads(request.get(2, b"{}"))
            if payload.get("do") == "fail":
                context.abort(grpc.StatusCode.FAILED_PRECONDITION, "the thing is broken: 100 % sure, größer")
            return {1: json.dumps({"done": payload.get("do"), "pad": "x" * 100000}).encode()}
        return {1: False, 2: b"not good enough"} if json.loads(request[1])["done"] == "judge" else {1: True, 2: b"fine"}


def main():
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8), handlers=[Trigger(sys.argv[2])])
    address = f"127.0.0.1:{sys.argv[1]}"
    if len(sys.argv) > 3:
        with open(sys.argv[3], "rb") as cert, open(sys.argv[4], "rb") as key:
            server.add_secure_port(address, grpc.ssl_server_credentials([(key.read(), cert.read())]))
    else:
        server.add_insecure_port(address)
    server.start()
    print("ready", flush=True)
    signal.sigwait([signal.SIGTERM])
    server.stop(0).wait()


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    main()
