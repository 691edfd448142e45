#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random workflows through the engine and through the model: both must come to the same.

    check.py RUNNER [--family F] [--seeds N] [--first N] [--crash]
    check.py RUNNER --family F --seed N       one of them: the manifest, and how the two differ, as small as it can be made

A workflow follows from its family (families.py; all of them unless one is named) and its seed alone. With --crash each is also played with the process dying at each commit, in three ways.
"""
import argparse
import json
import os
import re
import subprocess
import sys

from families import FAMILIES
from model import Model


def parameters(values):
    return {p["name"]: p.get("value") for p in (values or {}).get("parameters", [])}


def outputs_of(values):
    out = {k: v for k, v in (values or {}).items() if k in ("result", "exitCode")}
    if parameters(values):
        out["parameters"] = parameters(values)
    return out


def seconds(text):
    if not text:
        return 0
    days, clock = text[8:10], text[11:19].split(":")
    return (int(days) - 1) * 86400 + int(clock[0]) * 3600 + int(clock[1]) * 60 + int(clock[2])


def engine_view(answer):
    """What the engine says, in the words of model_view."""
    status = answer["status"]
    nodes = status.get("nodes", {})
    names = lambda n, key: sorted(nodes[c]["name"] if c in nodes else "?" + c for c in n.get(key, []))
    view = {n["name"]: {
        "type": n["type"], "phase": n["phase"], "message": n.get("message", ""), "display": n.get("displayName"), "id": i,
        "boundary": nodes[n["boundaryID"]]["name"] if n.get("boundaryID") else "", "children": names(n, "children"),
        "outbound": names(n, "outboundNodes"), "template": n.get("templateName") or (n.get("templateRef") or {}).get("template", ""),
        "inputs": parameters(n.get("inputs")), "outputs": outputs_of(n.get("outputs")), "started": seconds(n.get("startedAt")),
        "finished": seconds(n.get("finishedAt")), "flags": n.get("nodeFlag", {}), "memo": n.get("memoizationStatus")} for i, n in nodes.items()}
    view["(workflow)"] = {"phase": status.get("phase"), "message": status.get("message", ""), "finished": seconds(status.get("finishedAt")),
                          "outputs": parameters(status.get("outputs"))}
    view["(starts)"] = sorted(n[1:] for n in answer["notes"] if n[0] == "start")
    lines = answer["why"].splitlines()
    view["(refused verbs)"] = [str(sum(x.startswith("  a verb was refused") for x in lines))]
    view["(complaints)"] = [x for x in lines if not x.startswith("  a verb was refused")]
    return view


def model_view(m):
    view = {}
    for n in m.nodes.values():
        flags = {k: True for k, v in (("hooked", n.call.hooked and not n.retried and n.type != "StepGroup" and re.search(r"\.(onExit|hooks\.\w+)$", n.name)), ("retried", n.retried)) if v}
        view[n.name] = {
            "type": n.type, "phase": n.phase, "message": n.message, "display": n.display(), "id": m.id(n.name),
            "boundary": n.boundary.name if n.boundary else "", "children": sorted(c.name for c in n.children),
            "outbound": sorted(c.name for c in n.outbound), "template": n.template_name, "inputs": n.inputs, "outputs": n.outputs,
            "started": n.started, "finished": n.finished, "flags": flags, "memo": n.memo}
    view["(workflow)"] = {"phase": m.phase if m.finished is not None or m.phase == "Pending" else "Running", "message": m.message, "finished": (m.finished or 0) // 1000, "outputs": m.outputs}
    view["(starts)"] = sorted(n[1:] for n in m.notes if n[0] == "start")
    view["(refused verbs)"] = [str(m.refused)]
    view["(complaints)"] = []
    return view


def difference(engine, model):
    lines = []
    for name in sorted(set(engine) | set(model)):
        a, b = engine.get(name), model.get(name)
        if a == b:
            continue
        if isinstance(a, dict) and isinstance(b, dict):
            lines += ["  %s: %s: engine %s, model %s" % (name, k, a[k], b[k]) for k in a if a[k] != b[k]]
        elif isinstance(a, list):
            lines.append("  %s: engine only %s, model only %s" % (name, [x for x in a if x not in b], [x for x in b if x not in a]))
        else:
            short = lambda x: [x["type"], x["phase"], x["message"]] if isinstance(x, dict) else x
            lines.append("  %s: engine %s, model %s" % (name, short(a), short(b)))
    return lines


class Runner:
    """The scenario runner in its batch mode: one process for many workflows."""
    def __init__(self, path, crash=False):
        self.p = subprocess.Popen([path, "--batch"] + ["--crash-at-every-commit"] * crash, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def play(self, docs):
        self.p.stdin.write(json.dumps(docs) + "\n")
        self.p.stdin.flush()
        line = self.p.stdout.readline()
        if not line:
            raise RuntimeError("the runner died")
        return json.loads(line)


def judge(runner, docs):
    """Why they disagree, as lines."""
    answer = runner.play(json.loads(json.dumps(docs)))
    if "status" not in answer:
        return ["  refused: " + answer["why"]]
    engine = engine_view(answer)
    try:
        lines = difference(engine, model_view(Model(json.loads(json.dumps(docs))).run()))
    except Exception as e:  # a model that breaks is a disagreement like any other, and can be made smaller
        import traceback
        lines = ["  the model broke: " + traceback.format_exc()[-900:]]
    for crash, other in answer.get("crashes", {}).items():
        lines += ["  crash %s:%s" % (crash, x) for x in difference(engine_view(other), engine)]
    return lines


KEEP = ("kind", "name", "node", "entrypoint", "templates", "metadata", "image", "command", "template", "spec", "container", "at", "do")


def parts(value, path=()):
    """The way to everything that could be left out, from the end."""
    if isinstance(value, (dict, list)):
        for k in reversed(list(value) if isinstance(value, dict) else range(len(value))):
            yield path + (k,)
            yield from parts(value[k], path + (k,))


def without(docs, path):
    copy = json.loads(json.dumps(docs))
    at = copy
    for p in path[:-1]:
        at = at[p]
    del at[path[-1]]
    return copy


def shrink(make_runner, docs, lines):
    """Takes parts away as long as they still disagree."""
    runner, changed = make_runner(), True
    while changed:
        changed = False
        for path in list(parts(docs)):
            if path[-1] in KEEP or len(path) < 2:
                continue
            try:
                copy = without(docs, path)
                now = judge(runner, copy)
            except (KeyError, IndexError, TypeError):
                continue      # it went with something else
            except (RuntimeError, BrokenPipeError):
                runner = make_runner()
                continue
            if now and "refused" not in now[0] and ("broke" in now[0]) == ("broke" in lines[0]):
                docs, lines, changed = copy, now, True
    return docs, lines


def show(docs):
    return "\n".join("---\n" + json.dumps(d, indent=1) for d in docs) if os.environ.get("INDENT") else "\n".join(json.dumps(d) for d in docs)


def look_at(make, family, seed):
    docs = FAMILIES[family](seed).documents()
    lines = judge(make(), docs)
    if lines and "refused" not in lines[0]:
        docs, lines = shrink(make, docs, lines)
    print(show(docs))
    print("\n".join(lines) or "they agree")
    return bool(lines)


def check(make, a, family):
    """A range of seeds of one family. Whether one fails."""
    runner, failed = make(), []
    for seed in range(a.first, a.first + a.seeds):
        try:
            lines = judge(runner, FAMILIES[family](seed).documents())
        except (RuntimeError, BrokenPipeError) as e:
            lines, runner = ["  " + str(e)], make()
        if lines:
            failed.append(seed)
            if len(failed) <= a.most:
                print("FAILED seed %d (replay: %s %s --family %s --seed %d%s)" % (seed, sys.argv[0], a.runner, family, seed, " --crash" * a.crash))
                print("\n".join(lines[:8]))
    print("model: %s%s: seeds %d to %d, %d agree, %d do not %s" % (family, ", with crashes" * a.crash, a.first, a.first + a.seeds - 1,
                                                                  a.seeds - len(failed), len(failed), failed[:40] or ""), flush=True)
    return bool(failed)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("runner")
    a.add_argument("--family", choices=FAMILIES)
    a.add_argument("--first", type=int, default=0)
    a.add_argument("--seeds", type=int, default=300)
    a.add_argument("--seed", type=int)
    a.add_argument("--crash", action="store_true")
    a.add_argument("--most", type=int, default=10, help="failures to be shown")
    a = a.parse_args()
    make = lambda: Runner(a.runner, a.crash)
    if a.seed is not None:
        return look_at(make, a.family or "core", a.seed)
    return max([check(make, a, family) for family in ([a.family] if a.family else FAMILIES)])


if __name__ == "__main__":
    sys.exit(main())
