// SPDX-License-Identifier: Apache-2.0

package main

import "strings"

// Functions with their arguments, which | separates.
const calls = `
abbrev 5,"hello world"|2,"hello"|20,"hi"
abbrevboth 5,10,"1234 5678 9123"|2,3,"abc"
trunc 5,"hello world"|-5,"hello world"|0,"x"|9,"é"
trim " a "|""
trimAll "$","$5.00$"|"ab","abcba"
trimPrefix "-","-a-"|"x","a"
trimSuffix "-","-a-"|"x","a"
upper "aé"
lower "AÉ"
title "hello world"|"a-b c"
untitle "Hello World"
repeat 3,"ab"|0,"ab"
substr 0,5,"hello world"|2,-1,"hello"|-1,3,"hello"
nospace " a b  c "
initials "First Try"|"a b"
swapcase "aBc dE"
snakecase "FirstName"|"HTTPServer"|"a-b c"
camelcase "http_server"|"a-b_c"|"first name"
kebabcase "FirstName"|"HTTPServer"
wrap 5,"hello big world"|80,"a"
wrapWith 5,"\n- ","hello big world"
contains "cat","catch"|"dog","catch"
hasPrefix "cat","catch"|"x","catch"
hasSuffix "tch","catch"|"x","catch"
quote "a"|"a","b"|1|true|nil|"a\"b"|[1,"a"]|2.5
squote "a"|"a","b"|1|nil
cat "a","b",1|"a"|nil,"b"|1,2.5,true
indent 4,"a\nb"
nindent 2,"a\nb"
replace " ","-","a b c"|"x","y","abc"|"/","-","a/b/c"
plural "one","many",1|"one","many",2|"one","many",0
sha1sum "a"
sha256sum "a"|""
sha512sum "a"
adler32sum "abc"
toString 1|2.5|true|"a"|[1,2]|nil|1e6|{a: 1}
toStrings [1,"a",true]|["a"]
atoi "12"|"x"|"-3"|""
int "12"|"x"|2.9|-2.9|true|nil|"0x10"|"1.5"|inputs.parameters.a|"012"|"1e3"
int64 "12"|"9223372036854775807"|2.5
float64 "1.5"|"x"|2|true
add 1,2|1,2,3|"4",5|1.5,2|1
add1 1|"2"|-1
sub 5,3|"5",3|3,5
div 7,2|-7,2|"9",3
mod 7,3|-7,3
mul 2,3|2,3,4|"2",3
max 1,3,2|"5",1|-1|1.5,2
min 1,3,2|"5",1|2
biggest 1,3
addf 1.5,2|1,2|"1.5",1
add1f 1.5
subf 5.5,3|1,2,3
divf 7,2|10,2,5
mulf 1.5,2
maxf 1.5,2
minf 1.5,2
ceil 1.2|-1.2|"1.5"
floor 1.8|-1.2|"1.5"
round 1.2345,2|1.5,0|-1.5,0|2.675,2|1.2345,2,0.3
until 3|0|-2
untilStep 0,10,3|3,0,-1|0,3,0
seq 3|1,3|1,2,7|3,1|0|-2
list 1,"a",nil|
tuple 1,2
dict "a",1,"b","x"|"a"|1,2|
get {a: "x"},"a"|{a: "x"},"b"
set {a: "x"},"b","y"
unset {a: "x"},"a"
hasKey {a: "x"},"a"|{a: "x"},"b"
pluck "a",{a: 1},{a: 2},{b: 3}
pick {a: 1, b: 2},"a"
omit {a: 1, b: 2},"a"
merge {a: "1"},{a: "2", b: "3"}|{},{a: {b: "c"}}
mergeOverwrite {a: "1"},{a: "2", b: "3"}
deepCopy {a: 1}|[1]
keys {a: 1}
values {a: 1}
dig "a","b","d",{a: {b: "x"}}|"a","c","d",{a: {b: "x"}}|"z","d",{a: 1}|"a","d",{a: nil}
first [1,2]|[]|"ab"
last [1,2]|[]
rest [1,2,3]|[]|[1]
initial [1,2,3]|[]
append [1],2|[],"a"
push [1],2
prepend [2],1
concat [1],[2,3]|[]
reverse [1,2,3]
uniq [1,2,1,"a","a"]
without [1,2,3],2|["a","b"],"a","b"
has 2,[1,2]|"x",["a"]|1,nil
compact [0,1,"","a",nil,false]
slice [1,2,3,4],1|[1,2,3,4],1,3|[1,2]
chunk 2,[1,2,3]|3,[1]|1,[]
join "-",["a","b"]|",",[1,2.5,true]|"-","a"|"-",[nil,"a"]
sortAlpha ["b","a"]|[3,1,2]|"x"
split ".","a.b.c"|",","a"
splitList ".","a.b.c"|",",""|"","abc"
splitn ".",2,"a.b.c"
default "d",""|"d","x"|"d",nil|"d",0|"d",false|"d",[]|"d",1|1,""
empty ""|"a"|0|1|nil|[]|[1]|{}|false|true|0.0
coalesce nil,"","a"|0,1|nil|""
all 1,true,"a"|1,0|
any 0,"",1|0,""|
ternary "y","n",true|"y","n",false|1,2,true
fromJson "{\"a\":[1,2.5]}"|"[1]"|"x"|"1"
mustFromJson "{\"a\":1}"|"x"
toJson {a: [1,"<b>"]}|1.0|"a"|nil|[1,2]|2.5|true
mustToJson {a: 1}
toRawJson {a: "<b>"}
toPrettyJson {a: 1}|[1]
b64enc "hello"|""
b64dec "aGVsbG8="|"!"
b32enc "hello"
b32dec "NBSWY3DP"|"1"
regexMatch "^a","abc"|"b$","abc"|"(","a"
regexFind "[a-z]+","12abc"|"x","abc"
regexFindAll "[0-9]","a1b2c3",-1|"[0-9]","a1b2",1
regexReplaceAll "a(x*)b","-ab-axxb-","${1}W"|"a","banana","o"
regexReplaceAllLiteral "a(x*)b","-ab-axxb-","${1}"
regexSplit "z+","pizza",-1|",","a,b",1
regexQuoteMeta "1.2.3"
mustRegexMatch "^a","abc"|"(","a"
mustRegexFind "a+","baa"
mustRegexReplaceAll "a","banana","o"
typeOf 1|"a"|2.5|true|nil|[1]|{a: 1}|d.f|d.l
kindOf 1|"a"|2.5|true|nil|[1]|{a: 1}
typeIs "int",1|"string","a"|"float64",2.5
kindIs "int",1|"slice",[1]|"map",{}
typeIsLike "string","a"
deepEqual [1],[1]|{a: 1},{a: 2}|1,1.0
base "a/b/c.txt"|"/"|""
dir "a/b/c"|"c"
clean "a/../b//c"|""
ext "a/b.txt"|"a"
isAbs "/a"|"a"
osBase "/a/b"
osDir "/a/b"
osExt "a.b"
osClean "/a/../b"
osIsAbs "/a"
semverCompare "^1.2.0","1.3.0"|">=1.0","0.9"|"~1.2","1.2.9"|"x","1.0.0"
urlParse "http://u:p@h:80/p?q=1#f"
toDate "2006-01-02","2024-03-10"
mustToDate "2006-01-02","x"
duration "95"|"x"|3700
durationRound "2h10m5s"|"36h"
toDecimal "755"|"x"
date "2006-01-02",0|"2006",1700000000
htmlDate 0|1700000000
dateInZone "2006-01-02 15:04",1700000000,"UTC"
htmlDateInZone 1700000000,"UTC"
env "HOME"
expandenv "$HOME"
fail "no"
hello 
nosuch 1
`

