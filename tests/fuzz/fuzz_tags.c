/* SPDX-License-Identifier: Apache-2.0 */
/* tags: any text, expressions among it; names are found, missing or absent by their first letter. A strict pass leaves no simple tag it could
 * not find. */
#include "engine/run/evaluate.h"

static struct evaluator *evaluator;

static int
expression(void *arg, str text, const char *const *strict, struct arena *a, enum tag_found *found, str *out, struct err *e)
{
	struct variables *v = arg;
	return evaluate_tag(evaluator, text, v, strict, a, found, out, e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum tag_found
look(void *arg, str name, struct arena *a, str *out)
{
	(void)arg;
	if (name.n && name.p[0] == 'm')
		return TAG_MISSING;
	if (name.n && name.p[0] == 'n')
		return TAG_ABSENT;
	*out = name.n && name.p[0] == 't' ? S("{{m}}") : arena_dup(a, name);
	return TAG_FOUND;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct err e;
	str text = { (const char *)data, size }, out;
	struct tag_scope lax = { .look = look, .absent_is_null = true },
			 strict = { .look = look, .strict = tags_strict_all };
	static const char variables[] = "{\"t\":\"{{m}}\",\"workflow.name\":\"w\",\"inputs.parameters.a-b\":\"5\",\"steps.s.outputs.x\":null}";
	struct val env, v = val_str(text);
	assert(!json_read(a, str_c(variables), &env, &e));
	struct variables vars = evaluate_map(&env);
	vars.when = (struct expr_moment){ NS_PER_SEC, 1 };
	evaluator = evaluator_new();
	lax.expression = strict.expression = expression;
	lax.arg = strict.arg = &vars;
	const struct val *put = tags_put(a, &v, &lax, &e);
	assert(!put || put->kind == VAL_STR || put->kind == VAL_NULL);
	if (!tags_put_text(a, text, &strict, &out, &e) && !tags_in(text))
		assert(str_eq(out, text));
	evaluator_free(evaluator);
	arena_free(a);
	return 0;
}
