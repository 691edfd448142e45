// SPDX-License-Identifier: Apache-2.0

// Writes tests/vectors/regex.jsonl: which patterns Go's regexp accepts and what they match.
//
//	cd tests/oracle/regex && go run . > ../../vectors/regex.jsonl
package main

import (
	"encoding/json"
	"os"
	"regexp"
)

type vector struct {
	Pattern string `json:"pattern"`
	Text    string `json:"text"`
	OK      bool   `json:"ok"`
	Match   bool   `json:"match"`
	Spans   []int  `json:"spans,omitempty"`
}

var patterns = []string{
	"", "a", "^a$", "main", "^refs/heads/(main|release-.*)$", "rel", "a.c", "(?s)a.c", "(?i)ABC", "(?m)^b$", "^b$", "b$", "c\\z", "\\Aab", "a|b|", "(a|ab)(c|bcd)", "a*", "a*?", "a+?b", "a{2}", "a{2,}", "a{2,3}", "a{,3}", "a{", "a{x}", "a{2,1}", "a{1001}", "a{1000}",
	"a**", "a*+", "a++", "a?+", "a??", "a+??", "a{2}+", "a{2}?", "(?:a*)*", "*a", "+", "?", "(*a)", "(|a)*", "(?:)", "()", "(", ")", "(a", "a)", "[a", "[]a]", "[^]a]", "[a-c]", "[c-a]", "[a\\-c]", "[\\d-x]", "[-a]", "[a-]", "[[:alpha:]]+", "[[:^alpha:]]+", "[[:foo:]]", "[:alpha:]", "[[a]", "[a[b]", "[\\]]", "[\\s]", "[\\S]", "[\\v]", "[\\b]", "[\\z]",
	"\\d+", "\\D+", "\\w+", "\\W+", "\\s+", "\\S+", "\\bfoo\\b", "\\Bo", "\\1", "(a)\\1", "\\12", "\\07", "\\0", "\\8", "\\k<x>", "\\g1", "\\G", "\\Z", "\\h", "\\R", "\\X", "\\K", "\\N", "\\C", "\\c", "\\e", "\\x41", "\\x4", "\\x{41}", "\\x{110000}", "\\x{}", "\\pL+", "\\p{Greek}", "\\p{Foo}", "\\PL", "\\p{^L}", "\\p", "\\p{L", "\\a\\f\\t\\n\\r\\v", "\\Qa.b\\E+", "\\Qa.b", "\\Q\\E*", "\\.", "\\-", "\\/", "\\é", "\\", "\\_",
	"(?=a)", "(?!a)", "(?<=a)b", "(?<!a)b", "(?>a)", "(?#c)", "(?|a)", "(?R)", "(?1)", "(?&n)", "(?(1)a)", "(?P<n>a)(?P=n)", "(?P<n>a)b", "(?<n>a)b", "(?<n-x>a)", "(?P<1>a)", "(?P<>a)", "(?P<n>a)(?P<n>b)", "(?x)a b", "(?J)a", "(?U)a+", "(?i-s:A)b", "(?i", "(?)", "(?i)", "(?-i:a)", "(?ii)a", "(?^)a", "(*UTF8)a", "é+", "[é]", "[à-ü]", ".", "(?i)É", "\\w\\W", "^$", "$^", "^*", "$*", "\\b*", "(?i)*", "x*|y", "(a+)(b+)?", "(a)|(b)", "((a)(b))", "a(?:b|c)d", "^[^/]+/[^/]+$", "\\d{3}-\\d{4}", "^v?\\d+\\.\\d+(\\.\\d+)?$",
}
var texts = []string{"", "a", "aaab", "abc", "abcd", "a\nc", "a\nb\nc\n", "refs/heads/main", "my-release", "foo bar", "x\x0by z", "éà", "Ωmega", "v1.2.3", "555-1234", "a.b", "a{2}", "ABC1_", "\xff\xfea"}

func main() {
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	n := 0
	for _, p := range patterns {
		re, err := regexp.Compile(p)
		if err != nil {
			out.Encode(vector{Pattern: p})
			continue
		}
		for i, t := range texts {
			if (i+n)%3 != 0 { // a third of the pairs, all texts and patterns in turn
				continue
			}
			if t == "\xff\xfea" {
				continue
			}
			loc := re.FindStringSubmatchIndex(t)
			out.Encode(vector{p, t, true, loc != nil, loc})
		}
		n++
	}
}
