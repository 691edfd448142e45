#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run-unit.sh TEST...: runs cmocka programs and counts their tests.
passed=0 failed=0
for t in "$@"; do
	out=$("$t" 2>&1)
	code=$?
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
