# SPDX-License-Identifier: Apache-2.0
"""A custom trigger's server by grpcio, for the tests: grpc_server.py PORT FILE [CERT KEY]. Each call is a line of JSON in FILE."""
import json

import grpc

from grpc_peer import decode, encode, main


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


if __name__ == "__main__":
    main(Trigger)