// Functions after each other, as people write them.
const chains = `
sprig.int(inputs.parameters.a) + 1
sprig.trim(inputs.parameters.b) == "two"
sprig.upper(inputs.parameters.b) + "!"
sprig.replace("-", "_", inputs.parameters["my-param"])
sprig.trunc(3, workflow.name + "-long")
sprig.toJson(fromJSON(inputs.parameters.json))
sprig.fromJson(inputs.parameters.json).x[1]
sprig.dig("x", "none", sprig.fromJson(inputs.parameters.json))
sprig.join(",", fromJSON(inputs.parameters.list))
sprig.sortAlpha(fromJSON(inputs.parameters.list))
sprig.default("none", inputs.parameters.empty)
sprig.ternary("a", "b", inputs.parameters.a == "1")
sprig.b64enc(inputs.parameters.b) | sprig.b64dec()
sprig.splitList("-", inputs.parameters["my-param"])[0]
map(sprig.splitList(",", "a,b"), sprig.upper(#))
filter(sprig.until(5), # > 2)
sprig.list(1, 2, 3) | len()
sprig.dict("a", 1).a
sprig.max(1, sprig.min(5, 3))
sprig.int(steps.one.outputs.result) * 2
sprig.add(1, sprig.int("2")) == 3
sprig.quote(workflow.name)
sprig.coalesce(inputs.parameters.empty, workflow.name)
sprig.repeat(2, inputs.parameters.b) contains "twotwo"
sprig.regexReplaceAll("[^a-z]", "a-b_c", "")
sprig.toString(1) + sprig.toString(true)
`

