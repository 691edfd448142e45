# SPDX-License-Identifier: Apache-2.0
"""Objects of triggers from elsewhere: git over http and ssh with what each asks for, S3 with its signature, a web server over TLS; each while its
counterpart is away, too. `make integration` asks a real S3 server (S3Proxy)."""
import base64
import getpass
import http.client
import http.server
import json
import os
import ssl
import subprocess
import threading
import unittest

from harness import ROOT, FULL, free_port, until
from repositories import Repositories
from test_services import Services, aws_signature

FLOW = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: from-}
spec:
  entrypoint: main
  arguments: {parameters: [{name: m, value: VALUE}]}
  templates: [{name: main, suspend: {duration: "0"}}]
"""

TRIGGER = """
      k8s:
        operation: create
        source:
          SOURCE
        parameters: [{src: {dependencyName: d, dataKey: body.n}, dest: metadata.labels.n}]
"""


class Sources(Repositories, Services):
    def gateway(self, source, secrets=None):
        return super().gateway(TRIGGER.replace("SOURCE", source), secrets or {"none": "x"})

    def repository(self, value="from-git"):
        """repo.git with flows/one.yaml and a large file beside it."""
        os.makedirs(os.path.join(self.directory, "work", "flows"))
        with open(os.path.join(self.directory, "work", "flows", "one.yaml"), "w", encoding="utf-8") as f:
            f.write(FLOW.replace("VALUE", value))
        self.shell("head -c 3000000 /dev/urandom >work/large; cd work; git init -q -b main; git add .; git commit -q -m one; cd ..; "
                   "git clone -q --bare work repo.git; git -C repo.git config uploadpack.allowFilter true; "
                   "git -C repo.git config uploadpack.allowAnySHA1InWant true")

    def value(self, d):
        """The parameter of the newest workflow, and its label."""
        newest = d.get("@latest")
        return newest["spec"]["arguments"]["parameters"][0]["value"], newest["metadata"]["labels"]["n"]

    # ---- git

    def test_git_over_http_with_a_password(self):
        self.repository()
        server = self.git_server(free_port())
        d = self.gateway(f"git: {{url: 'http://127.0.0.1:{server.server_port}/repo.git', branch: main, filePath: flows/one.yaml, creds: {{username: "
                         "{name: keys, key: user}, password: {name: keys, key: password}}}", {"user": "ann", "password": "p w'd\n"})
        self.send({"n": "1"})
        self.wait_for(d, 1)
        self.assertEqual(self.value(d), ("from-git", "1"))
        self.assertLess(server.sent, 1000000)  # of the large file nothing was fetched

    def test_git_over_http_with_a_password_in_the_url(self):
        self.repository()
        server = self.git_server(free_port())
        url = f"127.0.0.1:{server.server_port}/repo.git"
        d = self.gateway(f"git: {{url: 'http://ann:p%20w%27d@{url}', branch: main, filePath: flows/one.yaml, remote: {{name: other, urls: "
                         f"['http://ann:p%20w%27d@{url}']}}}}", {})
        self.send({"n": "1"})
        self.wait_for(d, 1)
        self.assertEqual(self.value(d), ("from-git", "1"))
        self.assertTrue(any("ls-remote" in c for c in server.commands), server.commands)
        self.assertFalse([c for c in server.commands if "w'd" in c or "w%27d" in c or "ann" in c])

    def test_git_over_http_with_a_wrong_password_or_none(self):
        self.repository()
        server = self.git_server(free_port())
        url = f"http://127.0.0.1:{server.server_port}/repo.git"
        d = self.gateway(f"git: {{url: '{url}', branch: main, filePath: flows/one.yaml, creds: {{username: {{name: keys, key: user}}, "
                         "password: {name: keys, key: password}}}", {"user": "ann", "password": "wrong"})
        self.send({"n": "1"})
        reason = self.first_failure(d)
        self.assertIn("Authentication failed", reason)
        self.assertNotIn("wrong", reason)

    def first_failure(self, d):
        return until(lambda: [v[1] for v in self.verdicts(d) if v[0] in ("failed", "dead-letter")], 60, "a failure")[0]

    def test_a_repository_that_is_away_is_waited_for(self):
        self.repository()
        port = free_port()
        d = self.gateway(f"git: {{url: 'http://127.0.0.1:{port}/repo.git', branch: main, filePath: flows/one.yaml, creds: {{username: "
                         "{name: keys, key: user}, password: {name: keys, key: password}}}", {"user": "ann", "password": "p w'd"})
        for i in range(5):
            self.send({"n": str(i)})
        self.first_failure(d)
        d.kill()
        d.start()
        self.first_failure(d)
        self.git_server(port)
        self.wait_for(d, 5)
        self.assertEqual(sorted(w["metadata"]["labels"]["n"] for w in d.list()), ["0", "1", "2", "3", "4"])
        until(lambda: not os.listdir(os.path.join(d.state, "triggers")), what="the folders to go")

    @unittest.skipUnless(os.path.exists("/usr/sbin/sshd"), "openssh-server is not installed")
    def test_git_over_ssh(self):
        self.repository("over-ssh")
        self.shell("ssh-keygen -q -t ed25519 -N '' -f host; ssh-keygen -q -t ed25519 -N '' -f user; ssh-keygen -q -t ed25519 -N '' -f other")
        port = self.sshd()
        with open(os.path.join(self.directory, "host.pub"), encoding="utf-8") as f:
            known = f"[127.0.0.1]:{port} " + f.read()
        path = os.path.join(self.directory, "known_hosts")
        with open(path, "w", encoding="utf-8") as f:
            f.write(known)
        os.environ["SSH_KNOWN_HOSTS"] = path
        self.addCleanup(os.environ.pop, "SSH_KNOWN_HOSTS")
        secrets = {}
        for name in ("user", "other"):
            with open(os.path.join(self.directory, name), encoding="utf-8") as f:
                secrets[name] = f.read()
        url = f"ssh://{getpass.getuser()}@127.0.0.1:{port}{self.directory}/repo.git"
        source = f"git: {{url: '{url}', ref: refs/heads/main, filePath: flows/one.yaml, sshKeySecret: {{name: keys, key: KEY}}}}"
        d = self.gateway(source.replace("KEY", "user"), secrets)
        self.send({"n": "1"})
        self.wait_for(d, 1)
        self.assertEqual(self.value(d), ("over-ssh", "1"))
        with open(os.path.join(d.manifests, "all.yaml"), encoding="utf-8") as f:
            text = f.read()
        self.change(d, text.replace("key: user}", "key: other}"))
        self.failure_of(d, "2", "Permission denied")
        with open(path, "w", encoding="utf-8") as f, open(os.path.join(self.directory, "other.pub"), encoding="utf-8") as other:
            f.write(f"[127.0.0.1]:{port} " + other.read())
        self.change(d, text)
        self.failure_of(d, "3", "Host key verification failed")
        self.change(d, text.replace("filePath:", "insecureIgnoreHostKey: true, filePath:"))
        self.wait_for(d, 3)

    def change(self, d, text):
        """The new manifest counts from the moment the daemon says so."""
        changes = d.log().count("sensor changed")
        d.write("all.yaml", text)
        until(lambda: d.log().count("sensor changed") > changes, what="the new manifest")

    def failure_of(self, d, n, wanted):
        self.send({"n": n})
        until(lambda: any(wanted in v[1] for v in self.verdicts(d)), 60, wanted)

    # ---- url

    def test_a_certificate_is_looked_at_unless_the_manifest_says_no(self):
        cert, key = self.certificate()
        server = self.tls_server(cert, key)
        source = f"url: {{path: 'https://127.0.0.1:{server.server_port}/flow.yaml'}}"
        d = self.gateway(source)
        self.send({"n": "1"})
        self.assertIn("verifyCert: false of the source would not look at it", self.first_failure(d))
        with open(os.path.join(d.manifests, "all.yaml"), encoding="utf-8") as f:
            text = f.read()
        d.write("all.yaml", text.replace("flow.yaml'}", "flow.yaml', verifyCert: false}"))
        self.wait_for(d, 1)
        self.assertEqual(self.value(d), ("over-tls", "1"))

    def tls_server(self, cert, key):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                text = FLOW.replace("VALUE", "over-tls").encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *args):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    # ---- S3

    S3 = "s3: {endpoint: '127.0.0.1:PORT', insecure: true, REGION bucket: {name: flows, key: 'a b/one+two.yaml'}, accessKey: {name: keys, key: access}, " \
         "secretKey: {name: keys, key: secret}}"
    KEYS = {"access": "AKID", "secret": "s3cr3t-key-of-tests"}

    def bucket(self, call):
        """Looks at the signature by another implementation; the bucket is in eu-central-1."""
        auth = call["headers"].get("Authorization", "")
        if "/eu-central-1/s3/" not in auth:
            return 400, {}, b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-central-1</Region></Error>"
        if not auth.endswith("Signature=" + aws_signature(call, self.KEYS["secret"], method="GET", once=True)):
            return 403, {}, b"<Error><Code>SignatureDoesNotMatch</Code></Error>"
        if call["path"] != "/flows/a%20b/one%2Btwo.yaml":
            return 404, {}, b"<Error><Code>NoSuchKey</Code></Error>"
        return 200, {}, FLOW.replace("VALUE", "of-s3").encode()

    def test_an_object_of_s3_wherever_its_bucket_is(self):
        server = self.serve(self.bucket)
        d = self.gateway(self.S3.replace("PORT", str(server.port)).replace("REGION", ""), self.KEYS)
        self.send({"n": "1"})
        self.wait_for(d, 1)
        self.assertEqual(self.value(d), ("of-s3", "1"))
        self.assertEqual([c["status"] for c in server.calls], [400, 200])
        self.assertEqual(server.calls[1]["headers"]["X-Amz-Content-Sha256"], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")

    def test_wrong_keys_say_so(self):
        server = self.serve(self.bucket)
        d = self.gateway(self.S3.replace("PORT", str(server.port)).replace("REGION", "region: eu-central-1,"), {"access": "AKID", "secret": "wrong-one"})
        self.send({"n": "1"})
        reason = self.first_failure(d)
        self.assertIn("s3 flows/a b/one+two.yaml answered 403", reason)
        self.assertIn("SignatureDoesNotMatch", reason)

    @unittest.skipUnless(FULL, "make integration")
    def test_a_real_s3_server_through_its_restart(self):
        """S3Proxy, which is Amazon's protocol in front of a folder."""
        port = free_port()
        os.makedirs(os.path.join(self.directory, "s3", "flows", "a b"))
        with open(os.path.join(self.directory, "s3", "flows", "a b", "one+two.yaml"), "w", encoding="utf-8") as f:
            f.write(FLOW.replace("VALUE", "of-s3proxy"))
        conf = os.path.join(self.directory, "s3proxy.conf")
        with open(conf, "w", encoding="utf-8") as f:
            f.write(f"s3proxy.authorization=aws-v2-or-v4\ns3proxy.endpoint=http://127.0.0.1:{port}\ns3proxy.identity=AKID\n"
                    f"s3proxy.credential={self.KEYS['secret']}\njclouds.provider=filesystem\njclouds.identity=x\njclouds.credential=x\n"
                    f"jclouds.filesystem.basedir={self.directory}/s3\n")
        s3 = self.s3proxy(conf, port)
        d = self.gateway(self.S3.replace("PORT", str(port)).replace("REGION", ""), self.KEYS)
        self.send({"n": "1"})
        self.wait_for(d, 1)
        self.assertEqual(self.value(d), ("of-s3proxy", "1"))
        s3.terminate()
        s3.wait()
        for i in range(2, 8):
            self.send({"n": str(i)})
        self.first_failure(d)
        self.s3proxy(conf, port)
        self.wait_for(d, 7)
        self.assertEqual(sorted(w["metadata"]["labels"]["n"] for w in d.list()), [str(i) for i in range(1, 8)])

    def s3proxy(self, conf, port):
        libs = os.path.join(ROOT, "build", "s3", "libs", "*")
        log = open(os.path.join(self.directory, "s3proxy.log"), "ab")
        self.addCleanup(log.close)
        p = subprocess.Popen(["java", "-Xmx256m", "-cp", libs, "org.gaul.s3proxy.Main", "--properties", conf], stdout=log, stderr=log)
        self.addCleanup(p.wait)
        self.addCleanup(p.terminate)

        def answers():
            c = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            try:
                c.request("GET", "/")
                return c.getresponse().status
            except OSError:
                return None
            finally:
                c.close()

        until(answers, 120, "S3Proxy")
        return p


if __name__ == "__main__":
    unittest.main()
