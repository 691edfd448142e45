#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""run-integration.py [-j N] [-v] [NAME...]: the tests of tests/integration, N at a time (three a processor): they mostly wait.

What is handed out is a test, or the whole of a class that prepares something for all its tests. A test that fails says so at the end, with what it and
its daemons printed; the slowest are named. NAME: only tests whose name has it."""
import argparse
import multiprocessing
import os
import queue
import re
import sys
import tempfile
import time
import unittest

HERE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "integration")
FIRST = ("Outages", "RealMinio.test_outages", "Ledger", "test_source_kafka", "test_restarts", "test_joins")  # take longest


def tests_of(suite):
    for t in suite:
        if isinstance(t, unittest.TestSuite):
            yield from tests_of(t)
        else:
            yield t


def prepares(cls):
    return getattr(cls.setUpClass, "__func__", None) is not unittest.TestCase.setUpClass.__func__


def units_of(tests):
    """Lists of tests that one worker runs, the long ones first."""
    units, by_class = [], {}
    for t in tests:
        if not prepares(type(t)):
            units.append([t])
        elif type(t) in by_class:
            by_class[type(t)].append(t)
        else:
            units.append(by_class.setdefault(type(t), [t]))
    return sorted(units, key=lambda u: not any(name in u[0].id() for name in FIRST))


def run_unit(tests):
    """(tests run, skipped, [(what, test, traceback)], what was printed)"""
    result = unittest.TestResult()
    with tempfile.TemporaryFile("w+", errors="replace") as printed:
        kept = [os.dup(1), os.dup(2)]
        os.dup2(printed.fileno(), 1)
        os.dup2(printed.fileno(), 2)
        try:
            unittest.TestSuite(tests).run(result)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for fd, old in zip((1, 2), kept):
                os.dup2(old, fd)
                os.close(old)
        printed.seek(0)
        text = printed.read()
    wrong = [("ERROR", str(t), why) for t, why in result.errors] + [("FAIL", str(t), why) for t, why in result.failures]
    wrong += [("UNEXPECTED SUCCESS", str(t), "") for t in result.unexpectedSuccesses]
    return result.testsRun, len(result.skipped), wrong, text


def work(units, tasks, results):
    for i in iter(tasks.get, None):
        results.put(timed(i, units[i]))


def timed(i, unit):
    start = time.monotonic()
    got = run_unit(unit)
    return (i, time.monotonic() - start, *got)


def show(unit, took, skipped, wrong, text, verbose):
    if verbose:
        print(f"{took:7.1f} s  {'FAILED' if wrong else 'skipped' if skipped == len(unit) else 'ok':7}  {unit[0].id()}", flush=True)
    else:
        print("F" if wrong else "s" if skipped == len(unit) else ".", end="", flush=True)
    for line in text.splitlines():  # what a test measured
        if line.startswith(("ledger,", "kills:", "outages:")):
            print("\n" + line, end="", flush=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("-j", type=int, default=3 * os.cpu_count())
    p.add_argument("-v", action="store_true")
    p.add_argument("names", nargs="*")
    o = p.parse_args()
    os.chdir(HERE)
    sys.path.insert(0, HERE)
    tests = [t for t in tests_of(unittest.defaultTestLoader.discover(HERE, top_level_dir=HERE)) if not o.names or any(n in t.id() for n in o.names)]
    units = units_of(tests)
    context = multiprocessing.get_context("fork")
    tasks, results = context.Queue(), context.Queue()
    for i in list(range(len(units))) + [None] * o.j:
        tasks.put(i)
    workers = [context.Process(target=work, args=(units, tasks, results)) for _ in range(o.j)]
    start, ran, skipped, wrong, slow = time.monotonic(), 0, 0, [], []
    for w in workers:
        w.start()
    for _ in units:
        i, took, n, s, bad, text = next_result(results, workers)
        ran, skipped = ran + n, skipped + s
        wrong += [(what, test, why, text) for what, test, why in bad]
        slow.append((took, units[i][0].id()))
        show(units[i], took, s, bad, text, o.v)
    for w in workers:
        w.join()
    report(ran, skipped, wrong, slow, time.monotonic() - start)
    return 1 if wrong or not ran else 0


def next_result(results, workers):
    while True:
        try:
            return results.get(timeout=5)
        except queue.Empty:
            if any(w.exitcode for w in workers):
                sys.exit("FAILED: a worker died")


def reason(traceback):
    """Its last line that names an exception; what comes behind is the rest of the message."""
    lines = re.findall(r"^[\w.]*(?:Error|Exception|Interrupt|Expired): .*", traceback, re.M)
    return (lines or [traceback.strip()])[-1][:300]


def report(ran, skipped, wrong, slow, took):
    print()
    for what, test, why, text in wrong:
        print("=" * 70, f"{what}: {test}", "-" * 70, text[-6000:], why, sep="\n")
    print("-" * 70, "slowest: " + ", ".join(f"{name.rsplit('.', 1)[1]} {t:.0f} s" for t, name in sorted(slow, reverse=True)[:8]), sep="\n")
    print(f"Ran {ran} tests in {took:.0f} s")
    for what, test, why, _ in wrong:  # once more, short: the end is what a log is sure to keep
        print(f"{what}: {test}: {reason(why)}")
    print(f"FAILED ({len(wrong)} of them, skipped={skipped})" if wrong else f"OK (skipped={skipped})")


if __name__ == "__main__":
    sys.exit(main())
