# SPDX-License-Identifier: Apache-2.0
"""What a workflow comes to, said as plainly as possible: an executable reading of the rules, to hold the engine against.

Nothing here is clever. After everything that happens (a step begins or ends, a timer, a verb) the whole tree is walked from its
root, as Argo's controller does it, again and again until nothing changes. What was decided once stays: a node that exists is not made
anew. Where docs/compatibility.md says that Tidegate decides otherwise, so does this. Times are milliseconds from the start; nodes
know whole seconds.
"""
import copy
import json
import re
from dataclasses import dataclass, field

from hooks import Hooks
from locks import Locking
from words import (ABSENT, RESULTS, Wrong, compact, condition, depends, describe, duration, expression, fnv32a, human, operands, put,
                   put_text, scalar)

STRICT = ("steps.", "tasks.")
EMPTY = "Skipped, empty params"
COMPLETED = ("Succeeded", "Failed", "Error")
FULFILLED = COMPLETED + ("Skipped", "Omitted")
FAILED = ("Failed", "Error")
KINDS = {"container": "Pod", "script": "Pod", "steps": "Steps", "dag": "DAG", "suspend": "Suspend"}
LOOPS = ("withItems", "withParam", "withSequence")
FAIL_FAST = "template has failed or errored children and failFast enabled"


class Blocked(Exception):
    """A limit is reached: the node simply is not made this time (spec 2.8)."""


@dataclass
class Call:
    """What executeTemplate is given."""
    name: str
    step: dict                    # the step or task: template, templateRef or inline, continueOn, hooks
    args: dict                    # parameter -> value, or ABSENT
    boundary: object = None       # the Steps or DAG node around it
    scope: str = ""               # where its template is looked up: local/wf, namespaced/x, cluster/x
    local: dict = field(default_factory=dict)   # steps.name, tasks.name
    exiting: bool = False         # part of an exit handler
    hooked: bool = False
    depth: int = 0
    attempt: bool = False
    deadline: int = 0             # of an attempt: backoff.maxDuration after the first began


class Node:
    def __init__(self, name, kind, call):
        self.name, self.type, self.call = name, kind, call
        self.boundary = call.boundary
        self.phase, self.message = "Pending", ""
        self.children, self.outbound = [], []
        self.inputs, self.outputs = {}, {}
        self.template, self.template_name = None, ""
        self.started = self.finished = 0
        self.retried = False
        self.dying = False        # it has failed, but its command is not gone yet
        self.bubbles = False      # its error is its caller's, too: it could not even begin, or hand on its outputs
        self.plan = None          # of a group or loop: what there is to begin
        self.error = ""           # of a group or DAG: what it will fail with
        self.lock = ""            # see locks.py
        self.asked = False        # for its locks, and was not told yet
        self.entered = False      # its body began
        self.backing_off = False  # of a Retry node: it waits for the time of its next attempt,
        self.called_off = False   # and need not any more
        self.woken = 0            # of a DAG: which waking it has gone on after
        self.memo = None          # status.memoizationStatus
        self.untold = False       # it has ended together with others, and its turn to lead on has not come

    fulfilled = property(lambda self: self.phase in FULFILLED and not self.dying and not self.untold)
    failed = property(lambda self: self.phase in FAILED)
    open = property(lambda self: self.phase in ("Pending", "Running"))
    active = property(lambda self: self.open or self.dying)
    attempts = property(lambda self: [n for n in self.children if (n.retried if self.type == "Retry" else not n.call.hooked)])

    def display(self):
        if not self.boundary:
            return self.name
        short = self.name[len(self.boundary.name):]
        if short.startswith("["):
            end = short.index("]")
            return short if end + 1 == len(short) else short[end + 2:]
        return short[1:] if short.startswith(".") else short


