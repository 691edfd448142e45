// SPDX-License-Identifier: Apache-2.0

// Writes tests/vectors/jq.jsonl: what gojq makes of jq programs over an event, as Argo Events runs them: the first output, which must be an
// object. The first line has the event. A line of cases.txt is an expression, whose outputs become {"r": [...]}, or a whole program if
// it begins with "! ".
//
//	cd tests/oracle/jq && go run . > ../../vectors/jq.jsonl
package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/itchyny/gojq"
)

//go:embed cases.txt
var cases string

const event = `{"a":1,"b":2.5,"neg":-7,"big":1234567890123,"s":"hello","e":"","t":true,"no":false,"nul":null,"l":[3,1,2],"ll":[[1,2],[3,[4]]],` +
	`"w":["b","c","a"],"o":{"x":1,"y":{"z":[10,20]}},"el":[],"eo":{},"ref":"refs/heads/main","uni":"äöü€😀","date":"2024-03-10T08:30:00Z","ts":1710059400,` +
	`"items":[{"name":"one","n":1,"tags":["x","y"]},{"name":"two","n":2,"tags":[]},{"name":"three","n":1}],"html":"<a href='x'>&\"</a>","csv":[1,"a,b",null,true,"q\"q"]}`

func run(program string) (out any, err error) {
	query, err := gojq.Parse(program)
	if err != nil {
		return nil, err
	}
	var input map[string]any
	if err := json.Unmarshal([]byte(event), &input); err != nil {
		panic(err)
	}
	v, ok := query.Run(input).Next()
	if !ok {
		return nil, fmt.Errorf("no output")
	}
	if err, ok := v.(error); ok {
		return nil, err
	}
	if _, ok := v.(map[string]any); !ok {
		return nil, fmt.Errorf("no object: %T", v)
	}
	return v, nil
}

func main() {
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	if err := out.Encode(map[string]any{"event": event}); err != nil {
		panic(err)
	}
	for _, text := range strings.Split(strings.TrimRight(cases, "\n"), "\n") {
		if strings.HasPrefix(text, "# ") || text == "" {
			continue
		}
		program, whole := strings.CutPrefix(text, "! ")
		if !whole {
			program = "{r: [" + text + "]}"
		}
		line := map[string]any{"x": text}
		if v, err := run(program); err != nil {
			line["e"], _, _ = strings.Cut(err.Error(), "\n")
		} else {
			line["v"] = v
		}
		if err := out.Encode(line); err != nil {
			panic(fmt.Sprint(text, ": ", err))
		}
	}
}
