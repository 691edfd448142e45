/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an answer means: 2xx is success, unless the template has a condition over `request` and `response` (spec 2.18; in the
 * original workflow/util... executor/agent.go, v4.1.2).
 */
#include "core/net/httpc.h"
#include "engine/agent.h"
#include "engine/run/evaluate.h"

#include <ctype.h>

/* As Go writes the names of headers: "content-type" is "Content-Type". */
static str
canonical(struct arena *a, str name)
{
	char *p = arena_alloc(a, name.n + 1, 1);
	for (size_t i = 0; i < name.n; i++) {
		bool first = i == 0 || name.p[i - 1] == '-';
		p[i] = (char)(first ? toupper((unsigned char)name.p[i]) : tolower((unsigned char)name.p[i]));
	}
	return (str){ p, name.n };
}

/* Name -> list of values, in order. */
static struct val
headers_val(struct arena *a, const struct http_header *h, size_t n)
{
	const struct val *map = NULL;
	struct val none = { .kind = VAL_MAP };
	for (size_t i = 0; i < n; i++) {
		str name = canonical(a, h[i].name);
		const struct val *before = val_get(map, name);
		struct val_list list = { 0 };
		for (uint32_t k = 0; before && k < before->n; k++)
			val_list_add(&list, before->items[k]);
		val_list_add(&list, val_str(h[i].value));
		struct val values = val_list_end(&list, a);
		map = val_set(a, map, name, &values);
	}
	return map ? *map : none;
}

static struct val
request_val(struct arena *a, const struct http_request *rq)
{
	struct http_header *h = ARENA_ARRAY(a, struct http_header, rq->headers.n);
	for (size_t i = 0; i < rq->headers.n; i++) /* values from Secrets are not shown to the condition */
		h[i] = (struct http_header){ rq->headers.p[i].name, rq->headers.p[i].value.p ? rq->headers.p[i].value : S("") };
	struct val_map m = { 0 };
	val_map_add(&m, S("method"), val_str(rq->method));
	val_map_add(&m, S("url"), val_str(rq->url));
	val_map_add(&m, S("body"), val_str(rq->body.p ? rq->body : S("")));
	val_map_add(&m, S("headers"), headers_val(a, h, rq->headers.n));
	return val_map_end(&m, a);
}

static struct val
response_val(struct arena *a, const struct http_answer *ans)
{
	struct val_map m = { 0 };
	val_map_add(&m, S("statusCode"), val_int(ans->status));
	val_map_add(&m, S("body"), val_str(ans->body));
	val_map_add(&m, S("headers"), headers_val(a, ans->headers, ans->headers_n));
	return val_map_end(&m, a);
}

static int
evaluate_condition(struct arena *a, const struct http_request *rq, const struct http_answer *ans, bool *out, struct err *e)
{
	struct val_map m = { 0 };
	val_map_add(&m, S("request"), request_val(a, rq));
	val_map_add(&m, S("response"), response_val(a, ans));
	struct val env = val_map_end(&m, a);
	struct variables variables = evaluate_map(&env);
	struct evaluator *once = evaluator_new(); /* one that stays would gather every condition there ever was */
	int rc = evaluate_bool(once, rq->success_condition, &variables, out, e);
	evaluator_free(once);
	return rc;
}

void
agent_judge(struct arena *a, const struct http_request *rq, const struct http_answer *ans, struct task_result *out)
{
	struct err e;
	bool holds;
	*out = (struct task_result){ .phase = PHASE_SUCCEEDED, .exit_code = -1, .result = arena_dup(a, ans->body) };
	if (!rq->success_condition.n) {
		if (ans->status >= 200 && ans->status < 300)
			return;
		out->phase = PHASE_FAILED;
		out->message = arena_fmt(a, "received non-2xx response code: %d", ans->status);
	} else if (evaluate_condition(a, rq, ans, &holds, &e)) {
		out->phase = PHASE_FAILED;
		out->message = arena_dup(a, str_c(e.msg));
	} else if (!holds) {
		out->phase = PHASE_FAILED;
		out->message = arena_fmt(a, "successCondition '%.*s' evaluated false", STR_ARG(rq->success_condition));
	}
}
