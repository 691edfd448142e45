# SPDX-License-Identifier: Apache-2.0
"""common: what the measures share: commands in the real-time class, servers, files, and the manifests of simple workflows."""
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BIN = os.environ.get("BENCH_BIN", os.path.join(TOP, "build/bench"))
TIDEGATE = os.environ.get("TIDEGATE", os.path.join(TOP, "tidegate"))
ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS = os.environ.get("SECONDS_EACH", "2")


def realtime():
    """The prefix that gives a command the round-robin class, if we may."""
    chrt = shutil.which("chrt")
    if chrt and subprocess.run([chrt, "-r", "5", "true"], capture_output=True).returncode == 0:
        return [chrt, "-r", "5"]
    return []


RT = realtime()
notes = []  # what a measure has to say beside its ratio


def tool(name):
    return os.path.join(BIN, name)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def out(args, **kw):
    """Runs a measuring command and gives what it prints."""
    p = subprocess.run(RT + args, capture_output=True, text=True, timeout=600, **kw)
    if p.returncode != 0:
        raise RuntimeError(f"{' '.join(args)}: exit {p.returncode}: {(p.stderr or p.stdout).strip()[-600:]}")
    return p.stdout


def number(text, pattern):
    return float(re.search(pattern, text).group(1))


class Server:
    """A server of ours or of a peer, stopped at the end."""

    def __init__(self, args, port, **kw):
        self.log = tempfile.TemporaryFile()
        self.p = subprocess.Popen(RT + args, stdout=self.log, stderr=self.log, **kw)
        end = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 0.2).close()
                return
            except OSError:
                if self.p.poll() is not None or time.monotonic() > end:
                    self.log.seek(0)
                    raise RuntimeError(f"{args[0]} does not listen: {self.log.read().decode()[-600:]}") from None
                time.sleep(0.01)

    def settled(self):
        """Its memory (KiB) when it is idle: the least of the next seconds."""
        least = pss_kib(self.p.pid)
        for _ in range(6):
            time.sleep(0.5)
            least = min(least, pss_kib(self.p.pid))
        return least

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.p.send_signal(signal.SIGTERM)
        try:
            self.p.wait(10)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()
        self.log.close()


def timed(args, **kw):
    """Seconds that a command takes, from before its start to after its end."""
    start = time.monotonic()
    p = subprocess.run(RT + args, capture_output=True, text=True, timeout=600, **kw)
    took = time.monotonic() - start
    if p.returncode != 0:
        raise RuntimeError(f"{' '.join(args[:6])}: exit {p.returncode}: {(p.stderr or p.stdout).strip()[-600:]}")
    return took


def write(directory, name, text):
    path = os.path.join(directory, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def pss_kib(pid):
    """Of a process alone."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        return int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M).group(1))


def serve(work, name, port, manifests, sandbox="off", listen=None, options=()):
    """Our daemon, taken to be up when `port` is; its API listens on `listen`, or somewhere."""
    path = write(work, f"{name}.yaml", manifests)
    return Server([TIDEGATE, "serve", "--state", os.path.join(work, f"{name}.state"), "--listen", f"127.0.0.1:{listen or free_port()}",
                   "--auth", "none", "--sandbox", sandbox, *options, path], port)


def source_manifest(port):
    return f"""apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {{name: bench}}
spec:
  webhook:
    push: {{endpoint: /push, method: POST, port: "{port}"}}
"""


def run_workflow(work, path, sandbox):
    # Not removed before the end: ext4 looks for a long time for a free inode when thousands were freed a moment ago.
    state = tempfile.mkdtemp(dir=work)
    return timed([TIDEGATE, "run", "--state", state, "--sandbox", sandbox, "--output", "name", path])


def workflow_head(name, command="[/bin/true]"):
    return f"""apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {{name: {name}}}
spec:
  entrypoint: main
  templates:
    - name: nothing
      container: {{image: any, command: {command}}}
"""


def fan_out(n):
    return workflow_head("fan") + f"""    - name: main
      steps:
        - - {{name: one, template: nothing, withSequence: {{count: "{n}"}}}}
"""


def fan_makefile(n, command="/bin/true"):
    names = " ".join(f"t{i}" for i in range(n))
    return f"all: {names}\n{names}:\n\t@{command}\n.PHONY: all {names}\n"
