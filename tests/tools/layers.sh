#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# layers.sh: who may include whom. core <- config <- bus <- {sources, sensors, triggers, engine} <- {api, cli}.
# Between siblings only two arrows: sensors use triggers (they fire them), and triggers/ may call the engine's front.
# Of the engine's folders each has its own list: what is not in it, the executor and the shell above all, the pure core cannot come to use.
cd "$(dirname "$0")/../.." || exit 1
grep -rHo --include='*.[ch]' '^#include "[a-z]*/[^"]*"' core config bus sources sensors triggers engine api cli |
awk -F'[:"]' '
BEGIN {
	allowed["core"] = "core"
	allowed["config"] = "core config"
	allowed["bus"] = "core config bus"
	allowed["sources"] = "core config bus sources"
	allowed["triggers"] = "core config bus triggers"
	allowed["sensors"] = "core config bus sensors triggers"
	allowed["engine"] = "core config engine"
	inner["engine/shim"] = "engine/shim/"
	inner["engine/artifact"] = "core/ engine/artifact/"
	inner["engine/spec"] = "core/ config/ engine/spec/ engine/run/evaluate.h engine/run/depends.h engine/run/run.h"
	inner["engine/run"] = "core/ config/ engine/spec/ engine/run/ engine/engine.h engine/locks.h engine/selector.h engine/custom_metrics.h"
	inner["engine/sim"] = "core/ config/ engine/spec/ engine/run/ engine/sim/ engine/engine.h engine/custom_metrics.h"
	inner["engine/exec"] = "core/ config/ engine/spec/ engine/run/ engine/exec/ engine/artifact/local.h engine/shim/task.h"
	allowed["api"] = "core config bus sources sensors triggers engine api"
	allowed["cli"] = "core config bus sources sensors triggers engine api cli"
}
function begins(path, list,    words, n, i) {
	n = split(list, words, " ")
	for (i = 1; i <= n; i++)
		if (index(path, words[i]) == 1)
			return 1
	return 0
}
{
	from = $1; to = $3
	split(from, f, "/"); split(to, t, "/")
	folder = f[1] "/" f[2]
	if (folder in inner ? begins(to, inner[folder]) : (" " allowed[f[1]] " ") ~ (" " t[1] " "))
		next
	if (f[1] == "triggers" && to == "engine/engine.h")
		next
	print from ": must not include " to
	bad++
}
END { print "layers: " (bad ? bad " wrong includes" : "ok"); exit bad > 0 }'
