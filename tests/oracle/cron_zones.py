#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes what schedules do around every change of a zone's offset, 2010 to 2029, and on one day where there is none: zone, schedule, once|argo, from, to,
instants.

cron_zones.py [STEP]: every STEP-th zone; with 1 all of them, those that are the same by all their names. Independent of core/: wall-clock times are enumerated and taken to UTC by
Python's zoneinfo, with both folds ("argo": a time that there is not does not fire, one that comes twice fires twice), or with the first
only ("once": a time that there is not fires when the clock has passed it). Schedules of every hour follow the clock either way.
"""
import datetime as dt
import sys
import zoneinfo

UTC = dt.timezone.utc
BEGIN, END = (int(dt.datetime(y, 1, 1, tzinfo=UTC).timestamp()) for y in (2010, 2030))
ALL = set(range(60))
MARGIN = 6 * 3600
# schedule: minutes, hours (None: every one), day of month, day of week (0 Sunday)
KINDS = {
    "30 2 * * *": ({30}, {2}, None, None),
    "0 0 * * *": ({0}, {0}, None, None),
    "15 1 * * *": ({15}, {1}, None, None),
    "59 23 * * *": ({59}, {23}, None, None),
    "45 1-3 * * *": ({45}, {1, 2, 3}, None, None),
    "0 */2 * * *": ({0}, set(range(0, 24, 2)), None, None),
    "0,30 0,2,3 * * *": ({0, 30}, {0, 2, 3}, None, None),
    "30 2 * * SUN": ({30}, {2}, None, {0}),
    "0 3 1 * *": ({0}, {3}, {1}, None),
    "*/15 * * * *": ({0, 15, 30, 45}, None, None, None),
    "@hourly": ({0}, None, None, None),
    "@daily": ({0}, {0}, None, None),
}


def offset(zone, at):
    return int(dt.datetime.fromtimestamp(at, zone).utcoffset().total_seconds())


def changes(zone):
    """Instants at which the offset changes."""
    day, at, before = 86400, BEGIN, offset(zone, BEGIN)
    while at < END:
        now = offset(zone, at + day)
        if now != before:
            low, high = at, at + day
            while high - low > 1:
                mid = (low + high) // 2
                low, high = (mid, high) if offset(zone, mid) == before else (low, mid)
            yield high, before, offset(zone, high)
            at, before = high, offset(zone, high)
        else:
            at += day


def quiet(zone):
    """In place of the changes of a zone that has none: a day on which others change."""
    day = int(dt.datetime(2020, 3, 29, 1, tzinfo=UTC).timestamp())
    return ((day, offset(zone, day), offset(zone, day)),)


def walls(kind, first, last):
    """The times of a wall clock that a schedule names, from `first` to `last`."""
    minutes, hours, days, weekdays = KINDS[kind]
    hour = first.replace(minute=0, second=0)
    while hour <= last:
        if (hours is None or hour.hour in hours) and (days is None or hour.day in days) and (weekdays is None or hour.isoweekday() % 7 in weekdays):
            for m in sorted(minutes):
                yield hour.replace(minute=m)
        hour += dt.timedelta(hours=1)


def instant(wall, zone, fold):
    """None: there is no such time."""
    there = wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
    back = there.astimezone(zone)
    return int(there.timestamp()) if (back.replace(tzinfo=None, fold=0), back.fold) == (wall, fold) else None


def slots(kind, zone, change, low, high, argo):
    found = set()
    naive = dt.datetime(1970, 1, 1)
    local = [naive + dt.timedelta(seconds=t + offset(zone, t)) for t in (low, high)]
    for wall in walls(kind, min(local) - dt.timedelta(hours=2), max(local) + dt.timedelta(hours=2)):
        first = instant(wall, zone, 0)
        if argo or KINDS[kind][1] is None:
            found |= {t for t in (first, instant(wall, zone, 1)) if t is not None}
        elif first is not None:
            found.add(first)
        else:
            found.add(change)
    return sorted(t for t in found if low < t <= high)


def main():
    step = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    seen = {}
    for name in sorted(zoneinfo.available_timezones())[::step]:
        if name in ("localtime", "Factory") or name.startswith(("posix/", "right/")):
            continue
        zone = zoneinfo.ZoneInfo(name)
        seen.setdefault(tuple(changes(zone)) or quiet(zone), []).append((name, zone))
    for history, zones in sorted(seen.items(), key=lambda x: x[1][0][0]):
        name, zone = zones[0]
        for change, before, after in history:
            low, high = change - MARGIN - abs(after - before), change + MARGIN + abs(after - before)
            if any(other != change and low <= other <= high for other, _, _ in history):
                raise SystemExit(f"{name}: two changes so near to each other that this does not know which one skips a time")
            for kind in KINDS:
                for argo in (False, True):
                    rest = "\t".join([kind, "argo" if argo else "once", str(low), str(high), " ".join(map(str, slots(kind, zone, change, low, high, argo)))])
                    for alias, _ in zones:
                        print(alias, rest, sep="\t")


main()
