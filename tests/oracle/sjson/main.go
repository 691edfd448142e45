// SPDX-License-Identifier: Apache-2.0

// Writes tests/vectors/sjson.jsonl: what the real sjson makes of many texts, paths and values.
//
//	cd tests/oracle/sjson && go run . > ../../vectors/sjson.jsonl
package main

import (
	"encoding/json"
	"os"

	"github.com/tidwall/sjson"
)

type vector struct {
	JSON  string `json:"json"`
	Path  string `json:"path"`
	Value string `json:"value"` // raw JSON
	Out   string `json:"out"`
	Error string `json:"error,omitempty"`
}

var texts = []string{
	`{}`, `[]`, ``, `null`, `"s"`, `5`,
	`{"a":1,"b":{"c":[1,2,3],"d":"x"},"l":[],"n":null,"s":"str","o":{},"0":"zero","a.b":"dot","ms":[{"name":"x","v":1},{"name":"m","v":2},{"name":"m","v":3}]}`,
	`[1,{"a":2},[3,4],"x",null]`,
	`{"apiVersion":"argoproj.io/v1alpha1","kind":"Workflow","metadata":{"generateName":"w-","labels":{"app.kubernetes.io/name":"x"}},` +
		`"spec":{"arguments":{"parameters":[{"name":"x","value":"1"},{"name":"m"}]},"templates":[{"name":"a","container":{"args":["a","b"]}}]}}`,
}
var paths = []string{
	"a", "b", "b.c", "b.c.0", "b.c.2", "b.c.3", "b.c.5", "b.c.-1", "b.d", "b.d.e", "b.d.0", "b.x.y.z", "b.x.0", "b.x.2.y", "b.x.-1", "b.c.x", "b.c.0.x", "l.0", "l.2", "l.-1", "l.-1.a", "n.x", "n.0", "n.-1", "s.t", "s.0",
	"o.k", "o.0", "o.:0", ":0", "0", "new", "new.0", "new.:0", "new.:0.x", "new.1.a", "new.-1", "new.-1.-1", "a\\.b", "x\\.y", "x\\.y.z", "x.y\\.z", "ms.0.v", "ms.3.v", "ms.-1.v", "ms.#(name==\"m\").v", "ms.#(name==\"m\")#.v",
	"ms.#.v", "ms.#(name==\"none\").v", "ms.#(name==\"none\")#.v", "ms.#", "ms.*", "m*.0.v", "b.*", "?", "z*", "ms.#(v>1)#", "ms.#(v>1)", "ms.#.v|0", "ms|0", "@this", "ms.@reverse", "2.0", "2.5", "1.a", "1.b", "3.x", "4.x", "5", "7.a", "-1", "-1.x", "x", "é", "é.ü", "k\"q", "k\\\\b", "k\\:x", ":a", ":a.:b", "b.:c", "b.c.:0", "b.:c.:1", "a.b.c.d.e.f", "b..c", "b.", ".b",
}
var values = []string{`"v"`, `7`, `{"p":[1,"q"]}`}

func main() {
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for i, text := range texts {
		for j, path := range paths {
			value := values[(i+j)%len(values)]
			v := vector{JSON: text, Path: path, Value: value}
			res, err := sjson.SetRaw(text, path, value)
			if err != nil {
				v.Error = err.Error()
			} else {
				v.Out = res
			}
			if err := out.Encode(v); err != nil {
				panic(err)
			}
		}
	}
}
