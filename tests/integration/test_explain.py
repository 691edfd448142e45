# SPDX-License-Identifier: Apache-2.0
"""`explain` gives the true reason: a matrix of generated sensors and events, judged by a small evaluator of its own."""
import datetime
import http.server
import itertools
import json
import os
import threading
import unittest
import zoneinfo

from harness import TestCase, free_port, until

PASS, MISS, ERROR = "passed", "missed", "error"
UNSEEN = "not looked at"


# ---- what filters say, told once more, from their description --------------------------------------------------------------

def lookup(data, path):
    for key in path.split("."):
        if not isinstance(data, dict) or key not in data:
            return None
        data = data[key]
    return data


NUMBERS = {"=": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
           ">": lambda a, b: a > b, ">=": lambda a, b: a >= b}


class Data:
    """An entry of filters.data; the values are ORed, texts know = and != only, truth values only =."""
    kind = "data"

    def __init__(self, path, type_, values, comparator=None):
        self.what, self.type, self.values, self.comparator = path, type_, values, comparator

    def yaml(self):
        entry = {"path": self.what, "type": self.type, "value": [json.dumps(v) if not isinstance(v, str) else v for v in self.values]}
        return {**entry, "comparator": self.comparator} if self.comparator else entry

    def holds(self, got, want):
        cmp = self.comparator or "="
        if self.type == "number":
            return NUMBERS[cmp](got, want)
        if self.type == "bool":
            return got == want
        return cmp in ("=", "!=") and (want in got) == (cmp == "=")

    def look(self, event):
        got = lookup(event["data"], self.what)
        if got is None:
            return ERROR, self.what
        text = got if isinstance(got, str) else json.dumps(got)
        return (PASS if any(self.holds(got, v) for v in self.values) else MISS), json.dumps(text)


class Expr:
    """n and s are body.n and body.s; `test` is the same in Python."""
    kind = "exprs"

    def __init__(self, text, test, fields=("n",)):
        self.what, self.test, self.fields = text, test, fields

    def yaml(self):
        return {"expr": self.what, "fields": [{"name": f, "path": "body." + f} for f in self.fields]}

    def look(self, event):
        values = {f: lookup(event["data"], "body." + f) for f in self.fields}
        if None in values.values():
            return ERROR, "does not exist"
        return (PASS if self.test(**values) else MISS), ", ".join(f"{k} = {json.dumps(v)}" for k, v in values.items())


class Context:
    kind = "context"

    def __init__(self, attribute, value):
        self.what, self.value = attribute, value

    def look(self, event):
        got = event[self.what]
        return (PASS if got == self.value else MISS), got


class Time:
    kind, what = "time", None

    def __init__(self, start, stop, zone=None):
        self.start, self.stop, self.zone = start, stop, zone

    def yaml(self):
        window = {"start": self.start, "stop": self.stop}
        return {**window, "timezone": self.zone} if self.zone else window

    def look(self, event):
        at = event["time"].astimezone(zoneinfo.ZoneInfo(self.zone or "UTC")).strftime("%H:%M:%S")
        inside = self.start <= at < self.stop if self.start < self.stop else at >= self.start or at < self.stop
        return (PASS if inside else MISS), at


class Script:
    kind, what = "script", None

    def __init__(self, text, verdict):
        self.text, self.verdict = text, verdict

    def yaml(self):
        return self.text

    def look(self, _):
        return self.verdict, None


def and_or(checks, look, any_):
    """The looks that are made, by check, and the verdict. With `or` the first that passes ends it, with `and` the first that does not."""
    seen = {}
    for c in checks:
        seen[c] = look(c)
        if (seen[c][0] == PASS) == any_:
            return seen, seen[c][0]
    if not any_:
        return seen, PASS
    return seen, ERROR if ERROR in [v for v, _ in seen.values()] else MISS


