// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"os"
	"strings"

	"github.com/argoproj/argo-workflows/v4/util/expr/env"
	"github.com/expr-lang/expr"
)

// The variables, by their dotted names, as a workflow has them; d.* are values that only JSON gives.
func variables() map[string]any {
	return map[string]any{
		"inputs.parameters.a": "1", "inputs.parameters.b": "two", "inputs.parameters.my-param": "dash", "inputs.parameters.json": `{"x":[1,2,{"y":"z"}],"n":1.50,"big":12345678901}`,
		"inputs.parameters.list": `["b","a","c"]`, "inputs.parameters.empty": "", "inputs.parameters.date": "2024-03-10T08:30:00Z",
		"workflow.name": "wf", "workflow.parameters": "[]", "workflow.parameters.json": `[{"name":"p","value":"v"}]`, "workflow.parameters.p": "v",
		"steps.one.outputs.result": "42", "steps.one.status": "Succeeded", "tasks.gone.outputs.parameters.x": nil,
		"d.i": 7, "d.f": 2.5, "d.s": "hello", "d.t": true, "d.nul": nil, "d.l": []any{3.0, 1.0, 2.0}, "d.w": []any{"beta", "alpha"}, "d.m": map[string]any{"k": "v", "n": 1.0}, "d.e": []any{},
	}
}

func evaluate(text string) map[string]any {
	return result(map[string]any{"x": text}, func() (any, error) {
		m := env.GetFuncMap(variables())
		program, err := expr.Compile(text, expr.Env(m))
		if err != nil {
			return nil, err
		}
		return expr.Run(program, m)
	})
}

func expressions() {
	put(map[string]any{"scope": encode(variables())})
	literals := []string{"nil", "true", "2", "2.5", `"ab"`, `"2"`, "[1, 2]", "{a: 1}"}
	members := []string{"d.nul", "d.t", "d.i", "d.f", "d.s", "d.l", "d.m"}
	binary := []string{"+", "-", "*", "/", "%", "**", "==", "!=", "<", "<=", "in", "contains", "startsWith", "matches", "..", "??", "and", "or"}
	for _, op := range binary {
		for _, a := range literals {
			for _, b := range members {
				put(evaluate(a + " " + op + " " + b))
			}
		}
		for _, a := range members {
			put(evaluate(a + " " + op + " 2"))
			put(evaluate(a + " " + op + ` "a"`))
		}
	}
	for _, op := range []string{"-", "+", "not ", "!"} {
		for _, v := range append(append([]string{}, literals...), members...) {
			put(evaluate(op + v))
		}
	}
	one := []string{"len", "type", "int", "float", "string", "abs", "ceil", "floor", "round", "upper", "lower", "trim", "keys", "values", "toPairs", "fromPairs", "first", "last", "reverse",
		"sort", "uniq", "flatten", "sum", "mean", "median", "min", "max", "toJSON", "fromJSON", "toBase64", "fromBase64", "bitnot", "asInt", "asFloat", "toJson"}
	for _, f := range one {
		for _, v := range []string{"d.nul", "d.t", "d.i", "d.f", "d.s", `"12"`, `"-1.5"`, `"{\"a\":[1]}"`, `"YWI="`, "d.l", "d.w", "d.m", "d.e", "[[1, [2]], 3]", "[2, 2.5, -1]", `[["a", 1]]`, "-2.5", "-7"} {
			if (f == "keys" || f == "values" || f == "toPairs" || f == "toJson" || f == "string") && v == "d.m" {
				continue // the order of a Go map
			}
			put(evaluate(f + "(" + v + ")"))
		}
	}
	in, err := os.Open("cases.txt")
	if err != nil {
		panic(err)
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if line := lines.Text(); line != "" && !strings.HasPrefix(line, "## ") {
			put(evaluate(line))
		}
	}
}
