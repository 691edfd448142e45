# SPDX-License-Identifier: Apache-2.0
"""The source `file` on a real directory: thousands of files by other processes, slow writers, renames, deletes, a burst larger than the kernel's
queue, a directory that comes and goes; and the daemon killed and started again while it goes on: nothing lost, nothing twice."""
import os
import subprocess
import sys
import time
import unittest

from harness import scaled, until
from watched import CHMOD, CREATE, REMOVE, RENAME, WRITE, Watched

# Makes files one after the other as programs do: written in place, now and then slowly, or elsewhere and moved in; says what it made.
WRITER = """
import os, random, sys, time
seed, directory, aside, n = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
rng = random.Random(seed)
for i in range(n):
    name = f"w{seed}-{i:05d}"
    how = rng.randrange(10)
    at = os.path.join(directory, name)
    if how < 4:
        with open(at, "w") as f:
            f.write("x" * rng.randrange(1, 2000))
    elif how < 6:
        with open(at, "w") as f:
            for _ in range(4):
                f.write("y" * 500)
                f.flush()
                time.sleep(0.002)
    elif how < 8:
        other = os.path.join(aside, name)
        with open(other, "w") as f:
            f.write("z")
        os.rename(other, at)
    else:
        other = os.path.join(directory, name + ".part")
        with open(other, "w") as f:
            f.write("p")
        os.rename(other, at)
    if i % 50 == 0:
        time.sleep(0.01)
"""


