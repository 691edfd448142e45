# SPDX-License-Identifier: Apache-2.0
"""Families of random workflows: each takes what generate.py makes and adds a part of the language of its own.

A workflow follows from its family and seed alone. A family of its own keeps what the seeds of the others mean.
"""
import random

from generate import Generator


def leaves(template):
    return not ("steps" in template or "dag" in template)


class Family(Generator):
    """The workflow of generate.py, without limits and without too many things at the same time: then times say something."""
    name = ""

    def __init__(self, seed):
        super().__init__("%s %d" % (self.name, seed))
        self.limits = self.even = False
        self.r2 = random.Random("%s %d, what is added" % (self.name, seed))

    def documents(self):
        docs = super().documents()
        self.add_to(docs[0], docs[1]["spec"], docs)
        return docs

    def often(self, p):
        return self.r2.random() < p

    def add_to(self, scenario, spec, docs):
        raise NotImplementedError


class Locks(Family):
    """Mutexes and semaphores of templates and of the workflow; others who want the same ones; limits that change."""
    name = "locks"
    apart = ()   # templates that want none

    def add_to(self, scenario, spec, docs):
        names = {t["name"]: t for t in spec["templates"]}
        self.many = self.often(0.5)
        for t in spec["templates"]:
            if t["name"] not in self.apart and self.often(0.5 if leaves(t) else 0.2):
                # a template asks for locks of its own height only: those inside do not wait for those around them
                height = self.height(t, names) if self.often(0.97) else 0
                t["synchronization"] = self.synchronization("h%d-" % height, "container" in t)
        if self.often(0.2):
            spec["synchronization"] = self.synchronization("w-", False)
        if self.often(0.2):
            spec["priority"] = self.r2.randint(-1, 3)
        scenario["locks"] = [self.other(i) for i in range(self.r2.choice([0, 0, 1, 2, 4]))]
        docs.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "limits"},
                     "data": {"%s%s" % (h, k): str(self.r2.choice([1, 1, 2, 3])) for h in ("h0-", "h1-", "h2-", "h3-", "h4-", "w-") for k in "xy"}})
        if self.often(0.2):
            scenario["limits"] = [{"at": self.r2.randint(1, 15), "key": "limits/h0-" + self.r2.choice("xy"), "value": str(self.r2.randint(1, 4))}
                                  for _ in range(self.r2.randint(1, 3))]

    def height(self, t, names):
        inside = [s for g in t.get("steps", []) for s in g] + t.get("dag", {}).get("tasks", [])
        return 1 + max(self.height(names[s["template"]], names) for s in inside) if inside else 0

    def synchronization(self, prefix, with_input):
        mutexes = self.r2.sample("abc" if self.many else "ab", self.r2.choice([1, 1, 1, 2]))
        keys = self.r2.sample("xy", self.r2.choice([1, 1, 2]))
        s = {}
        x = self.r2.random()
        if x < 0.6 or x > 0.85:
            s["mutexes"] = [{"name": prefix + m} for m in mutexes]
            if self.often(0.03):
                s["mutexes"].append(self.r2.choice([dict(s["mutexes"][0]), {"name": s["mutexes"][0]["name"], "namespace": "elsewhere"}]))
            if self.often(0.1) and with_input:
                s["mutexes"][0]["name"] += "{{inputs.parameters.m}}" if self.often(0.5) else "{{node.name}}"
        if x >= 0.6:
            s["semaphores"] = [{"configMapKeyRef": {"name": "limits" if self.often(0.99) else "none", "key": prefix + k}} for k in keys]
        return s

    def other(self, i):
        kinds = ["Mutex/%s%s" % (h, m) for h in ("h0-", "h0-", "h1-", "w-") for m in "ab"] + ["ConfigMap/limits/%sx" % h for h in ("h0-", "h1-", "w-")]
        begins = self.r2.choice([0, 0, 1, 2, 4, 7])
        o = {"lock": "default/" + self.r2.choice(kinds), "holder": "default/other%d" % i, "from": begins,
             "priority": self.r2.choice([0, 0, 0, -1, 1, 2]), "created": self.r2.choice([-5 - i, 5 + i])}
        if self.often(0.97):
            o["until"] = begins + self.r2.randint(1, 12)
        return o


class Crowded(Locks):
    """Locks where few may run at once, in the workflow and in templates. Who waits for a lock takes no place of the workflow's."""
    name = "crowded"

    def __init__(self, seed):
        super().__init__(seed)
        self.limits = True   # nothing else may depend on the order in which things begin

    def add_to(self, scenario, spec, docs):
        super().add_to(scenario, spec, docs)
        if self.often(0.6):
            spec["parallelism"] = self.r2.randint(1, 3)

    def synchronization(self, prefix, with_input):
        """One lock, and none that cannot be asked for: in which order those who have given locks back get several again is laid down nowhere."""
        s = super().synchronization(prefix, with_input)
        kind = "mutexes" if "mutexes" in s else "semaphores"
        if kind == "semaphores":
            s[kind][0]["configMapKeyRef"]["name"] = "limits"
        return {kind: s[kind][:1]}


