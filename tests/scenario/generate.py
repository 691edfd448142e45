#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random workflows through the scenario runner: whatever they are, they end, no node stays open, and a crash after every
stimulus changes nothing.

    generate.py RUNNER [FIRST [COUNT]]

A workflow follows from its number alone: nested steps and dags with loops, conditions, retries, hooks and waits; steps that fail,
get lost or take their time; sometimes a stop, a pause, a retry. Every third has limits (parallelism, failFast), under which the
order of what waits may differ after a crash: there only the end is looked at.
"""
import json
import random
import subprocess
import sys
import tempfile


class Workflow:
    def __init__(self, number):
        self.r = random.Random(number)
        self.limits = number % 3 == 0
        self.templates = []
        self.spec = {"entrypoint": self.steps(0) if self.chance(0.5) else self.dag(0), "templates": self.templates}
        if self.limits and self.chance(0.3):
            self.spec["parallelism"] = self.r.randint(1, 3)
        if self.chance(0.3):
            self.spec["onExit"] = self.leaf()

    def chance(self, p):
        return self.r.random() < p

    def add(self, body):
        body["name"] = "t%d" % len(self.templates)
        self.templates.append(body)
        return body["name"]

    def leaf(self):
        t = {"container": {"image": "x", "command": ["true"]}}
        if self.chance(0.3):
            t["retryStrategy"] = {"limit": self.r.randint(0, 2), "retryPolicy": self.r.choice(["Always", "OnFailure", "OnError"])}
            if self.chance(0.5):
                t["retryStrategy"]["backoff"] = {"duration": "%dms" % (1000 * self.r.randint(1, 9) + 500), "factor": 2}
        if self.chance(0.3):
            t["outputs"] = {"parameters": [{"name": "p", "globalName": "g", "valueFrom": {"path": "/p", "default": "d"}}]}
        return self.add(t)

    def body(self, depth):
        x = self.r.random()
        if depth >= 3 or x < 0.55:
            return self.leaf()
        if x < 0.62:
            return self.add({"suspend": {"duration": "%dms" % (1000 * self.r.randint(1, 8) + 700)}})
        return self.steps(depth) if x < 0.8 else self.dag(depth)

    def step(self, name, depth):
        s = {"name": name, "template": self.body(depth + 1)}
        if self.chance(0.15):
            s["when"] = self.r.choice(["true", "false", "a == a", "a == b"])
        if self.chance(0.2):
            s["withItems"] = self.r.sample([1, 2, "x", {"k": "v", "l": 1}, [1, "b"]], self.r.randint(0, 4))
        elif self.chance(0.1):
            s["withSequence"] = {"count": str(self.r.randint(0, 3))}
        if self.chance(0.2):
            s["hooks"] = {"exit": {"template": self.leaf()}}
        return s

    def limited(self, t):
        if self.limits and self.chance(0.3):
            t["parallelism"] = self.r.randint(1, 2)
        if self.limits and self.chance(0.1):
            t["failFast"] = True
        if self.chance(0.1):
            t["retryStrategy"] = {"limit": 1, "retryPolicy": "Always"}
        return self.add(t)

    def steps(self, depth):
        groups = []
        for g in range(self.r.randint(1, 3)):
            groups.append([self.step("s%d-%d" % (g, i), depth) for i in range(self.r.randint(1, 3))])
            for s in groups[-1]:
                if self.chance(0.2):
                    s["continueOn"] = {self.r.choice(["failed", "error"]): True}
        return self.limited({"steps": groups})

    def dag(self, depth):
        tasks, by_depends = [], self.chance(0.5)
        results = ["", ".Succeeded", ".Failed", ".Skipped", ".Omitted", ".Errored"]
        for i in range(self.r.randint(1, 6)):
            t = self.step("t%d" % i, depth)
            before = self.r.sample(range(i), min(i, self.r.randint(0, 2)))
            if before and by_depends:
                t["depends"] = self.r.choice([" && ", " || "]).join("t%d%s" % (b, self.r.choice(results)) for b in before)
            elif before:
                t["dependencies"] = ["t%d" % b for b in before]
            if not by_depends and self.chance(0.15):
                t["continueOn"] = {"failed": True}
            tasks.append(t)
        return self.limited({"dag": {"tasks": tasks}})

    def scenario(self):
        names = ["s%d-%d" % (g, i) for g in range(3) for i in range(3)] + ["t%d" % i for i in range(6)]
        rules, verbs = [], []
        for node in (n + tail for n in names for tail in ["", "(0)", "(1)", "(0:x)", "(1:2)"]):
            if self.chance(0.35):
                rules.append(dict(self.r.choice([{"exit": 1}, {}, {"phase": "Error", "message": "lost"}, {"exit": 2, "times": 1}]),
                                  node=node, seconds=self.r.randint(1, 6)))
        kind = self.r.random()
        if kind < 0.25:
            verbs.append({"at": self.r.randint(0, 12), "do": "stop" if kind < 0.15 else "terminate"})
        elif kind < 0.35:
            at = self.r.randint(0, 8)
            verbs += [{"at": at, "do": "suspend"}, {"at": at + self.r.randint(1, 20), "do": "resume"}]
        if self.chance(0.3):
            verbs.append({"at": 5000, "do": "retry"})
        return {"steps": rules, "verbs": verbs, "expect": {}}


def play(runner, path, options):
    out = subprocess.run([runner, *options, "--print", path], capture_output=True, text=True, timeout=120)
    if not out.stdout.startswith("{"):
        return None, out.stdout[-500:] + out.stderr[-500:]
    return json.JSONDecoder().raw_decode(out.stdout)[0], ""


def tree(workflow):
    nodes = workflow["status"].get("nodes", {})
    links = lambda n, key: sorted(nodes[c]["name"] for c in n.get(key, []))
    return {n["name"]: [n["type"], n["phase"], n.get("message"), n.get("progress"), n.get("outputs"), n.get("startedAt"), n.get("finishedAt"),
                        links(n, "children"), links(n, "outboundNodes"), n.get("boundaryID")] for n in nodes.values()}


def judge(runner, number, path):
    w = Workflow(number)
    workflow = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "spec": w.spec}
    with open(path, "w") as f:
        f.write(json.dumps(w.scenario()) + "\n---\n" + json.dumps(workflow) + "\n")
    plain, why = play(runner, path, [])
    crashed, why2 = play(runner, path, ["--crash-at-every-commit"])
    if not plain or not crashed:
        return why or why2
    for run in plain, crashed:
        open_nodes = [n["name"] for n in run["status"].get("nodes", {}).values() if n["phase"] in ("Pending", "Running")]
        if run["status"].get("phase") not in ("Succeeded", "Failed", "Error") or open_nodes:
            return "does not end: %s %s" % (run["status"].get("phase"), open_nodes[:5])
    if w.limits:
        return None
    a, b = tree(plain), tree(crashed)
    different = [n for n in sorted(set(a) | set(b)) if a.get(n) != b.get(n)]
    return "".join("\n  %s\n    %s\n    %s" % (n, a.get(n), b.get(n)) for n in different[:3]) or None


def main():
    runner = sys.argv[1]
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 60
    failed = 0
    with tempfile.TemporaryDirectory() as d:
        for number in range(first, first + count):
            why = judge(runner, number, d + "/workflow.yaml")
            if why:
                failed += 1
                print("FAILED random workflow %d: %s" % (number, why))
    print("random workflows: %d passed, %d failed" % (count - failed, failed))
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