class Files(Watched):
    def setUp(self):
        super().setUp()
        self.aside = os.path.join(self.directory, "aside")
        os.mkdir(self.aside)

    def serve(self, **entries):
        """A daemon with an entry for each: {name: (eventType, pattern, more)}."""
        self.gateway("file", {name: f"{{eventType: '{kind}', watchPathConfig: {{directory: {self.dir}, {pattern}}}{''.join(', ' + m for m in more)}}}"
                              for name, (kind, pattern, *more) in entries.items()})
        self.looked()

    # ---- what is announced, and how

    def test_the_events_data_is_argos(self):
        self.serve(new=("CREATE", "pathRegexp: '\\.csv$'", "metadata: {b: '<', a: x}"), bare=("CREATE", "path: b.csv"))
        self.write("a.csv")
        self.write("a.txt")
        self.write("b.csv")
        self.wait_for("bare", [(CREATE, "b.csv")])
        until(lambda: len(self.announced("new")) == 2, what="both")
        data = [x.decode() for x in self.rows("SELECT data FROM bus_event ORDER BY subject, key")]
        self.assertEqual(data, [f'{{"name":"{self.dir}/b.csv","op":1,"metadata":null}}',
                                f'{{"name":"{self.dir}/a.csv","op":1,"metadata":{{"a":"x","b":"\\u003c"}}}}',
                                f'{{"name":"{self.dir}/b.csv","op":1,"metadata":{{"a":"x","b":"\\u003c"}}}}'])

    def test_each_kind_of_change(self):
        self.serve(all=("CREATE|WRITE|REMOVE|RENAME|CHMOD", "pathRegexp: ."), gone=("REMOVE", "pathRegexp: ."), written=("WRITE", "pathRegexp: ."))
        want = []

        def then(change, *announced):
            change()
            want.extend(announced)
            written = sum(bool(op & WRITE) for op, _ in want)  # each entry looks for itself: one that comes late sees the changes together
            until(lambda: len(self.announced("all")) >= len(want) and len(self.announced("written")) >= written, 60, f"{announced}")

        then(lambda: self.write("a"), (CREATE | WRITE, "a"))
        then(lambda: self.write("a", "longer"), (WRITE, "a"))
        then(lambda: os.chmod(self.path("a"), 0o600), (CHMOD, "a"))
        then(lambda: os.rename(self.path("a"), self.path("b")), (RENAME, "a"), (CREATE | WRITE, "b"))
        then(lambda: os.mkdir(self.path("folder")), (CREATE, "folder"))
        then(lambda: os.link(self.path("b"), self.path("c")), (CREATE | WRITE, "c"))
        then(lambda: os.symlink("b", self.path("d")), (CREATE | WRITE, "d"))
        then(lambda: os.mkfifo(self.path("e")), (CREATE, "e"))
        then(lambda: os.unlink(self.path("b")), (REMOVE, "b"))
        then(lambda: self.write("empty", ""), (CREATE, "empty"))
        self.assertEqual(self.announced("all"), want)
        self.assertEqual(self.announced("gone"), [(REMOVE, "b")])
        self.assertEqual(self.announced("written"), [(WRITE, n) for n in ("a", "a", "b", "c", "d")])

    def test_a_file_is_announced_when_its_writer_has_closed_it(self):
        self.serve(held=("CREATE", "pathRegexp: ."), immediate=("CREATE|WRITE", "pathRegexp: .", "immediate: true"))
        with open(self.path("slow"), "w", encoding="utf-8") as f:
            f.write("x")
            f.flush()
            until(lambda: len(self.announced("immediate")) >= 2, what="what was told at once")
            self.write("other")
            until(lambda: self.announced("held"), what="the other one")
            self.assertEqual(self.announced("held"), [(CREATE, "other")])
            # Nor after it was looked at again, nor by a daemon that finds it there.
            until(lambda: self.sources()["held"].get("incomplete") == "1", what="it to be held back")
            time.sleep(scaled(1.5, 8))  # it is looked at again meanwhile; too short a time would only prove less
            self.d.kill()
            self.d.start()
            self.looked()
            self.last("held")
            self.assertNotIn((CREATE, "slow"), self.announced("held"))
        until(lambda: (CREATE, "slow") in self.announced("held"), what="it to be announced")
        self.assertEqual(self.announced("immediate")[:2], [(CREATE, "slow"), (WRITE, "slow")])

    def test_a_writer_that_died_with_the_daemon(self):
        """Nobody closes it any more, and nobody was there to hear it."""
        self.serve(new=("CREATE", "pathRegexp: ."))
        writer = subprocess.Popen([sys.executable, "-c", f"import sys; f = open({self.path('half')!r}, 'w'); f.write('x'); f.flush(); print('written', "
                                   "flush=True); sys.stdin.read()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(writer.wait)
        self.addCleanup(writer.stdin.close)
        writer.stdout.readline()
        self.addCleanup(writer.stdout.close)
        until(lambda: self.sources()["new"].get("incomplete") == "1", what="it to be held back")
        self.d.kill()
        writer.kill()
        writer.wait()
        self.d.start()
        self.wait_for("new", [(CREATE, "half")])

    def test_a_second_name_of_a_file_has_nobody_who_closes_it(self):
        """As programs do that write aside, link, and unlink: by the time of the look there is one name."""
        self.serve(new=("CREATE", "pathRegexp: ."))
        other = os.path.join(self.aside, "x")
        with open(other, "w", encoding="utf-8") as f:
            f.write("x")
        os.link(other, self.path("x"))
        os.unlink(other)
        self.wait_for("new", [(CREATE, "x")])

    # ---- while it was down

    def test_what_came_while_it_was_down(self):
        for name in ("stays", "goes", "changes", "moves"):
            self.write(name)
        self.serve(all=("CREATE|WRITE|REMOVE|RENAME", "pathRegexp: ."), new=("CREATE", "pathRegexp: ."))
        self.assertEqual(self.announced("all"), [])
        for kill in (self.d.kill, self.d.stop):
            kill()
            if kill == self.d.kill:
                os.unlink(self.path("goes"))
                self.write("changes", "longer")
                os.rename(self.path("moves"), self.path("moved"))
                self.write("comes")
            self.d.start()
            self.looked()
            self.wait_for("all", [(REMOVE, "goes"), (RENAME, "moves"), (CREATE | WRITE, "moved"), (WRITE, "changes"), (CREATE | WRITE, "comes")],
                          in_order=False)
            self.assertEqual(sorted(self.announced("new")), [(CREATE, "comes"), (CREATE, "moved")])

    def test_thousands_of_files_through_kills(self):
        """Each file once, whatever dies in between."""
        self.serve(new=("CREATE", "pathRegexp: '^w[0-9]+-[0-9]+$'"), gone=("REMOVE", "pathRegexp: '^w[0-9]+-[0-9]+$'"))
        n, writers = scaled(700, 5000), 3
        running = [subprocess.Popen([sys.executable, "-c", WRITER, str(i), self.dir, self.aside, str(n)]) for i in range(writers)]
        for w in running:
            self.addCleanup(w.wait)
            self.addCleanup(w.kill)
        kills = 0
        while any(w.poll() is None for w in running) or kills < 3:
            some = len(self.announced("new"))
            until(lambda s=some: len(self.announced("new")) > s + n // 4 or all(w.poll() is not None for w in running), 120, "progress")
            self.d.kill()
            kills += 1
            self.d.start()
        want = sorted(f"w{i}-{k:05d}" for i in range(writers) for k in range(n))
        until(lambda: len(self.announced("new")) >= len(want), 120, "all files")
        self.assertEqual(sorted(self.announced("new")), [(CREATE, x) for x in want])
        self.knows("gone", len(want))
        for name in want:
            os.unlink(self.path(name))
        self.d.kill()
        self.d.start()
        until(lambda: len(self.announced("gone")) >= len(want), 120, "all to go")
        self.assertEqual(sorted(self.announced("gone")), [(REMOVE, x) for x in want])
        self.assertEqual(len(self.announced("new")), len(want))

    def test_a_burst_larger_than_the_kernels_queue(self):
        """The daemon stands still (SIGSTOP) while more changes come than the queue holds."""
        with open("/proc/sys/fs/inotify/max_queued_events", encoding="ascii") as f:
            queue = int(f.read())
        if queue > 100000:
            self.skipTest(f"the kernel's queue holds {queue} events")
        self.serve(new=("CREATE", "pathRegexp: '^b'"))
        self.d.process.send_signal(19)
        n = queue // 2 + 500  # made and closed: two each
        for i in range(n):
            os.close(os.open(self.path(f"b{i:06d}"), os.O_CREAT | os.O_WRONLY))
        self.d.process.send_signal(18)
        until(lambda: len(self.announced("new")) >= n, 120, "all files")
        self.assertEqual(sorted(self.announced("new")), [(CREATE, f"b{i:06d}") for i in range(n)])

    # ---- the directory

    def test_a_directory_that_comes_and_goes(self):
        os.rmdir(self.dir)
        self.dir = os.path.join(self.dir, "deeper", "still")
        self.serve(new=("CREATE", "pathRegexp: ."), gone=("REMOVE", "pathRegexp: ."))
        self.assertIn("is not there: waiting for in in", self.sources()["new"]["error"])
        os.makedirs(self.dir)
        self.write("a")
        self.wait_for("new", [(CREATE, "a")])
        until(lambda: self.sources()["new"]["state"] == "running", what="it to run")
        os.unlink(self.path("a"))
        os.rmdir(self.dir)
        self.wait_for("gone", [(REMOVE, "a")])
        until(lambda: self.sources()["new"]["state"] == "failed", what="it to be missed")
        os.makedirs(self.dir)
        self.write("b")
        self.wait_for("new", [(CREATE, "a"), (CREATE, "b")])
        # Moved away: that says nothing of its files; what comes in its place does.
        os.rename(self.dir, self.dir + ".old")
        until(lambda: self.sources()["new"]["state"] == "failed", what="it to be missed")
        self.assertEqual(self.announced("gone"), [(REMOVE, "a")])
        os.rename(self.dir + ".old", self.dir)
        self.write("c")
        self.wait_for("new", [(CREATE, "a"), (CREATE, "b"), (CREATE, "c")])
        self.assertEqual(self.announced("gone"), [(REMOVE, "a")])

    def test_a_file_where_the_directory_should_be(self):
        os.rmdir(self.dir)
        open(self.dir, "w", encoding="utf-8").close()
        self.serve(new=("CREATE", "pathRegexp: ."))
        self.assertIn("is not there", self.sources()["new"]["error"])
        os.unlink(self.dir)
        os.mkdir(self.dir)
        self.write("a")
        self.wait_for("new", [(CREATE, "a")])

    def test_a_path_with_directories_in_it(self):
        os.mkdir(self.path("sub"))
        self.serve(new=("CREATE", "path: sub/x"))
        self.write("x")
        self.write("sub/y")
        self.write("sub/x")
        self.wait_for("new", [(CREATE, "sub/x")])

    # ---- polling

    def test_polling(self):
        self.write("old")
        self.serve(new=("CREATE", "pathRegexp: .", "polling: true"), gone=("REMOVE", "path: old", "polling: true"))
        with open(self.path("slow"), "w", encoding="utf-8") as f:
            f.write("x")
            f.flush()
            self.write("quick")
            self.wait_for("new", [(CREATE, "quick")])
        self.wait_for("new", [(CREATE, "quick"), (CREATE, "slow")])
        self.d.kill()
        self.write("down")
        os.unlink(self.path("old"))
        self.d.start()
        self.wait_for("new", [(CREATE, "quick"), (CREATE, "slow"), (CREATE, "down")])
        self.wait_for("gone", [(REMOVE, "old")])
        os.rename(self.dir, self.dir + ".away")
        until(lambda: "No such file" in self.sources()["new"].get("error", ""), what="it to be missed")
        os.rename(self.dir + ".away", self.dir)
        self.write("again")
        until(lambda: (CREATE, "again") in self.announced("new"), 60, "it to be found again")
        self.assertEqual(self.announced("gone"), [(REMOVE, "old")])

    def test_changes_of_the_manifest_while_files_come(self):
        """The next source of the name begins where the last one was, also with what that one had not on disk yet."""
        self.serve(new=("CREATE", "pathRegexp: '^w'", "metadata: {n: '0'}"))
        n = scaled(600, 4000)
        writer = subprocess.Popen([sys.executable, "-c", WRITER, "7", self.dir, self.aside, str(n)])
        self.addCleanup(writer.wait)
        self.addCleanup(writer.kill)
        changes = 0
        while writer.poll() is None or changes < 3:
            self.change(f"n: '{changes}'", f"n: '{changes + 1}'")
            changes += 1
        want = [f"w7-{k:05d}" for k in range(n)]
        until(lambda: {x for _, x in self.announced("new")} >= set(want), 120, "all files")
        got = sorted(x for _, x in self.announced("new") if not x.endswith(".part"))
        self.assertEqual(got, want)

    def test_names_that_are_no_text(self):
        self.serve(new=("CREATE", "pathRegexp: ."))
        with open(os.fsencode(self.dir) + b"/a\xff\n\"<", "wb"):
            pass
        self.wait_for("new", [(CREATE, 'a\ufffd\n"<')])
        self.d.kill()
        self.d.start()
        self.last("new")
        self.assertEqual(len(self.announced("new")), 2)

    def test_a_change_of_the_manifest_begins_anew(self):
        self.serve(new=("CREATE", "pathRegexp: ."))
        self.write("a")
        self.wait_for("new", [(CREATE, "a")])
        self.change("pathRegexp: .", "pathRegexp: b")
        self.looked()
        self.write("c")
        self.write("b")
        self.wait_for("new", [(CREATE, "a"), (CREATE, "b")])


if __name__ == "__main__":
    unittest.main()
