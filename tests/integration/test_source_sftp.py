# SPDX-License-Identifier: Apache-2.0
"""The source `sftp` against OpenSSH's server, with keys of the test's own: files through restarts of sshd and of the daemon (kill -9), nothing lost and
nothing twice; whose key the server has; what goes wrong. Passwords are asked for by a server of paramiko, another implementation."""
import contextlib
import getpass
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import unittest

from harness import FULL, free_port, scaled, until
from watched import CREATE, REMOVE, WRITE, Watched


@unittest.skipUnless(os.path.exists("/usr/sbin/sshd"), "openssh-server is not installed")
class Sftp(Watched):
    @classmethod
    def setUpClass(cls):
        cls.keys = tempfile.mkdtemp(prefix="tidegate-test-")
        cls.addClassCleanup(shutil.rmtree, cls.keys, ignore_errors=True)
        for name in ("host-ed25519", "host-ecdsa", "host-rsa", "other-ed25519", "user-ed25519", "user-rsa", "user-ecdsa", "stranger-ed25519"):
            subprocess.run(["ssh-keygen", "-q", "-t", name.split("-")[1], "-N", "", "-f", os.path.join(cls.keys, name)], check=True, timeout=60)

    def setUp(self):
        super().setUp()
        self.port = free_port()
        for name in os.listdir(self.keys):
            shutil.copy(os.path.join(self.keys, name), self.directory)
        with open(os.path.join(self.directory, "authorized"), "w", encoding="utf-8") as f:
            f.write("".join(self.text(f"user-{k}.pub") for k in ("ed25519", "rsa", "ecdsa")))
        self.server = None

    def text(self, name):
        with open(os.path.join(self.directory, name), encoding="utf-8") as f:
            return f.read()

    def fingerprint(self, name):
        return subprocess.run(["ssh-keygen", "-lf", os.path.join(self.directory, name + ".pub")], check=True, capture_output=True, text=True,
                              timeout=60).stdout.split()[1]

    def sshd(self, *host_keys):
        """Starts it on the test's port, with these keys."""
        keys = "".join(f"HostKey {self.directory}/{k}\n" for k in host_keys or ("host-ed25519", "host-ecdsa", "host-rsa"))
        with open(os.path.join(self.directory, "sshd_config"), "w", encoding="utf-8") as f:
            f.write(f"Port {self.port}\nListenAddress 127.0.0.1\n{keys}AuthorizedKeysFile {self.directory}/authorized\nStrictModes no\nUsePAM no\n"
                    "PidFile none\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\nSubsystem sftp internal-sftp\n")
        if os.getuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        with open(os.path.join(self.directory, "sshd.log"), "a", encoding="utf-8"):
            before = self.text("sshd.log").count("Server listening")
        self.spawn_sshd()
        def listens():
            if self.server.poll() is not None:
                self.spawn_sshd()  # what is left of the one before may have the port yet
            return self.text("sshd.log").count("Server listening") > before
        until(listens, 120, "sshd")

    def spawn_sshd(self):
        self.server = subprocess.Popen(["/usr/sbin/sshd", "-D", "-f", os.path.join(self.directory, "sshd_config"), "-E",
                                        os.path.join(self.directory, "sshd.log")])
        self.addCleanup(self.stop_sshd, self.server)

    @classmethod
    def processes(cls, pid):
        """It and those of its connections, each of which is a session of its own."""
        try:
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
                return [pid] + [x for child in f.read().split() for x in cls.processes(int(child))]
        except (FileNotFoundError, ProcessLookupError):
            return []

    @classmethod
    def signal(cls, server, number):
        for pid in cls.processes(server.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    @classmethod
    def freeze(cls, pid):
        """It stands still before its children are looked for: none is begotten behind our back, to serve a connection for ever. All of them."""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            until(lambda: cls.status(pid) in "TZX", 120, "a process that stands still")
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
                return [pid] + [x for child in f.read().split() for x in cls.freeze(int(child))]
        return []

    @staticmethod
    def status(pid):
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rpartition(")")[2].split()[0]

    @classmethod
    def stop_sshd(cls, server):
        if server.poll() is not None:
            return
        for pid in cls.freeze(server.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        server.wait()

    def secret(self, **values):
        values = dict({"address": f"127.0.0.1:{self.port}", "user": getpass.getuser(), "key": self.text("user-ed25519")}, **values)
        lines = "".join(f"  {k}: {v!r}\n" if "\n" not in v else f"  {k}: |\n" + "".join(f"    {x}\n" for x in v.splitlines()) for k, v in values.items())
        return f"apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData:\n{lines}---\n"

    def entry(self, kind, pattern, more="", interval="300ms", login="sshKeySecret: {name: s, key: key}"):
        return (f"{{eventType: '{kind}', watchPathConfig: {{directory: {self.dir}, {pattern}}}, address: {{name: s, key: address}}, "
                f"username: {{name: s, key: user}}, {login}, pollIntervalDuration: {interval}{more}}}")

    def serve(self, entries, **values):
        self.gateway("sftp", entries, self.secret(**values))
        self.looked()

    # ---- what is announced

    def test_the_events_data_is_argos(self):
        self.sshd()
        self.write("old")
        os.mkdir(self.path("folder"))
        self.serve({"new": self.entry("CREATE", "pathRegexp: .", ", metadata: {a: b}"), "gone": self.entry("REMOVE", "path: old"),
                    "changed": self.entry("WRITE", "path: old")})
        self.write("new.csv")
        self.wait_for("new", [(CREATE, "new.csv")])
        self.assertEqual(self.rows("SELECT data FROM bus_event")[0].decode(), '{"name":"new.csv","op":1,"metadata":{"a":"b"}}')
        self.write("old", "longer")
        self.wait_for("new", [(CREATE, "new.csv"), (CREATE, "old")])  # as in Argo
        self.wait_for("changed", [(WRITE, "old")])
        os.unlink(self.path("old"))
        self.wait_for("gone", [(REMOVE, "old")])
        self.assertEqual(self.announced("changed"), [(WRITE, "old")])

    def test_a_file_that_grows_is_held_back(self):
        self.sshd()
        self.serve({"held": self.entry("CREATE", "path: big"), "immediate": self.entry("CREATE", "path: big", ", immediate: true")})
        with open(self.path("big"), "w", encoding="utf-8") as f:
            for i in range(4):
                f.write("x")
                f.flush()
                until(lambda n=i: len(self.announced("immediate")) > n, what="each growth")
            self.assertEqual(self.announced("held"), [])
        self.wait_for("held", [(CREATE, "big")])

    def test_through_restarts_of_both(self):
        self.sshd()
        self.serve({"new": self.entry("CREATE", "pathRegexp: '^w'"), "gone": self.entry("REMOVE", "pathRegexp: '^w'")})
        n, batches, want = scaled(60, 800), 5, []

        def make(batch):
            for i in range(n):
                name = f"w{batch}-{i:04d}"
                with open(self.path(".part"), "w", encoding="utf-8") as f:
                    f.write(name)
                os.rename(self.path(".part"), self.path(name))
                want.append((CREATE, name))

        for batch in range(batches):
            writer = threading.Thread(target=make, args=(batch,))
            writer.start()
            if batch % 2:
                self.d.kill()
                self.d.start()
            else:
                self.stop_sshd(self.server)
                self.failed("new", "127.0.0.1", 400)
                self.sshd()
            writer.join()
        until(lambda: len(self.announced("new")) >= len(want), 400, "all files")
        self.assertEqual(sorted(self.announced("new")), sorted(want))
        self.knows("gone", len(want), 400)
        self.d.kill()
        for _, name in want:
            os.unlink(self.path(name))
        self.d.start()
        until(lambda: len(self.announced("gone")) >= len(want), 400, "all to go")
        self.assertEqual(sorted(self.announced("gone")), sorted((REMOVE, x) for _, x in want))
        self.assertEqual(len(self.announced("new")), len(want))

    def test_a_directory_that_comes_later(self):
        self.sshd()
        os.rmdir(self.dir)
        self.serve({"new": self.entry("CREATE", "pathRegexp: .")})
        self.failed("new", "is not there")
        os.mkdir(self.dir)
        self.write("a")
        self.wait_for("new", [(CREATE, "a")])

    # ---- whose key

    def test_the_first_key_counts(self):
        self.sshd("host-ed25519", "host-ecdsa")
        self.serve({"new": self.entry("CREATE", "pathRegexp: .")})
        kept = self.rows("SELECT value FROM source_row WHERE key = CAST('/kept' AS BLOB)")[0].decode()
        self.assertIn(kept, [f"127.0.0.1:{self.port} {self.fingerprint(k)}" for k in ("host-ed25519", "host-ecdsa")])
        self.stop_sshd(self.server)
        self.d.kill()
        self.sshd("other-ed25519")
        self.d.start()
        self.failed("new", "not the key that the server had at first")
        self.write("a")
        self.stop_sshd(self.server)
        # The server got another kind of key beside it, which it prefers: the known one is asked for.
        self.sshd("other-ed25519" if kept.endswith(self.fingerprint("host-ecdsa")) else "host-rsa", "host-ed25519", "host-ecdsa")
        self.wait_for("new", [(CREATE, "a")])

    def test_a_fingerprint(self):
        self.sshd()
        self.serve({"new": self.entry("CREATE", "pathRegexp: .", f", hostKeyFingerprint: '{self.fingerprint('other-ed25519')}'")})
        self.failed("new", "the server's key is SHA256:")
        for kind in ("rsa", "ecdsa", "ed25519"):
            self.change(self.sources_fingerprint(), self.fingerprint(f"host-{kind}"))
            until(lambda: "lastLook" in self.sources()["new"], 60, f"a look with the {kind} key")  # sshd may drop one of many attempts

    def sources_fingerprint(self):
        with open(os.path.join(self.d.manifests, "files.yaml"), encoding="utf-8") as f:
            return f.read().split("hostKeyFingerprint: '")[1].split("'")[0]

    def test_known_hosts(self):
        self.sshd()
        known = f"[127.0.0.1]:{self.port} "
        pin = ", knownHostsSecret: {name: s, key: known}"
        self.serve({"new": self.entry("CREATE", "pathRegexp: .", pin)}, known="# keys\n" + known + self.text("other-ed25519.pub"))
        self.failed("new", "is not among the known hosts")
        self.d.stop()
        hashed = os.path.join(self.directory, "known")
        with open(hashed, "w", encoding="utf-8") as f:
            f.write(known + self.text("host-rsa.pub"))
        subprocess.run(["ssh-keygen", "-q", "-H", "-f", hashed], check=True, capture_output=True, timeout=60)
        shutil.rmtree(self.d.state)
        for text in (known + self.text("host-ecdsa.pub"), self.text("known")):
            self.serve({"new": self.entry("CREATE", "pathRegexp: .", pin)}, known=text)
            self.assertIn("lastLook", self.sources()["new"])
            self.d.stop()

    # ---- login

    def test_each_kind_of_key(self):
        self.sshd()
        for kind in ("ed25519", "ecdsa", "rsa"):
            self.serve({"new": self.entry("CREATE", "pathRegexp: .")}, key=self.text(f"user-{kind}"))
            self.assertIn("lastLook", self.sources()["new"], kind)
            self.d.stop()

    def test_passwords(self):
        """By another server, which cannot be sshd: that asks the machine's own users."""
        for method in ("password", "keyboard-interactive"):
            p = subprocess.Popen(["/usr/bin/python3", os.path.join(os.path.dirname(__file__), "sftp_server.py"), method, self.dir,
                                  os.path.join(self.directory, "host-ecdsa")], stdout=subprocess.PIPE, text=True)
            self.addCleanup(p.stdout.close)
            self.addCleanup(p.wait)
            self.addCleanup(p.kill)
            address = f"127.0.0.1:{p.stdout.readline().strip()}"
            entry = self.entry("CREATE", "pathRegexp: .", login="password: {name: s, key: password}").replace(self.dir, "/in")
            self.serve({"new": entry}, address=address, user="ann", password="wrong")
            self.failed("new", "the server refuses this user with this password")
            self.d.stop()
            self.serve({"new": entry}, address=address, user="ann", password="p w")
            until(lambda: "lastLook" in self.sources()["new"], 60, "a look")
            self.write(method)
            until(lambda m=method: (CREATE, m) in self.announced("new"), 60, "the file")
            self.assertNotIn("p w", self.d.log())
            self.d.stop()

    def test_what_is_wrong_is_said(self):
        self.sshd()
        self.serve({"new": self.entry("CREATE", "pathRegexp: .")}, key=self.text("stranger-ed25519"))
        self.failed("new", "the server refuses this user with this key")
        self.d.stop()
        self.serve({"new": self.entry("CREATE", "pathRegexp: .")}, key="nonsense")
        self.failed("new", "the private key cannot be read")
        self.assertNotIn("nonsense", self.d.log())
        self.d.stop()
        self.serve({"new": self.entry("CREATE", "pathRegexp: .")}, address="127.0.0.1:0")
        self.failed("new", "host:port is needed")
        self.stop_sshd(self.server)
        self.d.stop()
        self.serve({"new": self.entry("CREATE", "pathRegexp: .")})
        self.failed("new", "Connection refused")

    @unittest.skipUnless(FULL, "make integration: it takes a minute or two")
    def test_a_server_that_stands_still(self):
        self.sshd()
        self.serve({"new": self.entry("CREATE", "pathRegexp: .")})
        self.signal(self.server, signal.SIGSTOP)
        self.failed("new", "sftp", 300)
        self.signal(self.server, signal.SIGCONT)
        self.write("a")
        self.wait_for("new", [(CREATE, "a")])


if __name__ == "__main__":
    unittest.main()
