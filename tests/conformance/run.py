#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs manifests people already have and judges what comes of them.

usage: run.py CASES [--binary ./tidegate] [-j N] [--only TEXT] [--suite NAME] [--add] [-v]

CASES holds the data; its README says what each file means. Every case is judged:

    holds        it did what the data says
    not served   refused (exit 2) because of something that Tidegate does not serve yet, naming the field's place
    wrong        anything else: it ran to a wrong result, was refused for another reason, crashed, took too long
    skipped      it needs a command that is not here (printed, and counted)

tests/conformance/holds.txt lists the cases that hold; the list only grows. Fails if one of them stopped holding, or if any
case is wrong. --add writes the cases that hold now into the list.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
HOLDS, NOT_SERVED, WRONG, SKIPPED = "holds", "not served", "wrong", "skipped"
Verdict = collections.namedtuple("Verdict", "what why")


class Bench:
    """What all cases share: where things are, and how to start the program."""

    def __init__(self, cases, binary, config, timeout):
        self.cases, self.binary, self.config, self.timeout = cases, binary, config, timeout

    def call(self, args, cwd):
        try:
            done = subprocess.run([self.binary] + args, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, timeout=self.timeout, errors="replace")
        except subprocess.TimeoutExpired:
            return None, "", f"took longer than {self.timeout} s"
        return done.returncode, done.stdout, done.stderr

    def run(self, args, cwd):
        """`tidegate run` in a state directory of its own."""
        with tempfile.TemporaryDirectory(prefix="tidegate-conformance-") as state:
            config = ["--config", self.config] if self.config else []
            return self.call(["run", "--state", state, "--output", "json"] + config + args, cwd)


def rows(path):
    with open(path, encoding="utf-8") as f:
        for line in f:
            line = line.rstrip("\n")
            if line and not line.startswith("#"):
                yield (line.split("\t") + [""] * 4)[:4]


def last_line(text):
    lines = [x for x in text.strip().splitlines() if x.strip()]
    return lines[-1][:300] if lines else "no message"


def refused(code, err):
    """The verdict on a case that did not run, or None if it ran."""
    if code is None:
        return Verdict(WRONG, err)
    if code == 2:
        lines = err.splitlines()
        errors = [x for x in lines if "error" in x.lower()]
        if "not served yet" in err:
            others = [x for x in errors if "not served yet" not in x and not x.startswith("tidegate:")]
            if not others:
                return Verdict(NOT_SERVED, next(x for x in lines if "not served yet" in x)[:300])
        return Verdict(WRONG, "refused: " + (errors[0] if errors else last_line(err))[:300])
    if code not in (0, 1):
        return Verdict(WRONG, f"exit {code}: {last_line(err)}")
    return None


def first_document(out):
    return json.JSONDecoder().raw_decode(out.lstrip())[0]


# ---- workflows.tsv ----------------------------------------------------------------------------------------------


def jq_failures(checks, document):
    """The checks that do not yield true. One jq for all; one by one if one of them does not even compile."""
    program = ",".join(f"(try ([{c}]|length>0 and all(.==true)) catch false)" for c in checks)
    done = subprocess.run(["jq", "-c", f"[{program}]"], input=document, capture_output=True, text=True)
    if done.returncode == 0:
        return [c for c, ok in zip(checks, json.loads(done.stdout)) if not ok]
    if len(checks) == 1:
        return checks
    return [bad for c in checks for bad in jq_failures([c], document)]


def judge_workflow(bench, row, everywhere):
    path, phase, checks, arguments = row
    code, out, err = bench.run(arguments.split() + [path], os.path.join(bench.cases, "workflows"))
    if phase == "Invalid":
        if code != 2:
            return Verdict(WRONG, f"must be refused, exit {code}")
        return Verdict(HOLDS, "") if re.search(checks, err, re.I) else Verdict(WRONG, f"message does not match {checks}: {last_line(err)}")
    verdict = refused(code, err)
    if verdict:
        return verdict
    try:
        workflow = first_document(out)
    except ValueError as e:
        return Verdict(WRONG, f"output is no JSON: {e}")
    got = workflow.get("status", {}).get("phase")
    if got != phase:
        return Verdict(WRONG, f"phase {got}, must be {phase}: {workflow['status'].get('message', '')}"[:300])
    if code != (0 if phase == "Succeeded" else 1):
        return Verdict(WRONG, f"exit {code} with phase {phase}")
    failed = jq_failures([c for c in (everywhere + ";;" + checks).split(";;") if c.strip()], json.dumps(workflow))
    return Verdict(WRONG, "not true: " + failed[0]) if failed else Verdict(HOLDS, "")


