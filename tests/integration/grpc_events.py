# SPDX-License-Identifier: Apache-2.0
"""An event source's server by grpcio, for the tests of kind generic: grpc_events.py PORT FILE [CERT KEY]. Each call is a line of JSON in FILE. It
sends the lines of FILE.events, each once, as they are appended; `burst N` as the config asks for N events at once, `huge N` for one of N bytes."""
import json
import os
import time

import grpc

from grpc_peer import decode, encode, main


class Eventing(grpc.GenericRpcHandler):
    def __init__(self, path):
        self.path = path

    def service(self, details):
        if details.method != "/generic.Eventing/StartEventSource":
            return None
        token = dict(details.invocation_metadata).get("authorization", "")
        return grpc.unary_stream_rpc_method_handler(lambda request, context: self.stream(token, request, context),
                                                    request_deserializer=decode, response_serializer=encode)

    def position(self, new=None):
        """How many lines were sent, over restarts."""
        if new is not None:
            with open(self.path + ".sent", "w", encoding="utf-8") as f:
                f.write(str(new))
        return int(open(self.path + ".sent", encoding="utf-8").read() or 0) if os.path.exists(self.path + ".sent") else 0

    def stream(self, token, request, context):
        config = request[2].decode()
        with open(self.path, "a", encoding="utf-8") as f:
            f.write(json.dumps({"token": token, "name": request[1].decode(), "config": config}) + "\n")
        if token and token != "Bearer sesame":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you?")
        word, _, n = config.partition(" ")
        if word == "burst":
            for i in range(int(n)):
                yield {1: b"e", 2: json.dumps({"n": i}).encode()}
        if word == "huge":
            yield {1: b"e", 2: b'"' + b"x" * int(n) + b'"'}
        while context.is_active():
            at = self.position()
            lines = open(self.path + ".events", "rb").read().split(b"\n")[:-1] if os.path.exists(self.path + ".events") else []
            if at < len(lines):
                self.position(at + 1)
                yield {1: b"e", 2: lines[at]}
            else:
                time.sleep(0.02)


if __name__ == "__main__":
    main(Eventing)