func sprigs() {
	put(map[string]any{"scope": encode(variables())})
	for _, line := range strings.Split(strings.Trim(calls, "\n"), "\n") {
		name, sets, _ := strings.Cut(line, " ")
		for _, args := range strings.Split(sets, "|") {
			put(evaluate("sprig." + name + "(" + args + ")"))
		}
	}
	// every function over every kind of value, alone and behind a string
	for _, name := range strings.Fields("trim upper quote squote toString int float64 add ceil empty default first last rest reverse uniq compact keys toJson b64enc kindOf typeOf title initials atoi join has max len") {
		for _, v := range []string{`"Ab c"`, "3", "2.5", "true", "nil", "d.f", "d.l", "d.nul"} {
			put(evaluate("sprig." + name + "(" + v + ")"))
		}
	}
	for _, constraint := range []string{"1.2.3", "=1.2.3", "!=1.2.3", ">1.2.3", ">=1.2.3", "<1.2.3", "<=1.2.3", "~1.2.3", "^1.2.3", "^0.2.3", "^0.0.3", "^0", "~1", "~1.2", "^1.2", "1.x", "1.2.x", "*",
		"!=1.x", "!=1.2.x", ">1", ">1.2", "<=1", "<=1.2", ">=1.2.3-beta", "^1.2.3-beta.2", ">=1, <2", ">=1 <2", ">1.0 || <0.5", "1.0 - 1.5", "~>1.2", "v1.2.3", "", "1.2.3.4", ">= 1.2.3 ", "1.2.3,", "x.1", "=>1.2", "01.2"} {
		for _, version := range []string{"1.2.3", "1.2.4", "1.3.0", "2.0.0", "0.2.4", "0.0.3", "1.2.3-beta", "1.2.3-beta.11", "v1.2", "1"} {
			put(evaluate(`sprig.semverCompare("` + constraint + `", "` + version + `")`))
		}
	}
	for _, version := range []string{"", "x", "1.2.3.4", "01.2.3", "1.2.3-", "1.2.3-01", "1.2.3+b.1", "1.2.3-a..b", "V1", "1.2.3 "} {
		put(evaluate(`sprig.semverCompare(">=0-0", "` + version + `")`))
	}
	for _, line := range strings.Split(strings.Trim(chains, "\n"), "\n") {
		put(evaluate(line))
	}
}
