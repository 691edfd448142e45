# SPDX-License-Identifier: Apache-2.0
"""Messages of a broker while the broker is stopped and started again five times and the daemon is killed -9 five times, and what comes of them: none is
lost, none is twice unless the protocol has it so, and at most 20 lines in the log tell of an outage.

A row is a class: of the broker, of the fields of the entry, of the publisher, and of what may come again. TIDEGATE_N in the environment is another
number of messages."""
import collections
import os
import threading
import time
import unittest

from harness import FULL, scaled, until
from source_case import SourceCase

OUTAGES = 5
LINES = 20
WAIT = 300  # seconds: the machine may be very busy


class Row:
    kind = broker = None       # of the source; class of brokers.py
    fields = ""                # of the entry; PORT is the broker's
    at_most_once = False
    needs_full = False
    secrets = {}
    most_waiting = None        # messages that were sent and are not on disk
    keyed = False              # each event has the delivery id that the broker's message has, and so is known when it comes again
    identity = None            # member of the data that tells one message of the broker from another: no two events have the same
    n = scaled(2000, 100000)   # messages

    def __init__(self, test):
        self.test, self.b = test, test.broker(self.broker)
        self.prepare()

    def prepare(self):
        """After the broker's first start."""

    def publisher(self):
        """publish(bodies): returns when the broker has them all. repeated: those that it may have twice, because a connection broke."""
        raise NotImplementedError

    def again(self):
        """How many messages may come again, at each kill and each break."""
        return 0

    def breaks(self):
        """The broker is gone, and comes back."""
        self.b.stop()
        self.b.start()

    def show(self):
        """After all outages: what a daemon had that was killed may be taken by another now, if that can be had sooner than by waiting."""

    def left(self):
        """Messages that are not acknowledged; None: the broker does not tell."""


class Meter:
    """The processor time of a daemon that is killed and started again."""

    def __init__(self):
        self.before = 0

    @staticmethod
    def now(d):
        with open(f"/proc/{d.process.pid}/stat", encoding="ascii") as f:
            user, system = f.read().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def kill(self, d):
        self.before += self.now(d)
        d.kill()

    def seconds(self, d):
        return self.before + self.now(d)


class Through(SourceCase):
    """What a class of tests is made of: case(row) is one of its tests."""

    def bodies(self, d, row, sent):
        """One after the other; `sent` counts them, so that outages fall between them."""
        for i in range(row.n):
            sent[0] = i
            while row.most_waiting and i % 100 == 0 and i - self.count(d) > row.most_waiting:
                time.sleep(0.02)
            yield b"%d" % i

    def through(self, make):
        row, self.meter, self.most_lines, start = make(self), Meter(), 0, time.monotonic()
        d = self.source(row.kind, row.fields.replace("PORT", str(row.b.port)), **row.secrets)
        self.wait_state(d, "running", seconds=WAIT)
        publisher, sent = row.publisher(), [0]
        failed = []
        def run():
            try:
                publisher.publish(self.bodies(d, row, sent), seconds=1800)
            except Exception as e:  # told below
                failed.append(e)
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        lines = [len(self.lines(d))]
        for k in range(2 * OUTAGES):
            self.outage(d, row, k, sent, failed)
            lines.append(len(self.lines(d)))
        thread.join(1800)
        publisher.close()
        self.assertEqual(failed, [])
        twice = self.some_came(d, row, publisher) if row.at_most_once else self.all_came(d, row, publisher)
        lines[-1] = len(self.lines(d))  # with what came after the last
        self.most_lines = max(b - a for a, b in zip(lines, lines[1:]))
        self.assertLessEqual(self.most_lines, LINES, d.log()[-5000:])
        if FULL:
            print(f"outages: {type(row).__name__}: {row.n} messages, {2 * OUTAGES} outages of at most {self.most_lines} lines: {twice}; "
                  f"{time.monotonic() - start:.0f} s, {self.meter.seconds(d) * 1e6 / row.n:.0f} us of the daemon a message")

    def outage(self, d, row, k, sent, failed):
        """The broker and the daemon in turn, evenly among the messages, and while they come."""
        until(lambda: sent[0] >= (k + 1) * row.n // (2 * OUTAGES + 1) or failed, 1200, "the publisher")
        if k % 2:
            self.meter.kill(d)
            d.start()
        else:
            row.breaks()
        self.wait_state(d, "running", seconds=WAIT)  # a server that took half a minute to start is asked again up to a minute later

    def got(self, d):
        return [int(x["body"] if "body" in x else x["values"]["body"]) for x in self.events(d)]

    def some_came(self, d, row, publisher):
        before = len(self.got(d))
        end = row.publisher()
        end.publish([b"%d" % (row.n + i) for i in range(10)])
        end.close()
        until(lambda: self.got(d)[-1] == row.n + 9, WAIT, "what came after")
        got = [n for n in self.got(d) if n < row.n]
        self.assertGreater(before, 0)
        self.assertEqual(len(got) - len(publisher.repeated & {b"%d" % n for n in got}), len(set(got) - {int(n) for n in publisher.repeated}))
        return f"{len(got)} came"

    def all_came(self, d, row, publisher):
        row.show()
        until(lambda: self.count(d) >= row.n, 1200, "so many")
        until(lambda: len(set(self.got(d))) == row.n, 1200, "all")
        until(lambda: not row.left(), WAIT, "the acknowledgement of all")
        times = collections.Counter(self.got(d))
        repeated = {int(x) for x in publisher.repeated}
        twice = sum(times[n] - 1 for n in times if n not in repeated)
        self.assertLessEqual(twice, row.again() * 2 * OUTAGES)
        if row.identity:
            ids = [x[row.identity] for x in self.events(d)]
            self.assertEqual(len(ids), len(set(ids)))
        if row.keyed:
            keys = [key for _, key in self.rows(d, "id, dedup")]
            self.assertNotIn(None, keys)
            self.assertEqual(len(keys), len(set(keys)))
        sent_twice = sum(times[n] - 1 for n in times if n in repeated)
        return f"0 lost, {twice} twice" + (f", {sent_twice} sent twice" if sent_twice else "")


def case(make):
    def test(self):
        self.through(make)
    if "TIDEGATE_N" in os.environ:
        make.n = int(os.environ["TIDEGATE_N"])
    return unittest.skipUnless(FULL or not make.needs_full, "its counterpart is not a package of Debian's: make integration")(test)
