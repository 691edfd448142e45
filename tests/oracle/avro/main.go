// SPDX-License-Identifier: Apache-2.0

// Writes tests/vectors/avro.jsonl: what goavro, Argo's Avro, makes of values by their schemas: their bytes, and the text of those bytes.
//
//	cd tests/oracle/avro && go run . > ../../vectors/avro.jsonl
package main

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"

	"github.com/linkedin/goavro/v2"
)

type vector struct {
	Schema string `json:"schema"`
	Hex    string `json:"hex"`
	Text   string `json:"text"`            // absent: the bytes are refused
	Again  bool   `json:"again,omitempty"` // the text gives the same bytes
}

var values = []struct {
	schema string
	texts  []string
}{
	{`"null"`, []string{`null`}},
	{`"boolean"`, []string{`true`, `false`}},
	{`"int"`, []string{`0`, `-1`, `1`, `-64`, `64`, `2147483647`, `-2147483648`}},
	{`"long"`, []string{`0`, `8192`, `-8193`, `9223372036854775807`, `-9223372036854775808`}},
	{`"float"`, []string{`0`, `-0.5`, `0.1`, `16777216`, `3.4028235e38`, `1e-45`, `1e999`, `-1e999`, `null`, `1234567`, `100000`, `0.00001`, `33554432`}},
	{`"double"`, []string{`0`, `0.1`, `1e21`, `123456789`, `1e6`, `999999`, `0.0001`, `0.00001`, `5e-324`, `1.7976931348623157e308`, `-1e999`, `null`}},
	{`"bytes"`, []string{`""`, `"a\u00ff\u0000\u007f"`, `"\"\\\/\b\f\n\r\t<>&"`}},
	{`"string"`, []string{`""`, `"x"`, `"\u00e9/\u20ac <&> \ud83d\ude00"`, `"\u0000\u001f\u007f\u2028"`, `"\"\\\b\f\n\r\t"`}},
	{`{"type":"string"}`, []string{`"x"`}},
	{`{"type":"fixed","name":"f","size":3}`, []string{`"\u0001\u00feA"`}},
	{`{"type":"enum","name":"n.e","symbols":["A","B_1"]}`, []string{`"A"`, `"B_1"`}},
	{`{"type":"array","items":"long"}`, []string{`[]`, `[1,-2,300]`}},
	{`{"type":"array","items":{"type":"array","items":["null","string"]}}`, []string{`[[],[null,{"string":"x"}]]`}},
	{`{"type":"map","values":"boolean"}`, []string{`{}`, `{"a\u00e9":true}`}},
	{`["null","string"]`, []string{`null`, `{"string":"x"}`}},
	{`["int","null",{"type":"array","items":"int"}]`, []string{`{"int":7}`, `null`, `{"array":[7]}`}},
	{`["null",{"type":"long","logicalType":"timestamp-micros"},{"type":"int","logicalType":"date"}]`,
		[]string{`{"long.timestamp-micros":1700000000000000}`, `{"int.date":19000}`}},
	{`{"type":"long","logicalType":"timestamp-millis"}`, []string{`1700000000000`}},
	{`{"type":"int","logicalType":"time-millis"}`, []string{`3600000`}},
	{`{"type":"long","logicalType":"time-micros"}`, []string{`3600000000`}},
	{`["null",{"type":"int","logicalType":"time-millis"},{"type":"long","logicalType":"time-micros"}]`, []string{`{"int.time-millis":5}`, `{"long.time-micros":6}`}},
	{`["null",{"type":"long","logicalType":"unheard-of"}]`, []string{`{"long":5}`}},
	{`["null",{"type":"string","logicalType":"uuid"}]`, []string{`{"string":"c0ffee00-0000-4000-8000-000000000000"}`}},
	{`{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}`, []string{`"\u0001\u0000"`, `"\u00ff"`, `"\u0000"`}},
	{`["null",{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}]`, []string{`{"bytes.decimal":"\u0004\u00d2"}`}},
	{`{"type":"record","name":"r","fields":[]}`, []string{`{}`}},
	{`{"type":"record","name":"r","namespace":"a.b","fields":[{"name":"x","type":["null","r"]}]}`,
		[]string{`{"x":null}`, `{"x":{"a.b.r":{"x":{"a.b.r":{"x":null}}}}}`}},
	{`{"type":"record","name":"r","namespace":"a","fields":[{"name":"one","type":{"type":"enum","name":"c.e","symbols":["S"]}},{"name":"two","type":["c.e","string"]}]}`,
		[]string{`{"one":"S","two":{"c.e":"S"}}`, `{"one":"S","two":{"string":"S"}}`}},
	{`{"type":"record","name":"a.r","fields":[{"name":"one","type":{"type":"fixed","name":"f","size":1}},{"name":"two","type":{"type":"array","items":"f"}}]}`,
		[]string{`{"one":"1","two":["2","3"]}`}},
}

