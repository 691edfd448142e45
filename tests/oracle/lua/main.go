// SPDX-License-Identifier: Apache-2.0

// Writes tests/vectors/lua.jsonl: what the interpreter of Argo Events makes of scripts over an event. The first line has the event. A line of
// cases.txt is a list of expressions, or a whole script if it begins with "! "; a script's result is its table as JSON, or whether it passes.
//
//	cd tests/oracle/lua && go run . > ../../vectors/lua.jsonl
package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

//go:embed cases.txt
var cases string

const event = `{"s":"hello","n":5,"f":2.5,"big":1234567890123,"t":true,"no":false,"nul":null,"e":"","l":[3,1,2],"w":["b","c","a"],` +
	`"mixed":[1,"a",null,true,[9],{"k":"v"}],"o":{"p":{"q":7},"x":"y","z":null},"el":[],"eo":{},"ref":"refs/heads/main","uni":"äöü€"}`

// Each value of the list as it is, with text for what has no JSON.
const around = `local function pack(...)
  local t = {n = select('#', ...)}
  for i = 1, t.n do
    local v = select(i, ...)
    if v == nil then v = 'nil' elseif type(v) == 'function' then v = 'function' end
    t['v' .. i] = v
  end
  return t
end
return pack(`

// The event as Argo's bridge hands it over: no nulls, and no lists in lists.
func table(l *lua.LState, v any) lua.LValue {
	switch v := v.(type) {
	case float64:
		return lua.LNumber(v)
	case string:
		return lua.LString(v)
	case bool:
		return lua.LBool(v)
	case map[string]any:
		t := l.NewTable()
		for k, e := range v {
			if e != nil {
				t.RawSetString(k, table(l, e))
			}
		}
		return t
	case []any:
		t := l.NewTable()
		for _, e := range v {
			if _, isList := e.([]any); e != nil && !isList {
				t.Append(table(l, e))
			}
		}
		return t
	}
	return lua.LNil
}

func value(v lua.LValue) any {
	switch v := v.(type) {
	case lua.LBool:
		return bool(v)
	case lua.LString:
		return string(v)
	case lua.LNumber:
		return float64(v)
	case *lua.LTable:
		marked := false
		if m, ok := v.Metatable.(*lua.LTable); ok {
			marked = m.RawGetString("__is_array") == lua.LTrue
		}
		if n := v.MaxN(); n > 0 || marked {
			list := make([]any, 0, n)
			for i := 1; i <= n; i++ {
				list = append(list, value(v.RawGetInt(i)))
			}
			return list
		}
		object := map[string]any{}
		v.ForEach(func(k, e lua.LValue) { object[k.String()] = value(e) })
		return object
	case *lua.LNilType:
		return nil
	default:
		return v
	}
}

func run(script string) (line map[string]any) {
	line = map[string]any{}
	defer func() {
		if r := recover(); r != nil {
			line = map[string]any{"e": fmt.Sprint(r)}
		}
	}()
	l := lua.NewState()
	defer l.Close()
	var e map[string]any
	if err := json.Unmarshal([]byte(event), &e); err != nil {
		panic(err)
	}
	l.SetGlobal("event", table(l, e))
	if err := l.DoString(script); err != nil {
		text, _, _ := strings.Cut(err.Error(), "\n")
		return map[string]any{"e": regexp.MustCompile("0x[0-9a-f]+").ReplaceAllString(text, "0x")} // no addresses: they change
	}
	last := l.Get(-1)
	if t, ok := last.(*lua.LTable); ok {
		text, err := json.Marshal(value(t))
		if err != nil {
			return map[string]any{"e": err.Error()}
		}
		line["json"] = string(text)
	} else {
		line["passes"] = last == lua.LTrue
	}
	return line
}

func main() {
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	if err := out.Encode(map[string]any{"event": event, "around": []string{around, ")"}}); err != nil {
		panic(err)
	}
	for _, text := range strings.Split(strings.TrimRight(cases, "\n"), "\n") {
		if strings.HasPrefix(text, "# ") || text == "" {
			continue
		}
		script, whole := strings.CutPrefix(text, "! ")
		if !whole {
			script = around + text + ")"
		}
		line := run(script)
		line["x"] = text
		if err := out.Encode(line); err != nil {
			panic(err)
		}
	}
}
