# SPDX-License-Identifier: Apache-2.0
"""Hooks with a condition (spec 2.9), as part of the model: of steps, of tasks, and of the workflow.

Whenever everything is looked at, so are they: one that has not begun does so once its condition holds. Who waits for the node waits for
its hooks that began; what they come to is their own affair. A node's exit hook comes after them.
"""
from words import Wrong, expression, put


def conditional(hooks):
    return {k: v for k, v in (hooks or {}).items() if k != "exit"}


class Hooks:
    def lifecycle(self, n, node, step, kind):
        """Those of a step or task. Whether none that began is still open."""
        hooks = conditional(step.get("hooks"))
        if not hooks or node.untold:
            return not hooks
        known = self.hook_scope(n, node, step, kind)
        whole = n if kind == "tasks" else self.nodes[node.name[:node.name.index("]", len(n.name)) + 1]]
        return self.look_at_hooks(node, hooks, known, lambda name, hook: self.hook_call(n, name, hook), lambda why: self.will_be_error(whole, why))

    def hook_scope(self, n, node, step, kind):
        """What its exit hook knows; its own status is the node's, also of one that is tried again."""
        known = dict(self.globals(), **self.around(n, node, step, kind))
        known["%s.%s.status" % (kind, step["name"])] = node.phase
        return known

    def look_at_hooks(self, node, hooks, known, make_call, cannot_begin):
        closed = True
        for key in hooks:
            hook, name = hooks[key], "%s.hooks.%s" % (node.name, key)
            if name not in self.hook_calls:
                if not self.holds(hook["expression"], known):
                    continue
                call = self.hook_calls[name] = make_call(name, hook)
                if hook.get("arguments", {}).get("parameters"):
                    call.args = self.arguments(put(hook["arguments"], known))
            done = self.execute_hook(self.hook_calls[name])
            if done:
                self.link(node, done)
                if done.bubbles:
                    cannot_begin(done.message)
            closed = closed and bool(done) and done.fulfilled
        return closed

    @staticmethod
    def holds(text, known):
        try:
            return expression(text, known)
        except KeyError:
            return False   # it speaks of what is not there yet

    def workflow_hooks(self, root):
        """Those of the workflow see the state of its root as its status. Whether none that began is still open."""
        hooks = conditional(self.spec.get("hooks"))
        known = dict(self.globals(), **{"workflow.status": "Succeeded" if root.phase in ("Skipped", "Omitted") else root.phase})
        return not hooks or self.look_at_hooks(root, hooks, known, lambda name, hook: self.hook_call(None, name, hook), self.hook_wrong)

    def hook_wrong(self, why):
        self.hook_error = self.hook_error or why

    def hook_call(self, n, name, hook):
        if not n:
            return self.Call(name, hook, self.parameters, scope="local/" + self.name, hooked=True)
        return self.Call(name, hook, self.parameters, n, n.call.inner, {}, n.call.exiting, True, n.call.depth + 1)

    def execute_hook(self, call):
        try:
            return self.execute(call)
        except self.Blocked:
            return self.nodes.get(call.name)

    def hooks_done(self, node):
        due = [name for name in self.hook_calls if name.startswith(node.name + ".hooks.") and name not in self.nodes]
        return not due and all(c.fulfilled for c in node.children if c.call.hooked)
