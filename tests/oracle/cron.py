#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/vectors/cron.tsv: schedule, zone, instant, next, previous.

Independent of core/cron.c: it enumerates civil days, builds every matching wall-clock time of a day in both folds and keeps
those that survive the way to UTC and back, which is the definition of "nonexistent times are skipped, repeated ones fire
twice". Zones and years are chosen where the database does not change any more.
"""
import datetime as dt
import random
import sys
from zoneinfo import ZoneInfo

UTC = dt.timezone.utc
BOUNDS = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)]
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
DAYS = "sun mon tue wed thu fri sat".split()


def parse_field(text, i):
    lo, hi = BOUNDS[i]
    names = {n: k + 1 for k, n in enumerate(MONTHS)} if i == 3 else {n: k for k, n in enumerate(DAYS)} if i == 4 else {}
    num = lambda s: names[s.lower()] if s.lower() in names else int(s)
    values, is_open = set(), False
    for part in text.split(","):
        rng, _, step = part.partition("/")
        step = int(step) if step else 1
        if rng in "*?":
            a, b = lo, hi
            is_open |= step == 1
        elif "-" in rng:
            a, b = map(num, rng.split("-"))
        else:
            a = num(rng)
            b = hi if "/" in part else a
        values |= set(range(a, b + 1, step))
    return values, is_open


def fires_on(fields, day):
    (dom, dom_open), (mon, _), (dow, dow_open) = fields[2:]
    if day.month not in mon:
        return False
    a, b = day.day in dom, (day.isoweekday() % 7) in dow
    return (a and b) if dom_open or dow_open else (a or b)


def instants(fields, zone, day):
    """All firing instants of a civil day, as epoch seconds."""
    found = set()
    for h in fields[1][0]:
        for m in fields[0][0]:
            for fold in (0, 1):
                wall = dt.datetime(day.year, day.month, day.day, h, m, tzinfo=zone, fold=fold)
                back = wall.astimezone(UTC).astimezone(zone)
                if (back.date(), back.hour, back.minute, back.fold) == (wall.date(), h, m, fold):
                    found.add(int(wall.timestamp()))
    return found


def search(fields, zone, at, direction):
    day = dt.datetime.fromtimestamp(at, zone).date() - direction * dt.timedelta(days=1)
    for _ in range(9 * 366):
        if fires_on(fields, day):
            hits = [t for t in instants(fields, zone, day) if (t > at if direction > 0 else t < at)]
            if hits:
                return min(hits) if direction > 0 else max(hits)
        day += direction * dt.timedelta(days=1)
    return None


def main():
    rnd = random.Random(20260715)
    zones = ["UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kolkata",
             "Africa/Cairo", "America/St_Johns", "Pacific/Apia", "Asia/Kathmandu", "Europe/Dublin", "America/Havana"]
    rows = []
    pick = lambda i: str(rnd.randint(*BOUNDS[i]))

    def field(i):
        lo, hi = BOUNDS[i]
        kind = rnd.random()
        if kind < 0.35:
            return "*" if rnd.random() < 0.8 else "?"
        if kind < 0.6:
            return pick(i)
        if kind < 0.7:
            return "*/" + str(rnd.randint(1, max(2, (hi - lo) // 2)))
        if kind < 0.8:
            a, b = sorted((rnd.randint(lo, hi), rnd.randint(lo, hi)))
            return f"{a}-{b}" + (f"/{rnd.randint(1, 5)}" if rnd.random() < 0.4 else "")
        if kind < 0.9 and i == 3:
            return rnd.choice(MONTHS).upper()
        if kind < 0.9 and i == 4:
            return rnd.choice(DAYS).capitalize() + ",6"
        return ",".join(sorted({pick(i), pick(i), pick(i)})) if kind < 0.95 else pick(i) + "/7"

    for _ in range(500):
        rows.append((" ".join(field(i) for i in range(5)), rnd.choice(zones), rnd.randint(946684800, 1704067200)))
    # around the transitions themselves
    edges = [("Europe/Berlin", 1711846800), ("Europe/Berlin", 1729990800), ("America/New_York", 1710054000),
             ("America/New_York", 1730613600), ("Australia/Lord_Howe", 1712415600), ("Australia/Lord_Howe", 1728142200),
             ("America/Sao_Paulo", 1541300400), ("America/Havana", 1710046800), ("Pacific/Apia", 1325239200),
             ("Africa/Cairo", 1682632800)]
    for zone, at in edges:
        for expr in ("30 2 * * *", "30 1 * * *", "0 0 * * *", "*/15 * * * *", "0 2,3 * * *", "45 1-2 * * *", "0 3 * * 0"):
            for delta in (-7200, -1, 0, 1, 1800, 3600):
                rows.append((expr, zone, at + delta))
    rows += [("0 0 29 2 *", "UTC", 4107542400), ("0 0 30 2 *", "UTC", 1700000000), ("0 12 29 2 1", "UTC", 1700000000),
             ("30 2 * * *", "Europe/Berlin", 2532304800), ("0 4 13 * FRI", "America/New_York", 2600000000)]
    out = sys.stdout
    out.write("# schedule\tzone\tat\tnext\tprevious\twritten by tests/oracle/cron.py\n")
    for expr, zone, at in rows:
        fields = [parse_field(t, i) for i, t in enumerate(expr.split())]
        z = ZoneInfo(zone)
        res = [search(fields, z, at, d) for d in (1, -1)]
        out.write("\t".join([expr, zone, str(at)] + ["-" if r is None else str(r) for r in res]) + "\n")


main()
