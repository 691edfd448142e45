// SPDX-License-Identifier: Apache-2.0

// Writes vectors with the code that Argo Workflows runs: `go run . expr|sprig|tags|when|selector|numbers`.
package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"
)

var out = json.NewEncoder(os.Stdout)

func put(row map[string]any) {
	if err := out.Encode(row); err != nil {
		panic(err)
	}
}

// Floats are {"$f": text}, times {"$t": %v}, durations {"$d": ns}: so that 1 and 1.0 stay apart.
func encode(v any) any {
	switch x := v.(type) {
	case nil, bool, string:
		return x
	case float64:
		return map[string]any{"$f": strconv.FormatFloat(x, 'g', -1, 64)}
	case float32:
		return map[string]any{"$f": strconv.FormatFloat(float64(x), 'g', -1, 64)}
	case time.Time:
		return map[string]any{"$t": fmt.Sprint(x)}
	case time.Duration:
		return map[string]any{"$d": int64(x)}
	case []byte:
		return map[string]any{"$b": string(x)}
	}
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return r.Int()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return r.Uint()
	case reflect.Slice, reflect.Array:
		list := []any{}
		for i := 0; i < r.Len(); i++ {
			list = append(list, encode(r.Index(i).Interface()))
		}
		return list
	case reflect.Map:
		m := map[string]any{}
		for _, k := range r.MapKeys() {
			m[fmt.Sprint(k.Interface())] = encode(r.MapIndex(k).Interface())
		}
		return m
	case reflect.String:
		return r.String()
	}
	return map[string]any{"$go": fmt.Sprintf("%T", v)}
}

// What f gives as "v", or the first line of its error as "e".
func result(row map[string]any, f func() (any, error)) map[string]any {
	defer func() {
		if r := recover(); r != nil {
			row["e"] = fmt.Sprint(r)
		}
	}()
	v, err := f()
	if err != nil {
		row["e"] = strings.SplitN(err.Error(), "\n", 2)[0]
	} else {
		row["v"] = encode(v)
	}
	return row
}

// %v and JSON of numbers.
func numbers() {
	values := []float64{0, 1, -1, 0.1, 1.5, 35.8, 3, 100000, 999999, 1e6, 123456789, 1e20, 1e21, 1.5e21, 1e22, 1e-4, 1e-5, 1e-6, 1e-7, 1.5e-7, 0.30000000000000004, 1.0 / 3, 2.0 / 3,
		math.MaxFloat64, math.SmallestNonzeroFloat64, math.MaxInt64, math.MaxInt32, 1 << 53, 12345678901234567, 4.35, 0.000123, 65536.25, -2.5e-10, 1e100, 123456.789, 21e20}
	for _, f := range values {
		text, err := json.Marshal(f)
		if err != nil {
			panic(err)
		}
		put(map[string]any{"f": strconv.FormatFloat(f, 'g', -1, 64), "v": fmt.Sprintf("%v", f), "json": string(text)})
	}
}

func main() {
	out.SetEscapeHTML(false)
	map[string]func(){"expr": expressions, "sprig": sprigs, "tags": tags, "when": whens, "selector": selectors, "numbers": numbers}[os.Args[1]]()
}
