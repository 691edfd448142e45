# SPDX-License-Identifier: Apache-2.0
"""An SMTP server by aiosmtpd, for the tests: smtp_server.py PORT FILE [CERT KEY]. Each mail it takes is a line of JSON in FILE. With a
certificate it wants STARTTLS and the login user/pass. Receivers called nobody@ are refused for good, later@ for now."""
import json
import logging
import signal
import ssl
import sys
import warnings

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult


class Mailbox:
    def __init__(self, path):
        self.path = path

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 no such user here"
        if address.startswith("later@"):
            return "450 4.2.1 try again"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        with open(self.path, "a", encoding="utf-8") as f:
            f.write(json.dumps({"from": envelope.mail_from, "to": envelope.rcpt_tos, "tls": session.ssl is not None,
                                "login": bool(session.authenticated), "text": envelope.content.decode()}) + "\n")
        return "250 taken"


def login(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (b"user", b"pass"), handled=False)


def main():
    options = {}
    if len(sys.argv) > 3:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(sys.argv[3], sys.argv[4])
        options = {"tls_context": context, "require_starttls": True, "auth_required": True, "authenticator": login}
    controller = Controller(Mailbox(sys.argv[2]), hostname="127.0.0.1", port=int(sys.argv[1]), **options)
    controller.start()
    print("ready", flush=True)
    signal.sigwait([signal.SIGTERM])


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    main()
