#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# demo.sh: a git push starts a workflow, on this machine, now.
# TIDEGATE: the program; SANDBOX: auto, require or off. Everything lives in a directory that goes away at the end.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tidegate=${TIDEGATE:-$here/../../tidegate}
work=$(mktemp -d)
daemon= server=
finish() {
	status=$?
	trap - EXIT INT TERM
	[ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true
	[ -z "$server" ] || kill "$server" 2>/dev/null || true
	[ -z "$daemon" ] || wait "$daemon" 2>/dev/null || true
	if [ $status -ne 0 ]; then
		echo "demo failed; the daemon said:" >&2
		cat "$work/daemon.log" >&2 || true
	fi
	rm -rf "$work"
	exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] && [ -z "${NO_COLOR:-}" ] || say() { printf '\n%s\n' "$*"; }
# until_true SECONDS COMMAND...: waits for something to become true
until_true() {
	left=$(($1 * 20))
	shift
	until "$@" >/dev/null 2>&1; do
		left=$((left - 1))
		[ $left -gt 0 ] || { echo "waited in vain for: $*" >&2; return 1; }
		sleep 0.05
	done
}
# free_port FIRST: the first port from there on where nobody listens
free_port() {
	port=$1
	while curl -s -o /dev/null --max-time 1 "http://127.0.0.1:$port/" || [ $? -ne 7 ]; do
		port=$((port + 1))
	done
	echo "$port"
}
tg() { "$tidegate" "$@" --state "$work/state"; }

say "1. the daemon serves $(basename "$here")/: an EventSource, a Sensor, a WorkflowTemplate"
port=$(free_port 12000)
mkdir "$work/manifests"
for f in "$here"/*.yaml; do
	sed "s/\"12000\"/\"$port\"/" "$f" >"$work/manifests/${f##*/}"
done
"$tidegate" serve --state "$work/state" --listen 127.0.0.1:0 --sandbox "${SANDBOX:-auto}" "$work/manifests" >"$work/daemon.log" 2>&1 &
daemon=$!
until_true 30 tg list
cat "$work/daemon.log"

say "2. a git repository whose post-receive hook delivers a signed push, as GitHub does"
git_port=$(free_port $((port + 1)))
git init -q --bare -b main "$work/git/app.git"
git daemon --reuseaddr --listen=127.0.0.1 --port="$git_port" --base-path="$work/git" --export-all "$work/git" 2>"$work/git.log" &
server=$!
cp "$here/post-receive" "$work/git/app.git/hooks/post-receive"
chmod 755 "$work/git/app.git/hooks/post-receive"
git -C "$work/git/app.git" config tidegate.url "http://127.0.0.1:$port/push"
git -C "$work/git/app.git" config tidegate.secret only-for-the-demo
git -C "$work/git/app.git" config tidegate.cloneUrl "git://127.0.0.1:$git_port/app.git"
git init -q -b main "$work/app"
cd "$work/app"
git config user.name "A Developer"
git config user.email developer@example.org
git remote add origin "$work/git/app.git"
printf '#!/bin/sh\necho "Hello, ${1:-world}!"\n' >hello.sh
printf '#!/bin/sh\nset -e\n[ "$(sh ./hello.sh)" = "Hello, world!" ] && echo "ok 1 greets the world"\n[ "$(sh ./hello.sh you)" = "Hello, you!" ] && echo "ok 2 greets you"\n' >test.sh
git add .
git commit -q -m "Greet the world"
commit=$(git rev-parse HEAD)
until_true 30 git ls-remote "git://127.0.0.1:$git_port/app.git"

say "3. git push origin main"
git push -q origin main 2>&1
found() { name=$(tg list -o name 2>/dev/null) && [ -n "$name" ]; }
until_true 30 found
found
tg wait "$name" || { tg get "$name"; tg logs "$name"; exit 1; }
tg get "$name" -o short
say "4. its logs"
tg logs "$name" | tee "$work/logs"
grep -q "commit $commit" "$work/logs" || { echo "the logs do not name commit $commit" >&2; exit 1; }

say "5. git push origin feature: another branch, and nothing happens. Why?"
git checkout -q -b feature
git commit -q --allow-empty -m "Not ready yet"
git push -q origin feature 2>&1
explained() { tg events | grep -q 'filtered'; }
until_true 30 explained
tg events
[ "$(tg list -o name | wc -l)" -eq 1 ] || { echo "the push to feature started a workflow" >&2; exit 1; }

say "done: $commit was cloned, tested and packaged; the other branch was filtered"
