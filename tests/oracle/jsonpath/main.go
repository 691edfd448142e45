// SPDX-License-Identifier: Apache-2.0

// Writes tests/vectors/jsonpath.jsonl: paths over a few documents, evaluated by evilmonkeyinc/jsonpath as Argo's jsonpath() calls it.
// A line is a document, {"doc": n, "json": text}, or a query of the one before: {"p": path, "v": value} or {"p": path, "e": error}.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/evilmonkeyinc/jsonpath"
)

var documents = []string{
	`{"store":{"book":[{"category":"reference","author":"Nigel Rees","title":"Sayings","price":8.95},{"category":"fiction","author":"Evelyn Waugh","title":"Sword","price":12.99},{"category":"fiction","author":"Melville","title":"Moby","isbn":"0-553","price":8.99},{"category":"fiction","author":"Tolkien","title":"Lord","isbn":"0-395","price":22.99}],"bicycle":{"color":"red","price":19.95}},"expensive":10,"a-b":"dash","a b":"space","it's":1,"length":7,"nul":null,"t":true}`,
	`[3,1,2,{"x":1},"s",null,true,[4,5,[6]],2.5,-7]`,
	`{"employees":[{"name":"Baris","age":43},{"name":"Mo","age":42},{"name":"Jai","age":44}],"empty":{},"none":[],"big":1e21,"s":"text","n":{"x":{"x":{"x":1}}},"index":{"in":[1,"a"]}}`,
	`"plain"`, `12`, `null`, `[]`, `{}`,
}
var always = []string{
	"$", "@", "", "a", "$.", "$..", "$...", "$.*", "$[*]", "$..*", "$.length", "$['length']", "$[0]", "$[-1]", "$[9]", "$[-9]", "$[0,1]", "$[0,9]", "$[1:3]",
	"$[:2]", "$[2:]", "$[:]", "$[::]", "$[::2]", "$[::-1]", "$[3:1:-1]", "$[1:3:0]", "$[-2:]", "$[:-2]", "$[0:9:2]", "$[(@.length-1)]", "$[(1)]", "$[(0),(1)]",
	"$[0,(@.length-1)]", "$[(0):(2)]", "$[?(@)]", "$[?(@ == 1)]", "$[?(@ > 1)]", "$[?(@.x)]", "$[?(@.x == 1)]", "$[?()]", "$[?(true)]", "$[?(false)]", "$[?(1)]",
	"$[?(0)]", "$[?('a')]", "$[?('')]", "$[?(nil)]", "$[?(@ == null)]", "$[?(@ != null)]", "$[?(!@)]", "$[", "$]", "$[]", "$[ ]", "$[0", "$[?(@.x]", "$['a", "$['a]",
	"$[a]", "$['a','b']", "$['a',0]", "$[0,'a']", "$[0:1,2]", "$[1,]", "$[,1]", "$[,]", "$[1:2:3:4]", "$[a:b]", "$[ 0 ]", "$[ 0 , 1 ]", "$[ 'a' ]", "$x", "$ .x", "x.y",
	"$..x", "$..[0]", "$..length", "$..x.x", "$.x..x", "$[1.5]", "$[\"x\"]", "$.'x'", "$.x.", "$.x y", "$[*].x", "$[*][0]", "$[*].length", "$.*.*", "$[?(@.length > 1)]",
	"$[?(@ == 's')]", "$[?(@ == \"s\")]", "$[?(@ =~ 's')]", "$[?(@ =~ '^t')]", "$[?(@ =~ '(')]", "$[?(@ in [1,2])]", "$[?(@ not in [1,2])]", "$[?(@ in ['s'])]",
	"$[?(s in [\"s\"])]", "$[?(@ in {\"a\":1})]", "$[?(@ in 'x')]", "$[?(@ + 1 == 2)]", "$[?(@ - 1 == 2)]", "$[?(@ * 2 == 4)]", "$[?(@ / 2 == 1)]", "$[?(@ % 2 == 1)]",
	"$[?(@ % 0 == 1)]", "$[?(@ ** 2 == 9)]", "$[?(@ < 2)]", "$[?(@ <= 2)]", "$[?(@ >= 2)]", "$[?(@ != 2)]", "$[?(@ > 1 && @ < 3)]", "$[?(@ == 1 || @ == 3)]",
	"$[?((@ == 1))]", "$[?((@ == 1) || (@ == 3))]", "$[?((@ == 1 || @ == 3))]", "$[?(@ == 1 || (@ == 3))]", "$[?(!(@ == 1))]", "$[?(@ == true)]", "$[?(@ == [4,5,[6]])]",
	"$[?(@[0] == 4)]", "$[?(@[2][0])]", "$[?(@.x == $[1])]", "$[(@[1])]", "$[('x')]", "$[(\"x\")]", "$[(x)]", "$[(@)]", "$[(@.nosuch)]", "$[(nil)]", "$[(2-1)]", "$[('x'),('y')]",
	"$[1:(@.length-1)]", "$[(@.length-3):]", "$[('a'):2]", "$[?(@ > 0)][0]", "$[?(@ > 0)][0:1]", "$[0:3][1]", "$[0,1][1]", "$[0:3].x", "$[3,4].x", "$[?(@.x)].x", "$[?(@)].length",
	"$..[?(@.x)]", "$..[?(@.x)].x", "$..[0,1]", "$..[0:1]", "$..*.x", "$..['x']", "$..['x','y']", "$[?(@ == -7)]", "$[?(@ == 2.5)]", "$[?(1 == 1)]", "$[?('a' == 'a')]", "$[?('a' == \"a\")]",
	"$[?(a == a)]", "$[?(@ == $)]", "$[?($[0] == 3)]", "$[?(@ < 'a')]", "$[?(@ && true)]", "$[?(true || @)]", "$[?(@ == 1 && true)]", "$[?(@==1&&1==1)]",
}
var more = map[int][]string{
	0: {"$.store", "$.store.book", "$.store.book[*].author", "$..author", "$.store.*", "$.store..price", "$..book[2]", "$..book[2].title", "$..book[(@.length-1)]", "$..book[-1:]",
		"$..book[0,1]", "$..book[:2]", "$..book[?(@.isbn)]", "$..book[?(@.price<10)]", "$..book[?(@.price < $.expensive)].title", "$.store.book[?(@.category=='fiction')].title",
		"$.store.book[?(@.category == 'fiction' && @.price > 10)].title", "$.store.book[?(@.category == 'reference' || @.price > 20)].title", "$.store.book[?(@.title =~ 'o')].title",
		"$.store.book[?(@.title =~ '^M.*y$')].title", "$.store.book[?(!@.isbn)].title", "$.store.book[?(@.author in ['Melville'])]", "$.store.book[?(@.price in [8.95, 8.99])].title",
		"$['store']['book'][0]['title']", "$[\"store\"].bicycle.color", "$['a-b']", "$.a-b", "$['a b']", "$.a b", "$['it\\'s']", "$.it's", "$.length", "$.store.length", "$.store.book.length",
		"$.store.bicycle.color.length", "$.nosuch", "$.store.nosuch.x", "$.nul", "$.nul.x", "$.t", "$.t.x", "$.expensive.x", "$.store.book.title", "$.store.book[0,2].title",
		"$.store.book[0,2][0]", "$.store.book[0:2][0].title", "$.store.book[*][0]", "$.store['book','bicycle']", "$.store['book','nosuch']", "$.store['bicycle','book'].price",
		"$['store','expensive'][0]", "$.store.book[?(@.price == 8.95)]", "$.store.book[?(@.price + 1 > 10)].title", "$.store.book[?(@.price * 2 > 40)].title",
		"$.store.book[?(@['price'] > 20)].title", "$.store.book[?(@.nosuch == 1)]", "$.store.book[?(@.nosuch != 1)]", "$.store.book[?(@.author == $.store.book[1].author)].title",
		"$.store.book[?(@.price)].price", "$.store.book[-1].title", "$.store.book[-9]", "$.store.book[3:0:-1].title", "$.store.book[::2].title", "$.store.book[(1+1)].title",
		"$..*[?(@.price > 19)]", "$..price", "$..book.length", "$..book..title", "$..bicycle", "$.store.bicycle[?(@ == 'red')]", "$.store[?(@.color)]", "$.store[?(@.color)].price",
		"$.*.length", "$..nosuch", "$..['price']", "$.store.book[?(@.price >= 8.99 && @.price <= 12.99)].title", "$.store.book[?(@.category != 'fiction')].author", "$.store.book[?(@.title == \"Moby\")]",
		"$.store.book[?(Moby == @.title)]", "$.store.book[?('Moby' == @.title)].price", "$.store.book[?(@.length == 4)].title", "$.store.book[?(@.length > 4)].title", "$.store.book[?(@.author =~ /Mel.*/)].title"},
	1: {"$[3].x", "$[7][2][0]", "$[7][2]", "$[7].length", "$[4].length", "$[5]", "$[5].x", "$[6]", "$[8]", "$[3,7]", "$[7,3][0]", "$[7][*]", "$[*][*]", "$[7:]", "$[7:8][0]", "$[3:4].x",
		"$[?(@ < 3)].x", "$[?(@.length)]", "$[?(@.length == 3)]", "$[?(@[0])]", "$[?(@[-1])]", "$[?(@ =~ '.*')]", "$..[?(@ > 3)]", "$..[-1]", "$[-1:-4:-1]", "$[10:0:-3]", "$[-100:100]", "$[0:0]"},
	2: {"$.employees[?(@.name==\"Baris\")].age", "$.employees[?(@.age>42 && @.age<44)].age", "$.employees[0:1]", "$.employees[*].name", "$.employees[?(@.name=='Mo')]", "$.employees.length", "$.empty",
		"$.none", "$.empty.*", "$.none.*", "$.empty.x", "$.none[0]", "$.none[0:1]", "$.none[0,1]", "$.none[?(@)]", "$.empty[?(@)]", "$.big", "$.s", "$.s.x", "$.s[0]", "$.s[0:1]", "$.s.length",
		"$.n.x.x.x", "$.n..x", "$..x", "$.n.x.x.x.x", "$.index.in", "$.index.in[1]", "$[?(@.in)]", "$.index[?(@ == 1)]", "$.employees[?(@.age % 2 == 0)].name", "$.employees[?(@.age == 43 || @.name == 'Jai')].name",
		"$.employees[?(@.name in [\"Mo\"])]", "$.employees[?(@.age in [42,44])].name", "$.employees[?(@.age not in [42,44])].name", "$.employees[?(@.name =~ '^[BM]')].name", "$.employees[?(@.name != 'Mo')].age",
		"$.employees[?(@.age > $.employees[1].age)].name", "$.employees[?(@.x.y == 1)]", "$.employees[(@.length-1)].name", "$.employees[?(@.name == 'Mo')][0].age", "$.employees[?(@.name == 'Mo')][0]", "$.employees[?(@.age > 1)][1].name"},
}

func query(path string, data any) (v any, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	return jsonpath.Query(path, data)
}

func main() {
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	put := func(row any) {
		if err := out.Encode(row); err != nil {
			panic(err)
		}
	}
	for i, text := range documents {
		put(map[string]any{"doc": i, "json": text})
		paths := append([]string{}, more[i]...)
		if i < 3 {
			paths = append(paths, always...)
		} else {
			paths = append(paths, always[:40]...)
		}
		for _, path := range paths {
			var data any
			if err := json.Unmarshal([]byte(text), &data); err != nil {
				panic(err)
			}
			v, err := query(path, data)
			if err != nil {
				put(map[string]any{"p": path, "e": err.Error()})
			} else {
				put(map[string]any{"p": path, "v": v})
			}
		}
	}
}
