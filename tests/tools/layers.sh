#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# layers.sh: who may include whom. core <- config <- bus <- {sources, sensors, triggers, engine} <- {api, cli}.
# Between siblings only two arrows: sensors use triggers (they fire them), and triggers/ may call the engine's front.
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
	allowed["api"] = "core config bus sources sensors triggers engine api"
	allowed["cli"] = "core config bus sources sensors triggers engine api cli"
}
{
	from = $1; to = $3
	split(from, f, "/"); split(to, t, "/")
	if ((" " allowed[f[1]] " ") ~ (" " t[1] " "))
		next
	if (f[1] == "triggers" && to == "engine/engine.h")
		next
	print from ": must not include " to
	bad++
}
END { print "layers: " (bad ? bad " wrong includes" : "ok"); exit bad > 0 }'
