#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run-unit.sh TEST...: runs cmocka programs and counts their tests. What one says goes into a file: something that a failed test left
# running may hold it open for ever, and is not waited for.
passed=0 failed=0
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
for t in "$@"; do
	"$t" >"$log" 2>&1
	code=$?
	out=$(cat "$log")
	p=$(printf '%s\n' "$out" | sed -n 's/^\[  PASSED  \] \([0-9]*\) test(s)\.$/\1/p')
	f=$(printf '%s\n' "$out" | sed -n 's/^\[  FAILED  \] [a-z_0-9]*: \([0-9]*\) test(s).*/\1/p')
	passed=$((passed + ${p:-0}))
	if [ $code -ne 0 ]; then
		failed=$((failed + ${f:-1}))
		printf '%s\n%s\n' "FAILED $t" "$out"
	fi
done
echo "unit: $passed passed, $failed failed"
[ $failed -eq 0 ]
