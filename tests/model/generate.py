# SPDX-License-Identifier: Apache-2.0
"""Random workflows, each from its seed alone.

Commands that fail, get lost or take their time; nested steps and dags with loops, conditions, retries, hooks, waits and values that go
from one to the next; limits; people who stop, pause and resume. What a workflow may hold is in FEATURES, so that a
failing one can be taken apart.
"""
import random


EXPRESSIONS = True


class Generator:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.templates, self.library = [], []
        self.even = self.chance(0.15)      # many things happen at the same time
        self.limits = self.chance(0.25)    # then nothing else may depend on the order in which things begin
        self.budget = self.r.choice([4, 8, 14, 25])

    def chance(self, p):
        return self.r.random() < p

    def time(self, least, most):
        """A length of time that hardly meets another."""
        return "%dms" % (1000 * self.r.randint(least, most) + (500 if self.even else self.r.randrange(1, 1000)))

    def add(self, body):
        body["name"] = "t%d" % len(self.templates)
        self.templates.append(body)
        return body

    # ---- templates -------------------------------------------------------------------------------------------------

    def leaf(self):
        t = {"inputs": {"parameters": [{"name": "m", "default": "d"}]},
             "container": {"image": "x", "command": ["true"], "args": ["{{inputs.parameters.m}}"]}}
        if self.chance(0.4):
            source = {"path": "/p"}
            if self.chance(0.8):
                source["default"] = "p by default"
            t["outputs"] = {"parameters": [{"name": "p", "valueFrom": source}]}
            if self.chance(0.2) and not self.limits:
                t["outputs"]["parameters"][0]["globalName"] = "g"
        if self.chance(0.25):
            t["retryStrategy"] = self.retries()
        return self.add(t)

    def retries(self):
        s = {"limit": self.r.choice([0, 1, 2, "1"]), "retryPolicy": self.r.choice(["Always", "OnFailure", "OnError"])}
        if self.chance(0.3):
            del s["retryPolicy"]
        if self.chance(0.2) and EXPRESSIONS:
            s["expression"] = self.r.choice(["asInt(lastRetry.exitCode) > 1", "lastRetry.status == 'Error'", "asInt(retries) < 1"])
        if self.chance(0.4):
            s["backoff"] = {"duration": self.time(1, 9), "factor": self.r.choice([1, 2, "3"])}
            if self.chance(0.2):
                s["backoff"]["cap"] = self.time(5, 15)
            if self.chance(0.2) and not self.limits:
                s["backoff"]["maxDuration"] = self.time(8, 30)
        return s

    def body(self, depth):
        x = self.r.random()
        self.budget -= 1
        if self.templates and x < 0.1:
            again = [t for t in self.templates if "container" in t]
            if again:
                return self.r.choice(again)
        if depth >= 3 or self.budget < 0 or x < 0.55:
            return self.leaf()
        if x < 0.62:
            return self.add({"suspend": {"duration": self.time(1, 8)}})
        return self.steps(depth) if x < 0.8 else self.dag(depth)

    def step(self, name, depth, before, kind):
        t = self.body(depth + 1)
        s = {"name": name, "template": t["name"]}
        loop = self.chance(0.25)
        if loop:
            self.loop(s, before, kind)
        if self.chance(0.2):
            s["when"] = self.when(before, kind, loop)
        if "inputs" in t and self.chance(0.7):
            s["arguments"] = {"parameters": [{"name": "m", "value": self.value(before, kind, loop)}]}
        if self.chance(0.15):
            s["hooks"] = {"exit": self.hook(s, kind, t)}
        elif self.chance(0.05):
            s["onExit"] = self.leaf()["name"]
        s["_"] = t, bool(s.get("withItems")) or "withParam" in s or "withSequence" in s
        return s

    def hook(self, step, kind, t):
        h = {"template": self.leaf()["name"]}
        if self.chance(0.6):
            h["arguments"] = {"parameters": [{"name": "m", "value": "{{%s.%s.status}}" % (kind, step["name"])}]}
        return h

    def loop(self, s, before, kind):
        x = self.r.random()
        if x < 0.6:
            s["withItems"] = self.r.sample([1, 2, "x", 1.5, True, {"k": "v", "l": 1}, [1, "b"], "(a)"], self.r.randint(0, 4))
        elif x < 0.8:
            s["withSequence"] = self.r.choice([{"count": "0"}, {"count": 2}, {"start": 3, "end": "1"}, {"count": "2", "format": "n%02X"}])
        else:
            s["withParam"] = self.r.choice(['[1, "a"]', "[]", '[{"k": "w"}]', self.value(before, kind, False)])

    def when(self, before, kind, loop):
        about = ["true", "false", "a == a", "a == b", "3 > 2 && !(x == y)", "{{workflow.name}} != wf"]
        if loop:
            about += ["'{{item}}' == x", "'{{item}}' != '1'"]
        for s in before:
            about += ["{{%s.%s.status}} == Succeeded" % (kind, s["name"]), "{{%s.%s.status}} != Failed" % (kind, s["name"])]
        return self.r.choice(about)

    def value(self, before, kind, loop):
        about = ["plain", "{{workflow.name}}"]
        if loop:
            about += ["{{item}}", "<{{item}}>"] * 2
        for s in before:
            t, many = s["_"]
            about += ["{{%s.%s.status}}" % (kind, s["name"])]
            if "outputs" in t:
                about += ["{{%s.%s.outputs.parameters.%s}}" % (kind, s["name"], t["outputs"]["parameters"][0]["name"])] * 2
            if "container" in t:
                about += ["{{%s.%s.outputs.result}}" % (kind, s["name"])]
        return self.r.choice(about)

    def whole(self, t, inside, kind):
        """What steps and dags have in common."""
        if self.limits and self.chance(0.3):
            t["parallelism"] = self.r.randint(1, 2)
        if not self.limits and self.chance(0.05):
            t["failFast"] = True
        if self.chance(0.1):
            t["retryStrategy"] = self.retries()
        with_outputs = [s for s in inside if "outputs" in s["_"][0]]
        if with_outputs and self.chance(0.5):
            s = self.r.choice(with_outputs)
            source = {"parameter": "{{%s.%s.outputs.parameters.%s}}" % (kind, s["name"], s["_"][0]["outputs"]["parameters"][0]["name"])}
            if self.limits or self.chance(0.7):
                source["default"] = "none"
            t["outputs"] = {"parameters": [{"name": "o", "valueFrom": source}]}
        for s in inside:
            del s["_"]
        return self.add(t)

    def steps(self, depth):
        groups, before = [], []
        for g in range(self.r.randint(1, 3)):
            groups.append([self.step("s%d-%d" % (g, i), depth, before, "steps") for i in range(self.r.randint(1, 3))])
            before = before + groups[-1]
            for s in groups[-1]:
                if self.chance(0.2):
                    s["continueOn"] = {self.r.choice(["failed", "error"]): True}
        return self.whole({"steps": groups}, before, "steps")

    def dag(self, depth):
        tasks, by_depends, above = [], self.chance(0.5), {}
        results = ["", ".Succeeded", ".Failed", ".Skipped", ".Omitted", ".Errored"]
        for i in range(self.r.randint(1, 6)):
            name = "t%d" % i
            needs = self.r.sample(range(i), min(i, self.r.randint(0, 2)))
            above[i] = set(needs).union(*(above[n] for n in needs))
            t = self.step(name, depth, [tasks[a] for a in sorted(above[i])], "tasks")
            if needs and by_depends:
                words = []
                for n in needs:
                    more = [".AnySucceeded", ".AllFailed"] if tasks[n]["_"][1] else []
                    words.append(self.r.choice(["", "", "!"]) + "t%d" % n + self.r.choice(results + more))
                t["depends"] = self.r.choice([" && ", " || "]).join(words)
            elif needs:
                t["dependencies"] = ["t%d" % n for n in needs]
            if not by_depends and self.chance(0.15):
                t["continueOn"] = {self.r.choice(["failed", "error"]): True}
            tasks.append(t)
        dag = {"tasks": tasks}
        if self.chance(0.15):
            dag["failFast"] = self.chance(0.5)
        if self.chance(0.1):
            dag["target"] = " ".join(t["name"] for t in self.r.sample(tasks, self.r.randint(1, min(2, len(tasks)))))
        return self.whole({"dag": dag}, tasks, "tasks")

    # ---- the whole -------------------------------------------------------------------------------------------------

    def documents(self):
        root = self.steps(0) if self.chance(0.5) else self.dag(0)
        spec = {"entrypoint": root["name"], "templates": self.templates}
        if self.limits and self.chance(0.3):
            spec["parallelism"] = self.r.randint(1, 3)
        if self.chance(0.1) and not self.limits and not self.even:
            spec["activeDeadlineSeconds"] = self.r.randint(2, 20)
        if self.chance(0.3):
            spec["onExit"] = self.leaf()["name"]
        elif self.chance(0.1):
            spec["hooks"] = {"exit": {"template": self.leaf()["name"],
                                      "arguments": {"parameters": [{"name": "m", "value": "{{workflow.status}}"}]}}}
        workflow = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "wf"}, "spec": spec}
        return [{"steps": [{"node": "*", "among": self.fates()}], "verbs": self.verbs(), "expect": {}}, workflow] + self.library

    def fates(self):
        fates = []
        bad = self.r.choice([0.1, 0.25, 0.5])
        for _ in range(17):
            f = {"ms": self.r.choice([1000, 2000, 3000]) if self.even else self.r.randint(1, 6000)}
            if self.chance(bad):
                f.update(self.r.choice([{"exit": 1}, {"exit": 2}, {"phase": "Error", "message": "lost"}, {"exit": 137, "message": "OOMKilled (exit code 137)"}]))
            if self.chance(0.3):
                f["echo"] = True
            elif self.chance(0.6):
                f["result"] = self.r.choice(["7", '"text"', "[1,2]", "plain", '{"a":1}'])
            if self.chance(0.5):
                f["parameters"] = {"p": self.r.choice(["x", '{"n":1}', "[3]", ""])}
            if self.chance(0.15):
                f["delay"] = self.r.randint(1, 3)
            fates.append(f)
        return fates

    def verbs(self):
        x, at = self.r.random(), self.r.randint(0, 12)
        if self.limits:
            return []
        if x < 0.1:
            return [{"at": at, "do": "stop"}]
        if x < 0.15:
            return [{"at": at, "do": "terminate"}]
        if x < 0.25:
            return [{"at": at, "do": "suspend"}, {"at": at + self.r.randint(1, 20), "do": "resume"}]
        return []