def workflows(bench):
    table = list(rows(os.path.join(bench.cases, "workflows", "workflows.tsv")))
    everywhere = next((r[2] for r in table if r[0] == "*"), "")
    for row in table:
        if row[0] != "*":
            yield row[0], lambda row=row: judge_workflow(bench, row, everywhere)


# ---- trees.json -------------------------------------------------------------------------------------------------


def node_bars(case, workflow):
    """The three bars of a tree in order, as (name, wanted, got) of comparable lists."""
    name = workflow["metadata"]["name"]
    nodes = workflow.get("status", {}).get("nodes", {}) or {}

    def plain(text):
        return re.sub(re.escape(name) + r"-\d{5,10}\b", "#", text or "").replace(name, "@")

    def of_id(node_id):
        return plain(nodes[node_id]["name"]) if node_id in nodes else ""

    def bar(pick_wanted, pick_got):
        return (sorted(map(pick_wanted, case["nodes"]), key=repr), sorted(map(pick_got, nodes.values()), key=repr))

    wanted, got = bar(lambda n: (n["name"], n["type"], n["phase"]), lambda n: (plain(n["name"]), n["type"], n.get("phase", "")))
    yield "nodes", [case["phase"]] + wanted, [workflow["status"].get("phase")] + got
    wanted, got = bar(lambda n: (n["name"], n["message"]), lambda n: (plain(n["name"]), plain(n.get("message"))))
    yield "messages", [case["message"]] + wanted, [plain(workflow["status"].get("message"))] + got
    yield ("links",) + bar(
        lambda n: (n["name"], n["displayName"], n["templateName"], n["boundary"], n["children"]),
        lambda n: (plain(n["name"]), plain(n.get("displayName")), n.get("templateName", ""), of_id(n.get("boundaryID")),
                   sorted(of_id(c) for c in n.get("children", []))))


def judge_tree(bench, case):
    for command in case.get("needs") or []:
        if command == "node" and not shutil.which(command):
            return Verdict(SKIPPED, f"needs {command}")
    args = [x for w in case.get("with") or [] for x in ("--with", w)]
    args += [x for p in case.get("params") or [] for x in ("-p", p)]
    code, out, err = bench.run(args + [case["path"]], bench.cases)
    verdict = refused(code, err)
    if verdict:
        return verdict
    try:
        workflow = first_document(out)
    except ValueError as e:
        return Verdict(WRONG, f"output is no JSON: {e}")
    for bar, wanted, got in node_bars(case, workflow):
        if wanted != got:
            missing = [x for x in wanted if x not in got][:3]
            extra = [x for x in got if x not in wanted][:3]
            return Verdict(WRONG, f"{bar}: missing {missing}, too much {extra}"[:600])
    return Verdict(HOLDS, "")


def trees(bench):
    with open(os.path.join(bench.cases, "trees.json"), encoding="utf-8") as f:
        for case in json.load(f):
            yield case["path"], lambda case=case: judge_tree(bench, case)


# ---- validate.tsv and events/lint.tsv ---------------------------------------------------------------------------


def culprits(part):
    """What a refusal must name, whatever its wording: quoted names, variables, the ends of paths."""
    found = re.findall(r"'([^']+)'|\"([^\"]+)\"|\{\{\s*([^}]+?)\s*\}\}", part)
    names = [x for group in found for x in group if x]
    for path in re.findall(r"\b[\w\[\]-]+(?:\.[\w\[\]-]+)+", part):
        names.append(path.rsplit(".", 1)[1])
    return names or [w for w in re.findall(r"\w+", part) if len(w) > 4]