def evaluate(case, event):
    """As events spec 3.3: kinds in their order; all of them must pass, or, with `or`, one, and none may be in error."""
    seen, verdicts = {}, []
    for kind in ("exprs", "data", "context", "time", "script"):
        checks = [c for c in case.checks if c.kind == kind]
        if not checks:
            continue
        looks, verdict = and_or(checks, lambda c: c.look(event), case.any_of.get(kind, False))
        seen.update(looks)
        verdicts.append(verdict)
        if verdict != PASS and not case.any_kind:
            break
    if case.any_kind:
        return seen, ERROR if ERROR in verdicts else PASS if PASS in verdicts else MISS
    return seen, verdicts[-1] if verdicts else PASS


# ---- the cases ---------------------------------------------------------------------------------------------------------------

class Case:
    def __init__(self, checks, body, any_of=None, any_kind=False, on_error=None):
        self.checks, self.body, self.any_of, self.any_kind, self.on_error = checks, body, any_of or {}, any_kind, on_error


def data_cases():
    for cmp, got in itertools.product(NUMBERS, (2, 3, 4)):
        yield Case([Data("body.n", "number", [3], cmp)], {"n": got})
    for cmp in NUMBERS:
        yield Case([Data("body.n", "number", [3, 5], cmp)], {"n": 4})
    for cmp, got in itertools.product(("=", "!=", "<", ">="), ("open", "closed")):
        yield Case([Data("body.s", "string", ["open"], cmp)], {"s": got})
    for cmp, got in itertools.product((None, "!="), (True, False)):
        yield Case([Data("body.b", "bool", [True], cmp)], {"b": got})
    for type_, value in (("number", 1), ("string", "x"), ("bool", True)):
        yield Case([Data("body.gone", type_, [value])], {"n": 1})
    yield Case([Data("body.s", "string", ["x", "y"])], {"s": "y"})
    yield Case([Data("body.s", "string", ["x", "y"])], {"s": "z"})
    yield Case([Data("body.s", "string", ["x"])], {"s": "a \"quoted\"\n" + "long " * 9})


ENTRIES = {PASS: Data("body.n", "number", [3]), MISS: Data("body.s", "string", ["never"]), ERROR: Data("body.gone", "string", ["x"])}
EXPRS = {PASS: Expr("n > 2", lambda n: n > 2), MISS: Expr("n < 2", lambda n: n < 2), ERROR: Expr("g == 1", lambda g: g == 1, ("g",))}
BODY = {"n": 3, "s": "here"}


def operator_cases():
    for first, second, any_ in itertools.product(ENTRIES, ENTRIES, (False, True)):
        if first != second:
            yield Case([ENTRIES[first], ENTRIES[second]], BODY, {"data": any_})
            yield Case([EXPRS[first], EXPRS[second]], BODY, {"exprs": any_})
    for order, any_ in itertools.product(itertools.permutations(ENTRIES), (False, True)):
        yield Case([ENTRIES[v] for v in order], BODY, {"data": any_})
        yield Case([EXPRS[v] for v in order], BODY, {"exprs": any_})
    for expr, entry, source, any_ in itertools.product(EXPRS, ENTRIES, ("hooks", "other"), (False, True)):
        yield Case([EXPRS[expr], ENTRIES[entry], Context("source", source)], BODY, any_kind=any_)


def other_cases():
    yield Case([Expr("n > 2 && s == 'x'", lambda n, s: n > 2 and s == "x", ("n", "s"))], {"n": 3, "s": "y"})
    yield Case([Expr("n > 2 && s == 'x'", lambda n, s: n > 2 and s == "x", ("n", "s"))], {"n": 3, "s": "x"})
    for attribute, good in (("type", "webhook"), ("source", "hooks"), ("datacontenttype", "application/json")):
        yield Case([Context(attribute, good)], BODY)
        yield Case([Context(attribute, "other")], BODY)
    yield Case([Context("subject", "other")], BODY)
    yield Case([Context("type", "webhook"), Context("source", "other"), Context("datacontenttype", "x")], BODY)
    now = datetime.datetime.now(datetime.timezone.utc)
    for zone, (start, stop) in itertools.product((None, "Asia/Tokyo"), ((-3, -2), (-2, 2), (2, 3), (3, -3))):
        at = [(now.astimezone(zoneinfo.ZoneInfo(zone or "UTC")) + datetime.timedelta(hours=h)).strftime("%H:%M:%S") for h in (start, stop)]
        yield Case([Time(*at, zone)], BODY)
    for text, verdict in (("return true", PASS), ("return event.body.n == 3", PASS), ("return false", MISS), ("return 1", MISS),
                          ("return event.gone.x", ERROR), ("while true do end", ERROR)):
        yield Case([Script(text, verdict)], BODY)
    yield Case([ENTRIES[PASS], Script("return false", MISS)], BODY)
    for on_error, check in itertools.product(("keep", "drop", "pass"), (ENTRIES[ERROR], EXPRS[ERROR], Script("return event.gone.x", ERROR))):
        yield Case([check], BODY, on_error=on_error)


