#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run-fuzz.sh replay DIR TARGET...: gives each target its committed corpus (tests/fuzz/corpus/<name>).
# run-fuzz.sh fuzz DIR SECONDS TARGET...: fuzzes each for that long; new inputs are kept in DIR, crashes too.
set -u
mode=$1 dir=$2
shift 2
[ "$mode" = fuzz ] && { seconds=$1; shift; }
failed=0 n=0
for target in "$@"; do
	name=${target##*/fuzz_}
	corpus=tests/fuzz/corpus/$name
	if [ ! -d "$corpus" ]; then
		echo "fuzz_$name: no corpus in $corpus" >&2
		failed=1
		continue
	fi
	out=$dir/$name.log
	mkdir -p "$dir/$name"
	if [ "$mode" = replay ]; then
		"$target" "$corpus" >"$out" 2>&1
	else
		"$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1500 -max_len=8192 -print_final_stats=1 \
			-artifact_prefix="$dir/$name-" "$dir/$name" "$corpus" >"$out" 2>&1
	fi || { failed=1; echo "FAILED fuzz_$name"; tail -40 "$out"; }
	[ "$mode" = fuzz ] && echo "fuzz_$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$out") runs in ${seconds}s"
	n=$((n + 1))
done
[ "$mode" = replay ] && echo "fuzz corpora: $n targets replayed$([ $failed = 0 ] || echo ', with failures')"
exit $failed
