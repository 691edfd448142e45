# SPDX-License-Identifier: Apache-2.0
"""Mutexes and semaphores (spec 2.13), said as plainly as possible: a list of those who want or have locks, in order.

Who waits is let in when all its locks have room and nobody before it in line wants any of them: all or nothing, and first come
first served by priority, then by age. Also what a run has to do with locks, as part of the model; and the others of a scenario, who
want locks as well.
"""
from dataclasses import dataclass

from words import Wrong

MUTEX, CONFIG_MAP = "Mutex", "ConfigMap"


@dataclass
class Claim:
    holder: str
    rank: tuple       # the smaller, the further in front
    locks: list       # names, as Argo writes them: default/Mutex/a, default/ConfigMap/name/key
    holds: bool = False


class Table:
    def __init__(self, limit_of):
        self.limit_of = limit_of   # name -> how many may hold it, or Wrong
        self.limits = {}           # as it was when the lock came into use, or when limits were looked at again
        self.claims = []
        self.let = []              # who was let in, not yet told

    def held(self, lock):
        return sum(c.holds for c in self.claims if lock in c.locks)

    def free(self, claim, lock):
        before = [c for c in self.claims if not c.holds and c.rank < claim.rank and lock in c.locks]
        return not before and self.held(lock) < self.limits[lock]

    def ask(self, holder, rank, locks):
        """Whether it has them now; else what it waits for, in Argo's words."""
        for lock in locks:
            if not any(lock in c.locks for c in self.claims):
                self.limits[lock] = self.limit_of(lock)
        claim = Claim(holder, rank, locks)
        self.claims = sorted(self.claims + [claim], key=lambda c: c.rank)
        for lock in locks:
            if not self.free(claim, lock):
                left = self.limits[lock] - self.held(lock)
                return False, "Waiting for %s lock. Lock status: %d/%d" % (lock, left, self.limits[lock])
        claim.holds = True
        return True, ""

    def give_back(self, holder):
        """What it holds, or its place in line."""
        self.claims = [c for c in self.claims if c.holder != holder]
        self.let = [h for h in self.let if h != holder]
        self.let_in()

    def look_again(self):
        for lock in self.limits:
            try:
                self.limits[lock] = self.limit_of(lock)
            except Wrong:
                pass  # who waits for it goes on waiting
        self.let_in()

    def let_in(self):
        for claim in self.claims:
            if not claim.holds and all(self.free(claim, lock) for lock in claim.locks):
                claim.holds = True
                self.let.append(claim.holder)


def wants_any(synchronization):
    return any((synchronization or {}).get(kind) for kind in ("mutexes", "semaphores"))


def names_of(synchronization, namespace="default"):
    """Semaphores first, as in Argo."""
    names = []
    for s in synchronization.get("semaphores", []):
        ref = s["configMapKeyRef"]
        names.append("%s/%s/%s/%s" % (s.get("namespace", namespace), CONFIG_MAP, ref["name"], ref["key"]))
    for m in synchronization.get("mutexes", []):
        names.append("%s/%s/%s" % (m.get("namespace", namespace), MUTEX, m["name"]))
    if len(set(names)) < len(names):
        raise Wrong("requested configuration is invalid: Duplicate synchronization item found")
    return names


