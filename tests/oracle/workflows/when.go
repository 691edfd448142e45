// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"github.com/Knetic/govaluate"
	"k8s.io/apimachinery/pkg/labels"
)

// A step's condition as Argo reads it: what govaluate takes for variables are strings.
func holds(when string) (any, error) {
	x, err := govaluate.NewEvaluableExpression(when)
	if err != nil {
		return nil, err
	}
	words := x.Tokens()
	for i := range words {
		if words[i].Kind == govaluate.VARIABLE {
			words[i].Kind = govaluate.STRING
		}
	}
	if x, err = govaluate.NewEvaluableExpressionFromTokens(words); err != nil {
		return nil, err
	}
	v, err := x.Evaluate(nil)
	if err != nil {
		return nil, err
	}
	if _, ok := v.(bool); !ok {
		return nil, fmt.Errorf("no truth value: %v", v)
	}
	return v, nil
}

func whens() {
	values := []string{"heads", "tails", "true", "false", "True", "1", "1.0", "2", "-1", `"heads"`, "'1'", `""`, "a-b", "a.b", "0x10", "1e3"}
	for _, op := range []string{"==", "!=", "<", ">=", "=~"} {
		for i, a := range values {
			for k, b := range values {
				if op == "==" || (i+2*k)%5 == 0 {
					put(result(map[string]any{"w": a + " " + op + " " + b}, func() (any, error) { return holds(a + " " + op + " " + b) }))
				}
			}
		}
	}
	for _, w := range strings.Split(strings.TrimSpace(`
true
false
!true
!false
!(1 == 1)
! true
1
heads
"true"
'a' == 'a'
a == a && b == b
a == a && b == c
a == b || b == b
a == b || b == c
a == a || b == c && c == d
(a == a || b == c) && c == d
a == a and b == b
a == a or b == c
not true
1 + 1 == 2
1 + 2 * 3 == 7
(1 + 2) * 3 == 9
10 / 4 == 2.5
10 % 4 == 2
2 ** 3 == 8
-1 < 0
- 1 < 0
5 - 3 == 2
5 -3 == 2
5-3 == 2
1 > 2 ? true : false
2 > 1 ? true : false
true ? false : true
a in (a, b)
c in (a, b)
'c' in ('a', 'c')
1 in (1, 2)
3 in (1, 2)
1 & 1 == 1
5 & 3 == 1
5 | 3 == 7
5 ^ 3 == 6
~5 == -6
1 << 3 == 8
16 >> 2 == 4
'abc' =~ '^a'
'abc' =~ 'b'
'abc' !~ 'b'
'abc' =~ '('
abc =~ ^a
'2020-01-01' < '2021-01-01'
'2020-01-01' == '2020-01-01'
'a' + 'b' == 'ab'
a + b == ab
'a' + 1 == 'a1'
1 + 'a' == '1a'
true == true
true != false
True == true
true && false
true && true
true || false
true && 1
1 && 1
'a' && 'b'
!1
!'a'
-'a' == 1
'a' < 'b'
'b' < 'a'
a < b
'a' < 1
1 < 'a'
true < false
true == 'true'
1 == '1'
(true)
((true))
(true
true)
()
== 1
1 ==
1 1
a b
a == 'b
a == "b"
a == "a"
a == 'it''s'
a == 'it\'s'
'it\'s' == 'it\'s'
[a] == a
[a b] == 'a b'
[a-b] == 'a-b'
a-b == a-b
a.b == a.b
a/b == a/b
a:b == a:b
a@b == a
a,b == a
a; b
a = a
a === a
a <> b
a && b
a || b
foo(1)
{a} == a
{{a}} == a
$a == $a
_a == _a
a_b == a_b
é == é
'é' == 'é'
0 == 0.0
00 == 0
1.50 == 1.5
1e2 == 100
0x1F == 31
1_000 == 1000
100000000000000000000 == 1e20
'' == ''
'' == ""
"" != a
nil == nil
null == null
a ?? b == a
2 > 1
2 >= 2
2 <= 1
2 < 10
'2' < '10'
2 != 3 && 3 != 4
!(a == b)
!a == b
a == a == true
1 < 2 == true
1 < 2 < 3
true, false
'a' in 'abc'
a in a
a in (a)
(a, b) == (a, b)
1 == 1 # comment
1 == 1 // comment
Succeeded == Succeeded
Succeeded == Failed || Failed == Failed
"2024-01-01T00:00:00Z" < "2025-01-01T00:00:00Z"
2024-01-01 == 2024-01-01
v1.2.3 == v1.2.3
1.2.3 == 1.2.3
10Gi == 10Gi
5m == 5m
a*b == a
refs/heads/main == refs/heads/main
/tmp == /tmp
"a b" == "a b"
a b == a b
`), "\n") {
		put(result(map[string]any{"w": w}, func() (any, error) { return holds(w) }))
	}
}

