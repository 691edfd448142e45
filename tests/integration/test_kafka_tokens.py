# SPDX-License-Identifier: Apache-2.0
"""SASL OAUTHBEARER of event source and trigger kafka, and AWS IAM. The token endpoint is the tests' own; its tokens are not signed, which Apache Kafka's
validator for tests takes (`make integration`). Amazon MSK is not to be had: its tokens are compared with AWS's signer in tests/unit/test_sigv4.c,
and that the service takes them is unproven."""
import base64
import json
import time
import unittest
import urllib.parse

from brokers import Kafka
from harness import FULL, free_port, until
from test_services import Server, Services
from test_source_kafka import GROUP, Kafkas, kafka, number

TOKENS = """jsonBody: true
      sasl:
        mechanism: OAUTHBEARER
        userSecret: {name: keys, key: user}
        passwordSecret: {name: keys, key: password}
      config: |
        sasl.oauthbearer.method: oidc
        sasl.oauthbearer.token.endpoint.url: ENDPOINT
        sasl.oauthbearer.scope: events read"""
KEYS = {"user": "client one", "password": "s3cr3t:&"}


class Endpoint(Server):
    """Gives tokens that are good for `life` seconds, or that say that they ended long ago (`stale`). `status`: gives none."""

    def __init__(self):
        super().__init__(self.reply)
        self.life, self.stale, self.status, self.forms = 3600, False, 200, []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/token"

    @staticmethod
    def token(claims):
        parts = [base64.urlsafe_b64encode(json.dumps(x).encode()).decode().rstrip("=") for x in ({"alg": "none"}, claims)]
        return ".".join(parts) + "."

    def reply(self, call):
        form = dict(urllib.parse.parse_qsl(call["body"].decode()))
        self.forms.append(form)
        login = "Basic " + base64.b64encode(":".join((KEYS["user"], KEYS["password"])).encode()).decode()
        if self.status != 200:
            return self.status, {}, b'{"error": "temporarily_unavailable"}'
        if call["headers"]["Authorization"] != login or form.get("grant_type") != "client_credentials":
            return 401, {}, b'{"error": "invalid_client"}'
        now = time.time() - (7200 if self.stale else 0)
        token = self.token({"sub": "ann", "iat": now, "exp": now + self.life, "scope": form["scope"]})
        return 200, {}, json.dumps({"access_token": token, "token_type": "Bearer", "expires_in": self.life}).encode()


class WithEndpoint:
    def setUp(self):
        super().setUp()
        self.endpoint = Endpoint().start()
        self.addCleanup(self.endpoint.stop)

    def source_of(self, address):
        return kafka(GROUP, address, TOKENS.replace("ENDPOINT", self.endpoint.url))


class TokenEndpoint(WithEndpoint, Kafkas):
    """Without a broker: what the endpoint refuses is said."""

    def test_a_client_that_is_refused(self):
        d = self.gateway(self.source_of(f"127.0.0.1:{free_port()}"), dict(KEYS, password="not-this-one")).start()
        self.wait_for_state(d, "failed", "the token for Kafka: ")
        self.assertIn("/token: status 401: ", self.source(d)["error"])
        self.assertIn("invalid_client", self.source(d)["error"])
        self.assertNotIn("not-this-one", d.log())
        self.assertEqual(self.endpoint.forms[0], {"grant_type": "client_credentials", "scope": "events read"})

    def test_an_endpoint_that_is_away(self):
        self.endpoint.stop()
        d = self.gateway(self.source_of(f"127.0.0.1:{free_port()}"), KEYS).start()
        self.wait_for_state(d, "failed", "the token for Kafka: POST http://127.0.0.1:")

    def test_no_endpoint(self):
        source = self.source_of(f"127.0.0.1:{free_port()}")
        d = self.gateway(source[:source.index("      config: |")] + "\n", KEYS).start()
        self.wait_for_state(d, "failed", "OAUTHBEARER needs a token endpoint")

    def test_aws_without_keys(self):
        source = kafka(GROUP, f"127.0.0.1:{free_port()}", "awsMskIamAuth: {region: eu-west-1}")
        d = self.gateway(source, KEYS).start()
        self.wait_for_state(d, "failed", "AWS_ACCESS_KEY_ID")


@unittest.skipUnless(FULL, "Kafka is not a package of Debian's: make integration")
class KafkaTokens(WithEndpoint, Kafkas):
    def setUp(self):
        super().setUp()
        self.b = self.broker(Kafka)

    def send(self, numbers):
        self.b.send("t", [json.dumps({"i": i}) for i in numbers])

    def test_tokens_that_end(self):
        """Those of a few seconds, over the end of several; and through an outage of the endpoint that is shorter than the token."""
        self.endpoint.life = 8
        d = self.gateway(self.source_of(f"127.0.0.1:{self.b.token_port}"), KEYS).start()
        self.send(range(10))
        self.wait_for(d, 10)
        before = len(self.endpoint.forms)
        until(lambda: len(self.endpoint.forms) >= before + 3, 120, "three tokens more")
        self.send(range(10, 20))
        self.once_each(d, range(20), number)
        self.endpoint.stop()
        self.wait_for_state(d, "failed", "the token for Kafka: ")
        self.send(range(20, 30))
        self.endpoint.start()
        self.once_each(d, range(30), number)

    def test_a_token_that_the_broker_refuses(self):
        self.endpoint.stale = True
        d = self.gateway(self.source_of(f"127.0.0.1:{self.b.token_port}"), KEYS).start()
        self.send(range(10))
        self.wait_for_state(d, "failed", "invalid_token")
        self.endpoint.stale = False
        self.once_each(d, range(10), number)


TRIGGER = """
      kafka:
        url: 127.0.0.1:PORT
        topic: t
        sasl: {mechanism: OAUTHBEARER, userSecret: {name: keys, key: user}, passwordSecret: {name: keys, key: password}}
        config: "{sasl.oauthbearer.token.endpoint.url: 'ENDPOINT', sasl.oauthbearer.scope: events}"
        payload:
        - {src: {dependencyName: d, dataKey: body.n, useRawData: true}, dest: n}
"""


class TriggerTokens(WithEndpoint, Services):
    def sends(self, port, keys):
        return self.gateway(TRIGGER.replace("PORT", str(port)).replace("ENDPOINT", self.endpoint.url), keys)

    def test_a_client_that_is_refused(self):
        d = self.sends(free_port(), dict(KEYS, password="not-this-one"))
        self.send({"n": 1})
        until(lambda: any("the token for Kafka: " in v[1] and "status 401" in v[1] for v in self.verdicts(d)), 60, "a refusal")
        self.assertNotIn("not-this-one", d.log())

    @unittest.skipUnless(FULL, "Kafka is not a package of Debian's: make integration")
    def test_a_message_goes_out(self):
        b = Kafka(self.directory + "/broker")
        self.addCleanup(b.close)
        b.start()
        d = self.sends(b.token_port, KEYS)
        self.send({"n": 1})
        self.wait_for(d, 1)
        self.assertEqual([json.loads(m["payload"]) for m in b.topic("t")], [{"n": 1}])


if __name__ == "__main__":
    unittest.main()
