# SPDX-License-Identifier: Apache-2.0
"""A schema registry as far as GET /schemas/ids/N, for the tests, and messages by Apache's own Avro for Python. Those of Confluent and Karapace are
no packages of Debian's; what they would answer beyond their documentation is unproven. Run as a program it does the encoding: Debian's python3 has
the library, the one that runs the tests may not. A line of JSON {schema, value} or {schema, hex} becomes one with the other."""
import base64
import json
import subprocess
import sys

try:
    from test_services import Server
except ImportError:  # the program needs none
    Server = object


class Registry(Server):
    """`login`: (user, password) that it wants. `status`: what it answers instead of schemas. Stopped and started on its port."""

    def __init__(self, login=None):
        super().__init__(self.reply)
        self.schemas, self.asked, self.login, self.status = {}, [], login, None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def reply(self, call):
        self.asked.append(call["path"])
        status, body = self.verdict(call["path"], call["headers"]["Authorization"])
        return status, {}, json.dumps(body).encode()

    def verdict(self, path, authorization):
        number = path.rsplit("/", 1)[1]
        if self.status:
            return self.status, {"error_code": self.status, "message": "not now"}
        if self.login and authorization != "Basic " + base64.b64encode(":".join(self.login).encode()).decode():
            return 401, {"error_code": 401, "message": "Unauthorized"}
        if path != "/schemas/ids/" + number:
            return 404, {"error_code": 404, "message": "HTTP 404 Not Found"}
        if int(number) not in self.schemas:
            return 404, {"error_code": 40403, "message": f"Schema {number} not found"}
        return 200, {"schema": json.dumps(self.schemas[int(number)])}


def converted(lines):
    done = subprocess.run(["/usr/bin/python3", __file__], input="".join(json.dumps(x) + "\n" for x in lines), text=True, capture_output=True, check=True,
                          timeout=120)
    return [json.loads(x) for x in done.stdout.splitlines()]


def messages(number, schema, values):
    """As a producer with that registry sends them."""
    head = b"\0" + number.to_bytes(4, "big")
    return [head + bytes.fromhex(x) for x in converted({"schema": schema, "value": v} for v in values)]


def values(schema, sent):
    return converted({"schema": schema, "hex": m[5:].hex()} for m in sent)


def bare(schema):
    """Without logical types, for which the library wants objects of Python's own."""
    if isinstance(schema, dict):
        return {k: bare(v) for k, v in schema.items() if k != "logicalType"}
    return [bare(x) for x in schema] if isinstance(schema, list) else schema


def main():
    import io
    import avro.io
    import avro.schema
    for line in map(json.loads, sys.stdin):
        schema = avro.schema.parse(json.dumps(bare(line["schema"])))
        if "hex" in line:
            text = io.BytesIO(bytes.fromhex(line["hex"]))
            print(json.dumps(avro.io.DatumReader(schema).read(avro.io.BinaryDecoder(text))))
        else:
            text = io.BytesIO()
            avro.io.DatumWriter(schema).write(line["value"], avro.io.BinaryEncoder(text))
            print(json.dumps(text.getvalue().hex()))


if __name__ == "__main__":
    main()
