#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""rules.tsv: lines are whole and in order, what they name exists, and every scenario holds a rule."""
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
NOT_YET = "- not held yet"
faults = []


def lines():
    """(number, section, rule, what holds it) of every line that is a rule."""
    for number, line in enumerate((HERE / "rules.tsv").read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        parts = line.split("\t")
        if len(parts) != 3 or not re.fullmatch(r"\d+(\.\d+)?", parts[0]) or not all(p == p.strip() != "" for p in parts):
            faults.append("line %d is not SECTION<tab>RULE<tab>WHAT HOLDS IT" % number)
            continue
        yield number, *parts


def exists(name):
    """A scenario, or FILE:NAME of another test: a function of a C or Python file."""
    if ":" not in name:
        return (HERE / (name + ".yaml")).is_file()
    path, _, function = name.partition(":")
    begins = r"^(\s*def )?%s\((void|self)\b" % re.escape(function)
    return (ROOT / path).is_file() and re.search(begins, (ROOT / path).read_text(), re.M) is not None


def check():
    named, texts, last, bare, not_yet = set(), set(), [], 0, []
    for number, section, rule, holders in lines():
        place = [int(n) for n in section.split(".")]
        if place < last:
            faults.append("line %d: section %s stands behind a later one" % (number, section))
        if (section, rule) in texts:
            faults.append("line %d: said twice: %s" % (number, rule))
        last = max(place, last)
        texts.add((section, rule))
        if holders.startswith("-"):
            bare += 1
            not_yet += ["%s %s" % (section, rule)] if holders == NOT_YET else []
            faults.extend(["line %d: no reason why nothing holds it" % number] if len(holders) < 4 else [])
            continue
        faults.extend("line %d: there is no %s" % (number, name) for name in holders.split() if not exists(name))
        named.update(holders.split())
    unnamed = {p.stem for p in HERE.glob("*.yaml")} - named
    faults.extend("no rule names the scenario %s" % name for name in sorted(unnamed))
    print("rules: %d, held by %d scenarios and tests; %d belong elsewhere; %d not held yet" % (
        len(texts), len(named), bare - len(not_yet), len(not_yet)))
    for rule in not_yet:
        print("  not held yet: " + rule)


check()
for fault in faults:
    print("rules.tsv: " + fault)
sys.exit(bool(faults))
