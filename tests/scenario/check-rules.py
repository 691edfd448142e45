#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""rules.tsv against the scenarios: every one that it names exists. Those that no rule names are told."""
import pathlib
import sys

here = pathlib.Path(__file__).parent
there = {p.stem for p in here.glob("*.yaml")}
named, empty = set(), []
for line in (here / "rules.tsv").read_text().splitlines():
    if not line.startswith("#"):
        rule, scenarios = line.split("\t")
        named |= set(scenarios.split()) - {"-"}
        empty += [rule] if scenarios == "-" else []
for name in sorted(named - there):
    print("rules.tsv names a scenario that does not exist: " + name)
if there - named:
    print("scenarios that no rule of rules.tsv names yet: " + " ".join(sorted(there - named)))
print("rules: %d scenarios named, %d missing, %d rules without one (%s)" % (len(named), len(named - there), len(empty), ", ".join(empty)))
sys.exit(bool(named - there))
