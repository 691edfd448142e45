/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML and the tables: any text is either refused with findings or read; what is read can be decoded as the kind it
 * says it is, and reads back equal when it is written as YAML.
 */
#include "cli/kinds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A text that a YAML reader can't hold (U+FFFE, say) is written as an escape; it is never lost. */
static void
same_again(struct arena *a, const struct val *v)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	struct diags d;
	struct val *docs;
	size_t n;
	diags_init(&d);
	yaml_write_buf(&b, v);
	int rc = yaml_read_all(a, S("written"), buf_str(&b), NULL, &docs, &n, &d);
	assert(rc == 0);
	assert(n == 1 ? val_eq(v, &docs[0]) : val_resolve(v).kind == VAL_NULL);
	diags_free(&d);
}

static void
decode(struct objects *set, const struct val *doc, struct diags *d)
{
	struct object *o = object_decode(tidegate_kinds, tidegate_kinds_n, doc, S("f.yaml"), S("default"), d);
	if (!o)
		return;
	struct val encoded = schema_encode(o->kind->schema, o->arena, o->spec, true);
	assert(encoded.kind == VAL_MAP);
	assert(schema_equal(o->kind->schema, o->spec, o->spec));
	objects_put(set, o);
	if (o->kind->resolve)
		o->kind->resolve(o, set, d);
	object_unref(o);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	const struct val_limits limits = { .depth = 40, .nodes = 5000, .bytes = 100000 };
	struct objects *set = objects_new(tidegate_kinds, tidegate_kinds_n);
	struct diags d;
	struct val *docs;
	size_t n;
	diags_init(&d);
	str text = { (const char *)data, size };
	diags_source(&d, S("f.yaml"), text);
	int rc = yaml_read_all(a, S("f.yaml"), text, &limits, &docs, &n, &d);
	assert((rc == 0) == (d.errors == 0));
	for (size_t i = 0; i < n; i++) {
		if (d.errors == 0) /* a duplicate key is lost by nobody but us: it would be reported again */
			same_again(a, &docs[i]);
		decode(set, &docs[i], &d);
	}
	static FILE *null;
	if (!null)
		null = fopen("/dev/null", "w");
	diags_print(&d, null, DIAG_CARET);
	objects_free(set);
	diags_free(&d);
	return 0;
}