def judge_validate(bench, path, expected, part):
    code, out, err = bench.call(["lint", path], bench.cases)
    said = out + err
    if expected == "ok":
        return Verdict(HOLDS, "") if code == 0 else Verdict(WRONG, f"exit {code}: " + next((x for x in said.splitlines() if "error" in x), "")[:300])
    if code != 2:
        return Verdict(WRONG, f"must be refused ({part}), exit {code}")
    names = culprits(part)
    return Verdict(HOLDS, "") if any(n in said for n in names) else Verdict(WRONG, f"names none of {names}: {last_line(said)}")


def validate(bench):
    for path, expected, part, _ in rows(os.path.join(bench.cases, "validate.tsv")):
        yield path, lambda path=path, expected=expected, part=part: judge_validate(bench, path, expected, part)


def judge_lint(bench, path, field):
    code, out, err = bench.call(["lint", path], os.path.join(bench.cases, "events"))
    said = out + err
    if code != 0:
        return Verdict(WRONG, f"exit {code}: " + next((x for x in said.splitlines() if "error" in x), "")[:300])
    if field and field not in said:
        return Verdict(WRONG, f"no warning of {field}")
    return Verdict(HOLDS, "")


def lint(bench):
    for path, _, field, _ in rows(os.path.join(bench.cases, "events", "lint.tsv")):
        yield path, lambda path=path, field=field: judge_lint(bench, path, field)


# ---- interactive.tsv --------------------------------------------------------------------------------------------


class Served:
    """A daemon of its own for one script, and the workflow that the script is about."""

    def __init__(self, bench, directory):
        self.bench, self.state, self.mark = bench, os.path.join(directory, "state"), ""
        options = ["--config", bench.config] if bench.config else []
        self.daemon = subprocess.Popen([bench.binary, "serve", "--state", self.state, "--listen", "127.0.0.1:0"] + options,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, errors="replace")
        for line in self.daemon.stderr:
            if line.startswith("listening on"):
                break
        threading.Thread(target=self.daemon.stderr.read, daemon=True).start()
        self.name = ""

    def close(self):
        self.daemon.terminate()
        self.daemon.wait()

    def call(self, *args):
        return self.bench.call(list(args) + ["--state", self.state], os.path.join(self.bench.cases, "workflows"))

    def get(self):
        return json.loads(self.call("get", self.name, "-o", "json")[1])

    def submit(self, path, suspended):
        if suspended:
            code, out, err = self.call("submit", "--dry-run", "-o", "json", path)
            if code:
                return code, err
            manifest = json.loads(out)
            manifest["spec"]["suspend"] = True
            path = self.state + ".json"
            with open(path, "w", encoding="utf-8") as f:
                json.dump(manifest, f)
        code, out, err = self.call("submit", "-o", "name", path)
        self.name = out.strip()
        return code, err

    def until(self, condition):
        end = time.monotonic() + self.bench.timeout
        while time.monotonic() < end:
            if condition(self.get()):
                return True
            time.sleep(0.05)
        return False

    def verb(self, words):
        """None, or what went wrong."""
        if words == ["get"]:
            return None
        if words == ["mark"]:
            self.mark = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            return None
        if words == ["wait"]:
            return None if self.until(lambda w: w.get("status", {}).get("phase") in ("Succeeded", "Failed", "Error")) else "it did not end"
        if words[0] == "wait-for-phase":
            return None if self.until(lambda w: w.get("status", {}).get("phase") == words[1]) else f"phase is never {words[1]}"
        if words[0] == "wait-for-node":
            found = self.until(lambda w: any(n["displayName"] == words[1] and n.get("phase") == words[2]
                                             for n in (w.get("status", {}).get("nodes") or {}).values()))
            return None if found else f"{words[1]} is never {words[2]}"
        refuse = words[0].startswith("!")
        words = [words[0].lstrip("!")] + words[1:]
        before = self.get() if refuse else None
        at = 2 if words[0] == "node" else 1
        code, out, err = self.call(*words[:at], self.name, *words[at:])
        if refuse:
            return None if code and self.get().get("status") == before.get("status") else f"{words[0]} must be refused and change nothing"
        if words[0] == "resubmit" and not code:
            self.name = out.split("Name:", 1)[1].split()[0]
        return f"{' '.join(words)}: {last_line(err)}" if code else None