// Bytes that are no value, and some that goavro takes although no encoder of its own writes them.
var bytes = []struct{ schema, hex string }{
	{`"int"`, ""}, {`"long"`, "ff"}, {`"boolean"`, "02"}, {`"string"`, "01"}, {`"string"`, "0461"}, {`"bytes"`, "feffffffffffffffff01"},
	{`"float"`, "000000"}, {`"double"`, "00000000000000"}, {`["null","string"]`, "04"}, {`["null","string"]`, "01"},
	{`{"type":"enum","name":"e","symbols":["A"]}`, "02"}, {`{"type":"enum","name":"e","symbols":["A"]}`, "01"},
	{`{"type":"fixed","name":"f","size":3}`, "0102"}, {`{"type":"array","items":"long"}`, "02"}, {`{"type":"array","items":"long"}`, "0202"},
	{`{"type":"array","items":"long"}`, "0304020400"}, {`{"type":"array","items":"long"}`, "030402040200"}, {`{"type":"array","items":"long"}`, "0202020400"},
	{`{"type":"map","values":"long"}`, "010602610200"}, {`{"type":"map","values":"long"}`, "0202"},
	{`"long"`, "0299"}, {`"string"`, "0461ff"}, {`"string"`, "06e282ac"}, {`"string"`, "04e282"},
}

func ordered(text string, order []string) bool {
	at := 0
	for _, name := range order {
		i := strings.Index(text, `"`+name+`":`)
		if i < at {
			return false
		}
		at = i
	}
	return true
}

// Fields come out in any order: theirs is that of the schema.
func textual(c *goavro.Codec, schema string, bytes []byte) (string, bool) {
	order := []string{}
	if strings.Contains(schema, `"two"`) {
		order = []string{"one", "two"}
	}
	for {
		native, _, err := c.NativeFromBinary(bytes)
		if err != nil {
			return "", false
		}
		text, err := c.TextualFromNative(nil, native)
		if err != nil {
			return "", false
		}
		if ordered(string(text), order) {
			return string(text), true
		}
	}
}

func main() {
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for _, v := range values {
		c, err := goavro.NewCodec(v.schema)
		if err != nil {
			panic(v.schema + ": " + err.Error())
		}
		for _, text := range v.texts {
			native, _, err := c.NativeFromTextual([]byte(text))
			if err != nil {
				panic(v.schema + ": " + text + ": " + err.Error())
			}
			binary, err := c.BinaryFromNative(nil, native)
			if err != nil {
				panic(v.schema + ": " + text + ": " + err.Error())
			}
			back, ok := textual(c, v.schema, binary)
			if !ok {
				panic(text)
			}
			out.Encode(vector{v.schema, hex.EncodeToString(binary), back, !strings.Contains(back, "1e999") && !(back == "null" && len(binary) > 1)})
		}
	}
	for _, v := range bytes {
		c, err := goavro.NewCodec(v.schema)
		if err != nil {
			panic(v.schema)
		}
		b, _ := hex.DecodeString(v.hex)
		text, _ := textual(c, v.schema, b)
		out.Encode(vector{Schema: v.schema, Hex: v.hex, Text: text})
	}
}