func selectors() {
	sets := []labels.Set{{}, {"a": "b"}, {"a": "c", "x": "y"}, {"a": "", "n": "5"}, {"example.com/k": "v", "a": "b"}}
	for i, s := range sets {
		put(map[string]any{"set": i, "labels": map[string]string(s)})
	}
	for _, text := range strings.Split(strings.TrimSpace(`
a
!a
a=b
a==b
a!=b
a = b
a == b
a != b
 a = b 
a in (b)
a in (b,c)
a in (b, c)
a in(b)
a in ( b , c )
a notin (b)
a notin (b,c)
a in ()
a in (,)
a in (b,)
a in (,b)
a notin ()
a,x
a,!x
a=b,x=y
a=c,x=y
a=c , x = y
a=
a!=
a==
=b
!
!!a
! a
!a=b
a,
,a
a,,x
a b
a=b c
a=b=c
a in b
a in (b
a in b)
in (b)
in
notin
in=b
notin=in
in in (in)
a>1
n>4
n>5
n<6
n<5
n>=5
n > 4
n>a
a>b
n in (5)
n=5,n>4
example.com/k=v
example.com/k
example.com/k in (v,w)
example.com/k!=v
example.com/=v
/k=v
a/b/c=v
-a=b
a-=b
a.=b
.a=b
_a=b
a_b=c
a b=c
A=b
a=B
a=-b
a=b-
a=b.c
a=b_c
a=b/c
a="b"
a='b'
a=(b)
(a)
a in ((b))
a=b;x=y
a=b&x=y
a|x
a=b,a=b
a=b,a=c
a in (b),a notin (c)
a in (b),!x
a,a
é=b
a=é
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=b
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=b
a=bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
a=bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
workflows.argoproj.io/phase=Running
workflows.argoproj.io/phase in (Running,Pending)
workflows.argoproj.io/completed!=true
!workflows.argoproj.io/completed
workflows.argoproj.io/completed,workflows.argoproj.io/phase notin (Failed)
a in (b c)
a in (b;c)
a in (b=c)
a in (b!c)
a in (!b)
a in (in)
a in (notin)
a in (in,notin)
a = in
a = notin
a == in
a != in
a=in
in!=in
!in
!notin
!in,a
in,notin
a  in  (b)
a	in	(b)
a=b, x=y
a=c,x=y,
a = b , ! x
a=b,!x
x=y,a=c
a notin (b),x
a notin (c),x=y
a notin (),x
n!=5
n!=6
n in (4,5,6)
n notin (4,6)
n<10
n<-1
n>-1
n>1.5
n>99999999999999999999
x>1
x<1
missing>1
missing<1
missing!=1
missing notin (1)
missing in (1)
missing=
missing
!missing
`), "\n") {
		sel, err := labels.Parse(text)
		if err != nil {
			put(map[string]any{"s": text, "e": err.Error()})
			continue
		}
		match := ""
		for _, s := range sets {
			if sel.Matches(s) {
				match += "1"
			} else {
				match += "0"
			}
		}
		put(map[string]any{"s": text, "v": match})
	}
}
