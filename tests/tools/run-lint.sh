#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run-lint.sh check|golden TIDEGATE: what lint says of each manifest (or folder) in tests/lint must be what its .golden
# file says, byte for byte: place, text, hint and exit code. `golden` writes the files anew: read every change of them.
set -u
mode=$1 tidegate=$(realpath "$2")
cd "$(dirname "$0")/../lint"
passed=0 failed=0
for path in *.yaml *.json set-*; do
	case $path in *.golden) continue ;; esac
	out=$("$tidegate" lint --no-color --show-source "$path" 2>/dev/null; echo "exit $?")
	if [ "$mode" = golden ]; then
		printf '%s\n' "$out" >"$path.golden"
	elif [ ! -f "$path.golden" ]; then
		echo "FAILED $path: no $path.golden (make lint-golden writes it; read it)"
		failed=$((failed + 1))
	elif printf '%s\n' "$out" | cmp -s - "$path.golden"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAILED $path"
		printf '%s\n' "$out" | diff -u "$path.golden" - || true
	fi
done
for golden in *.golden; do
	[ -e "${golden%.golden}" ] || { echo "FAILED $golden: no such manifest"; failed=$((failed + 1)); }
done
[ "$mode" = golden ] || echo "lint: $passed passed, $failed failed"
[ $failed -eq 0 ]
