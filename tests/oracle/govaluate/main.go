// SPDX-License-Identifier: Apache-2.0

// Writes tests/vectors/exprs.jsonl: what the real govaluate says of expressions over the values of an event, as the filter
// `exprs` hands them over (gjson's Value()). The first line has the values; dates without a zone are in UTC.
//
//	cd tests/oracle/govaluate && go run . > ../../vectors/exprs.jsonl
package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"github.com/Knetic/govaluate"
)

//go:embed cases.txt
var cases string

const values = `{"n":5,"f":2.5,"neg":-3,"z":0,"big":1234567890,"s":"heads","dig":"5","e":"","t":true,"no":false,"nul":null,` +
	`"l":[1,"a",true],"l2":[1,"a",true],"el":[],"ll":[[1],{"k":1},null],"m":{"a":1,"b":[2]},"m2":{"b":[2],"a":1},"em":{},` +
	`"day":"2024-01-15","ts":1705276800,"re":"^h.*s$","a-b":7,"a.b":8,"with space":9,"ünï":10}`

var out = json.NewEncoder(os.Stdout)

func evaluate(text string, p map[string]any) (v any, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	x, err := govaluate.NewEvaluableExpression(text)
	if err != nil {
		return nil, err
	}
	return x.Evaluate(p)
}

func try(text string, p map[string]any) {
	line := map[string]any{"x": text}
	v, err := evaluate(text, p)
	f, isFloat := v.(float64)
	switch {
	case err != nil:
		line["e"] = strings.TrimSpace(err.Error())
	case isFloat && (math.IsNaN(f) || math.IsInf(f, 0)):
		line["special"] = fmt.Sprint(f)
	default:
		line["v"] = v
	}
	if err := out.Encode(line); err != nil {
		panic(err)
	}
}

func main() {
	time.Local = time.UTC
	out.SetEscapeHTML(false)
	var p map[string]any
	if err := json.Unmarshal([]byte(values), &p); err != nil {
		panic(err)
	}
	if err := out.Encode(map[string]any{"values": p}); err != nil {
		panic(err)
	}
	operands := []string{"n", "f", "'5'", "s", "t", "nul", "l", "m", "2", "'2024-01-15'", "(1, 'a', true)"}
	operators := []string{"==", "!=", "<", "<=", ">", ">=", "=~", "!~", "in", "&&", "||", "+", "-", "*", "/", "%", "**", "&", "|", "^", "<<", ">>", "??"}
	for o, op := range operators {
		for i, a := range operands {
			for k, b := range operands {
				if op == "==" || op == "in" || op == "+" || (o+i+3*k)%5 == 0 {
					try(a+" "+op+" "+b, p)
				}
			}
		}
	}
	for _, prefix := range []string{"!", "-", "~", "! ", "- "} {
		for _, a := range operands {
			try(prefix+a, p)
		}
	}
	for _, text := range strings.Split(strings.TrimRight(cases, "\n"), "\n") {
		if !strings.HasPrefix(text, "# ") {
			try(text, p)
		}
	}
}