class Hooks(Family):
    """Hooks with conditions: of steps, of tasks and of the workflow; exit hooks that have one."""
    name = "hooks"
    words = ("Running", "Running", "Succeeded", "Failed", "Error", "Skipped", "Pending", "Omitted")

    def add_to(self, scenario, spec, docs):
        for t in [t for t in spec["templates"] if not leaves(t)]:
            before = []
            for group in t.get("steps", [[x] for x in t.get("dag", {}).get("tasks", [])]):
                for step in group:
                    self.hook_step(step, "steps" if "steps" in t else "tasks", before)
                before = before + group if "steps" in t else []
        if self.often(0.3):
            for name in self.r2.sample(["one", "two"], self.r2.randint(1, 2)):
                spec.setdefault("hooks", {})[name] = {
                    "template": self.hook_template(), "expression": "workflow.status == '%s'" % self.r2.choice(self.words[:5])}

        if "activeDeadlineSeconds" in spec:   # who is Running at the very moment it is over depends on who is asked first
            for fate in scenario["steps"][0]["among"]:
                fate.pop("delay", None)

    def hook_step(self, step, kind, before):
        exit_hook = step.get("hooks", {}).get("exit")
        if exit_hook and self.often(0.3):
            exit_hook["expression"] = self.condition(step, kind, before)
        if not self.often(0.35):
            return
        for name in self.r2.sample(["one", "two"], self.r2.choice([1, 1, 2])):
            hook = {"template": self.hook_template(), "expression": self.condition(step, kind, before)}
            if self.often(0.6):
                hook["arguments"] = {"parameters": [{"name": "m", "value": "{{%s.%s.status}}" % (kind, step["name"])}]}
            step.setdefault("hooks", {})[name] = hook

    def hook_template(self):
        pods = [t["name"] for t in self.templates if "container" in t]
        return self.r2.choice(pods) if pods and self.often(0.8) else self.leaf()["name"]

    def condition(self, step, kind, before):
        own = "%s['%s'].status" % (kind, step["name"])
        x = self.r2.random()
        text = "%s %s '%s'" % (own, "!=" if x < 0.15 else "==", self.r2.choice(self.words))
        if x > 0.85:
            text = "%s in ['Failed', '%s']" % (own, self.r2.choice(self.words))
        if before and self.often(0.2):
            text += " && steps['%s'].status %s 'Succeeded'" % (self.r2.choice(before)["name"], self.r2.choice(["==", "!="]))
        if any(k in step for k in ("withItems", "withSequence")) and self.often(0.3):
            text += " && '{{item}}' != '1'"
        return text


class Core(Generator):
    name = "core"


class All(Locks, Hooks):
    """Everything together; but hooks with a condition want no locks: which of them asks first is laid down nowhere."""
    name = "all"

    def hook_template(self):
        t = self.leaf()
        self.apart.add(t["name"])
        return t["name"]

    def add_to(self, scenario, spec, docs):
        self.apart = set()
        Hooks.add_to(self, scenario, spec, docs)
        Locks.add_to(self, scenario, spec, docs)


class Verbs(All):
    """Everything together, and people who stop, pause and resume it at any moment; suspended nodes that wait for somebody, steps that
    take too long, and results that are used again."""
    name = "verbs"

    def add_to(self, scenario, spec, docs):
        All.add_to(self, scenario, spec, docs)
        for t in spec["templates"]:
            if "suspend" in t and self.often(0.5):
                t["suspend"] = {}
            elif "container" in t and self.often(0.2):
                t["timeout"] = "%dms" % self.r2.randint(1000, 9000)
            elif "container" in t and self.often(0.15):
                t["activeDeadlineSeconds"] = self.r2.randint(1, 5)
            if "suspend" not in t and self.often(0.2):
                t["memoize"] = self.memoize("inputs" in t)
        if self.often(0.1):
            spec["suspend"] = True
        scenario["verbs"] = self.people()

    def memoize(self, with_input):
        m = {"key": self.r2.choice(["one", "two", "not_a_key", "k-{{inputs.parameters.m}}", "k-{{inputs.parameters.m}}"][:None if with_input else 2]),
             "cache": {"configMap": {"name": self.r2.choice(["here", "there"])}}}
        if self.often(0.3):
            m["maxAge"] = "%dms" % self.r2.randint(500, 9000)
        return m

    def people(self):
        verbs, at = [], 0
        for _ in range(self.r2.choice([1, 1, 2, 3, 5])):
            at += self.r2.randint(0, 6)
            verbs.append({"at": at, "do": self.r2.choice(["suspend", "suspend", "resume", "resume", "stop", "terminate"])})
        return verbs + [{"at": at + more, "do": "resume"} for more in (10, 20, 30, 50)]


FAMILIES = {f.name: f for f in (Core, Locks, Crowded, Hooks, All, Verbs)}