CASES = [*data_cases(), *operator_cases(), *other_cases()]

HEAD = """apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {name: NAME}
spec:
"""


def sensor(name, case):
    """The manifest, a check a line, and the lines that they stand in."""
    lines = HEAD.replace("NAME", name).splitlines() + ["  dependencies:", f"  - name: {name}", "    eventSourceName: hooks", f"    eventName: {name}"]
    where = {}
    if case.on_error:
        lines.append(f"    onError: {case.on_error}")
    if case.any_kind:
        lines.append("    filtersLogicalOperator: or")
    lines.append("    filters:")
    for kind, field in (("data", "dataLogicalOperator"), ("exprs", "exprLogicalOperator")):
        if kind in case.any_of:
            lines.append(f"      {field}: {'or' if case.any_of[kind] else 'and'}")
    for kind, checks in itertools.groupby(case.checks, lambda c: c.kind):
        checks = list(checks)
        if kind in ("data", "exprs"):
            lines.append(f"      {kind}:")
            for c in checks:
                lines.append("      - " + json.dumps(c.yaml()))
                where[c] = len(lines)
        elif kind == "context":
            lines.append("      context:")
            for c in checks:
                lines.append(f"        {c.what}: {json.dumps(c.value)}")
                where[c] = len(lines)
        else:
            lines.append(f"      {kind}: " + json.dumps(checks[0].yaml()))
            where[checks[0]] = len(lines)
    lines += ["  triggers:", "  - template: {name: t, log: {}}"]
    return "\n".join(lines) + "\n", where


def source(names):
    port = free_port()
    entries = "".join(f'    {n}: {{endpoint: /{n}, method: POST, port: "{port}"}}\n' for n in names)
    return "apiVersion: argoproj.io/v1alpha1\nkind: EventSource\nmetadata: {name: hooks}\nspec:\n  webhook:\n" + entries


class Explaining(TestCase):
    def emit(self, name, body):
        status, answer = self.d.api("POST", f"/tidegate/v1/emit/default/hooks/{name}", body)
        self.assertEqual(status, 200, answer)
        return answer["id"]

    def explain(self, sensor_name, event):
        status, answer = self.d.api("GET", f"/tidegate/v1/explain/sensors/default/{sensor_name}?event={event}")
        self.assertEqual(status, 200, answer)
        return answer

    def settled(self, sensor_name, event, wanted, what=None):
        """The explanation once the event's decisions are `wanted` verdicts, in their order."""
        def look():
            x = self.explain(sensor_name, event)
            got = [d["verdict"] for w in x["ways"] for d in w["decisions"]]
            if got and got != wanted and not set(got) & {"pending", "failed", "waiting", "dead-letter"}:
                raise AssertionError(f"{sensor_name}: {got} and no more, not")
            return x if got == wanted else None
        try:
            return until(look, 60, f"{sensor_name}: {wanted} {what or ''}")
        except AssertionError as e:
            raise AssertionError(f"{e}: {json.dumps(self.explain(sensor_name, event), indent=1)}") from None


