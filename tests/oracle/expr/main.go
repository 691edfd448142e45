// SPDX-License-Identifier: Apache-2.0

// Writes tests/vectors/expr.jsonl: every line of cases.txt evaluated by expr-lang v1.17 and by antonmedv/expr v1.15.5 over
// env.json, as Argo Workflows and Argo Events run them. Floats are {"$f": text}, so that 1 and 1.0 stay apart.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"

	old "github.com/antonmedv/expr"
	"github.com/expr-lang/expr"
)

func encode(v any) any {
	switch x := v.(type) {
	case nil, bool, string:
		return x
	case float64:
		return map[string]any{"$f": strconv.FormatFloat(x, 'g', -1, 64)}
	case float32:
		return map[string]any{"$f": strconv.FormatFloat(float64(x), 'g', -1, 64)}
	}
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return r.Int()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return r.Uint()
	case reflect.Slice, reflect.Array:
		out := []any{}
		for i := 0; i < r.Len(); i++ {
			out = append(out, encode(r.Index(i).Interface()))
		}
		return out
	case reflect.Map:
		out := map[string]any{}
		for _, k := range r.MapKeys() {
			out[fmt.Sprint(k.Interface())] = encode(r.MapIndex(k).Interface())
		}
		return out
	case reflect.String:
		return r.String()
	}
	return map[string]any{"$go": fmt.Sprintf("%T", v)}
}

func run(f func() (any, error)) (out map[string]any) {
	defer func() {
		if r := recover(); r != nil {
			out = map[string]any{"error": fmt.Sprint(r)}
		}
	}()
	v, err := f()
	if err != nil {
		return map[string]any{"error": strings.SplitN(err.Error(), "\n", 2)[0]}
	}
	return map[string]any{"value": encode(v)}
}

func main() {
	text, err := os.ReadFile("env.json")
	if err != nil {
		panic(err)
	}
	in, err := os.Open("cases.txt")
	if err != nil {
		panic(err)
	}
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "## ") {
			continue
		}
		env := func() map[string]any {
			var m map[string]any
			if err := json.Unmarshal(text, &m); err != nil {
				panic(err)
			}
			return m
		}
		row := map[string]any{"expr": line}
		row["v117"] = run(func() (any, error) {
			p, err := expr.Compile(line, expr.Env(env()), expr.AllowUndefinedVariables())
			if err != nil {
				// as Argo does where the environment is not known: compiled without types
				p, err = expr.Compile(line)
				if err != nil {
					return nil, err
				}
			}
			return expr.Run(p, env())
		})
		row["v115"] = run(func() (any, error) {
			p, err := old.Compile(line)
			if err != nil {
				return nil, err
			}
			return old.Run(p, env())
		})
		if err := out.Encode(row); err != nil {
			panic(err)
		}
	}
}
