# SPDX-License-Identifier: Apache-2.0
"""Repositories of git on loopback: by git's own program for http behind a server of Python, and by OpenSSH's server."""
import base64
import http.server
import os
import signal
import subprocess
import threading

from harness import free_port, until


def command_lines(text):
    """The processes whose command line has the text: anybody may read that."""
    found = set()
    for pid in os.listdir("/proc"):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                line = f.read().decode(errors="replace")
        except OSError:
            continue
        if text in line:
            found.add(line)
    return found


class Git(http.server.BaseHTTPRequestHandler):
    """git's own program for http behind a server of Python; wants a user and a password, if the server does."""

    protocol_version = "HTTP/1.0"

    def answer(self):
        self.server.asked.append(self.path)
        self.server.commands |= command_lines(f":{self.server.server_port}/repo.git")
        wanted = "Basic " + base64.b64encode(b"ann:p w'd").decode()
        if self.server.login and self.headers.get("Authorization") != wanted:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        env = dict(os.environ, GIT_PROJECT_ROOT=self.server.root, GIT_HTTP_EXPORT_ALL="1", PATH_INFO=path, QUERY_STRING=query, REQUEST_METHOD=self.command,
                   CONTENT_TYPE=self.headers.get("Content-Type", ""), CONTENT_LENGTH=str(len(body)), REMOTE_USER="ann", REMOTE_ADDR="127.0.0.1",
                   HTTP_CONTENT_ENCODING=self.headers.get("Content-Encoding", ""), GIT_PROTOCOL=self.headers.get("Git-Protocol", ""))
        done = subprocess.run(["git", "http-backend"], input=body, env=env, capture_output=True, timeout=60)
        head, _, text = done.stdout.partition(b"\r\n\r\n")
        lines = [x.split(": ", 1) for x in head.decode().split("\r\n")]
        status = next((int(v.split()[0]) for k, v in lines if k == "Status"), 200)
        self.send_response(status)
        for k, v in lines:
            if k != "Status":
                self.send_header(k, v)
        self.end_headers()
        self.server.sent += len(text)
        self.wfile.write(text)

    do_GET = do_POST = answer

    def log_message(self, *args):
        pass


class Repositories:
    """For a TestCase: what is in its directory is served."""

    def shell(self, text):
        env = dict(os.environ, HOME=self.directory, GIT_CONFIG_NOSYSTEM="1")
        for who in ("AUTHOR", "COMMITTER"):
            env.update({f"GIT_{who}_NAME": "a", f"GIT_{who}_EMAIL": "a@b"})
        subprocess.run(["sh", "-ec", text], cwd=self.directory, env=env, check=True, capture_output=True, timeout=60)

    def git_server(self, port, login=True):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Git)
        server.daemon_threads = True
        server.root, server.asked, server.sent, server.commands, server.login = self.directory, [], 0, set(), login
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()

        def stop():
            server.shutdown()
            server.server_close()

        self.addCleanup(stop)
        return server

    def sshd(self):
        port = free_port()
        with open(os.path.join(self.directory, "sshd_config"), "w", encoding="utf-8") as f:
            f.write(f"Port {port}\nListenAddress 127.0.0.1\nHostKey {self.directory}/host\nAuthorizedKeysFile {self.directory}/user.pub\nStrictModes no\n"
                    "UsePAM no\nPidFile none\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n")
        if os.getuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        log = os.path.join(self.directory, "sshd.log")
        p = subprocess.Popen(["/usr/sbin/sshd", "-D", "-f", os.path.join(self.directory, "sshd_config"), "-E", log])
        self.addCleanup(p.wait)
        self.addCleanup(p.send_signal, signal.SIGTERM)

        def listens():
            with open(log, encoding="utf-8") as f:
                return "Server listening" in f.read()

        until(lambda: os.path.exists(log) and listens(), what="sshd")
        return port