class Matrix(Explaining):
    """Filters: every kind, comparator and operator, and what an error makes of them."""

    def setUp(self):
        super().setUp()
        self.assertGreaterEqual(len(CASES), 150)
        self.made = [sensor(f"c{i}", case) for i, case in enumerate(CASES)]
        manifests = {f"c{i}.yaml": text for i, (text, _) in enumerate(self.made)}
        self.d = self.daemon({"source.yaml": source(f"c{i}" for i in range(len(CASES))), **manifests})

    def test_every_case_has_its_true_reason(self):
        events = [self.emit(f"c{i}", case.body) for i, case in enumerate(CASES)]
        for i, case in enumerate(CASES):
            with self.subTest(case=i, manifest=self.made[i][0], body=case.body):
                self.judge(i, case, events[i])

    def judge(self, i, case, event):
        name = f"c{i}"
        x = self.explain(name, event)
        time = datetime.datetime.fromisoformat(x["event"]["time"][:19]).replace(tzinfo=datetime.timezone.utc)
        seen, verdict = evaluate(case, {"data": {"body": case.body}, "source": "hooks", "type": "webhook", "subject": name,
                                        "datacontenttype": "application/json", "time": time})
        goes_on = verdict == PASS or (verdict == ERROR and case.on_error == "pass")
        x = self.settled(name, event, ["fired" if goes_on else "error" if verdict == ERROR else "filtered"])
        self.assertEqual(x["fired"], goes_on)
        self.assertEqual(len(x["ways"]), 1)
        self.assertEqual("note" in x["ways"][0], verdict == ERROR and goes_on)
        self.judge_trace(i, case, seen, x["ways"][0]["checks"])
        if not goes_on:
            self.judge_reason(i, seen, verdict, x)
        if verdict == ERROR and not goes_on:
            self.assertEqual("deadLetter" in x["ways"][0]["decisions"][0], case.on_error != "drop")

    def judge_trace(self, i, case, seen, shown):
        order = sorted(case.checks, key=lambda c: ("exprs", "data", "context", "time", "script").index(c.kind))
        order = sorted(order, key=lambda c: ("type", "subject", "source", "datacontenttype").index(c.what) if c.kind == "context" else 0) \
            if all(c.kind == "context" for c in order) else order
        self.assertEqual([(c["kind"], c.get("what")) for c in shown], [(c.kind, c.what) for c in order])
        for c, s in zip(order, shown):
            verdict, got = seen.get(c, (UNSEEN, None))
            self.assertEqual(s["verdict"], verdict, s)
            self.assertTrue(s["place"].endswith(f"c{i}.yaml:{self.made[i][1][c]}"), s)
            if verdict == ERROR and got:
                self.assertIn(got, s["problem"])
            elif got and len(got) <= 60:
                self.assertEqual(s["got"], got)
            elif got:
                self.assertEqual(s["got"][:40], got[:40])

    def judge_reason(self, i, seen, verdict, x):
        deciding = [c for c in x["ways"][0]["checks"] if c.get("decides")]
        self.assertEqual(len(deciding), 1)
        candidates = [(c.kind, c.what) for c, (v, _) in seen.items() if v == verdict]
        self.assertIn((deciding[0]["kind"], deciding[0].get("what")), candidates)
        decision = x["ways"][0]["decisions"][0]
        self.assertEqual(decision["reason"], deciding[0]["text"])
        self.assertIn(deciding[0]["place"], x["summary"])
        self.assertTrue(decision["advice"])


# ---- joins, limits, errors of triggers -------------------------------------------------------------------------------------

def joined(name, template, deps=("a", "b"), more="", trigger="log: {}"):
    lines = "".join(f"  - {{name: {d}, eventSourceName: hooks, eventName: {name}-{d}}}\n" for d in deps)
    return HEAD.replace("NAME", name) + "  dependencies:\n" + lines + "  triggers:\n  - template:\n      name: t\n" + \
        "".join(f"      {x}\n" for x in template) + f"      {trigger}\n" + more


