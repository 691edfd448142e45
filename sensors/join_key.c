/* SPDX-License-Identifier: Apache-2.0 */
#include "sensors/join_key.h"

static bool
find_function(void *arg UNUSED, str name, struct expr_function *out)
{
	return expr_argo_function(name, out);
}

int
join_key_compile(str expression, struct expr **out, struct err *e)
{
	struct expr_options o = { .function = find_function };
	return expr_compile(expression, &o, out, e);
}

static int
environment(struct event *ev, str dependency, struct arena *a, struct val *out, struct err *e)
{
	struct val_map env = { 0 }, context = { 0 };
	const struct {
		const char *name;
		str value;
	} rows[] = { { "id", ev->id }, { "source", ev->source }, { "subject", ev->subject }, { "type", ev->type },
		     { "datacontenttype", ev->content_type }, { "time", time_rfc3339(a, ev->time) } };
	const struct val *data = event_data(ev, e);
	if (!data && e->code)
		return err_wrap(e, "the event's data is no JSON");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		val_map_add(&context, str_c(rows[i].name), val_str(rows[i].value));
	val_map_add(&env, S("data"), data ? *data : val_null());
	val_map_add(&env, S("context"), val_map_end(&context, a));
	val_map_add(&env, S("dependency"), val_str(dependency));
	*out = val_map_end(&env, a);
	return 0;
}

int
join_key_of(const struct expr *x, struct event *ev, str dependency, struct arena *a, str *out, struct err *e)
{
	struct val env, v;
	struct buf b CLEANUP(free_buf) = { 0 };
	*e = (struct err){ 0 };
	if (environment(ev, dependency, a, &env, e) < 0 || expr_eval(x, &env, a, &v, e) < 0)
		return -1;
	if (v.kind == VAL_NULL)
		return err_set(e, ERR_INVALID, "it is null for this event");
	if (v.kind != VAL_STR && expr_json(&b, &v, e) < 0)
		return -1;
	*out = v.kind == VAL_STR ? val_text(&v) : arena_dup(a, buf_str(&b));
	return out->n <= JOIN_KEY_MAX ? 0 : err_set(e, ERR_LIMIT, "it is longer than %d bytes", JOIN_KEY_MAX);
}
