# SPDX-License-Identifier: Apache-2.0
"""AWS's STS as far as AssumeRole, for the tests: sts_server.py PORT FILE ACCESS SECRET SECONDS. It signs each request anew with botocore and
compares. Each role it gives keys of is a line of JSON in FILE; the keys are good for SECONDS. Roles called denied it gives nobody."""
import datetime
import http.server
import json
import re
import sys
import urllib.parse

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

PORT, FILE, ACCESS, SECRET, SECONDS = sys.argv[1:6]
GOOD = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleResult>
    <AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/r/tidegate</Arn></AssumedRoleUser>
    <Credentials>
      <AccessKeyId>ASIAROLE</AccessKeyId>
      <SecretAccessKey>role-s3cr3t&amp;key</SecretAccessKey>
      <SessionToken>role/token==</SessionToken>
      <Expiration>%s</Expiration>
    </Credentials>
  </AssumeRoleResult>
</AssumeRoleResponse>"""
BAD = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error>
</ErrorResponse>"""


def signature(headers, body, region, names):
    request = AWSRequest("POST", f"http://{headers['Host']}/", {n: headers[n] for n in names if n != "host"}, body)
    request.context["timestamp"] = headers["X-Amz-Date"]
    auth = SigV4Auth(Credentials(ACCESS, SECRET), "sts", region)
    return auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)


def refusal(headers, body, args):
    found = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^/]+)/\d+/([^/]+)/sts/aws4_request, ?SignedHeaders=([^,]+), ?Signature=(\w+)",
                         headers["Authorization"])
    if not found or found.group(1) != ACCESS or signature(headers, body, found.group(2), found.group(3).split(";")) != found.group(4):
        return "SignatureDoesNotMatch", "The request signature we calculated does not match"
    if args.get("Action") != "AssumeRole" or args.get("Version") != "2011-06-15" or not args.get("RoleSessionName"):
        return "InvalidAction", "not an AssumeRole"
    if "denied" in args["RoleArn"]:
        return "AccessDenied", "not authorized to perform: sts:AssumeRole"
    return None


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        args = dict(urllib.parse.parse_qsl(body.decode()))
        no = refusal(self.headers, body, args)
        if not no:
            with open(FILE, "a", encoding="utf-8") as f:
                f.write(json.dumps(args) + "\n")
        end = datetime.datetime.utcnow() + datetime.timedelta(seconds=int(SECONDS))
        text = (BAD % no if no else GOOD % end.strftime("%Y-%m-%dT%H:%M:%SZ")).encode()
        self.send_response(403 if no else 200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(PORT)), Handler)
print("ready", flush=True)
server.serve_forever()