class Server(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


class Waiting(Explaining):
    """Conditions, windows, limits, targets that fail: what became of each event, step by step."""
    # name: (manifest, [(dependency, body)], [verdict of each event, or (verdict, text that the decision has)])
    JOINS = {
        "alone": (["conditions: a && b"], ["a"], [("waiting", "waits for b")]),
        "other": (["conditions: a && b"], ["b"], [("waiting", "waits for a")]),
        "both": (["conditions: a && b"], ["a", "b"], ["fired", "fired"]),
        "implied": ([], ["a"], [("waiting", "waits for b")]),
        "either": (["conditions: a || b"], ["b"], ["fired"]),
        "newer": (["conditions: a && b"], ["a", "a"], [("superseded", "of the same dependency"), ("waiting", "waits for b")]),
        "newest": (["conditions: a && b"], ["a", "a", "b"], ["superseded", "fired", "fired"]),
        "fifo": (["conditions: a && b", "join: fifo"], ["a", "a", "b"], ["fired", ("waiting", "waits for b"), "fired"]),
        "evicted": (["conditions: a && b", "join: fifo", "joinMax: 1"], ["a", "a"], [("evicted", "joinMax is 1"), "waiting"]),
        "expired": (["conditions: a && b", "within: 1s"], ["a"], [("expired", "waited longer than within: 1s")]),
        "keys": (["conditions: a && b", "joinKey: data.body.k"], [("a", {"k": 1}), ("b", {"k": 2})],
                 [("waiting", "(key 1)"), ("waiting", "(key 2)")]),
        "key": (["conditions: a && b", "joinKey: data.body.k"], [("a", {"k": 1}), ("b", {"k": 1})], ["fired", "fired"]),
        "keyless": (["conditions: a && b", "joinKey: data.body.k"], [("a", {})], [("error", "joinKey: ")]),
        "unused": (["conditions: a"], ["b"], [("unused", "no trigger's conditions name this dependency")]),
    }
    LIMITS = {
        "batch": ("    batch: {size: 3, within: 1h}\n", ["a", "a"], [("pending", "batch: 2 gathered"), ("pending", "batch: 2 gathered")]),
        "full": ("    batch: {size: 2, within: 1h}\n", ["a", "a"], ["fired", "fired"]),
        "quiet": ("    debounce: {quiet: 1h}\n", ["a", "a"], [("superseded", "debounce"), ("pending", "debounce: fires at")]),
        "rate": ("    rateLimit: {unit: Hour, requestsPerUnit: 1}\n", ["a", "a"], ["fired", ("pending", "rateLimit: nothing may leave before")]),
    }

    def start(self):
        self.target = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
        self.target.status = 404
        threading.Thread(target=self.target.serve_forever, daemon=True).start()
        self.addCleanup(self.target.server_close)
        self.addCleanup(self.target.shutdown)
        url = f"http://127.0.0.1:{self.target.server_address[1]}/in"
        manifests = {f"{n}.yaml": joined(n, template) for n, (template, _, _) in self.JOINS.items()}
        manifests.update({f"{n}.yaml": joined(n, [], ("a",), more) for n, (more, _, _) in self.LIMITS.items()})
        manifests["refused.yaml"] = joined("refused", [], ("a",), "    retryStrategy: {steps: 3, duration: 1ms}\n", f"http: {{url: '{url}', method: POST}}")
        manifests["away.yaml"] = joined("away", [], ("a",), "", "http: {url: 'http://127.0.0.1:1/', method: POST}")
        names = [f"{n}-{d}" for n in (*self.JOINS, *self.LIMITS, "refused", "away") for d in "ab"] + ["nobody"]
        self.d = self.daemon({"source.yaml": source(names), **manifests})

    def run_case(self, name, events, wanted):
        ids = []
        for e in events:
            dep, body = e if isinstance(e, tuple) else (e, {})
            ids.append(self.emit(f"{name}-{dep}", body))
        for i, want in zip(ids, wanted):
            verdict, text = want if isinstance(want, tuple) else (want, "")
            d = self.settled(name, i, [verdict])["ways"][0]["decisions"][0]
            self.assertIn(text, d["text"])
            if verdict != "fired":
                self.assertRegex(d["text"] + d.get("advice", ""), rf"{name}\.yaml:\d+")

    def test_joins_and_limits(self):
        self.start()
        for name, (_, events, wanted) in {**self.JOINS, **self.LIMITS}.items():
            with self.subTest(name):
                self.run_case(name, events, wanted)

    def test_targets_that_fail(self):
        self.start()
        event = self.emit("refused-a", {})
        d = self.settled("refused", event, ["dead-letter"])["ways"][0]["decisions"][0]
        self.assertEqual(d["attempts"], 3)
        self.assertEqual([t["error"].split()[-1] for t in d["tries"]], ["404"] * 3)
        self.assertIn("given up after 3 attempts", d["text"])
        self.assertIn(f"tidegate dlq retry {d['deadLetter']}", d["advice"])
        self.target.status = 200
        self.d.cli("dlq", "retry", d["deadLetter"])
        d = self.settled("refused", event, ["fired"])["ways"][0]["decisions"][0]
        self.assertEqual(len(d["tries"]), 3)
        event = self.emit("away-a", {})
        d = self.settled("away", event, ["failed"])["ways"][0]["decisions"][0]
        self.assertIn("has not fired yet", d["text"])
        self.assertTrue(d["firing"]["attempts"] >= 1 and d["firing"]["state"] == "pending")

    def test_events_that_no_decision_is_about(self):
        self.start()
        event = self.emit("nobody", {})
        x = self.explain("alone", event)
        self.assertFalse(x["fired"])
        self.assertRegex(x["summary"], r"no dependency names hooks/nobody: a is for hooks/alone-a \(.*alone\.yaml:6\)")
        self.d.write("far.yaml", source(["near"]).replace("hooks", "far").replace("spec:\n", "spec:\n  eventBusName: second\n", 1))
        self.d.write("second.yaml", "apiVersion: argoproj.io/v1alpha1\nkind: EventBus\nmetadata: {name: second}\nspec: {nats: {native: {}}}\n")
        self.d.write("apart.yaml", joined("apart", [], ("a",)).replace("eventSourceName: hooks, eventName: apart-a", "eventSourceName: far, eventName: near"))
        self.d.process.send_signal(1)
        until(lambda: self.d.api("GET", "/tidegate/v1/explain/sensors/default/apart")[0] == 200, 30, "the sensor")
        event = until(lambda: (lambda a: a[0] == 200 and a[1]["id"])(self.d.api("POST", "/tidegate/v1/emit/default/far/near", {})), 30, "the source")
        self.assertRegex(self.explain("apart", event)["summary"], r"the event is on bus second, and the sensor reads bus default \(.*apart\.yaml:\d+\)")
        early = self.emit("nobody", {})
        self.d.write("late.yaml", joined("late", [], ("a",)).replace("late-a", "nobody"))
        self.d.process.send_signal(1)
        until(lambda: self.d.api("GET", "/tidegate/v1/explain/sensors/default/late")[0] == 200, 30, "the sensor")
        self.assertIn("came before the sensor", self.explain("late", early)["summary"])
        status, answer = self.d.api("GET", "/tidegate/v1/explain/sensors/default/alone?event=nothing")
        self.assertEqual(status, 404, answer)
        status, answer = self.d.api("GET", "/tidegate/v1/explain/sensors/default/alonf")
        self.assertEqual((status, 'did you mean "alone"' in answer["message"]), (404, True))


# ---- at the command line ---------------------------------------------------------------------------------------------------

SHOWN = HEAD.replace("NAME", "deploy") + """  dependencies:
  - name: push
    eventSourceName: hooks
    eventName: push
    filters:
      exprs:
      - {expr: n > 2, fields: [{name: n, path: body.n}]}
      data:
      - {path: body.action, type: string, value: [opened]}
      context: {type: webhook}
  triggers:
  - template: {name: say, log: {}}
"""

CALENDAR = """apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {name: clock}
spec:
  calendar:
    nightly: {schedule: "30 2 * * *", timezone: UTC}
"""

WORKFLOW = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: NAME}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: skipped, template: ok, when: "1 == 2"}
    - - {name: last, template: LAST}
  - name: ok
    container: {image: busybox, command: ["true"]}
  - name: bad
    container: {image: busybox, command: [sh, -c, "exit 7"]}
  - name: wait
    suspend: {}
