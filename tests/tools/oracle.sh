#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the vectors anew with the real implementations and compares them with those that are kept. oracle.sh DIRECTORY; needs go.
# What changes with the day, as a random number would, must not be in them.
out=$1
wrong=0
mkdir -p "$out" || exit 1
out=$(cd "$out" && pwd)
make_one()
{
	echo "  ORACLE $3"
	if ! (cd "tests/oracle/$1" && GOFLAGS=-mod=mod go run . $2) >"$out/$3" 2>"$out/$3.err"; then
		head -5 "$out/$3.err"
		wrong=1
	elif ! cmp -s "$out/$3" "tests/vectors/$3"; then
		diff "tests/vectors/$3" "$out/$3" | head -6 | cut -c1-200
		echo "$3 differs"
		wrong=1
	fi
}
make_one avro "" avro.jsonl
make_one expr "" expr.jsonl
make_one gjson "" gjson.jsonl
make_one gotmpl "" gotmpl.jsonl
make_one govaluate "" exprs.jsonl
make_one jq "" jq.jsonl
make_one lua "" lua.jsonl
make_one regex "" regex.jsonl
make_one robfig "" robfig.tsv
make_one sjson "" sjson.jsonl
make_one jsonpath "" jsonpath.jsonl
make_one workflows expr expr-workflows.jsonl
make_one workflows sprig sprig.jsonl
make_one workflows tags tags.jsonl
make_one workflows when when.jsonl
make_one workflows selector selector.jsonl
make_one workflows numbers gonumbers.jsonl
[ $wrong = 0 ] && echo "oracle: all vectors are as made"
exit $wrong
