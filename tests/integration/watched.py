# SPDX-License-Identifier: Apache-2.0
"""What the tests of sources that look at files share: an EventSource, what it announced as it is on disk, and waiting for that."""
import contextlib
import json
import os
import random
import sqlite3

from harness import TestCase, until

CREATE, WRITE, REMOVE, RENAME, CHMOD = 1, 2, 4, 8, 16


class Watched(TestCase):
    def setUp(self):
        super().setUp()
        self.dir = os.path.join(self.directory, "in")
        os.mkdir(self.dir)

    def gateway(self, kind, entries, before="", start=True):
        """A daemon with an EventSource `files` of entries {name: text}."""
        lines = "".join(f"    {name}: {text}\n" for name, text in entries.items())
        text = before + "apiVersion: argoproj.io/v1alpha1\nkind: EventSource\nmetadata: {name: files}\nspec:\n  " + kind + ":\n" + lines
        self.d = self.daemon({"files.yaml": text}, start=start)
        return self.d

    def change(self, old, new):
        """Changes the manifest and waits until the source runs by the new one."""
        path = os.path.join(self.d.manifests, "files.yaml")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        self.assertIn(old, text)
        stops = self.d.log().count("source stops")
        self.d.write("files.yaml", text.replace(old, new))
        until(lambda: self.d.log().count("source stops") > stops, what="the new manifest")

    def sources(self):
        return {s["event"]: s for s in json.loads(self.d.cli("status", "-o", "json").stdout)["sources"]}

    def looked(self, seconds=300):
        """Waits until each source has had its first look, or has failed."""
        until(lambda: all(s["state"] == "failed" or "lastLook" in s for s in self.sources().values()), seconds, "the first look")

    def failed(self, event, why, seconds=60):
        until(lambda: (s := self.sources()[event])["state"] == "failed" and why in s.get("error", ""), seconds, why)

    def knows(self, event, n, seconds=60):
        """Waits until the entry knows so many names, and holds none of them back."""
        until(lambda: (s := self.sources()[event]).get("names") == str(n) and "incomplete" not in s, seconds, f"{n} names")

    def rows(self, sql, *args):
        with contextlib.closing(sqlite3.connect(f"file:{self.d.state}/tidegate.db?mode=ro", uri=True, timeout=60)) as db:
            return [r[0] for r in db.execute(sql, args)]

    def announced(self, event):
        """[(op, name without the directory)] as they are in the log, on disk."""
        got = [json.loads(x) for x in self.rows("SELECT data FROM bus_event WHERE source = 'files' AND subject = ? ORDER BY key", event)]
        return [(x["op"], os.path.relpath(x["name"], self.dir) if x["name"].startswith("/") else x["name"]) for x in got]

    def wait_for(self, event, want, in_order=True):
        """Waits until so much was announced, and no more."""
        until(lambda: len(self.announced(event)) >= len(want), 60, f"{want} of {event}")
        got = self.announced(event)
        self.assertEqual(got if in_order else sorted(got), want if in_order else sorted(want))

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text="x"):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)

    def last(self, *events):
        """A file whose announcement says that all before it was read."""
        name = f"last-{random.getrandbits(64):x}"
        self.write(name)
        for event in events:
            until(lambda e=event: any(n == name for _, n in self.announced(e)), 60, "the last file")
        return name