"""


class CommandLine(Explaining):
    def setUp(self):
        super().setUp()
        self.d = self.daemon({"source.yaml": source(["push"]), "sensor.yaml": SHOWN, "clock.yaml": CALENDAR})

    def test_the_way_of_an_event(self):
        event = self.d.cli("emit", "hooks/push", "-d", '{"n": 3, "action": "closed"}').stdout.strip()
        done = self.d.cli("explain", "deploy", "--event", event, check=False)
        self.assertEqual(done.returncode, 3, done.stderr)
        text = done.stdout.replace(self.d.manifests + "/", "")
        for line in ("exprs filter n > 2: holds with n = 3 (sensor.yaml:11)",
                     'data filter body.action: want "opened", got "closed" (sensor.yaml:13)',
                     "context filter type: not looked at: it was decided without it (sensor.yaml:14)",
                     'what it takes: an event of which body.action is "opened" (sensor.yaml:13)'):
            self.assertIn(line, text)
        fired = self.d.cli("emit", "hooks/push", "-d", '{"n": 3, "action": "opened"}').stdout.strip()
        self.settled("deploy", fired, ["fired"])
        done = self.d.cli("explain", "sensor", "deploy", "--event", fired)
        self.assertIn("fired", done.stdout)
        again = json.loads(self.d.cli("explain", "deploy", "--event", fired, "-o", "json").stdout)
        self.assertTrue(again["fired"])

    def test_a_sensor_s_decisions_counted(self):
        self.assertEqual(self.d.cli("explain", "deploy", check=False).returncode, 3)
        for i in range(5):
            self.d.cli("emit", "hooks/push", "-d", json.dumps({"n": 3, "action": f"other{i}"}))
        fired = self.d.cli("emit", "hooks/push", "-d", '{"n": 3, "action": "opened"}').stdout.strip()
        self.settled("deploy", fired, ["fired"])
        x = json.loads(self.d.cli("explain", "deploy", "-o", "json").stdout)
        self.assertEqual([(r["verdict"], r["count"]) for r in x["reasons"]], [("filtered", 5), ("fired", 1)])
        self.assertIn('got "other4"', x["reasons"][0]["reason"])
        self.assertEqual((x["decisions"], x["fired"]), (6, 1))

    def test_a_manifest_that_has_changed_since(self):
        event = self.d.cli("emit", "hooks/push", "-d", '{"n": 3, "action": "closed"}').stdout.strip()
        self.d.write("sensor.yaml", SHOWN.replace("[opened]", "[merged]"))
        self.d.process.send_signal(1)

        def changed():
            late = self.d.cli("emit", "hooks/push", "-d", '{"n": 3, "action": "closed"}').stdout.strip()
            return "merged" in self.explain("deploy", late)["summary"]
        until(changed, 30, "the new manifest")
        x = self.explain("deploy", event)
        self.assertIn('want "opened"', x["summary"])
        self.assertTrue(x["ways"][0]["changedSince"])

    def test_sources_and_schedules(self):
        done = self.d.cli("explain", "source", "hooks")
        self.assertIn("connected since", done.stdout)
        self.d.cli("emit", "hooks/push", "-d", "{}")
        self.assertIn("last event", self.d.cli("explain", "source", "hooks/push").stdout)
        done = self.d.cli("explain", "source", "hookx", check=False)
        self.assertIn('did you mean "hooks"?', done.stderr)
        x = json.loads(self.d.cli("explain", "schedule", "clock", "-o", "json").stdout)["schedules"][0]
        day = datetime.timedelta(days=1)
        times = [datetime.datetime.fromisoformat(t.replace("Z", "+00:00")) for t in [x["last"], *x["next"]]]
        self.assertEqual([b - a for a, b in zip(times, times[1:])], [day] * 3)
        self.assertEqual({t.strftime("%H:%M:%S") for t in times}, {"02:30:00"})
        now = datetime.datetime.now(datetime.timezone.utc)
        self.assertTrue(times[0] <= now + day and times[1] > now - datetime.timedelta(minutes=1))

    def explained(self, name, last, more=""):
        self.d.cli("submit", "-", data=WORKFLOW.replace("NAME", name).replace("LAST", last) + more)
        return lambda: json.loads(self.d.cli("explain", "workflow", name, "-o", "json", check=False).stdout)

    def told(self, look, text):
        """Waits until the summary has the text."""
        return until(lambda: (lambda x: x if text in x["summary"] else None)(look()), 60, text)

    def test_workflows_that_wait(self):
        mutex = "  synchronization: {mutexes: [{name: m}]}\n"
        self.told(self.explained("holds", "wait", mutex), "is suspended")
        x = self.told(self.explained("locked", "wait", mutex), "Waiting for default/Mutex/m lock")
        self.assertIn("default/holds", x["reasons"][0]["advice"])
        self.assertEqual(self.d.cli("explain", "workflow", "locked", check=False).returncode, 3)
        self.d.cli("terminate", "holds", "locked")
        sleeps = WORKFLOW.replace("NAME", "wide").replace("{name: last, template: LAST}", "{name: last, template: long, withItems: [1, 2, 3]}") + \
            "  - name: long\n    container: {image: busybox, command: [sleep, '1000']}\n  parallelism: 1\n"
        self.d.cli("submit", "-", data=sleeps)
        x = until(lambda: (lambda x: x if any("wait to begin" in r["text"] for r in x["reasons"]) else None)(
            json.loads(self.d.cli("explain", "workflow", "wide", "-o", "json", check=False).stdout)), 60, "the limit")
        self.assertEqual([r["text"] for r in x["reasons"] if "wait to begin" in r["text"]], ["2 wait to begin: parallelism is 1 in spec"])
        self.d.cli("terminate", "wide")
        self.assertIn("suspended", self.told(self.explained("held", "ok", "  suspend: true\n"), "it is suspended")["summary"])

    def test_workflows_in_the_queue_and_steps_in_their_line(self):
        settings = os.path.join(self.directory, "settings.yaml")
        with open(settings, "w", encoding="utf-8") as f:
            f.write("workflowParallelism: 2\nparallelism: 1\n")
        self.d.stop()
        self.d = self.daemon({}, "--config", settings)
        long = "  - name: long\n    container: {image: busybox, command: [sleep, '1000']}\n"
        self.told(self.explained("first", "long", long), "it runs")
        look = self.explained("second", "long", long)
        x = self.told(look, "waits for a place among the steps that run: 1 run and 1 wait")
        self.assertEqual([(r["node"], r["phase"]) for r in x["reasons"] if "place" in r["text"]], [("last", "Pending")])
        self.assertIn("parallelism: 1", x["reasons"][-1]["advice"])
        look = self.explained("third", "ok")
        x = self.told(look, "waits to be let run: 2 workflows run and 1 wait")
        self.assertEqual([r["node"] for r in x["reasons"]], ["the workflow"])
        self.assertIn("workflowParallelism: 2", x["reasons"][0]["advice"])
        self.assertEqual(self.d.cli("explain", "workflow", "third", check=False).returncode, 3)
        self.d.kill()
        self.d.start()
        self.told(look, "waits to be let run")
        self.d.cli("terminate", "first", "second")
        self.told(look, "it succeeded")

    def test_workflows(self):
        look = self.explained("fails", "bad")
        x = until(lambda: (lambda x: x if x.get("phase") == "Failed" else None)(look()), 60, "the failure")
        self.assertEqual({r["node"]: r["phase"] for r in x["reasons"]}, {"skipped": "Skipped", "last": "Failed"})
        self.assertRegex(x["summary"], r"^last: .*exit code 7")
        self.assertIn("when", next(r["text"] for r in x["reasons"] if r["node"] == "skipped"))
        self.assertEqual(self.d.cli("explain", "workflow", "fails", check=False).returncode, 1)
        look = self.explained("waits", "wait")
        x = until(lambda: (lambda x: x if x["waits"] and x["reasons"][-1]["node"] == "last" else None)(look()), 60, "the suspension")
        self.assertIn("is suspended since", x["summary"])
        self.assertEqual(self.d.cli("explain", "workflow", "waits", check=False).returncode, 3)
        self.d.cli("resume", "waits")
        until(lambda: self.d.cli("explain", "workflow", "waits", check=False).returncode == 0, 60, "the end")


if __name__ == "__main__":
    unittest.main()
