// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/argoproj/argo-workflows/v4/util/logging"
	"github.com/argoproj/argo-workflows/v4/util/template"
)

var scope = map[string]any{
	"a": "1", "b.c": "two", "quote": `say "hi"` + "\n\\ <&>", "tagged": "{{a}}", "which": "c", "empty": "", "absent": nil, "steps.one.status": "Succeeded", "steps.one.outputs.parameters.p": "v",
	"steps.gone.outputs.parameters.p": nil, "inputs.parameters.x": "5", "inputs.parameters.a-b": "dash", "inputs.parameters": "[]", "workflow.name": "wf", "workflow.parameters": "[]",
	"workflow.parameters.json": `[{"name":"p","value":"v"}]`, "workflow.parameters.p": "v", "item": "7", "steps.one.outputs.result": `{"k":[1,2]}`, "u": "é☃",
}

const texts = `
plain
{{a}}
{{ a }}
{{a}}{{b.c}}
<{{a}}>
{{nobody}}
{{ nobody }}
{{nobody.knows}} {{a}}
{{quote}}
{{tagged}}
{{empty}}
{{absent}}
x{{absent}}
{{b.{{which}}}}
{{b.{{nobody}}}}
{{nobody.{{which}}}}
{{x.{{absent}}}}
{{a
a}}
{{}}
{{ }}
{{{a}}}
{{a}}}
{ {a} }
{{a}} {{b.c
{{steps.one.status}}
{{steps.two.status}}
{{ steps.two.status }}
{{steps.two.outputs.artifacts.x}}
{{tasks.two.status}}
{{stepsx}}
{{steps}}
{{u}}
{{=1 + 1}}
{{= 1 + 1 }}
{{ =1 + 1}}
{{=a}}
{{=b.c}}
{{=b}}
{{=nobody}}
{{=nobody.knows}}
{{=nobody ?? 'd'}}
{{=nobody?.knows}}
{{=b.nobody}}
{{=b.nobody ?? 'd'}}
{{=b.nobody.knows}}
{{=b?.nobody}}
{{=b.nobody?.knows ?? 'd'}}
{{=absent}}
{{=absent ?? 'd'}}
{{=absent == nil}}
{{=absent == ''}}
{{=empty == ''}}
{{=steps.gone.outputs.parameters.p}}
{{=steps.gone.outputs.parameters.p ?? 'd'}}
{{=steps.one.status}}
{{=steps.one.nobody}}
{{=steps.one.nobody ?? 'd'}}
{{=steps.two.status}}
{{=steps.two.status ?? 'd'}}
{{=steps.two?.status ?? 'd'}}
{{=steps['two'].status}}
{{=steps['one'].status}}
{{=steps["one"].outputs.parameters.p}}
{{=tasks.a.status}}
{{=tasks.a.status ?? 'd'}}
{{=inputs.parameters.x}}
{{=asInt(inputs.parameters.x) + 1}}
{{=int(inputs.parameters.x) * 2.5}}
{{=float(inputs.parameters.x)}}
{{=asFloat('3.0')}}
{{=17.9 * 2}}
{{=1e21}}
{{=1e-7}}
{{=0.1 + 0.2}}
{{=10 / 4}}
{{=10 / 5}}
{{=1 / 0}}
{{=2 ** 3}}
{{=true}}
{{=nil}}
{{=[1, 'a', nil]}}
{{=[1.0, 2.5]}}
{{={'a': 1} }}
{{={'a': '<b>&"'} }}
{{={a: {b: 1}}}}
{{="say \"hi\""}}
{{='say "hi"'}}
{{='a\nb'}}
{{='<b>&'}}
{{=quote}}
{{=u}}
{{=u + '☃'}}
{{=tagged}}
{{='{{a' + '}' + '}'}}
{{=inputs.parameters['a-b']}}
{{=inputs.parameters.a-b}}
{{=inputs.parameters}}
{{=type(inputs.parameters)}}
{{=workflow.parameters}}
{{=type(workflow.parameters)}}
{{=workflow.parameters.json}}
{{=jsonpath(workflow.parameters.json, '$[0].value')}}
{{=jsonpath(workflow.parameters.json, '$[0].nosuch')}}
{{=jsonpath(steps.one.outputs.result, '$.k')}}
{{=jsonpath(steps.one.outputs.result, '$.k[*]')}}
{{=fromJSON(steps.one.outputs.result).k[1]}}
{{=toJson([1, 'a'])}}
{{=toJSON([1])}}
{{=item}}
{{=asInt(item) > 3}}
{{=retries}}
{{=asInt(retries) + 1}}
{{=lastRetry.exitCode}}
{{=lastRetry.exitCode ?? '0'}}
{{=workflow.status}}
{{=workflow.status == 'Failed'}}
{{=workflow.status ?? 'none'}}
{{='workflow.status'}}
{{=workflow.failures}}
{{=workflow.nobody}}
{{=workflow.nobody ?? 'd'}}
{{=int('x')}}
{{=int(nobody)}}
{{=nosuch(1)}}
{{=sprig.nosuch('a')}}
{{=sprig.upper(b.c)}}
{{=sprig.trim('  x ')}}
{{=sprig.int(inputs.parameters.x)}}
{{=sprig.int('{{a}}')}}
{{=1 +}}
{{=}}
{{= }}
{{=(}}
{{='unterminated}}
{{=a b}}
{{=1 + 'a'}}
{{=1 == 'a'}}
{{=a == 1}}
{{=a == '1'}}
{{=len(a)}}
{{=a ? 1 : 2}}
{{=a == '1' ? 'yes' : 'no'}}
{{=a == '2' ? 'yes' : nobody}}
{{=true ? 'x' : nobody.knows}}
{{=let x = 2; x * 3}}
{{=let x = 2; x * nobody}}
{{=map([1,2], # * 2)}}
{{=map([1,2], {# * 2})}}
{{=filter([1,2,3], # > 1)[0]}}
{{=reduce([1,2,3], #acc + #)}}
{{=any(['a'], # == a)}}
{{=[a, b.c] | join('-')}}
{{=a + b.c}}
{{=a in ['1']}}
{{=b.c matches '^t'}}
{{=b.c contains 'w'}}
{{=b.c[0:2]}}
{{=b.c[5:9]}}
{{=[1][5]}}
{{=a[0]}}
{{=a.x}}
{{=b.c.x}}
{{x{{=1}}}}
{{=1}}{{=2}}
{{=a}}{{a}}{{=nobody}}{{nobody}}
{{a}}-{{=a}}
{{=1 // comment}}
{{=1 /* comment */ + 1}}
{{=keys({'k': 1})}}
{{=get(b, 'c')}}
{{=get(b, 'x')}}
{{=get(b, 'x') ?? 'd'}}
{{=date('2024-01-01').Year()}}
{{=date('2024-01-01')}}
{{=duration('1h')}}
{{=duration('1h').Minutes()}}
`

func tags() {
	ctx := logging.WithLogger(context.Background(), logging.NewSlogLogger(logging.Error, logging.Text))
	put(map[string]any{"scope": scope})
	for _, text := range strings.Split(strings.Trim(texts, "\n"), "\n") {
		quoted, err := json.Marshal(text)
		if err != nil {
			panic(err)
		}
		// "a": any name may be missing; "s": none may that begins with steps or tasks; "n": none may
		for _, mode := range []string{"a", "s", "n"} {
			put(result(map[string]any{"t": text, "m": mode}, func() (any, error) {
				s, err := "", error(nil)
				if mode == "s" {
					s, err = template.ReplaceStrictAny(ctx, string(quoted), scope, []string{"tasks", "steps"})
				} else {
					s, err = template.Replace(ctx, string(quoted), scope, mode == "a")
				}
				if err != nil {
					return nil, err
				}
				var v string
				err = json.Unmarshal([]byte(s), &v)
				return v, err
			}))
		}
	}
}
