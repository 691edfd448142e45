# SPDX-License-Identifier: Apache-2.0
"""Event sources as people have them: every manifest of CASES/events/event-sources that is to be accepted, unmodified, is served by a daemon, against the
counterpart of its kind (manifest_kinds.py) at the very address that the manifest has, until an event has come of each of its entries. So are those of
tests/fixtures/event-sources, which have the kinds that are not there. Each has a private world (private_world.py), in which this file is run as a program."""
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

from harness import FULL, ROOT, Daemon, until
from manifest_kinds import BODY, KINDS, MARK, Stage
from private_world import COMMAND, World
from source_case import SourceCase

CASES = os.path.join(ROOT, os.environ.get("CASES", "../shared/conformance"))
FOLDER = os.path.join(CASES, "events")
OURS = os.path.join(ROOT, "tests", "fixtures", "event-sources")
NOT_SERVED = {"pulsar": "Debian has no client library for Pulsar"}
# ---- one manifest, inside its world


def references(value):
    """All that refer to a key of a Secret."""
    if isinstance(value, dict):
        if set(value) == {"name", "key"}:
            yield value
        for v in value.values():
            yield from references(v)
    elif isinstance(value, list):
        for v in value:
            yield from references(v)


def read(path, directory):
    """The EventSource of a manifest, as the daemon reads it."""
    d = Daemon(os.path.join(directory, "reader"), {})
    shutil.copy(path, d.manifests)
    d.start()
    try:
        source, = d.api("GET", "/api/v1/event-sources/default")[1]["items"]
        return source
    finally:
        d.stop()


def came(d, entry, mark):
    """The events of that entry, with what was sent in them."""
    rows = SourceCase.rows(d, "subject, data")
    texts = [data if isinstance(data, str) else data.decode() for subject, data in rows if subject == entry]
    return [x for x in texts if mark in x or base64.b64encode(BODY).decode() in x]


def serve(path, directory):
    """Ends with an error if not every entry comes up, and gives its event."""
    World(os.path.join(directory)).open()  # loopback
    source = read(path, directory)
    stage = Stage(directory)
    entries = {name: (kind, entry) for kind, by_name in source["spec"].items() if kind in KINDS for name, entry in by_name.items()}
    unknown = [k for k, v in source["spec"].items() if k not in KINDS and k not in ("service", "template", "replicas", "eventBusName", "persistence")]
    assert entries and not unknown, f"no counterpart is known for {unknown}"
    made = {name: KINDS[kind](stage, entry) for name, (kind, entry) in entries.items()}
    for ref in references(source["spec"]):
        stage.secret(ref, "value-of-the-test")
    stage.world.open()
    secrets = [{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values} for name, values in stage.secrets.items()]
    d = stage.daemon = Daemon(os.path.join(directory, "daemon"), {f"secret-{i}.yaml": json.dumps(s) for i, s in enumerate(secrets)})
    shutil.copy(path, d.manifests)
    d.start()
    try:
        for name, one in made.items():
            gives(d, name, *(one if isinstance(one, tuple) else (one, MARK)))
    finally:
        d.stop()
        for b in stage.brokers.values():
            getattr(b, "close", b.stop)()


def gives(d, name, send, mark):
    """The entry runs, and gives its event."""
    def state():
        return next(s for s in json.loads(d.cli("get", "eventsources", "-o", "json").stdout) if s["event"] == name)
    try:
        until(lambda: (s := state())["state"] == "running" and s.get("partitions", 1), 120, f"{name} to run")  # Kafka: its group has taken it in
        send()
        until(lambda: came(d, name, mark), 120, f"an event of {name}")
    except AssertionError as e:
        raise AssertionError(f"{e}: {state()}\n{SourceCase.rows(d)}\n{d.log()}") from None
    print(f"{name}: {state()['state']}, {len(came(d, name, mark))} event")


class EventManifests(unittest.TestCase):
    """A test for each manifest."""

    def served(self, path):
        with tempfile.TemporaryDirectory(prefix="tidegate-test-") as directory:
            done = subprocess.run([*COMMAND, sys.executable, os.path.abspath(__file__), path, directory], capture_output=True, text=True, timeout=900)
        print(done.stdout, end="")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def refused(self, path, why):
        with tempfile.TemporaryDirectory(prefix="tidegate-test-") as directory:
            done = Daemon(directory, {}).cli("lint", path)
        self.assertIn(why, done.stdout + done.stderr)

    def test_there_are_manifests(self):
        if not FULL or not os.path.isdir(FOLDER):
            self.skipTest(f"there is no {FOLDER}" if FULL else "make integration")
        self.assertTrue([x for x in dir(self) if x.startswith("test_manifest_") and not x.startswith("test_manifest_ours_")])


def manifests():
    """Those of event sources that are to be accepted."""
    if not FULL:
        return
    for name in sorted(os.listdir(OURS)):
        yield os.path.join(OURS, name)
    if not os.path.isdir(FOLDER):
        return
    with open(os.path.join(FOLDER, "lint.tsv"), encoding="utf-8") as f:
        for line in f:
            words = line.rstrip("\n").split("\t")
            if words[0].startswith("event-sources/") and words[1] == "ok":
                yield os.path.join(FOLDER, words[0])


for _path in manifests():
    _name = os.path.basename(_path).removesuffix(".yaml")
    _test = f"test_manifest_{'ours_' if _path.startswith(OURS) else ''}{_name}"
    if _name in NOT_SERVED:
        setattr(EventManifests, _test, lambda self, p=_path, why=NOT_SERVED[_name]: self.refused(p, why))
    else:
        setattr(EventManifests, _test, lambda self, p=_path: self.served(p))


if __name__ == "__main__":
    serve(*sys.argv[1:])
