# SPDX-License-Identifier: Apache-2.0
"""What the servers by grpcio of the tests share: protobuf, as far as their messages need it, encoded by hand, and a server that runs until SIGTERM.
Run by Debian's own python3, which has grpcio."""
import concurrent.futures
import signal
import sys

import grpc


def varint(value):
    out = b""
    while value >= 0x80:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def read_varint(data, i):
    value = shift = 0
    while True:
        value |= (data[i] & 0x7F) << shift
        shift, i = shift + 7, i + 1
        if not data[i - 1] & 0x80:
            return value, i


def fields(data):
    """{number: [values]}"""
    out, i = {}, 0
    while i < len(data):
        tag, i = read_varint(data, i)
        value, i = read_varint(data, i)
        if tag & 7 == 2:
            value, i = data[i:i + value], i + value
        out.setdefault(tag >> 3, []).append(value)
    return out


def decode(data):
    """{number: value} of a message in which nothing is repeated."""
    return {number: values[-1] for number, values in fields(data).items()}


def encode(message):
    """The other way; False is left out, as proto3 does."""
    return b"".join(field(number, value) for number, value in message.items() if value is not False)


def start(handler, port, threads, files=(), options=()):
    """`files`: certificate and key, or nothing."""
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(threads), handlers=[handler], options=options)
    address = f"127.0.0.1:{port}"
    if files:
        with open(files[0], "rb") as cert, open(files[1], "rb") as key:
            server.add_secure_port(address, grpc.ssl_server_credentials([(key.read(), cert.read())]))
    else:
        server.add_insecure_port(address)
    server.start()
    return server


def main(make):
    """A program PORT FILE [CERT KEY] that serves make(FILE)."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    server = start(make(sys.argv[2]), sys.argv[1], 8, sys.argv[3:])
    print("ready", flush=True)
    signal.sigwait([signal.SIGTERM])
    server.stop(0).wait()