def judge_script(bench, path, script, phase, checks):
    with tempfile.TemporaryDirectory(prefix="tidegate-conformance-") as directory:
        served = Served(bench, directory)
        try:
            verbs = [shlex.split(v) for v in script.split(";")]
            suspended = verbs[0] == ["submit-suspended"]
            code, err = served.submit(path, suspended)
            if code:
                return refused(code, err) or Verdict(WRONG, last_line(err))
            for words in verbs[1:] if suspended else verbs:
                wrong = served.verb(words)
                if wrong:
                    return Verdict(WRONG, wrong)
            workflow = served.get()
        finally:
            served.close()
    if workflow["status"].get("phase") != phase:
        return Verdict(WRONG, f"phase {workflow['status'].get('phase')}, must be {phase}")
    marked = [c.replace("$mark", json.dumps(served.mark)) for c in checks.split(";;") if c.strip()]
    failed = jq_failures(marked, json.dumps(workflow)) if marked else []
    return Verdict(WRONG, "not true: " + failed[0]) if failed else Verdict(HOLDS, "")


def interactive(bench):
    for name, script, phase, checks in rows(os.path.join(bench.cases, "interactive.tsv")):
        yield name, lambda path=name.split("#")[0], s=script, p=phase, c=checks: judge_script(bench, path, s, p, c)


SUITES = {"workflows": workflows, "trees": trees, "validate": validate, "lint": lint, "interactive": interactive}

# ---- the whole --------------------------------------------------------------------------------------------------


def read_holds(path):
    with open(path, encoding="utf-8") as f:
        return {x.strip() for x in f if x.strip() and not x.startswith("#")}


def write_holds(path, held):
    with open(path, encoding="utf-8") as f:
        head = [x for x in f if x.startswith("#")]
    with open(path, "w", encoding="utf-8") as f:
        f.writelines(head + [x + "\n" for x in sorted(held)])


def judge(job):
    try:
        return job()
    except Exception as e:  # a bug of the runner counts as one wrong case, not as the end of the run
        return Verdict(WRONG, f"the runner failed: {e!r}")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("cases")
    ap.add_argument("--binary", default="./tidegate")
    ap.add_argument("--config", help="settings for run: the table of images")
    ap.add_argument("--suite", action="append", choices=sorted(SUITES))
    ap.add_argument("--only", default="", help="cases whose path contains this")
    ap.add_argument("-j", type=int, default=2)
    ap.add_argument("--timeout", type=int, default=180, help="seconds a case")
    ap.add_argument("--add", action="store_true", help="add the cases that hold to holds.txt")
    ap.add_argument("-v", action="store_true", help="also list what is not served, and why")
    o = ap.parse_args()
    bench = Bench(os.path.abspath(o.cases), os.path.abspath(o.binary), o.config and os.path.abspath(o.config), o.timeout)
    holds_path = os.path.join(HERE, "holds.txt")
    must = read_holds(holds_path)
    bad, lost, held = 0, 0, set()
    for suite in o.suite or SUITES:
        jobs = [(p, job) for p, job in SUITES[suite](bench) if o.only in p]
        with concurrent.futures.ThreadPoolExecutor(o.j) as pool:
            verdicts = list(pool.map(judge, [job for _, job in jobs]))
        count = collections.Counter(v.what for v in verdicts)
        for (path, _), v in zip(jobs, verdicts):
            key = f"{suite} {path}"
            if v.what == HOLDS:
                held.add(key)
            elif key in must:
                lost += 1
                print(f"LOST {key}: {v.what}: {v.why}")
            elif v.what == WRONG or (o.v and v.what == NOT_SERVED) or v.what == SKIPPED:
                print(f"{v.what.upper()} {key}: {v.why}")
        bad += count[WRONG]
        print(f"{suite}: {count[HOLDS]} of {len(jobs)} hold; {count[NOT_SERVED]} not served yet, {count[WRONG]} wrong, "
              f"{count[SKIPPED]} skipped", flush=True)
    if o.add:
        write_holds(holds_path, must | held)
    print(f"conformance: {len(held)} hold, {bad} wrong, {lost} lost of {len(must)} that must hold")
    return 1 if bad or lost else 0


if __name__ == "__main__":
    sys.exit(main())