class Model(Locking, Hooks):
    Call, Blocked = Call, Blocked
    def __init__(self, docs):
        self.scenario, self.objects = docs[0], docs[1:]
        workflow = next(o for o in self.objects if o["kind"] == "Workflow")
        self.name = workflow.get("metadata", {}).get("name", "wf")
        self.spec = workflow["spec"]
        self.nodes, self.now, self.order, self.moment = {}, 0, 0, 0
        self.events, self.passed, self.asked = [], set(), set()
        self.phase, self.message, self.shutdown = "Running", "", ""
        self.suspended = bool(self.spec.get("suspend"))
        self.finished = None
        self.parameters = {p["name"]: scalar(p["value"]) for p in self.spec.get("arguments", {}).get("parameters", [])}
        self.outputs, self.notes, self.begun = {}, [], {}
        self.refused = 0          # verbs that came too late
        self.changed = False
        self.limits = '"parallelism"' in json.dumps(docs) or '"failFast"' in json.dumps(docs)
        self.turn = False         # one of those that are subject to a limit may begin now
        self.waking = False       # a moment in which nobody is stopped
        self.wakes = 0            # how often there was one
        self.began = 0            # when it got its own lock
        self.hook_error = ""      # of a hook of the workflow that could not begin
        self.kept = {}            # (cache, key) -> outputs, when
        self.hook_calls = {}      # of hooks with a condition that began

    # ---- the world: time, the executor, what people do ------------------------------------------------------------

    def run(self):
        self.begin_locks()
        self.ask_for_workflow()
        self.settle()
        self.moment += 1
        for verb in self.scenario.get("verbs", []):
            self.at(verb["at"] * 1000, False, lambda verb=verb: self.verb(verb))
        while self.events:
            self.events.sort(key=lambda e: e[:3])
            at, _, _, act = self.events.pop(0)
            self.now, self.moment = max(self.now, at), self.moment + 1
            act()
            self.settle()
        return self

    def at(self, when, timer, act, node=None):
        """Of what happens at the same time, timers come last; they, and the steps that began at one moment, come in the order of their nodes."""
        self.order += 1
        order = 0 if timer else self.moment, list(self.nodes).index(node.name) + 1 if node else 0, self.order
        self.events.append((when, timer, order, act))
        return order

    def reached(self, key, when, node=None):
        """Whether that point in time is over; if not, we shall be woken then."""
        if self.now >= when and (self.now > when or (key, when) in self.passed):
            return True
        if (key, when) not in self.asked:
            self.asked.add((key, when))
            self.at(max(when, self.now), True, lambda: self.passed.add((key, when)), node)
        return False

    def settle(self):
        """What is subject to a limit begins when everything else is settled, one at a time, the first on the way down the tree first.
        After all of that, who asked for a lock is answered."""
        self.settle_all_else()
        while self.news_of_locks():
            self.settle_all_else()

    def settle_all_else(self):
        while True:
            self.quiet()
            if self.suspended or self.finished is not None or not self.limits:
                return
            if any(self.fail_fast(n) for n in list(self.nodes.values())):
                continue
            self.turn = True
            self.operate()
            if self.turn:
                self.turn = False
                return

    def quiet(self):
        self.changed = True
        while self.changed:
            self.changed = False
            self.operate()

    def fate(self, node):
        """What a step's command will come to: the scenario says it."""
        for rule in self.scenario.get("steps", []):
            if rule["node"] in ("*", node.display(), node.name):
                if "among" in rule:
                    n = self.begun[node.name] = self.begun.get(node.name, 0) + 1
                    return rule["among"][fnv32a("%s#%d" % (node.name, n)) % len(rule["among"])]
                return rule
        return {}

    def start(self, node):
        args = " ".join(node.template["container"].get("args", []))
        fate = self.fate(node)
        self.notes.append(["start", self.now, node.name, args])
        began = self.now + fate.get("delay", 0) * 1000
        node.pod = {"fate": fate, "args": args, "running": None, "over": False}
        self.at(began, False, lambda pod=node.pod: self.task_started(node, pod), node)
        node.pod["order"] = self.at(began + fate.get("ms", fate.get("seconds", 1) * 1000), False, lambda pod=node.pod: self.task_done(node, pod), node)

    def kill(self, node):
        """It ends a second later. One that ran is not over before that, though it has failed."""
        if not node.pod["over"]:
            node.pod["over"] = True
            node.dying = node.pod["running"] is not None
            self.events.append((self.now + 1000, False, node.pod["order"], lambda: self.gone(node)))   # in the order in which they began

    def gone(self, node):
        self.notes.append(["end", self.now, node.name])
        if node.dying:
            node.dying = False
            node.finished = self.now // 1000
            node.outputs["exitCode"] = "143"
            for p in node.template.get("outputs", {}).get("parameters", []):
                if "default" in p.get("valueFrom", {}):
                    node.outputs.setdefault("parameters", {})[p["name"]] = p["valueFrom"]["default"]
            self.lift(node)
            self.give_back(node)
            self.changed = True

    def task_started(self, node, pod):
        if pod["over"]:
            return
        pod["running"] = self.now
        if node.phase == "Pending":
            self.set(node, "Running")

    def task_done(self, node, pod):
        if pod["over"]:
            return
        pod["over"] = True
        self.notes.append(["end", self.now, node.name])
        self.pod_done(node, pod)

    def verb(self, verb):
        if self.finished is not None:
            self.refused += verb["do"] != "resume"   # that has no precondition
            return
        do = verb["do"]
        if do == "suspend":
            self.suspended = True
            self.leave_lines()
        elif do == "resume":
            before = list(self.nodes.values())   # what goes on now may come to a further suspended node: that one waits
            self.wake()
            for n in before:
                if n.type == "Suspend" and n.open and n.entered:
                    self.end_suspend(n)
                    n.untold = True
        elif do in ("stop", "terminate"):
            self.shutdown = do.capitalize() if do == "terminate" or not self.shutdown else self.shutdown
            self.wake()

    def wake(self):
        if self.suspended:
            self.suspended = False
            self.ask_again()
            self.waking, self.wakes = True, self.wakes + 1
            self.settle_all_else()   # what ended meanwhile leads on first
            self.waking = False

    # ---- one look at everything (spec 2.2) -------------------------------------------------------------------------

    def operate(self):
        if self.finished is not None or self.lock_is_waited_for():
            return
        self.control()
        if self.suspended:
            for n in [n for n in self.nodes.values() if n.type == "Suspend" and n.open and n.entered]:
                self.suspend(n)   # its time goes on
            return
        call = Call(self.name, {"template": self.spec["entrypoint"]}, self.parameters, scope="local/" + self.name)
        try:
            root = self.execute(call)
        except Blocked:
            return
        if not root.fulfilled and not self.changed:   # else it may be over before anybody sees it
            self.workflow_hooks(root)
        if root.bubbles:
            return self.finish("Error", "error in entry template execution: " + root.message)
        if root.fulfilled:
            self.end(root)

    def end(self, root):
        """An exit handler begins after the hooks that had begun; others, for the Error that a hook came to, may begin beside it."""
        self.phase = root.phase if root.phase in FAILED else "Succeeded"
        closed = self.workflow_hooks(root)
        if not closed and self.name + ".onExit" not in self.nodes:
            return
        if self.hook_error and root.phase != "Error":
            self.set(root, "Error", self.hook_error)
        self.phase = root.phase if root.phase in FAILED else "Succeeded"
        handler = self.exit_handler(root)
        if not closed or (handler and not handler.fulfilled):
            return
        phase, message = self.phase, root.message
        if handler and handler.bubbles:
            return self.finish("Error", "error in exit template execution : " + handler.message)
        if handler and handler.failed and phase == "Succeeded":
            phase, message = handler.phase, handler.message
        self.finish(phase, "Stopped with strategy '%s'" % self.shutdown if self.shutdown and root.failed else message)

    def exit_handler(self, root):
        hook = {"template": self.spec["onExit"]} if "onExit" in self.spec else self.spec.get("hooks", {}).get("exit")
        if not hook or (self.shutdown == "Terminate" and self.name + ".onExit" not in self.nodes):
            return None
        call = Call(self.name + ".onExit", hook, self.parameters, scope="local/" + self.name, exiting=True, hooked=True)
        if hook.get("arguments", {}).get("parameters"):
            call.args = self.arguments(put(hook["arguments"], self.globals()))
        try:
            return self.execute(call)
        except Blocked:
            return Node(call.name, "Skipped", call)

    def finish(self, phase, message):
        """What still runs, for its hooks, is told to end; and until the last command is gone it has not ended itself."""
        for n in self.nodes.values():
            if n.type == "Pod" and n.open and n.entered:
                self.kill(n)
                self.set(n, "Failed", "the workflow has ended")
        if any(n.dying for n in self.nodes.values()):
            return
        self.phase, self.message, self.finished = phase, message, self.now
        self.give_all_back()

    # ---- shutdown and deadlines (spec 2.14) ------------------------------------------------------------------------

    def control(self):
        """Several end at one moment, and then lead on one after the other: those that were made first come first."""
        if self.waking:
            return
        deadline = self.spec.get("activeDeadlineSeconds")
        over = deadline is not None and self.reached("deadline", self.began + deadline * 1000)
        for n in list(self.nodes.values()):
            if not n.open or (n.type not in ("Pod", "Suspend") and not self.waits(n)):
                continue
            if self.shut(n.call.exiting):
                self.stop_leaf(n, "workflow shutdown with strategy:  %s" % self.shutdown, "Stopped with strategy '%s'" % self.shutdown)
            elif over and not n.call.exiting:
                self.stop_leaf(n, "Step exceeded its deadline", "Step exceeded its deadline")
            else:
                self.timeouts(n)
        for n in self.nodes.values():
            if n.untold or (n.backing_off and n.open and not n.called_off and (self.shutdown or (over and not n.call.exiting))):
                n.untold, n.called_off, self.changed = False, True, True
                return

    def ended_root(self):
        return self.name in self.nodes and self.nodes[self.name].fulfilled

    def shut(self, exiting):
        """Terminate spares nothing, Stop what belongs to exit handlers."""
        return self.shutdown == "Terminate" or (self.shutdown == "Stop" and not exiting)

    def past_deadline(self, exiting):
        deadline = self.spec.get("activeDeadlineSeconds")
        return deadline is not None and not exiting and self.now >= self.began + deadline * 1000

    def stop_leaf(self, n, pod_message, other_message):
        if n.type == "Pod" and n.entered:
            self.kill(n)
        self.set(n, "Failed", pod_message if n.type == "Pod" and n.entered else other_message)
        n.untold = not n.dying

    def timeouts(self, n):
        t = n.template
        if not n.entered:   # it waits for its locks, and that counts
            if "timeout" in t and self.reached("timeout " + n.name, n.started * 1000 + duration(t["timeout"]), n):
                self.stop_leaf(n, "", "timeout")
            return
        if n.type == "Pod" and n.call.deadline and self.reached("attempt " + n.name, n.call.deadline, n):
            return self.stop_leaf(n, "Step exceeded its deadline", "")
        if n.type == "Pod" and "timeout" in t and self.reached("timeout " + n.name, n.started * 1000 + duration(t["timeout"]), n):
            running = n.pod["running"] is not None
            message = "Pod was active on the node longer than the specified deadline" if running else "timeout"
            return self.stop_leaf(n, message, "")
        if n.type == "Pod" and "activeDeadlineSeconds" in t and n.pod["running"] is not None and self.reached(
                "active " + n.name, n.pod["running"] + 1000 * int(t["activeDeadlineSeconds"]), n):
            return self.stop_leaf(n, "Pod was active on the node longer than the specified deadline", "")

    # ---- nodes -----------------------------------------------------------------------------------------------------

    def id(self, name):
        return name if name == self.name else "%s-%d" % (self.name, fnv32a(name))

    def create(self, call, kind, name=None):
        n = Node(name or call.name, kind, call)
        ref = call.step.get("templateRef")
        n.template_name = ref["template"] if ref else call.step.get("template", "")
        n.started = self.now // 1000
        self.nodes[n.name] = n
        self.changed = True
        return n

    def set(self, n, phase, message=None):
        if n.phase == phase and message in (None, n.message):
            return
        self.changed, before = True, n.fulfilled
        n.phase = phase
        self.keep(n)
        task = n.boundary and n.boundary.type == "DAG" and not n.call.hooked and not n.call.attempt
        if phase == "Error" and n.bubbles and task and message:
            message = "task '%s' errored: %s" % (n.name, message)
        if message is not None:
            n.message = message
        if n.fulfilled and not before:
            n.finished = self.now // 1000
            self.give_back(n)

    def link(self, parent, child):
        if child not in parent.children:
            parent.children.append(child)

    def leaves(self, n):
        """What comes last below a node: what follows is linked to it (spec 2.1, outbound)."""
        if n.type in ("Pod", "Skipped", "Suspend"):
            return [n]
        if n.type in ("Steps", "DAG") and n.fulfilled and not any(c.boundary is n for c in n.children):
            return [n]   # nothing in it ever began
        if n.type == "Retry":
            own = [c for c in n.children if c in n.attempts or c.call.hooked]
            return own[-1:] or [n]
        below = n.children if n.type == "TaskGroup" else n.outbound
        if n.type == "TaskGroup":
            return [x for c in below for x in self.leaves(c)] if below else [n]
        return [x for c in below for x in self.leaves(c)]

    # ---- executeTemplate (spec 2.3) --------------------------------------------------------------------------------

    def execute(self, call):
        n = self.nodes.get(call.name)
        if n and (n.fulfilled or n.untold):
            return n
        try:
            template, inputs, call.inner = self.once(n, lambda: self.process(call, {}))
        except Wrong as e:
            return self.cannot_begin(call, str(e))
        retried = template.get("retryStrategy", self.spec.get("retryStrategy")) is not None
        if not self.has_locks(call, template, inputs, "Retry" if retried else KINDS[self.kind(template)]):
            return self.nodes[call.name]
        kind = "Retry" if retried else KINDS[self.kind(template)]
        had = self.had_before(call, template, inputs, kind) if "memoize" in template else None
        if had:
            return had
        n = self.retry(call, template, inputs) if retried else self.body(call, template, inputs)
        self.note_memo(n, template)
        return n

    # ---- results that are used again (spec 2.12) ---------------------------------------------------------------------

    def had_before(self, call, template, inputs, kind):
        """An earlier result ends the node as it begins, or as it gets its locks."""
        n = self.nodes.get(call.name)
        if n and n.entered:
            return None
        key, cache = self.memo_key(template)
        if not re.fullmatch("[a-zA-Z0-9][-a-zA-Z0-9]*", key):
            if not n:
                self.may_begin(call)
            return self.cannot_begin(call, "invalid cache key: " + key)
        outputs, global_names, when = self.kept.get((cache, key), (None, {}, 0))
        age = template["memoize"].get("maxAge")
        if outputs is None or (age and self.now - when > duration(age)):
            return None
        if not n:
            self.may_begin(call)
            n = self.create(call, kind)
        n.template, n.inputs, n.outputs, n.entered = template, inputs, copy.deepcopy(outputs), True
        n.memo = {"hit": True, "key": key, "cacheName": cache}
        self.outputs.update((g, n.outputs["parameters"][p]) for p, g in global_names.items())
        self.set(n, "Succeeded", "")
        return n

    @staticmethod
    def memo_key(template):
        return template["memoize"]["key"], template["memoize"]["cache"]["configMap"]["name"]

    def note_memo(self, n, template):
        if "memoize" not in template or n.memo or n.type == "Suspend":
            return
        key, cache = self.memo_key(template)
        n.memo = {"hit": False, "key": key, "cacheName": cache}
        self.keep(n)

    def keep(self, n):
        if n.memo and not n.memo["hit"] and n.phase == "Succeeded" and n.type != "Retry":
            global_names = {p["name"]: p["globalName"] for p in n.template.get("outputs", {}).get("parameters", [])
                            if "globalName" in p and p["name"] in n.outputs.get("parameters", {})}
            self.kept[n.memo["cacheName"], n.memo["key"]] = copy.deepcopy(n.outputs), global_names, self.now

    @staticmethod
    def once(n, process):
        """What was put into its template when a node was made stays."""
        return (n.template, n.inputs, n.call.inner) if n and n.template is not None else process()

    @staticmethod
    def kind(template):
        return next(k for k in KINDS if k in template)

    def cannot_begin(self, call, message):
        n = self.nodes.get(call.name) or self.create(call, "Skipped")
        n.bubbles = True
        self.set(n, "Error", message)
        return n

    def body(self, call, template, inputs):
        n = self.nodes.get(call.name)
        kind = self.kind(template)
        if not n:
            self.may_begin(call)
            n = self.create(call, KINDS[kind])
            n.template, n.inputs = template, inputs
        if not n.entered:
            n.entered = True
            self.enter(n, kind)
        if n.fulfilled:
            return n
        if kind == "steps":
            self.steps(n)
        elif kind == "dag":
            self.dag(n)
        elif kind == "suspend":
            self.suspend(n)
        return n

    def enter(self, n, kind):
        if kind in ("steps", "dag"):
            self.set(n, "Running")
        elif self.shut(n.call.exiting):
            words = "Stopped with strategy '%s'" if kind == "suspend" else "workflow shutdown with strategy: %s"
            self.set(n, "Failed", words % self.shutdown)
        elif self.past_deadline(n.call.exiting):
            self.set(n, "Failed", "Step exceeded its deadline")
        elif kind == "suspend":
            self.set(n, "Running")
        else:
            self.start(n)

    def full(self):
        """Who waits for a lock has no pod yet, nor has who has just got it; but who has asked for it and was not told has a place meanwhile."""
        pods = sum(n.open and n.asked or n.type == "Pod" and n.active and not self.waits(n) and n.lock != "granted" for n in self.nodes.values())
        return "parallelism" in self.spec and pods >= self.spec["parallelism"]

    def may_ask_again(self):
        """It got its locks when the workflow was full: it stands in line like one that is to begin."""
        if not self.turn or self.full():
            raise Blocked()
        self.turn = False

    def may_begin(self, call):
        """Parallelism of the workflow and of the template around; failFast of the latter (spec 2.8, 1.2)."""
        around = call.boundary
        limits = "parallelism" in self.spec
        if around:
            limits = limits or "parallelism" in around.template or around.template.get("failFast")
        if not limits:
            return
        if not self.turn or self.full():
            raise Blocked()
        if around:
            inside = [n for n in self.nodes.values() if n.boundary is around and n.type in ("Pod", "Steps", "DAG")]
            full = "parallelism" in around.template and sum(n.active for n in inside) >= around.template["parallelism"]
            if around.fulfilled or full or self.frozen(around):
                raise Blocked()
        self.turn = False

    def failed_inside(self, n):
        """Of attempts only the Retry node counts; exit handlers do not."""
        return any(x.failed for x in self.nodes.values() if x.boundary is n and x.type in ("Pod", "Steps", "DAG", "Retry")
                   and not x.retried and not x.call.exiting and not x.call.hooked)

    def frozen(self, n):
        """failFast: after a failed child nothing more is begun or decided in the template."""
        return bool(n.template.get("failFast")) and self.failed_inside(n)

    def go_on(self, n):
        """In a frozen template what it began comes to its own end."""
        for x in list(self.nodes.values()):
            if x.boundary is n and x.open and x.entered and not x.retried and x.type in ("Retry", "Steps", "DAG", "Suspend"):
                self.execute(x.call)

    def fail_fast(self, n):
        """And when none runs any more it is over, whatever it still had to begin."""
        inside = [x for x in self.nodes.values() if x.boundary is n and x.type in ("Pod", "Steps", "DAG")]
        if n.type not in ("Steps", "DAG") or n.fulfilled or not self.frozen(n) or any(x.active and not self.waits(x) for x in inside):
            return False
        for x in self.nodes.values():
            if x.boundary is n and x.open:
                self.set(x, "Failed", FAIL_FAST)
        self.set(n, "Failed", FAIL_FAST)
        return True

    def lookup(self, call):
        """The template a step means, and where names in it are looked up (spec 1.9)."""
        if "inline" in call.step:
            return call.step["inline"], call.scope
        ref = call.step.get("templateRef")
        name = ref["template"] if ref else call.step["template"]
        scope = "%s/%s" % ("cluster" if ref.get("clusterScope") else "namespaced", ref["name"]) if ref else call.scope
        for t in self.library(scope):
            if t["name"] == name:
                return t, scope
        raise Wrong("template reference %s.%s not found" % (ref["name"], name) if ref else "template name '%s' undefined" % name)

    def library(self, scope):
        kind, _, name = scope.partition("/")
        if kind == "local":
            return self.spec["templates"]
        kind = "ClusterWorkflowTemplate" if kind == "cluster" else "WorkflowTemplate"
        return next((o["spec"]["templates"] for o in self.objects if o["kind"] == kind and o["metadata"]["name"] == name), [])

    def process(self, call, more):
        """Arguments and variables put into a template (spec 1.5; 3.1, pass 5)."""
        raw, scope = self.lookup(call)
        known = dict(self.globals(), **call.local, **more)
        known["node.name"] = call.name
        inputs = {}
        for p in raw.get("inputs", {}).get("parameters", []):
            own = p.get("value", p.get("default"))
            value = put(scalar(own), known) if own is not None else None
            if call.args.get(p["name"], ABSENT) is not ABSENT:
                value = call.args[p["name"]]
            elif value is None and p["name"] in call.args:
                raise Wrong("inputs.parameters.%s: argument references an absent optional output and the input has no default" % p["name"])
            if value is None:
                raise Wrong("inputs.parameters.%s was not supplied" % p["name"])
            inputs[p["name"]] = value
        body = put({k: v for k, v in raw.items() if k != "inputs"}, known)
        return put(body, {"inputs.parameters." + k: v for k, v in inputs.items()}), inputs, scope

    def globals(self):
        known = {"workflow.name": self.name, "workflow.namespace": "default", "workflow.status": self.phase}
        known.update(("workflow.parameters." + k, v) for k, v in self.parameters.items())
        known.update(("workflow.outputs.parameters." + k, v) for k, v in self.outputs.items())
        return known

    @staticmethod
    def arguments(args):
        return {p["name"]: p["value"] if p.get("value") is ABSENT else scalar(p["value"]) for p in args.get("parameters", []) if "value" in p}

    # ---- steps (spec 2.4) ------------------------------------------------------------------------------------------

    def steps(self, n):
        if self.frozen(n):
            return self.go_on(n)
        before = None
        for i, group in enumerate(n.template["steps"]):
            g = self.nodes.get("%s[%d]" % (n.name, i)) or self.begin_group(n, i, group, before)
            if not g.fulfilled:
                self.group(n, g)
            if not g.fulfilled:
                return
            before = g
            if g.failed:
                break
        if before:
            n.outbound = [x for c in before.children for x in self.leaves(c)]
        if before and before.failed:
            first = n.name == self.name   # what an exit hook of it could not begin is an Error of the workflow
            return self.set(n, "Error" if before.bubbles and before.phase == "Error" and first else "Failed", before.message)
        self.end_template(n, self.siblings(n, len(n.template["steps"])))

    def begin_group(self, n, i, group, before):
        call = copy.copy(n.call)
        call.boundary, call.step = n, {}
        g = self.create(call, "StepGroup", "%s[%d]" % (n.name, i))
        if before and before.children:
            for parent in [x for c in before.children for x in self.leaves(c)]:
                self.link(parent, g)
        else:
            self.link(before or n, g)
        self.set(g, "Running")
        g.plan = []
        try:
            for step in group:
                plan = self.planned(step, g.name, self.siblings(n, i))
                g.plan += plan
                if plan[0][2] == EMPTY:   # before anything of the group begins
                    self.begin_child(n, g, *plan[0], "steps")
        except Wrong as e:
            g.error = str(e)
        return g

    def group(self, n, g):
        waiting = False
        for name, step, why in g.plan:
            child = self.begin_child(n, g, name, step, why, "steps")
            if child and child.bubbles:
                self.will_be_error(g, "step group deemed errored due to child %s error: %s" % (child.name, child.message))
            if not child and not g.error:
                waiting = True
        for name, step, _ in g.plan:
            child = self.nodes.get(name)
            if child and not (self.lifecycle(n, child, step, "steps") and child.fulfilled and self.exit_hook(n, child, step, "steps", g)):
                waiting = True
        if self.frozen(n) or waiting:
            return
        if g.error:
            return self.set(g, "Error", g.error)
        for child in g.children:
            if child.failed and not self.continues(child.call.step, child.phase):
                return self.set(g, "Failed", "child '%s' failed" % self.id(child.name))
        self.set(g, "Succeeded")

    def will_be_error(self, whole, why):
        """The first in time counts, and shows from the beginning."""
        if not whole.error:
            whole.error = why
            self.set(whole, whole.phase, why)

    @staticmethod
    def continues(step, phase):
        on = step.get("continueOn", {})
        return (phase == "Failed" and on.get("failed", False)) or (phase == "Error" and on.get("error", False))

    def begin_child(self, n, parent, name, step, why, kind):
        """A step, task or element of a loop: skipped if there is a `why` to it, else executed. None: not yet."""
        child = self.nodes.get(name)
        if child and child.fulfilled:
            return child
        short = name[len(parent.name) + 1:] if parent is not n and parent.type == "StepGroup" else name[len(n.name) + 1:]
        call = Call(name, step, self.arguments(step.get("arguments", {})), n, n.call.inner, {kind + ".name": short},
                    n.call.exiting, False, n.call.depth + 1)
        if why and parent is not n and parent.error:
            return None
        if why:
            child = self.create(call, "Skipped")
            self.set(child, "Skipped", why)
        elif child or not ((parent is not n and parent.error) or self.frozen(n)):
            try:
                child = self.execute(call)
            except Blocked:
                child = self.nodes.get(name)
        if child and parent is not n:
            self.link(parent, child)
        return child

    # ---- loops and conditions (spec 2.7) ---------------------------------------------------------------------------

    def planned(self, step, around, known):
        """[(node name, step with everything put in, why it is skipped)]"""
        known = dict(self.globals(), **known)
        when = put_text(step.get("when", "true"), known, STRICT)
        loop = any(k in step for k in LOOPS)
        skip = not (loop and "{{" in when) and not condition(when)
        if not skip:
            hooks = step.get("hooks")
            given = step.get("withParam")
            step = put({k: v for k, v in step.items() if k != "hooks"}, known, STRICT)
            if given and step["withParam"] is ABSENT:
                raise Wrong("withParam '%s': the output is an absent optional (its step was skipped and it has no default)" % given)
            if hooks:
                step["hooks"] = hooks
        name = "%s.%s" % (around, step["name"])
        if not loop:
            return [(name, step, "when '%s' evaluated false" % when if skip else "")]
        items = self.items(step, skip)
        if items is None:
            return [(name, step, "when '%s' evaluated false" % when)]
        if not items:
            return [(name, step, EMPTY)]
        return [self.element(step, when, name, i, item, skip, known) for i, item in enumerate(items)]

    def element(self, step, when, name, i, item, skip, known):
        """Here every variable must be there, also in what was put in before (spec 3.1, pass 4)."""
        known = dict(known, item=scalar(item))
        if isinstance(item, dict):
            known.update(("item." + k, scalar(v)) for k, v in item.items())
        when = put_text(when, known, () if skip else ("",))
        why = "" if condition(when) else "when '%s' evaluated false" % when
        body = {k: v for k, v in step.items() if k not in LOOPS + ("hooks",)}
        body = put(body, known, () if why else ("",))
        if "hooks" in step:
            body["hooks"] = put(step["hooks"], {k: v for k, v in known.items() if k.startswith("item")})
        return "%s(%d:%s)" % (name, i, describe(item)), body, why

    @staticmethod
    def items(step, skip):
        if "withItems" in step:
            return step["withItems"]
        if "withSequence" in step:
            s = step["withSequence"]
            start = int(s.get("start", 0))
            end = start + int(s["count"]) - 1 if "count" in s else int(s["end"])
            if s.get("count") is not None and int(s["count"]) == 0:
                return []
            steps = range(start, end + 1) if start <= end else range(start, end - 1, -1)
            return [s.get("format", "%d") % i for i in steps]
        try:
            items = json.loads(step["withParam"])
        except ValueError:
            items = None
        if not isinstance(items, list) and not skip:
            raise Wrong("withParam value could not be parsed as a JSON list: %s" % step["withParam"])
        return items if isinstance(items, list) else None

    # ---- what steps and tasks know of each other (spec 3.5, 3.6) -----------------------------------------------------

    def siblings(self, n, groups):
        known = {}
        for i, group in enumerate(n.template["steps"][:groups]):
            for step in group:
                self.tell(known, "steps." + step["name"], "%s[%d]" % (n.name, i), step, n, self.nodes["%s[%d]" % (n.name, i)])
        return known

    def tell(self, known, prefix, around, step, n, group):
        node = self.nodes.get("%s.%s" % (around, step["name"]))
        if node and node.type != "TaskGroup":
            if any(k in step for k in LOOPS):   # it had nothing to go through
                known[prefix + ".outputs.result"] = known[prefix + ".outputs.parameters"] = "[]"
            return self.tell_one(known, prefix, node, step, n)
        loop = node or group
        elements = [c for c in loop.children if c.name.startswith("%s.%s(" % (around, step["name"])) and not c.call.hooked]
        known[prefix + ".id"], known[prefix + ".status"] = self.id(loop.name), loop.phase
        self.aggregate(known, prefix, [c for c in elements if c.phase == "Succeeded"])

    def tell_one(self, known, prefix, node, step, n):
        if node.type == "Retry" and node.attempts:
            node = node.attempts[-1]
        known[prefix + ".id"], known[prefix + ".status"] = self.id(node.name), node.phase
        for key in ("exitCode", "result"):
            if key in node.outputs:
                known[prefix + (".outputs.result" if key == "result" else ".exitCode")] = node.outputs[key]
        if node.phase in ("Skipped", "Omitted"):
            try:
                template, _ = self.lookup(Call("", step, {}, scope=n.call.inner))
            except Wrong:
                return
            for p in template.get("outputs", {}).get("parameters", []):
                known["%s.outputs.parameters.%s" % (prefix, p["name"])] = p.get("valueFrom", {}).get("default", ABSENT)
        for k, v in node.outputs.get("parameters", {}).items():
            known["%s.outputs.parameters.%s" % (prefix, k)] = v

    @staticmethod
    def aggregate(known, prefix, elements):
        results = [c.outputs["result"] for c in elements if "result" in c.outputs]
        try:
            known[prefix + ".outputs.result"] = compact([json.loads(r) for r in results])
        except ValueError:
            pass  # not JSON: there is no such list
        maps = [c.outputs["parameters"] for c in elements if c.outputs.get("parameters")]
        known[prefix + ".outputs.parameters"] = compact(maps)
        for key in {k for m in maps for k in m}:
            values = [m[key] for m in maps if key in m]
            try:
                structured = [json.loads(v) for v in values]
                values = structured if all(isinstance(v, (dict, list)) for v in structured) else values
            except ValueError:
                pass
            known["%s.outputs.parameters.%s" % (prefix, key)] = compact(values)

    # ---- dags (spec 2.5, 2.6) ----------------------------------------------------------------------------------------

    def dag(self, n):
        if self.frozen(n):
            return self.go_on(n)
        tasks = {t["name"]: t for t in n.template["dag"]["tasks"]}
        reachable = self.reachable(tasks, self.targets(n))
        if self.waking and n.woken < self.wakes and not self.call_again(n, tasks, reachable):
            return self.go_on(n)
        changed = True
        while changed:
            changed, self.changed = False, self.changed
            ready = [t for t in tasks.values() if self.nodes.get("%s.%s" % (n.name, t["name"])) or all(self.settled(n, tasks[d]) for d in self.needs(t))]
            for t in ready:
                before = len(self.nodes), [x.phase for x in self.nodes.values()]
                if t["name"] in reachable:
                    self.task(n, tasks, t)
                if self.frozen(n):
                    return self.go_on(n)
                changed |= before != (len(self.nodes), [x.phase for x in self.nodes.values()])
        begun = [self.nodes["%s.%s" % (n.name, t)] for t in reachable if "%s.%s" % (n.name, t) in self.nodes]
        settled = all(self.settled(n, tasks[t.name[len(n.name) + 1:]]) for t in begun)
        if not settled or (len(begun) < len(reachable) and not self.shut(n.call.exiting)):
            return
        self.end_dag(n, tasks)

    def call_again(self, n, tasks, reachable):
        """As it goes on after it was suspended: from its first tasks on, each with its hooks, then those that the settled ones lead to.
        Whether it may decide anything."""
        n.woken, called = self.wakes, set()
        wave = [t for t in tasks.values() if not self.needs(t)]
        while wave:
            for t in wave:
                called.add(t["name"])
                if t["name"] in reachable:
                    self.task(n, tasks, t)
                if self.frozen(n):
                    return False
            wave = [t for t in tasks.values() if t["name"] not in called and all(d in called and self.settled(n, tasks[d]) for d in self.needs(t))]
        return True

    def end_dag(self, n, tasks):
        targets = self.targets(n)
        n.outbound = [x for t in targets for x in self.leaves_of("%s.%s" % (n.name, t))]
        phase = "Error" if n.error else "Failed" if self.shut(n.call.exiting) else self.assess(n, tasks)
        if phase == "Succeeded":
            known = {}
            for t in tasks.values():
                self.tell_task(known, n, t)
            return self.end_template(n, known)
        self.set(n, phase, n.error or None)

    def leaves_of(self, name):
        return self.leaves(self.nodes[name]) if name in self.nodes else []

    def targets(self, n):
        dag = n.template["dag"]
        if dag.get("target"):
            return dag["target"].split(" ")
        needed = {d for t in dag["tasks"] for d in self.needs(t)}
        return sorted(t["name"] for t in dag["tasks"] if t["name"] not in needed)

    @staticmethod
    def needs(task):
        return operands(task["depends"]) if "depends" in task else task.get("dependencies", [])

    def reachable(self, tasks, names):
        found = set()
        todo = list(names)
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                todo += self.needs(tasks[name])
        return found

    def task(self, n, tasks, task):
        name = "%s.%s" % (n.name, task["name"])
        node = self.nodes.get(name)
        if not node and self.shut(n.call.exiting):
            return
        if not node and name not in n.call.__dict__.setdefault("decided", {}):
            if any(not self.settled(n, tasks[d]) for d in self.needs(task)):
                return
            node = self.decide(n, tasks, task, name)
        if node and node.phase == "Omitted":
            return self.lifecycle(n, node, task, "tasks")
        if node and node.type == "TaskGroup":
            return self.task_group(n, node)
        plan = n.call.decided.get(name)
        if plan:
            _, step, why = plan
            node = self.begin_child(n, n, name, step, why, "tasks")
            if node:
                self.attach(n, tasks, task, node)
                if self.lifecycle(n, node, step, "tasks") and node.fulfilled:
                    self.exit_hook(n, node, step, "tasks", n)

    def decide(self, n, tasks, task, name):
        """A task whose dependencies are settled: omitted, an error, a loop, or something to begin."""
        call = Call(name, task, {}, n, n.call.inner, {}, n.call.exiting)
        if not self.wanted(n, tasks, task):
            node = self.create(call, "Skipped")
            self.set(node, "Omitted", "omitted: depends condition not met")
            self.attach(n, tasks, task, node)
            return node
        known = {}
        for t in self.reachable(tasks, self.needs(task)):
            self.tell_task(known, n, tasks[t])
        try:
            plan = self.planned(task, n.name, known)
        except Wrong as e:
            node = self.create(call, "Skipped")
            self.set(node, "Error", str(e))
            self.attach(n, tasks, task, node)
            n.call.decided[name] = name, task, ""
            return node
        if len(plan) == 1 and plan[0][0] == name:
            n.call.decided[name] = plan[0]
            return None
        node = self.create(call, "TaskGroup")
        node.plan = plan
        self.set(node, "Running")
        self.attach(n, tasks, task, node)
        return node

    def wanted(self, n, tasks, task):
        def fine(name):
            forgiven = tasks[name].get("continueOn", {})
            return (holds(name, "Succeeded") or holds(name, "Skipped") or (forgiven.get("failed") and holds(name, "Failed"))
                    or (forgiven.get("error") and holds(name, "Errored")) or False)

        def holds(name, result):
            node = self.nodes["%s.%s" % (n.name, name)]
            if result is None:
                return fine(name)
            elements = node.attempts if node.type == "TaskGroup" else []
            if result == "AnySucceeded":
                return any(c.phase == "Succeeded" for c in elements)
            if result == "AllFailed":
                return bool(elements) and all(c.phase == "Failed" for c in elements)
            assert result in RESULTS
            return node.phase == {"Errored": "Error"}.get(result, result)
        if "depends" in task:
            return depends(task["depends"], holds)
        return all(fine(d) for d in task.get("dependencies", []))

    def attach(self, n, tasks, task, node):
        for d in self.needs(task):
            for x in self.leaves_of("%s.%s" % (n.name, d)):
                self.link(x, node)
        if not self.needs(task):
            self.link(n, node)

    def task_group(self, n, group):
        if group.open:
            for name, step, why in group.plan:
                self.begin_child(n, group, name, step, why, "tasks")
            if self.frozen(n):
                return
            elements = {c.name: c for c in group.attempts}
            for name, step, _ in group.plan:
                if name in elements and self.lifecycle(n, elements[name], step, "tasks") and elements[name].fulfilled:
                    self.exit_hook(n, elements[name], step, "tasks", n)
            if len(elements) == len(group.plan) and all(self.done(c) for c in elements.values()):
                failed = [c.phase for c in group.attempts if c.failed]
                self.set(group, failed[-1] if failed else "Succeeded")
        if self.lifecycle(n, group, group.call.step, "tasks") and group.fulfilled:
            self.exit_hook(n, group, group.call.step, "tasks", n)

    def settled(self, n, task):
        node = self.nodes.get("%s.%s" % (n.name, task["name"]))
        return bool(node) and self.done(node)

    def done(self, node):
        """Fulfilled, and its exit hook too, if one was due."""
        return node.fulfilled and self.hooks_done(node) and not getattr(node, "hook_due", False)

    def tell_task(self, known, n, task):
        if "%s.%s" % (n.name, task["name"]) in self.nodes:
            self.tell(known, "tasks." + task["name"], n.name, task, n, None)

    def assess(self, n, tasks):
        """Along every branch the last completed phase is carried; an omitted or skipped target inherits it."""
        phases = {}
        todo, seen = [(c, "Succeeded") for c in n.children], set()
        while todo:
            node, branch = todo.pop(0)
            if (node.name, branch) in seen:
                continue
            seen.add((node.name, branch))
            if node.phase in COMPLETED:
                branch = node.phase
            if phases.get(node.name) not in FAILED:
                phases[node.name] = branch
            after = [node]
            if node.type == "Retry" and node.attempts:
                after = [c for c in node.children if c is (node.attempts or [None])[-1] or c.call.hooked]
            todo += [(c, branch) for a in after for c in a.children]
        result = "Succeeded"
        for t in self.targets(n):
            own = self.nodes["%s.%s" % (n.name, t)].phase
            phase = own if own in COMPLETED else phases.get("%s.%s" % (n.name, t))
            if phase in FAILED and not self.continues(tasks[t], phase):
                result = phase
                if n.template["dag"].get("failFast", True):
                    break
        return result

    # ---- exit hooks of steps and tasks (spec 2.9) --------------------------------------------------------------------

    def exit_hook(self, n, node, step, kind, whole):
        """Runs the hook of a completed node. Whether nobody need wait for it (any more). If it cannot begin, `whole` is an error."""
        hook = {"template": step["onExit"]} if "onExit" in step else step.get("hooks", {}).get("exit")
        name = node.name + ".onExit"
        node.hook_due = False
        if self.frozen(n):
            return False
        if not hook or node.phase not in COMPLETED or (self.shutdown == "Terminate" and name not in self.nodes) or (
                name not in self.nodes and "expression" in hook and not self.holds(hook["expression"], self.hook_scope(n, node, step, kind))):
            return name not in self.nodes or self.nodes[name].fulfilled
        call = Call(name, hook, self.parameters, n, n.call.inner, {}, True, True, n.call.depth + 1)
        try:
            if hook.get("arguments", {}).get("parameters"):
                call.args = self.arguments(put(hook["arguments"], dict(self.globals(), **self.around(n, node, step, kind))))
            done = self.execute(call)
        except Wrong as e:
            done = self.cannot_begin(call, str(e))
        except Blocked:
            node.hook_due = True
            return False
        self.link(node, done)
        if done.bubbles:
            whole.bubbles |= kind == "steps" and not whole.error
            self.will_be_error(whole, done.message)
        return done.fulfilled

    def around(self, n, node, step, kind):
        """What the hook of a step may speak of: what its step could, and the step itself."""
        known = {}
        if kind == "steps":
            groups = [g for g in range(len(n.template["steps"])) if "%s[%d]" % (n.name, g) in self.nodes]
            known = self.siblings(n, groups[-1])
        else:
            tasks = {t["name"]: t for t in n.template["dag"]["tasks"]}
            for t in self.reachable(tasks, self.needs(step)):
                self.tell_task(known, n, tasks[t])
        if node.type == "TaskGroup":
            self.tell_task(known, n, step)
        else:
            self.tell_one(known, "%s.%s" % (kind, step["name"]), node, step, n)
        return known

    # ---- retries (spec 2.10) ---------------------------------------------------------------------------------------

    def retry(self, call, template, inputs):
        n = self.nodes.get(call.name)
        if not n:
            self.may_begin(call)
            n = self.create(call, "Retry")
            n.template, n.inputs = template, inputs
        if not n.entered:
            n.entered = True
            self.set(n, "Running")
        strategy = template.get("retryStrategy", self.spec.get("retryStrategy"))
        last = n.attempts[-1] if n.attempts else None
        number = len(n.attempts) - 1
        if last and last.fulfilled and not self.once_more(n, strategy, last):
            return n
        if not last or last.fulfilled:
            number += 1
        again = copy.copy(call)
        again.name, again.hooked, again.attempt = "%s(%d)" % (call.name, number), False, True
        if number and "maxDuration" in strategy.get("backoff", {}):
            again.deadline = n.attempts[0].started * 1000 + duration(strategy["backoff"]["maxDuration"])
        try:
            about_last = self.about_last(number, n.attempts[number - 1] if number else None)
            processed, _, again.inner = self.once(self.nodes.get(again.name), lambda: self.process(again, about_last))
            attempt = self.body(again, processed, inputs)
            self.note_memo(attempt, processed)
        except Wrong as e:
            attempt = self.cannot_begin(again, str(e))
        except Blocked:
            attempt = self.nodes.get(again.name)
        if attempt:
            attempt.retried = True
            self.link(n, attempt)
            if attempt.fulfilled:   # nobody sees the state between (Argo: executeTemplate calls itself)
                return self.retry(call, template, inputs)
        return n

    @staticmethod
    def about_last(number, last, no_code="0"):
        return {"retries": str(number), "lastRetry.exitCode": last.outputs.get("exitCode", no_code) if last else "0",
                "lastRetry.status": last.phase if last else "", "lastRetry.duration": str(last.finished - last.started) if last else "0",
                "lastRetry.message": last.message if last else ""}

    def once_more(self, n, strategy, last):
        """The rules in their order; the first that fits decides."""
        def end(phase, message):
            n.outputs = last.outputs
            self.set(n, phase, message)
            return False
        made = len(n.attempts)
        if not last.failed:
            return end("Succeeded", "")
        waits = n.backing_off and not n.called_off and not self.waking
        if self.shutdown and not waits:
            return end(last.phase, "Stopped with strategy '%s'" % self.shutdown)
        if self.past_deadline(n.call.exiting) and not waits:
            return end(last.phase, "retry exceeded workflow deadline 2026-01-01 00:%02d:%02d +0000 UTC" % divmod(self.spec["activeDeadlineSeconds"] + self.began // 1000, 60))
        policy = strategy.get("retryPolicy", "Always" if "expression" in strategy else "OnFailure")
        allowed = policy == "Always" or policy == {"Failed": "OnFailure", "Error": "OnError"}[last.phase]
        more = "limit" not in strategy or made <= int(strategy["limit"])
        if "backoff" in strategy:
            b = strategy["backoff"]
            over = n.attempts[0].started * 1000 + duration(b["maxDuration"]) if "maxDuration" in b else None
            if over is not None and self.now >= over:
                return end(last.phase, "Max duration limit exceeded")
            wait = duration(b["duration"]) * int(b.get("factor", 1)) ** (made - 1)
            wait = min(wait, duration(b["cap"])) if "cap" in b else wait
            until = last.finished * 1000 + wait
            if over is not None and until > over:
                return end(last.phase, "Backoff would exceed max duration limit")
            n.backing_off = allowed and more and not self.reached("backoff " + n.name, until, n)
            if n.backing_off:
                self.set(n, n.phase, "Backoff for " + human(wait))
                return False
            self.set(n, n.phase, "")   # that is over, also when the next attempt has to wait for something else
        if not allowed:
            return end(last.phase, last.message)
        if not more:
            return end(last.phase, "No more retries left")
        if "expression" in strategy and not expression(strategy["expression"], dict(self.globals(), **self.about_last(made - 1, last, "-1"))):
            return end(last.phase, "retryStrategy.expression evaluated to false")
        return True

    # ---- leaves (spec 2.11, 2.17) ------------------------------------------------------------------------------------

    def pod_done(self, n, pod):
        fate, template = pod["fate"], n.template
        phase = fate.get("phase") or ("Failed" if fate.get("exit") else "Succeeded")
        message = fate.get("message", "main: Error (exit code %d)" % fate["exit"] if fate.get("exit") else "")
        if phase != "Error" or "exit" in fate:
            n.outputs["exitCode"] = str(fate.get("exit", 0))
        if self.captured(n):
            n.outputs["result"] = pod["args"] if fate.get("echo") else fate.get("result", "")
        files = {k: pod["args"] if fate.get("echo") else v for k, v in fate.get("parameters", {}).items()}
        for p in template.get("outputs", {}).get("parameters", []):
            source = p.get("valueFrom", {})
            value = files.get(p["name"], source.get("default"))
            if value is not None:
                n.outputs.setdefault("parameters", {})[p["name"]] = value
            elif phase == "Succeeded":
                phase, message = "Error", "wait: Error (exit code 64): outputs.parameters.%s: open %s: no such file or directory" % (p["name"], source["path"])
        self.lift(n)
        self.set(n, phase, message)

    def captured(self, n):
        """Whether some template refers to its outputs.result: then it is taken (spec 2.17)."""
        if not n.boundary:
            return False
        step = (n.call.local.get("steps.name") or n.call.local.get("tasks.name") or "").split("(")[0]
        kind = "steps" if n.boundary.type == "Steps" else "tasks"
        raw, _ = self.lookup(n.boundary.call)
        return "%s.%s.outputs.result" % (kind, step) in json.dumps(raw) and not n.call.hooked

    def lift(self, n):
        """globalName: outputs of the workflow; the last writer wins."""
        for p in (n.template or {}).get("outputs", {}).get("parameters", []):
            if "globalName" in p and p["name"] in n.outputs.get("parameters", {}):
                self.outputs[p["globalName"]] = n.outputs["parameters"][p["name"]]

    def suspend(self, n):
        wait = n.template["suspend"].get("duration")
        if wait is not None and self.reached("suspend " + n.name, n.started * 1000 + duration(wait), n):
            self.end_suspend(n)

    def end_suspend(self, n):
        self.set(n, "Succeeded")

    def end_template(self, n, known):
        """Steps or a DAG that succeeded hands on its outputs (spec 1.6)."""
        try:
            for p in n.template.get("outputs", {}).get("parameters", []):
                n.outputs.setdefault("parameters", {})[p["name"]] = self.output(p["name"], p["valueFrom"], known)
        except Wrong as e:
            n.outputs, n.bubbles = {}, True
            return self.set(n, "Error", str(e))
        self.lift(n)
        self.set(n, "Succeeded")

    def output(self, of, source, known):
        name = source.get("parameter", "").strip("{} ")
        known = dict(self.globals(), **known)
        if "expression" in source:
            try:
                return scalar(expression(source["expression"], known))
            except KeyError:
                name = source["expression"]
        if known.get(name) is not None:
            return known[name]
        if "default" in source:
            return source["default"]
        raise Wrong("failed to resolve outputs.parameters.%s: {{%s}}" % (of, name))
