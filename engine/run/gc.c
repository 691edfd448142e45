/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gc: how long a workflow, what its pods left and its claims are kept (spec 1.1: ttlStrategy, podGC, volumeClaimGC; workflow/gccontroller and
 * workflow/util of v4.1.2). Only points in time come out; the shell writes them down and acts on them.
 */
#include "engine/run/run_impl.h"
#include "engine/selector.h"

#define POD_GC_DELAY (5 * NS_PER_SEC) /* Argo's podGCDeleteDelayDuration */

/* ---- the workflow -------------------------------------------------------------------------------------------- */

/* An Error is neither a success nor a failure: only secondsAfterCompletion counts for it, as in Argo. */
int64_t
run_expires(const struct run *r)
{
	const struct val *ttl = val_get(r->spec, S("ttlStrategy"));
	const struct val *v = r->phase == PHASE_FAILED      ? val_get(ttl, S("secondsAfterFailure"))
			      : r->phase == PHASE_SUCCEEDED ? val_get(ttl, S("secondsAfterSuccess"))
							    : NULL;
	int64_t seconds;
	if (!v)
		v = val_get(ttl, S("secondsAfterCompletion"));
	if (!r->finished || !v || !val_to_i64(v, &seconds) || seconds < 0 || seconds > INT32_MAX)
		return 0;
	return r->finished + seconds * NS_PER_SEC;
}

/* ---- its pods ------------------------------------------------------------------------------------------------ */

static str
label_of(void *arg, str key)
{
	const struct node *n = arg;
	if (str_eq(key, S("workflows.argoproj.io/workflow")))
		return n->run->name;
	if (str_eq(key, S("workflows.argoproj.io/completed")))
		return S("true");
	const struct val *v = val_get(n->labels, key);
	return val_is(v, VAL_STR) ? val_text(v) : STR_NONE;
}

static bool
meets(const struct node *n, str key, enum selector_op op, str *values, size_t values_n)
{
	struct requirement must = { key, op, { values, values_n } };
	struct selector s = { &must, 1 };
	return selector_match(&s, label_of, (void *)(uintptr_t)n);
}

static bool
meets_expression(const struct node *n, const struct val *x)
{
	static const struct {
		const char *name;
		enum selector_op op;
	} ops[] = { { "In", SELECT_IN }, { "NotIn", SELECT_NOT_IN }, { "Exists", SELECT_EXISTS }, { "DoesNotExist", SELECT_MISSING } };
	const struct val *values = val_get(x, S("values"));
	struct arena *a CLEANUP(free_arena) = arena_new();
	size_t count = val_is(values, VAL_LIST) ? values->n : 0;
	str *texts = ARENA_ARRAY(a, str, count + 1);
	for (size_t i = 0; i < count; i++)
		texts[i] = values->items[i].kind == VAL_STR ? val_text(&values->items[i]) : S("");
	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		if (str_eq(val_get_str(x, "operator"), str_c(ops[i].name)))
			return meets(n, val_get_str(x, "key"), ops[i].op, texts, count);
	return false;
}

bool
run_gc_wants(const struct run *r, const struct node *n)
{
	const struct val *selector = val_path(r->spec, "podGC.labelSelector");
	const struct val *labels = val_get(selector, S("matchLabels")), *list = val_get(selector, S("matchExpressions"));
	if (n->type != NODE_POD || n->gone)
		return false;
	for (uint32_t i = 0; val_is(labels, VAL_MAP) && i < labels->n; i++) {
		str value = labels->members[i].value.kind == VAL_STR ? val_text(&labels->members[i].value) : S("");
		if (!meets(n, val_key(&labels->members[i]), SELECT_IN, &value, 1))
			return false;
	}
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++)
		if (!meets_expression(n, &list->items[i]))
			return false;
	return true;
}

static int64_t
delay(const struct run *r)
{
	str text = val_get_str(val_get(r->spec, S("podGC")), "deleteDelayDuration");
	int64_t ns;
	struct err ignored; /* what cannot be read was refused when the workflow was submitted */
	return text.n && duration_parse(text, &ns, &ignored) == 0 && ns >= 0 ? ns : POD_GC_DELAY;
}

int64_t
run_gc_pod(const struct run *r, const struct node *n)
{
	str when = val_get_str(val_get(r->spec, S("podGC")), "strategy");
	bool now = (str_eq(when, S("OnPodCompletion")) && phase_completed(n->phase)) ||
		   (str_eq(when, S("OnPodSuccess")) && n->phase == PHASE_SUCCEEDED);
	return now && n->type == NODE_POD && run_gc_wants(r, n) ? r->now + delay(r) : 0;
}

int64_t
run_gc_pods(const struct run *r, bool *all)
{
	str when = val_get_str(val_get(r->spec, S("podGC")), "strategy");
	*all = val_path(r->spec, "podGC.labelSelector") == NULL;
	bool now = r->finished && (str_eq(when, S("OnWorkflowCompletion")) || (str_eq(when, S("OnWorkflowSuccess")) && r->phase == PHASE_SUCCEEDED));
	return now ? r->now + delay(r) : 0;
}

/* ---- its claims ---------------------------------------------------------------------------------------------- */

bool
run_gc_claims(const struct run *r)
{
	const struct val *list = val_get(r->spec, S("volumeClaimTemplates"));
	bool any = str_eq(val_get_str(val_get(r->spec, S("volumeClaimGC")), "strategy"), S("OnWorkflowCompletion"));
	return val_is(list, VAL_LIST) && list->n && r->finished && (any || r->phase == PHASE_SUCCEEDED);
}
