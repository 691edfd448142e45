# SPDX-License-Identifier: Apache-2.0
"""feeds: sources that a broker delivers to: how fast, what they weigh when nothing comes, and how they come back all at once."""
import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import time
import urllib.request

from common import ROUNDS, Server, free_port, notes, number, out, serve, tool, write

MESSAGES = 20000


def mosquitto(work, name, port, *lines):
    directory = os.path.join(work, name)
    os.makedirs(directory, exist_ok=True)
    text = [f"listener {port} 127.0.0.1", "allow_anonymous true", "max_queued_messages 0", "user root", *lines]
    return Server([shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-c", write(directory, "mosquitto.conf", "\n".join(text) + "\n")], port)


def entries(kind, fields):
    return (f"apiVersion: argoproj.io/v1alpha1\nkind: EventSource\nmetadata: {{name: {kind}}}\nspec:\n  {kind}:\n" +
            "".join(f"    e{i}: {{{f}}}\n" for i, f in enumerate(fields)))


def session(port, client):
    return f'url: "tcp://127.0.0.1:{port}", topic: "t/#", clientId: {client}, qos: 1, cleanSession: false, jsonBody: true'


def until(condition, what, seconds=120):
    end = time.monotonic() + seconds
    while not (got := condition()):
        if time.monotonic() > end:
            raise RuntimeError(f"waited {seconds} s in vain for {what}")
        time.sleep(0.005)
    return got


def stored(state):
    """Events on disk, and when the first of them came in."""
    with contextlib.closing(sqlite3.connect(f"file:{state}/tidegate.db?mode=ro", uri=True)) as db:
        n, first = db.execute("SELECT COUNT(*), MIN(time) FROM bus_event").fetchone()
    return n, (first or 0) / 1e9


def mqtt(work):
    """The same 20,000 messages of 100 bytes, which wait in two sessions of one broker: to events on disk, and to a bare client."""
    lines = "".join(json.dumps({"n": i, "text": "x" * 80}) + "\n" for i in range(MESSAGES))
    for k in range(ROUNDS):
        port, api = free_port(), free_port()
        with mosquitto(work, f"mqtt{k}", port):
            for client in ("ours", "theirs"):
                subprocess.run([tool("mqtt_bare"), str(port), client, "0"], check=True, timeout=60)
            subprocess.run(["mosquitto_pub", "-p", str(port), "-t", "t/a", "-q", "1", "-l"], input=lines, text=True, check=True, timeout=300)
            state = os.path.join(work, f"mqtt{k}.state")
            with serve(work, f"mqtt{k}", api, entries("mqtt", [session(port, "ours")]), listen=api):
                until(lambda: os.path.exists(state + "/tidegate.db") and stored(state)[0] == MESSAGES, "the messages")
                n, first = stored(state)
                took = time.time() - first
            theirs = number(out([tool("mqtt_bare"), str(port), "theirs", str(MESSAGES)]), r"^(\d+) messages")
        yield (n - 1) / took, theirs


def status(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/tidegate/v1/status", timeout=30) as r:
        return json.load(r)


def running(port):
    return sum(s["state"] == "running" for s in status(port)["sources"])


def idle(work):
    """Thirty sources with a connection and nothing to do, of two brokers, against a daemon without sources."""
    mq, nats, ours, theirs = free_port(), free_port(), free_port(), free_port()
    directory = os.path.join(work, "idle")
    os.makedirs(directory, exist_ok=True)
    server = [shutil.which("nats-server") or "/usr/sbin/nats-server", "-c", write(directory, "nats.conf", f"listen: 127.0.0.1:{nats}\n")]
    manifests = (entries("mqtt", [session(mq, f"c{i}") for i in range(15)]) + "---\n" +
                 entries("nats", [f'url: "nats://127.0.0.1:{nats}", subject: s{i}' for i in range(15)]))
    with mosquitto(work, "idle-mqtt", mq), Server(server, nats):
        with serve(work, "idle-ours", ours, manifests, listen=ours) as a, serve(work, "idle-theirs", theirs, "", listen=theirs) as b:
            until(lambda: running(ours) == 30, "the connections")
            for _ in range(ROUNDS):
                yield a.settled(), b.settled()


AWAY = 4
LONGEST = 8.0  # sources/backoff.c: after four failures the fourth wait is between four and eight seconds


def slowest_answer(port, over):
    """The slowest of many, until `over`."""
    slowest = 0.0
    while not over():
        start = time.monotonic()
        urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=60).read()
        slowest = max(slowest, time.monotonic() - start)
        time.sleep(0.02)
    return slowest


def storm(work):
    """A broker of 200 sources goes for four seconds: how long after its return the last is connected again."""
    n, said = 200, ""
    for k in range(ROUNDS):
        name, port, api = f"storm{k}", free_port(), free_port()
        with contextlib.ExitStack() as stack:
            first = mosquitto(work, name, port)
            d = stack.enter_context(serve(work, name, api, entries("mqtt", [session(port, f"c{i}") for i in range(n)]), listen=api))
            until(lambda: running(api) == n, "the connections")
            quiet_ends = time.monotonic() + 2
            quiet = slowest_answer(api, lambda: time.monotonic() > quiet_ends)
            first.__exit__()
            away_ends = time.monotonic() + AWAY
            slowest = slowest_answer(api, lambda: time.monotonic() > away_ends)
            start = time.monotonic()
            with mosquitto(work, name, port):
                until(lambda: running(api) == n, "the connections")
                took = time.monotonic() - start
            d.log.seek(0)
            lines = sum(b"eventsource=" in x for x in d.log.read().splitlines()) / n
        if lines > 20:
            raise RuntimeError(f"{lines} lines a source")
        said = f"slowest answer meanwhile {slowest * 1e3:.0f} ms, before {quiet * 1e3:.0f} ms; {lines:.1f} lines of the log a source"
        yield took, LONGEST
    notes.append(said)
