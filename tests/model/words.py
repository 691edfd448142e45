# SPDX-License-Identifier: Apache-2.0
"""The small languages a workflow is written in, as far as tests/model/generate.py speaks them: tags, `when`, `depends`, expressions.

All are turned into Python and evaluated there: slow, but there is little to be wrong about.
"""
import functools
import json
import re


class Wrong(Exception):
    """What executeTemplate and its helpers return as an error; the text is the node's message."""


ABSENT = None  # the output of a step that was skipped: known, but not there (spec 3.6)

TAG = re.compile(r"\{\{([^{}]*)\}\}")
STRING = r"'[^']*'|\"[^\"]*\""


def put_text(text, known, strict=()):
    """Simple and expression tags (spec 3.2, 3.3). A tag nobody knows stays, unless its prefix is strict."""
    def one(m):
        name = m.group(1).strip()
        if name.startswith("="):
            return expression_tag(m, name[1:], known)
        if name in known:
            if known[name] is ABSENT:
                raise Wrong("unable to substitute {{%s}}: output is an absent optional" % name)
            return known[name]
        if any(name.startswith(p) for p in strict):
            raise Wrong("failed to resolve {{%s}}" % name)
        return m.group(0)
    return TAG.sub(one, text)


def expression_tag(m, text, known):
    try:
        value = expression(text, known)
    except (KeyError, TypeError, ValueError, NameError):
        return m.group(0)
    if value is None:
        return m.group(0)
    return value if isinstance(value, str) else compact(value)


def put(value, known, strict=()):
    """The same through a whole object. An argument that is nothing but the tag of an absent output becomes absent itself."""
    if isinstance(value, str):
        if "{{" not in value:
            return value
        whole = TAG.fullmatch(value)
        if whole and known.get(whole.group(1).strip(), "") is ABSENT:
            return ABSENT
        return put_text(value, known, strict)
    if isinstance(value, list):
        return [put(v, known, strict) for v in value]
    if isinstance(value, dict):
        return {k: put(v, known, strict) for k, v in value.items()}
    return value


def compact(value):
    """JSON as Go writes it."""
    text = json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def scalar(value):
    """A parameter's value is text, whatever was written (spec 1.0)."""
    return value if isinstance(value, str) else compact(value)


def boolean_words(text):
    return re.sub(r"!(?!=)", " not ", text.replace("&&", " and ").replace("||", " or "))


@functools.lru_cache(maxsize=100000)
def condition(text):
    """`when` (spec 2.7): what is not a number or a quoted string is a bare word, and that is a string too."""
    def word(m):
        w = m.group(0)
        if w[0] in "'\"":
            return w
        if w in ("true", "false"):
            return w.capitalize()
        try:
            return str(float(w))
        except ValueError:
            return repr(w)
    value = eval(boolean_words(re.sub(STRING + r"|[\w.\-]+", word, text)), {"__builtins__": {}})
    if not isinstance(value, bool):
        raise Wrong("Expected boolean evaluation for '%s'. Got %s" % (text, compact(int(value) if isinstance(value, float) else value)))
    return value


def expression(text, known):
    """expr-lang: variables are dotted names, all of them strings."""
    return eval(compiled(text), {"__builtins__": {}}, {"known": known, "asInt": int})


@functools.lru_cache(maxsize=100000)
def compiled(text):
    def word(m):
        w = m.group(0)
        if w[0] in "'\"" or w[0].isdigit() or w in ("asInt", "in", "not", "and", "or"):
            return w
        if w in ("true", "false"):
            return w.capitalize()
        return "known[%r]" % w
    text = re.sub(r"\['([^']+)'\]", r".\1", text)   # a['b-c'].d is a.b-c.d
    return compile(re.sub(STRING + r"|[\w.\-]+", word, boolean_words(text)), text, "eval")


RESULTS = ("Succeeded", "Failed", "Errored", "Skipped", "Omitted", "Daemoned", "AnySucceeded", "AllFailed")
OPERAND = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*(?:\.[A-Z][a-zA-Z]+)?")


@functools.lru_cache(maxsize=100000)
def operands(text):
    """The tasks a `depends` speaks of, in order."""
    names = []
    for m in OPERAND.finditer(text):
        name = m.group(0).split(".")[0]
        if name not in names:
            names.append(name)
    return names


def depends(text, holds):
    """`holds(task, result)`; `result` is None for a bare task (spec 2.6)."""
    def one(m):
        task, _, result = m.group(0).partition(".")
        return str(holds(task, result or None))
    return truth(boolean_words(OPERAND.sub(one, text)))


@functools.lru_cache(maxsize=100000)
def truth(text):
    return eval(text, {"__builtins__": {}})


DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")


def duration(text):
    """Milliseconds: a bare number is seconds (spec 1.0)."""
    text = str(text)
    if text.isdigit():
        return int(text) * 1000
    return int(sum(float(n) * {"ms": 1, "s": 1000, "m": 60000, "h": 3600000}[u] for n, u in DURATION.findall(text)))


def human(ms):
    """As Argo's humanize writes a wait."""
    s = ms // 1000
    if s < 60:
        return "%d seconds" % s
    return "%d minutes %d seconds" % (s // 60, s % 60) if s < 3600 else "%d hours %d minutes %d seconds" % (s // 3600, s // 60 % 60, s % 60)


@functools.lru_cache(maxsize=100000)
def fnv32a(text):
    h = 2166136261
    for b in text.encode():
        h = (h ^ b) * 16777619 & 0xFFFFFFFF
    return h


def describe(item):
    """What of an item goes into its node's name (spec 2.1)."""
    if isinstance(item, dict):
        text = ",".join(sorted("%s:%s" % (k, plain(v)) for k, v in item.items()))
    else:
        text = plain(item)
    return text.replace("(", "").replace(")", "")


def plain(v):
    if isinstance(v, list):
        return "[%s]" % " ".join(plain(x) for x in v)
    return v if isinstance(v, str) else compact(v)
