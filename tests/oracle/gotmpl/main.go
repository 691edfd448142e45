// SPDX-License-Identifier: Apache-2.0

// Writes tests/vectors/gotmpl.jsonl: what Go's text/template with sprig makes of many templates, used as Argo Events uses them.
//
//	cd tests/oracle/gotmpl && TZ=UTC go run . > ../../vectors/gotmpl.jsonl
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"text/template"

	"github.com/Masterminds/sprig/v3"
)

type vector struct {
	Template string `json:"template"`
	Input    string `json:"input"`
	OK       bool   `json:"ok"`
	Out      string `json:"out"`
}

const object = `{"a":1,"b":{"c":"x","d":[1,2,3],"e":null},"n":1234567890,"f":1.5,"big":12345678901234567890,"neg":-7,"z":0,"s":"Hello World","e":"","t":true,"no":false,"nul":null,` +
	`"l":["b","a","c","a"],"m":{"k2":"v2","k1":"v1"},"objs":[{"name":"x","v":1},{"name":"y","v":2}],"html":"<a href=\"x\">&'</a>","uni":"héllo wörld","num":"42","mixed":[1,"a",null,true,{"q":1}],"tiny":0.000001,"el":[],"em":{}}`

var objectTemplates = []string{
	// printing
	"plain", "", "{{.Input.a}}", "{{ .Input.n }}", "{{.Input.f}}", "{{.Input.big}}", "{{.Input.neg}}", "{{.Input.tiny}}", "{{.Input.s}}", "{{.Input.t}}", "{{.Input.nul}}", "{{.Input.missing}}", "{{.Input.missing.deeper}}", "{{.Input.nul.deeper}}", "{{.Input.s.deeper}}", "{{.Input.a.deeper}}",
	"{{.Input.b}}", "{{.Input.l}}", "{{.Input.m}}", "{{.Input.mixed}}", "{{.Input.el}}", "{{.Input.em}}", "{{.Input.objs}}", "{{.Input.b.d}}", "{{.}}", "{{.Input.e}}", "x{{.Input.missing}}y", "{{$.Input.a}}", "{{.Other}}", "{{.Input.b.c}}-{{.Input.b.d}}",
	// trimming, comments
	"a {{- .Input.a -}} b", "a {{- \"x\" }} b", "a {{ \"x\" -}}  \n b", "{{/* comment */}}x", "x {{- /* c */ -}} y", "{{/* unclosed", "{{- /* c */}}", "{{ /* no */ }}", "{{\"a}}b\"}}", "{{`raw}}`}}", "{{'a'}}", "{{'\\n'}}", "{{'ab'}}", "{{\"\\t\\u00e9\\x41\\101\"}}", "{{\"\\q\"}}", "{{\"unterminated}}", "{{\n.Input.a\n}}",
	// constants
	"{{1}}", "{{1.5}}", "{{1e3}}", "{{0x1F}}", "{{0b11}}", "{{0o17}}", "{{017}}", "{{1_000}}", "{{-5}}", "{{+5}}", "{{.5}}", "{{true}}", "{{false}}", "{{nil}}", "{{12345678901234567890}}", "{{1.0}}", "{{1e21}}", "{{100000000.0}}", "{{0.00001}}", "{{1 2}}", "{{\"a\" \"b\"}}", "{{1x}}",
	// control
	"{{if .Input.t}}yes{{else}}no{{end}}", "{{if .Input.no}}yes{{else}}no{{end}}", "{{if .Input.missing}}yes{{else}}no{{end}}", "{{if .Input.el}}yes{{else}}no{{end}}", "{{if .Input.l}}yes{{end}}", "{{if .Input.z}}y{{else if .Input.a}}a{{else}}n{{end}}", "{{if .Input.z}}y{{else if .Input.no}}a{{else}}n{{end}}", "{{if and .Input.a .Input.t}}y{{end}}", "{{if or .Input.z .Input.e}}y{{else}}n{{end}}", "{{if not .Input.t}}y{{else}}n{{end}}",
	"{{with .Input.b}}{{.c}}{{end}}", "{{with .Input.missing}}x{{else}}none{{end}}", "{{with .Input.missing}}x{{else with .Input.s}}{{.}}{{end}}", "{{with $x := .Input.a}}{{$x}}{{.}}{{end}}", "{{range .Input.l}}{{.}},{{end}}", "{{range $i, $v := .Input.l}}{{$i}}={{$v}} {{end}}", "{{range $v := .Input.l}}{{$v}}{{end}}", "{{range $k, $v := .Input.m}}{{$k}}:{{$v}} {{end}}", "{{range .Input.m}}{{.}} {{end}}", "{{range .Input.el}}x{{else}}empty{{end}}", "{{range .Input.missing}}x{{else}}empty{{end}}", "{{range .Input.s}}x{{end}}", "{{range .Input.a}}x{{end}}", "{{range 3}}{{.}}{{end}}", "{{range $i := 3}}{{$i}}{{end}}", "{{range .Input.objs}}{{.name}}={{.v}};{{end}}", "{{range .Input.l}}{{if eq . \"a\"}}{{continue}}{{end}}{{.}}{{end}}", "{{range .Input.l}}{{if eq . \"a\"}}{{break}}{{end}}{{.}}{{end}}", "{{break}}", "{{range .Input.objs}}{{$.Input.a}}{{end}}", "{{range $i, $o := .Input.objs}}{{if $i}}, {{end}}{{$o.name}}{{end}}",
	"{{$x := 1}}{{$x}}", "{{$x := 1}}{{$x = 2}}{{$x}}", "{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "{{$x := 1}}{{if true}}{{$x := 2}}{{$x}}{{end}}{{$x}}", "{{$y}}", "{{$x = 1}}", "{{if true}}{{$x := 1}}{{end}}{{$x}}", "{{$m := .Input.m}}{{$m.k1}}", "{{$x, $y := .Input.l}}",
	"{{define \"t\"}}[{{.}}]{{end}}{{template \"t\" .Input.a}}{{template \"t\" .Input.s}}", "{{template \"none\"}}", "{{define \"t\"}}{{.}}{{end}}{{template \"t\"}}", "{{block \"b\" .Input.s}}<{{.}}>{{end}}", "{{define \"r\"}}{{template \"r\"}}{{end}}{{template \"r\"}}", "{{define \"t\"}}{{$x}}{{end}}",
	"{{end}}", "{{if .Input.a}}", "{{else}}", "{{if}}x{{end}}", "{{range}}{{end}}", "{{.Input.a", "{{nofunc 1}}", "{{.Input.a | nofunc}}", "{{}}", "{{ }}", "{{(.Input.b).c}}", "{{(index .Input.objs 0).name}}", "{{(1}}", "{{1)}}", "{{.Input..a}}", "{{.Input.a.}}", "{{| 1}}", "{{1 |}}", "{{1 | 2}}", "{{.Input.a | .Input.b}}", "{{.Input.a 1}}", "{{$.}}", "{{#}}", "{{.Input.a}}}}", "{{{.Input.a}}", "}}", "{{if .Input.a}}a{{else}}b{{else}}c{{end}}",
	// builtins
	"{{len .Input.l}}", "{{len .Input.s}}", "{{len .Input.m}}", "{{len .Input.missing}}", "{{len 3}}", "{{index .Input.l 1}}", "{{index .Input.l 9}}", "{{index .Input.l -1}}", "{{index .Input.m \"k1\"}}", "{{index .Input.m \"none\"}}", "{{index .Input.objs 1 \"name\"}}", "{{index .Input.b \"d\" 0}}", "{{index .Input.missing \"x\"}}", "{{index .Input.l \"x\"}}", "{{index .Input.s 0}}", "{{index .Input.l}}",
	"{{eq .Input.a 1}}", "{{eq .Input.a 1.0}}", "{{eq .Input.s \"Hello World\"}}", "{{eq .Input.s \"a\" \"Hello World\"}}", "{{eq 1 1.0}}", "{{eq \"1\" 1}}", "{{eq .Input.nul nil}}", "{{eq .Input.missing nil}}", "{{eq .Input.a nil}}", "{{ne .Input.s \"x\"}}", "{{eq .Input.l .Input.l}}", "{{eq true .Input.t}}", "{{eq 1}}", "{{lt 1 2}}", "{{lt .Input.a 2.0}}", "{{lt .Input.a 2}}", "{{le 2 2}}", "{{gt \"b\" \"a\"}}", "{{ge 1 2}}", "{{lt \"a\" 1}}", "{{lt true false}}", "{{eq (int .Input.a) 1}}", "{{gt (int .Input.n) 5}}",
	"{{and 1 0}}", "{{and 1 2}}", "{{or 0 \"\"}}", "{{or 0 3}}", "{{and}}", "{{or .Input.missing \"d\"}}", "{{and .Input.missing (fail \"never\")}}", "{{or 1 (fail \"never\")}}", "{{0 | or 5}}", "{{5 | and 1}}", "{{not 0}}", "{{not .Input.missing}}",
	"{{print 1 2 \"a\" \"b\" 3 4}}", "{{print .Input.nul}}", "{{print nil}}", "{{println 1 \"a\"}}", "{{printf \"%d\" 3}}", "{{printf \"%s\" .Input.s}}", "{{printf \"%v %v\" .Input.a .Input.l}}", "{{printf \"%q\" .Input.s}}", "{{printf \"%5d|%-5d|%05d\" 3 3 3}}", "{{printf \"%.2f\" .Input.f}}", "{{printf \"%f\" .Input.f}}", "{{printf \"%e\" .Input.n}}", "{{printf \"%g\" .Input.n}}", "{{printf \"%.0f\" .Input.n}}", "{{printf \"%d\" .Input.a}}", "{{printf \"%s\" .Input.a}}", "{{printf \"%x %X\" 255 255}}", "{{printf \"%x\" \"hi\"}}", "{{printf \"%t\" true}}", "{{printf \"%c\" 65}}", "{{printf \"%o %b\" 8 5}}", "{{printf \"%%\"}}", "{{printf \"%d\"}}", "{{printf \"%d\" 1 2}}", "{{printf \"%s|%10s|%-10s|\" \"a\" \"b\" \"c\"}}", "{{printf \"%T %T %T %T %T %T\" 1 1.5 \"s\" true .Input.l .Input.m}}", "{{printf \"%v\" .Input.nul}}", "{{printf \"%+d\" 5}}", "{{printf \"% d\" 5}}", "{{printf \"%#x\" 255}}", "{{printf \"%.3s\" \"abcdef\"}}", "{{printf \"%8.3f|\" 3.14159}}", "{{printf \"%U\" 233}}", "{{printf \"%d%%\" 5}}", "{{printf \"%z\" 1}}", "{{printf \"%\"}}", "{{printf 5}}", "{{printf \"%s\" .Input.missing}}", "{{printf \"%q\" .Input.l}}", "{{printf \"%d\" (int64 .Input.n)}}", "{{printf \"%s-%d\" .Input.b.c (len .Input.l)}}", "{{.Input.s | printf \"%s!\"}}", "{{printf \"%5t|\" true}}", "{{printf \"%v\" .Input.m}}",
	"{{html .Input.html}}", "{{urlquery .Input.html}}", "{{html 1 2}}", "{{.Input.html | html | urlquery}}", "{{urlquery \"a b+c/d?e=f\"}}",
	// sprig strings
	"{{upper .Input.s}}", "{{.Input.s | lower}}", "{{upper .Input.uni}}", "{{title \"hello wORLD foo-bar a_b 1st\"}}", "{{untitle \"Hello World\"}}", "{{swapcase \"Hello World\"}}", "{{trim \"  a b \\n\"}}", "{{trimAll \"$\" \"$5.00$\"}}", "{{trimPrefix \"-\" \"--a\"}}", "{{trimSuffix \"-\" \"a--\"}}", "{{nospace \"a b\\tc\"}}", "{{initials \"First Try  x\"}}", "{{substr 0 5 .Input.s}}", "{{substr 3 -1 .Input.s}}", "{{substr -1 3 .Input.s}}", "{{substr 3 100 .Input.s}}", "{{substr 5 3 .Input.s}}", "{{trunc 5 .Input.s}}", "{{trunc -5 .Input.s}}", "{{trunc 100 .Input.s}}", "{{abbrev 5 .Input.s}}", "{{abbrev 3 .Input.s}}", "{{abbrev 20 .Input.s}}", "{{abbrevboth 5 10 \"1234 5678 9123\"}}", "{{abbrevboth 6 12 \"1234 5678 9123 4567\"}}", "{{repeat 3 \"ab\"}}", "{{repeat 0 \"ab\"}}", "{{repeat -1 \"ab\"}}", "{{replace \" \" \"-\" .Input.s}}", "{{replace \"\" \"-\" \"ab\"}}", "{{indent 2 \"a\\nb\"}}", "{{nindent 2 \"a\\nb\"}}", "{{indent 0 \"a\"}}", "{{wrap 5 \"Hello big wide World\"}}", "{{wrap 3 \"longword and more\"}}", "{{wrapWith 5 \"|\" \"Hello big wide World\"}}", "{{wrapWith 3 \"|\" \"longword\"}}", "{{wrap 80 \"short\"}}", "{{wrap 1 \"a  b\"}}",
	"{{contains \"World\" .Input.s}}", "{{hasPrefix \"He\" .Input.s}}", "{{hasSuffix \"x\" .Input.s}}", "{{plural \"one\" \"many\" 1}}", "{{plural \"one\" \"many\" 2}}", "{{quote .Input.s 1 .Input.nul \"a\\\"b\"}}", "{{squote .Input.s 1}}", "{{cat \"a\" 1 .Input.nul true}}", "{{cat}}", "{{quote .Input.missing}}",
	"{{camelcase \"some_words here-too\"}}", "{{camelcase \"http_server\"}}", "{{camelcase \"GOLANG_IS_GREAT\"}}", "{{camelcase \"_complex__case_\"}}", "{{camelcase \"a\"}}", "{{camelcase \"\"}}", "{{snakecase \"FirstName\"}}", "{{snakecase \"HTTPServer\"}}", "{{snakecase \"NoHTTPS\"}}", "{{snakecase \"GO_PATH\"}}", "{{snakecase \"GO PATH\"}}", "{{snakecase \"http2xx\"}}", "{{snakecase \"HTTP20xOK\"}}", "{{snakecase \"Duration2m3s\"}}", "{{snakecase \"Bld4Floor3rd\"}}", "{{snakecase \"already_snake\"}}", "{{snakecase \"aB\"}}", "{{snakecase \"A\"}}", "{{kebabcase \"FirstName\"}}", "{{kebabcase \"HTTPServer\"}}", "{{kebabcase \"a.B c\"}}", "{{kebabcase \"x1\"}}", "{{kebabcase \"X1Y2\"}}",
	"{{sha1sum \"a\"}}", "{{sha256sum .Input.s}}", "{{sha512sum \"a\"}}", "{{adler32sum \"Wikipedia\"}}", "{{upper 5}}", "{{upper .Input.a}}", "{{upper .Input.missing}}", "{{upper}}", "{{upper \"a\" \"b\"}}", "{{trunc \"5\" \"a\"}}", "{{trunc (int64 5) \"abcdefgh\"}}", "{{trunc .Input.a \"abc\"}}", "{{trunc 2.0 \"abc\"}}", "{{trunc 2.5 \"abc\"}}",
	// regex
	"{{regexMatch \"^[a-z]+$\" \"abc\"}}", "{{regexMatch \"(\" \"abc\"}}", "{{mustRegexMatch \"(\" \"abc\"}}", "{{regexFind \"[0-9]+\" \"a12b34\"}}", "{{regexFind \"x\" \"abc\"}}", "{{regexFindAll \"[0-9]\" \"1a2b3\" -1}}", "{{regexFindAll \"[0-9]\" \"1a2b3\" 2}}", "{{regexFindAll \"a*\" \"baac\" -1}}", "{{regexReplaceAll \"a(x*)b\" \"-ab-axxb-\" \"${1}W\"}}", "{{regexReplaceAll \"a(x*)b\" \"-ab-axxb-\" \"$1W\"}}", "{{regexReplaceAll \"a(?P<n>x*)b\" \"-axxb-\" \"<$n>\"}}", "{{regexReplaceAll \"a*\" \"baac\" \"X\"}}", "{{regexReplaceAll \"x\" \"axb\" \"$$\"}}", "{{regexReplaceAll \"x\" \"axb\" \"$\"}}", "{{regexReplaceAllLiteral \"a(x*)b\" \"-ab-axxb-\" \"${1}\"}}", "{{regexSplit \"z+\" \"pizza\" -1}}", "{{regexSplit \"z\" \"pizza\" 2}}", "{{regexSplit \"z\" \"pizza\" 1}}", "{{regexSplit \"z\" \"pizza\" 0}}", "{{regexSplit \"\" \"abc\" -1}}", "{{regexSplit \"a\" \"\" -1}}", "{{regexSplit \"a\" \"aba\" -1}}", "{{regexQuoteMeta \"1.2.3\"}}", "{{.Input.s | regexReplaceAll \"o\" \"0\"}}", "{{regexFind \"^refs/heads/(.*)$\" \"refs/heads/main\"}}",
	// numbers
	"{{int .Input.n}}", "{{int64 .Input.n}}", "{{float64 \"1.5\"}}", "{{int \"12\"}}", "{{int \"12.0\"}}", "{{int \"12.7\"}}", "{{int \"x\"}}", "{{int 3.9}}", "{{int true}}", "{{int .Input.nul}}", "{{int64 \"0x10\"}}", "{{int64 \"010\"}}", "{{atoi \"42\"}}", "{{atoi \"x\"}}", "{{toDecimal \"0777\"}}", "{{toDecimal 777}}", "{{add 1 2 3}}", "{{add .Input.a \"2\"}}", "{{add1 .Input.a}}", "{{sub 5 3}}", "{{mul 2 3 4}}", "{{div 7 2}}", "{{div 1 0}}", "{{mod 7 2}}", "{{mod -7 2}}", "{{max 1 5 3}}", "{{min 4 2 8}}", "{{maxf 1.5 2}}", "{{minf 1.5 2}}", "{{floor 123.9}}", "{{ceil 123.001}}", "{{round 123.555555 3}}", "{{round 123.555555 2}}", "{{round -1.5 0}}", "{{round 2.4 0 0.3}}", "{{addf 0.1 0.2}}", "{{addf 1.5 2 5}}", "{{subf 7.5 2 3}}", "{{subf 1 0.9}}", "{{mulf 1.5 2 2}}", "{{mulf 0.1 0.1}}", "{{divf 10 2 4}}", "{{divf 1 3}}", "{{divf 2 3}}", "{{divf 1 0}}", "{{add1f 1.1}}", "{{floor \"9.5\"}}", "{{until 5}}", "{{until -3}}", "{{until 0}}", "{{untilStep 3 6 2}}", "{{untilStep 6 3 -1}}", "{{untilStep 3 6 -1}}", "{{seq 5}}", "{{seq -3}}", "{{seq 0 2}}", "{{seq 2 -2}}", "{{seq 0 2 10}}", "{{seq 0 -2 -5}}", "{{seq 0 2 -5}}", "{{seq}}", "{{range until 3}}{{.}}{{end}}", "{{toString 5}}", "{{toString .Input.nul}}", "{{toString .Input.l}}", "{{toStrings .Input.mixed}}", "{{add 9223372036854775807 1}}", "{{biggest 1 2}}",
	// lists
	"{{list 1 \"a\" true}}", "{{first .Input.l}}", "{{last .Input.l}}", "{{rest .Input.l}}", "{{initial .Input.l}}", "{{first .Input.el}}", "{{rest .Input.el}}", "{{first .Input.missing}}", "{{append .Input.l \"z\"}}", "{{prepend .Input.l \"z\"}}", "{{reverse .Input.l}}", "{{uniq .Input.l}}", "{{without .Input.l \"a\" \"b\"}}", "{{has \"a\" .Input.l}}", "{{has 4 .Input.l}}", "{{has 1 (list 1 2)}}", "{{has 1.0 .Input.b.d}}", "{{has 1 .Input.b.d}}", "{{has \"a\" .Input.missing}}", "{{has \"a\" .Input.s}}", "{{compact .Input.mixed}}", "{{slice .Input.l 1 3}}", "{{slice .Input.l 2}}", "{{slice .Input.l 3 1}}", "{{slice .Input.el 0 1}}", "{{concat .Input.l (list 1 2)}}", "{{chunk 2 .Input.l}}", "{{chunk 3 (list 1 2 3)}}", "{{join \",\" .Input.l}}", "{{join \"-\" .Input.mixed}}", "{{join \",\" \"abc\"}}", "{{join \",\" .Input.missing}}", "{{sortAlpha .Input.l}}", "{{sortAlpha .Input.mixed}}", "{{splitList \",\" \"a,b,,c\"}}", "{{splitList \"\" \"héy\"}}", "{{splitList \",\" \"\"}}", "{{splitList \"/\" \"refs/heads/main\" | last}}", "{{(split \"$\" \"foo$bar$baz\")._1}}", "{{(splitn \"$\" 2 \"foo$bar$baz\")._1}}", "{{split \",\" \"a,b\"}}", "{{.Input.l | join \"+\"}}", "{{last (splitList \".\" \"a.b.c\")}}", "{{tuple 1 2}}", "{{index (tuple \"a\" \"b\") 1}}", "{{first \"abc\"}}", "{{append .Input.s 1}}",
	// dicts
	"{{dict \"a\" 1 \"b\"}}", "{{$d := dict \"a\" 1}}{{$_ := set $d \"b\" 2}}{{$d}}", "{{$d := dict \"a\" 1}}{{$_ := unset $d \"a\"}}{{$d}}", "{{get .Input.m \"k1\"}}", "{{get .Input.m \"none\"}}|", "{{hasKey .Input.m \"k1\"}}", "{{hasKey .Input.m \"x\"}}", "{{pluck \"name\" (index .Input.objs 0) (index .Input.objs 1) .Input.m}}", "{{keys .Input.m | sortAlpha}}", "{{values .Input.m | sortAlpha}}", "{{pick .Input.m \"k1\"}}", "{{omit .Input.m \"k1\"}}", "{{merge (dict \"a\" 1) (dict \"a\" 2 \"b\" 3)}}", "{{mergeOverwrite (dict \"a\" 1) (dict \"a\" 2 \"b\" 3)}}", "{{merge (dict \"a\" (dict \"x\" 1)) (dict \"a\" (dict \"x\" 2 \"y\" 3))}}", "{{merge (dict \"a\" \"\") (dict \"a\" 2)}}", "{{dig \"b\" \"c\" \"none\" .Input}}", "{{dig \"b\" \"zz\" \"none\" .Input}}", "{{dig \"x\" .Input}}", "{{dig \"s\" \"zz\" \"none\" .Input}}", "{{$d := dict \"l\" (list 1)}}{{$_ := set $d \"l\" (append $d.l 2)}}{{$d.l}}", "{{(dict \"a\" (dict \"b\" 5)).a.b}}", "{{range $k, $v := dict \"b\" 1 \"a\" 2}}{{$k}}{{$v}}{{end}}", "{{get .Input.missing \"x\"}}", "{{get .Input.s \"x\"}}", "{{len (dict \"a\" 1)}}", "{{if dict}}y{{else}}n{{end}}",
	// defaults, json, types
	"{{default \"d\" .Input.missing}}", "{{.Input.missing | default \"d\"}}", "{{.Input.s | default \"d\"}}", "{{.Input.z | default 9}}", "{{.Input.e | default \"d\"}}", "{{default \"d\"}}", "{{empty .Input.el}}", "{{empty .Input.a}}", "{{coalesce .Input.missing .Input.e .Input.s}}", "{{coalesce .Input.missing}}", "{{all 1 \"a\" true}}", "{{any 0 \"\" 1}}", "{{ternary \"y\" \"n\" .Input.t}}", "{{.Input.no | ternary \"y\" \"n\"}}", "{{ternary \"y\" \"n\" 1}}", "{{fail \"boom\"}}", "{{hello}}",
	"{{toJson .Input.b}}", "{{toJson .Input}}", "{{.Input.html | toJson}}", "{{.Input.html | toRawJson}}", "{{toPrettyJson .Input.b}}", "{{toJson .Input.n}}", "{{toJson (dict \"b\" 1 \"a\" (list 1 \"x\"))}}", "{{(fromJson \"{\\\"a\\\":[1,2]}\").a}}", "{{fromJson \"{bad\"}}", "{{mustFromJson \"{bad\"}}", "{{fromJson \"5\"}}", "{{toJson .Input.missing}}", "{{toJson .Input.uni}}", "{{toPrettyJson .Input.em}}",
	"{{typeOf 1}} {{typeOf \"a\"}} {{typeOf .Input.a}} {{typeOf .Input.l}} {{typeOf .Input.m}} {{typeOf .Input.nul}} {{typeOf (int64 1)}} {{typeOf (splitList \",\" \"a\")}} {{typeOf true}}", "{{kindOf 1}} {{kindOf \"a\"}} {{kindOf .Input.a}} {{kindOf .Input.l}} {{kindOf .Input.m}} {{kindOf (int64 1)}}", "{{kindOf .Input.nul}}", "{{typeIs \"string\" .Input.s}}", "{{kindIs \"float64\" .Input.a}}", "{{kindIs \"map\" .Input.m}}", "{{deepEqual .Input.l .Input.l}}", "{{deepEqual (list 1) (list 1.0)}}", "{{deepEqual (dict \"a\" 1) (dict \"a\" 1)}}", "{{$c := deepCopy .Input.m}}{{$_ := set $c \"k1\" \"new\"}}{{$c.k1}}{{.Input.m.k1}}", "{{typeIsLike \"string\" \"a\"}}",
	"{{b64enc .Input.s}}", "{{b64dec \"SGVsbG8=\"}}", "{{b64dec \"!!\"}}|", "{{b32enc \"hello\"}}", "{{b32enc \"ab\"}}", "{{b32dec \"NBSWY3DP\"}}", "{{.Input.s | b64enc | b64dec}}", "{{b64dec \"SGVs\\nbG8=\"}}",
	"{{base \"/a/b.c\"}}", "{{dir \"/a/b.c\"}}", "{{ext \"/a/b.c\"}}", "{{clean \"/a/../b//c/.\"}}", "{{isAbs \"/a\"}}", "{{isAbs \"a\"}}", "{{base \"\"}}", "{{base \"/\"}}", "{{base \"a/\"}}", "{{dir \"a\"}}", "{{dir \"\"}}", "{{dir \"/\"}}", "{{clean \"\"}}", "{{clean \"../a/..\"}}", "{{ext \"a\"}}|", "{{osBase \"/a/b\"}}", "{{osDir \"a/b/c\"}}",
	"{{date \"2006-01-02T15:04:05Z07:00\" 1700000000}}", "{{date \"Mon Jan _2 3:04PM 06 MST -0700\" 1700000000}}", "{{dateInZone \"2006-01-02 15:04 MST\" 1700000000 \"America/New_York\"}}", "{{dateInZone \"15:04\" 1700000000 \"No/Where\"}}", "{{htmlDate 1700000000}}", "{{htmlDateInZone 1700000000 \"Asia/Tokyo\"}}", "{{date \"Monday January 2 002 .000 05.999\" 0}}", "{{unixEpoch (dateModify \"+1h\" (toDate \"2006-01-02\" \"2020-01-01\"))}}", "{{duration 95}}", "{{duration \"95\"}}", "{{duration (int64 95)}}", "{{durationRound \"2h10m5s\"}}", "{{durationRound \"2400h10m5s\"}}", "{{durationRound \"x\"}}", "{{now | dateModify \"bad\" | kindOf}}",
	// typical uses
	"{{.Input.b.c}}-{{ .Input.n | int64 }}", "{{ (index .Input.objs 0).name | upper | quote }}", "{{ .Input.s | replace \" \" \"-\" | lower | trunc 8 }}", "{{ if contains \"World\" .Input.s }}{{ .Input.a }}{{ else }}none{{ end }}", "{{ range $i, $e := .Input.l }}{{ if $i }},{{ end }}{{ $e | quote }}{{ end }}", "{{- range .Input.objs }}\n- {{ .name }}\n{{- end }}", "{{ printf \"%s-%s\" .Input.b.c (sha256sum .Input.s | trunc 7) }}", "{{ .Input.num | int | add 1 }}", "{{ .Input.missing | default .Input.s | nospace }}", "{{ tpl \"x\" . }}", "{{ .Input.uni | trunc 3 }}", "{{ .Input.l | sortAlpha | uniq | join \",\" }}", "{{ $parts := splitList \" \" .Input.s }}{{ index $parts 1 }}-{{ index $parts 0 }}",
}