class Locking:
    """The part of the model that asks for locks. A node's `lock` is "waiting", "granted" (and not yet made use of), "held" or, while the
    workflow is suspended, "out"; "crowded out" is who got them when as many ran as may. The workflow's own is self.lock.

    Who asks is answered when everything else that can be decided at that moment is decided, in the order of asking; those whom
    somebody let in by giving something back come after them.
    """
    def begin_locks(self):
        self.table, self.answers, self.lock, self.changed_limits = Table(self.limit_of), [], "", {}
        for other in self.scenario.get("locks", []):
            rank = (-other.get("priority", 0), other.get("created", -1), 0, 0)
            locks = other["lock"] if isinstance(other["lock"], list) else [other["lock"]]
            ask = lambda holder=other["holder"], rank=rank, locks=locks: self.table.ask(holder, rank, locks)
            if other.get("from", 0) == 0:
                ask()
            else:
                self.at(other["from"] * 1000, False, ask)
            if "until" in other:
                self.at(other["until"] * 1000, False, lambda holder=other["holder"]: self.table.give_back(holder))
        for change in self.scenario.get("limits", []):
            self.at(change["at"] * 1000, False, lambda change=change: self.change_limit(change))

    def change_limit(self, change):
        self.changed_limits[change["key"]] = change["value"]
        self.table.look_again()

    def limit_of(self, lock):
        _, kind, name = lock.split("/", 2)
        if kind == MUTEX:
            return 1
        name, key = name.split("/")
        found = [o["data"][key] for o in self.objects if o["kind"] == CONFIG_MAP and o["metadata"]["name"] == name and key in o["data"]]
        text = self.changed_limits.get("%s/%s" % (name, key), found[0] if found else None)
        if text is None:
            raise Wrong('failed to initialize semaphore %s with limit: configmaps "%s" not found' % (lock, name))
        return int(text)

    # ---- asking and being told ---------------------------------------------------------------------------------------

    def ask(self, node, synchronization):
        """`node` None: the workflow itself."""
        holder = "default/" + self.name + ("/" + node.name if node else "")
        rank = (-self.spec.get("priority", 0), 0, 1, list(self.nodes).index(node.name) + 1 if node else 0)
        try:
            had, message = self.table.ask(holder, rank, names_of(synchronization))
            self.answers.append((holder, had, message))
        except Wrong as e:
            self.answers.append((holder, None, str(e)))
        self.put_lock(node, "waiting")
        if node:
            node.asked = True

    def ask_for_workflow(self):
        if wants_any(self.spec.get("synchronization")):
            self.ask(None, self.spec["synchronization"])

    def news_of_locks(self):
        """Tells one that asked, or that was let in. Whether there was one."""
        if self.answers:
            holder, had, message = self.answers.pop(0)
        elif self.table.let:
            holder, had, message = self.table.let.pop(0), True, ""
        else:
            return False
        if holder == "default/" + self.name:
            self.tell_workflow(had, message)
        elif holder.startswith("default/" + self.name + "/"):
            self.tell_node(self.nodes[holder.split("/", 2)[2]], had, message)
        return True

    def tell_workflow(self, had, message):
        if self.lock != "waiting":
            return
        if had is None:
            return self.finish("Failed", "Failed to acquire the synchronization lock. " + message)
        self.phase, self.message = ("Running", "") if had else ("Pending", message)
        if had:
            self.lock, self.began = "held", self.now

    def tell_node(self, n, had, message):
        n.asked = False
        if n.fulfilled or n.lock != "waiting":
            return
        if had is None:
            return self.cannot_lock(n, message)
        n.message = message
        if had and (self.suspended or (n.boundary and self.frozen(n.boundary))):
            return self.leave_line(n)   # it cannot use them
        n.lock = "granted" if had else "waiting"
        self.changed = True

    def cannot_lock(self, n, message):
        """What cannot even begin shows as Skipped (spec 2.3), unless it waited before."""
        n.bubbles = True
        if not n.message:
            n.type, n.inputs = "Skipped", {}
        self.set(n, "Error", message)

    def put_lock(self, node, state):
        if node:
            node.lock = state
        else:
            self.lock = state

    # ---- a node and its template's locks -------------------------------------------------------------------------------

    def has_locks(self, call, template, inputs, kind):
        """Whether the node may go on: its template wants no locks, or it has them."""
        n = self.nodes.get(call.name)
        if not n:
            over = self.shut(call.exiting) or self.past_deadline(call.exiting)
            if not wants_any(template.get("synchronization")) or over:   # else it would end before it could use them
                return True
            self.may_begin(call)
            n = self.create(call, kind)
            n.template, n.inputs = template, inputs
            self.ask(n, template["synchronization"])
        if n.lock == "granted" and self.full():   # it cannot use them now
            self.leave_line(n)
            n.lock = "crowded out"
        if n.lock == "crowded out":
            self.may_ask_again()
            self.ask(n, template["synchronization"])
        if n.lock == "granted":
            n.lock = "held"
        return n.lock in ("", "held")

    def waits(self, n):
        return n.open and n.lock in ("waiting", "out", "crowded out")

    def give_back(self, n):
        if n.lock:
            n.lock = ""
            self.table.give_back("default/%s/%s" % (self.name, n.name))

    def leave_line(self, n):
        n.lock, n.asked = "out", False
        self.table.give_back("default/%s/%s" % (self.name, n.name))

    def leave_lines(self):
        """The workflow is suspended: others may come first. For its own lock it stays in line, as in Argo."""
        for n in self.nodes.values():
            if self.waits(n):
                self.leave_line(n)

    def ask_again(self):
        for n in list(self.nodes.values()):
            if n.open and n.lock == "out":
                self.ask(n, n.template["synchronization"])

    def give_all_back(self):
        for n in self.nodes.values():
            self.give_back(n)
        if self.lock:
            self.lock = ""
            self.table.give_back("default/" + self.name)

    def lock_is_waited_for(self):
        """A workflow that waits for its own lock does nothing else. Stopped, it has failed, unless its exit handler is to run: that does so
        under the lock. Its terminated kin has failed whatever there is."""
        if self.lock != "waiting":
            return False
        handler = "onExit" in self.spec or "exit" in self.spec.get("hooks", {})
        if self.shutdown == "Terminate" or (self.shutdown and not handler):
            self.finish("Failed", "Stopped with strategy '%s'" % self.shutdown)
        return True
