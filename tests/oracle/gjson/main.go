// SPDX-License-Identifier: Apache-2.0

// Writes tests/vectors/gjson.jsonl: what the real gjson says for many texts and paths.
//
//	cd tests/oracle/gjson && go run . > ../../vectors/gjson.jsonl
package main

import (
	"encoding/json"
	"os"

	"github.com/tidwall/gjson"
)

type vector struct {
	JSON    string `json:"json"`
	Path    string `json:"path"`
	Exists  bool   `json:"exists"`
	Type    string `json:"type"`
	Raw     string `json:"raw"`
	Text    string `json:"text"`
	Bool    bool   `json:"bool"`
	At      int    `json:"at"`
	Places  []int  `json:"places,omitempty"`
}

var groups = []struct {
	texts, paths []string
}{
	{[]string{`{"name":{"first":"Tom","last":"Anderson"},"age":37,"children":["Sara","Alex","Jack"],"fav.movie":"Deer Hunter",` +
		`"friends":[{"first":"Dale","last":"Murphy","age":44,"nets":["ig","fb","tw"]},{"first":"Roger","last":"Craig","age":68,"nets":["fb","tw"]},` +
		`{"first":"Jane","last":"Murphy","age":47,"nets":["ig","tw"]}],"vals":[1,2.5,true,false,null,"x",{"a":1},[1,2]]}`},
		[]string{"name.last", "age", "children", "children.#", "children.1", "child*.2", "c?ildren.0", "fav\\.movie", "friends.#.first",
			"friends.1.last", `friends.#(last=="Murphy").first`, `friends.#(last=="Murphy")#.first`, "friends.#(age>45)#.last",
			`friends.#(first%"D*").last`, `friends.#(first!%"D*").last`, `friends.#(first!%"D*")#.last`, `friends.#(nets.#(=="fb"))#.first`,
			`friends.#(nets.#(=="none"))#.first`, `friends.#(nets.#(=="none")).first`, "friends.#.nets.#", "friends.#.nets.0", "friends.#.nets|0",
			"friends.#.nets|@flatten", "children|@reverse", "children|@reverse|0", "children.@reverse.0", "@reverse", "friends|#", "friends.#.age|@this",
			"friends.#(age>40)#|#", "friends.#(age>40)#.first|0", "friends.#(age>40)#|0", "friends.#(age>40)#.0", "name.@keys", "name.@values", "name|@tostr", "name.first.@tostr",
			"friends.0.@keys.#", "{name.first,age}", "{name.first,age,\"the\":friends.0.first}", "[name.first,age]", "{first:name.first,x:nothing}",
			"friends.#.{first,age}", "friends.#.[first,age]", "friends.#(last==\"Murphy\")#.{first,age}", "{a:children.0}.a", "[age,children]|1.0", "name.{\"f\":first,last}",
			"children.-1", "children.3", "children.01", "children.x", "age.x", "age.0", "name.first.x", "name.middle", "nothing", "nothing.at.all", "*", "*.first", "*e",
			"n*.l*", "?ge", "vals.#", "vals.4", "vals.6.a", "vals.7.1", "vals.#.a", "vals.#(>1)", "vals.#(>1)#", "vals.#(==true)", "vals.#(==false)#", "vals.#(==null)#", "vals.#(!=1)#",
			"vals.#(==~true)#", "vals.#(==~false)#", "vals.#(==~null)#", "vals.#(!=~null)#", "vals.#(==~*)#", "vals.#(==~bad)#", "vals.#(>=true)#", "vals.#(<=false)#", "vals.#(<true)#", "vals.#(>false)#",
			"vals.#()#", "vals.#(a)#", "vals.#(a==1)", "vals.#(\"x\")#", "friends.#(first==Dale)", "friends.#(first=\"Dale\").age", "friends.#(first<\"K\")#.first", "friends.#(first>=\"Jane\")#.first",
			"friends.#(age<=47)#.age", "friends.#(age!=47)#.age", "friends.#(age==\"47\").first", "friends.#[last==\"Craig\"].first", "friends.#(nets.0==\"ig\")#.first", "friends.#(nets.#>2).first",
			"friends.#(nets.#(%\"f*\"))#.first", "friends.#(last==\"Murphy\")#|@reverse.0.first", "friends.@this.#", "@this.age", "@this|@this|age", "@valid.age", "@ugly", "@pretty", "name.@pretty", "children.@pretty", "friends.@pretty",
			"name.@pretty:{\"indent\":\"\\t\",\"prefix\":\" \"}", "friends.0.@pretty:{\"sortKeys\":true,\"width\":10}", "@dig:first", "@dig:nets.0", "@dig:#(=fb)", "friends|@dig:age", "@dig:none",
			"friends.#.@this", "friends.#.@keys", "friends.@join", "vals.@flatten", "vals.@flatten:{\"deep\":true}", "!\"lit\"", "!5", "!true", "!TRUE.x", "!null", "!nan", "![1,2,3]", "![1,2,3].1", "!{\"a\":1}.a", "!\"a\"|@tostr",
			"!bogus", "[!\"x\",age]", "{\"lit\":!\"x\"}", "@bogus", "@bogus.x", "name.@bogus", "friends.0.first|@tostr|@fromstr", "age.@tostr", "name|first", "name|last|@this", "friends|0|first", "friends|0.first", "friends.0|first",
			"..#", "..0.age", "..#.age", "", ".", "name.", ".name", "#", "friends.", "friends..0", "friends.#.", "friends.#.first.", "a.b.c.d.e", "\\name.first", "n\\ame.first", "na\\me.fi\\rst", "fav\\.movi*", "fav*", "fav\\*", "friends.#(", "friends.#(age", "friends.#(age>", "friends.#(age>)",
			"friends.#(first==\"D", "friends.#()", "[", "{", "[age", "{age", "[age]x", "{}", "[]", "[age,", "{age:", "{\"a\":age}", "{'a':age}", "{a b:age}", "@", "!", "@:x", "@this:", "@this:{}", "@this:x|age", "@keys:x.y", "|", "||", "name||first", "|name"}},
	{[]string{`{"data":{"e":"a\tb\"c\\d\u00e9\ud83d\ude00\/","k\"q":1,"k\u0041":2,"uni\u00e9":3,"é":4,"emoji😀":5,"\\":6,"a.b":{"c.d":7},"*":8,"a*b":9,"":10,"@this":11,"#":12,"1":13}}`},
		[]string{"data.e", "data.k\"q", "data.kA", "data.unié", "data.é", "data.emoji😀", "data.emoji?", "data.\\\\", "data.a\\.b.c\\.d", "data.\\*", "data.a\\*b", "data.", "data.\\@this", "data.@this", "data.#", "data.1", "data.k*", "data.?", "data.k?A", "data|@keys", "data.e|@tostr", "data.@values", "data.e.@fromstr", "data.un*", "{data.e}", "{data.é}", "data.@reverse"}},
	{[]string{`{"i":12345678901234567890,"n":-5,"f":1.50,"e":1e3,"big":1e400,"E":1.5E-7,"z":0,"mz":-0,"mzf":-0.0,"t":true,"fa":false,"nu":null,"s":"5","st":"true","sT":"T","es":"","arr":[],"obj":{},"huge":123456789012345678901234567890.5,"sm":0.000001,"m":1.0}`},
		[]string{"i", "n", "f", "e", "E", "z", "mz", "mzf", "t", "fa", "nu", "s", "st", "sT", "es", "arr", "obj", "huge", "sm", "m", "arr.#", "obj.@keys", "arr.0", "arr.@reverse", "obj.@reverse", "arr.@flatten", "obj.@values", "arr.@join", "arr.#.x", "arr.#(x)#", "arr.#(x)", "nu.@tostr", "[nu,arr]", "{nu,fa}", "t.@this", "nu.@this", "nu.@keys", "t.@values", "es.@tostr", "arr.@group", "obj.@group"}},
	{[]string{`[{"id":1,"t":["a","b"]},{"id":2,"t":[]},{"id":3},{"t":["c"]},[1,[2,[3]]],"str",null,true,7]`},
		[]string{"#", "0", "0.id", "8", "9", "#.id", "#.t", "#.t.#", "#.t.0", "#(id==2)", "#(id==2).t", "#(id>1)#", "#(id>1)#.id", "#(t.#==1)#", "#(t.0==\"c\").t", "#(id)#.id", "#(t)#|#", "#(t)#.t|@flatten", "4.1.1.0", "@flatten", "@flatten:{\"deep\":true}", "@reverse.0", "@reverse|1", "#(==\"str\")", "#(==7)", "#(==true)", "#(==null)", "#(>5)", "@values", "@keys", "@join", "@tostr", "@ugly", "@pretty", "[0.id,1.id]", "{0.id,\"b\":1.id}", "#.id|0", "#.id.0", "#.id|@reverse|0", "#.t|1", "#.t.@flatten", "#.{id}", "#.[id,t.#]", "#(id==1).t.#(==\"b\")", "#(id==1).t|#", "#(t.#(==\"c\"))", "..0.0.id", "-1", "0.t.-1", "*", "?", "#*", "##", "#.#", "#|#", "0|id", "@dig:id", "@dig:#", "#.@this", "#.id|@tostr", "#(id==1)|@keys", "#(id==1)#|0|id", "#(id==1)#|@keys", "#(id==9)#", "#(id==9)#.x", "#(id==9)", "#(id==9).x", "#(id!=9)#.id"}},
	{[]string{"{\"a\":1}\n{\"a\":2}\n[3]\n\"x\"\n", "  [ 1 , 2 , [ 3 ] ]  "}, []string{"..#", "..0", "..1.a", "..#.a", "..2.0", "..3", "..4", "..#(a==2)", "..#(a>0)#.a", "a", "#", "0", "2.0", "@this", "@ugly", "@valid", "@reverse", "@this|@this", "@pretty", "@flatten", "@tostr"}},
	{[]string{`{"a":{"b":1},"a":{"c":2},"d":[{"x":1,"x":2}],"groups":{"id":["1","2"],"name":["x","y","z"],"no":5},"j":[{"a":1,"b":2},{"b":3},5,{"c":[1]}],"js":"{\"q\":[1,2]}","bad":"{q}"}`},
		[]string{"a", "a.b", "a.c", "a.*", "d.0.x", "d.#.x", "groups.@group", "groups|@group.1.name", "j.@join", "j.@join:{\"preserve\":true}", "j.@join.b", "js.@fromstr", "js.@fromstr.q.1", "js|@fromstr|q|#", "bad.@fromstr", "bad.@fromstr.x", "@group", "@join", "j.#(b>=2)#.b", "j.#.b|@this", "j.#(b==2).{b,a}", "{j.0.a,a}", "{\"a\":a.b,\"c\":d.0.x}.c", "[a,[d.#,j.#]]", "[a,[d.#,j.#]].1.0", "{x:{y:a.b}}", "{x:{y:a.b}}.x.y", "{\"x\":[a.b,!\"s\"]}", "a.b|{x:@this}", "d|0|x|@tostr", "@tostr|@fromstr|a.b"}},
	{[]string{`{"id":"e-1","time":"2024-03-10T08:30:00Z","body":{"ref":"refs/heads/main","before":"000","after":"abc","forced":false,"size":2,"head_commit":null,` +
		`"repository":{"id":123456789,"full_name":"acme/app","private":true,"topics":["go","c"],"owner":{"login":"acme","site_admin":false}},"sender":{"login":"ann","id":7},` +
		`"commits":[{"id":"c1","message":"fix: a \"quote\"","author":{"name":"Ann","email":"ann@example.org"},"added":["a.txt","docs/b.md"],"removed":[],"modified":["go.mod"],"n":3},` +
		`{"id":"c2","message":"feat: \u00fcber","author":{"name":"Bob","email":"bob@example.org"},"added":[],"removed":["x"],"modified":["main.go","docs/c.md"],"n":10}]},` +
		`"header":{"X-Github-Event":["push"],"Content-Type":["application/json"],"x.y":["dot"],"a:b":["colon"]},"empty":{},"tags":{"env":"prod","tier":"1"}}`},
		[]string{"body.ref", "body.repository.full_name", "body.repository.owner.login", "body.repository.private", "body.repository.id", "body.repository.topics", "body.repository.topics.#", "body.repository.topics.1",
			"body.head_commit", "body.head_commit.id", "body.forced", "body.commits", "body.commits.#", "body.commits.0.id", "body.commits.1.author.email", "body.commits.#.id", "body.commits.#.author.name", "body.commits.#.added",
			"body.commits.#.added.#", "body.commits.#.added.0", "body.commits.#.added|@flatten", "body.commits.#.added|@flatten|#", "body.commits.#.[added,modified]", "body.commits.#.[added,modified]|@flatten|@flatten",
			`body.commits.#(author.name=="Bob").id`, `body.commits.#(author.name=="Bob")#.id`, `body.commits.#(author.name!="Bob")#.id`, `body.commits.#(message%"fix*").id`, `body.commits.#(message!%"fix*").id`,
			`body.commits.#(modified.#(%"*.go")).id`, `body.commits.#(modified.#(%"docs/*"))#.id`, `body.commits.#(added.#(=="a.txt"))#|#`, `body.commits.#(n>3)#.id`, `body.commits.#(n>=3)#.id`, `body.commits.#(n<10).id`, `body.commits.#(n<=10)#|0.id`,
			`body.commits.#(removed.#>0)#.id`, `body.commits.#(id=="none")#.id`, `body.commits.#(id=="none").id`, `body.commits.#(author.name=="Ann").author.{name,email}`, "body.commits.#.{id,by:author.name}",
			`{"branch":body.ref,"by":body.sender.login}`, `{body.ref,body.after,"repo":body.repository.full_name}`, `[body.ref,body.after,body.size]`, `[body.commits.#.id,body.commits.#.n]`, `{"first":body.commits.0.{id,n},"last":body.commits|@reverse|0.{id,n}}`,
			"body.commits|@reverse|0.id", "body.commits.@reverse.0.id", "body.commits|0|id", "body.commits|#.id|@this", "body.commits|#.n|@ugly", "body.commits.0.author|@keys", "body.commits.0.author|@values", "body.commits.0.author.@keys.1",
			"header.X-Github-Event.0", "header.x\\.y.0", "header.a:b.0", "header.Content-Type|0", "header.*.0", "header.X-*.0", "header.?.0", "header|@keys|#", "header.@values|@flatten", "tags|@keys", "tags|@values|@tostr", "tags.@tostr|@fromstr|env",
			"body.commits.0.message", "body.commits.1.message", "body.commits.#.message", "body.commits.0.message.@tostr", "body.commits.0.@this.id", "@this.body.ref", "body|@pretty|@ugly", `body.sender|@pretty:{"indent":" ","sortKeys":true}`,
			"empty", "empty.x", "empty|@keys", "empty.@values.#", "body.repository.topics|@join", `[tags,{"tier":"2"}]|@join`, "[tags,body.sender]|@join", `{"a":tags.env,"b":[tags.tier,body.size]}`, "body.commits.#.author|@join:{\"preserve\":true}",
			`body.commits.#.author.#(name=="Ann")`, `body.commits.#.author|#(name=="Ann").email`, `body.commits.#.author.name|#(=="Bob")`, `body.commits.#.id|#(%"c*")#`, "@dig:login", "@dig:email|0", "body|@dig:#(name==\"Ann\")", "body.@dig:added", "@valid|id", "id|@valid",
			"!\"literal\"", `{"k":!"v","n":!5}`, `[!true,id]`, "body.commits.#.!\"x\"", "body.commits.-1", "body.commits.2", "body.commits.2.id", "body.commits.01.id", "body.commits.#.nothing", "body.commits.#.nothing|#", "body.c*.0.id", "b*.r*", "body.comm?ts.#", "bod\\y.ref", "body\\.ref"}},
	{[]string{``, ` `, `null`, `true`, `5`, `"s"`, `{}`, `[]`, `{"a":`, `{"a"`, `[1,2`, `[[[[`}, []string{"a", "#", "0", "@this", "@valid", "@tostr", "@keys", "@values", "@reverse", "@flatten", "@ugly", "{a}", "[a]", "!1", "a|!2", "..#", "*"}},
}

func main() {
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for _, g := range groups {
		for _, text := range g.texts {
			for _, path := range g.paths {
				r := gjson.Get(text, path)
				v := vector{text, path, r.Exists(), r.Type.String(), r.Raw, r.String(), r.Bool(), r.Index, r.Indexes}
				if err := out.Encode(v); err != nil {
					panic(err)
				}
			}
		}
	}
}