var stringTemplates = []string{"{{.Input}}", "{{.Input | upper}}", "{{b64dec .Input}}", "{{len .Input}}", "{{.Input | trimSuffix \"=\"}}", "{{printf \"%q\" .Input}}", "{{.Input.x}}", "{{range .Input}}{{.}}{{else}}none{{end}}", "{{with .Input}}{{.}}{{end}}", "{{index .Input 0}}", "{{.Input | toJson}}", "{{kindOf .Input}}", "{{if .Input}}y{{else}}n{{end}}", "{{eq .Input \"x\"}}", "{{.Input | default \"d\"}}"}
var others = []string{`"SGVsbG8="`, `""`, `5`, `1.25`, `null`, `true`, `[1,[2,"x"]]`, `{"x":{"y":1}}`, `1e21`, `123456789`, `0.1`}

func run(t, input string) (out string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	var v any
	if err := json.Unmarshal([]byte(input), &v); err != nil {
		panic(err)
	}
	tmpl, err := template.New("param").Funcs(sprig.FuncMap()).Parse(t)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	err = tmpl.Execute(&b, map[string]any{"Input": v})
	return b.String(), err
}

func main() {
	enc := json.NewEncoder(os.Stdout)
	enc.SetEscapeHTML(false)
	emit := func(t, input string) {
		if t == `{{define "r"}}{{template "r"}}{{end}}{{template "r"}}` {
			enc.Encode(vector{Template: t, Input: input}) // runs out of stack there, of its depth here
			return
		}
		out, err := run(t, input)
		if err != nil {
			out = ""
		}
		enc.Encode(vector{t, input, err == nil, out})
	}
	for _, t := range objectTemplates {
		emit(t, object)
	}
	for _, t := range stringTemplates {
		for _, in := range others {
			emit(t, in)
		}
	}
}
