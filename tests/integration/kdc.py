# SPDX-License-Identifier: Apache-2.0
"""A KDC of MIT Kerberos on loopback, with principals and key tables."""
import os
import socket
import subprocess

from harness import free_port, until

REALM = "TIDE.TEST"


class Kdc:
    def __init__(self, test):
        self.directory = os.path.join(test.directory, "kdc")
        os.makedirs(self.directory)
        self.port = free_port()
        self.conf = self.write("krb5.conf", f"""[libdefaults]
  default_realm = {REALM}
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
  udp_preference_limit = 1
[realms]
  {REALM} = {{
    kdc = 127.0.0.1:{self.port}
  }}
""")
        profile = self.write("kdc.conf", f"""[kdcdefaults]
  kdc_listen = 127.0.0.1:{self.port}
  kdc_tcp_listen = 127.0.0.1:{self.port}
[realms]
  {REALM} = {{
    database_name = {self.directory}/principal
    key_stash_file = {self.directory}/stash
    acl_file = {self.directory}/acl
  }}
""")
        self.environment = dict(os.environ, KRB5_CONFIG=self.conf, KRB5_KDC_PROFILE=profile, KRB5CCNAME=f"FILE:{self.directory}/cache")
        self.run("kdb5_util", "create", "-s", "-r", REALM, "-P", "of the test")
        self.process = subprocess.Popen(["/usr/sbin/krb5kdc", "-n", "-r", REALM], env=self.environment, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        test.addCleanup(self.process.wait)
        test.addCleanup(self.process.kill)
        until(self.answers, 60, "the KDC")

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 5).close()
            return True
        except OSError:
            return False

    def write(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def run(self, program, *args):
        path = next(p for p in (f"/usr/sbin/{program}", f"/usr/bin/{program}") if os.path.exists(p))
        subprocess.run([path, *args], env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=120)

    def keys(self, name, *principals):
        """The path of a key table with new principals."""
        path = os.path.join(self.directory, name)
        for p in principals:
            self.run("kadmin.local", "-r", REALM, "-q", f"addprinc -randkey {p}@{REALM}")
            self.run("kadmin.local", "-r", REALM, "-q", f"ktadd -k {path} {p}@{REALM}")
        return path

    def tickets(self, keytab, principal):
        """The path of a credential cache."""
        path = os.path.join(self.directory, principal.replace("/", "-") + ".cache")
        self.run("kinit", "-k", "-t", keytab, "-c", path, f"{principal}@{REALM}")
        return path
