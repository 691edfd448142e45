/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retry: a Retry node with attempts N(0), N(1), ... below it (spec 2.10; processNodeRetries in
 * workflow/controller/operator.go, v4.1.2). What happens when an attempt has failed is a list of rules in Argo's order.
 *
 * One difference: Argo waits for a backoff only if a limit is given; here it waits always.
 */
#include "engine/run/run_impl.h"

#include <math.h>

enum { ALWAYS, ON_FAILURE, ON_ERROR, ON_TRANSIENT };

static int
policy_of(const struct retry_strategy *s)
{
	static const char *const names[] = { "Always", "OnFailure", "OnError", "OnTransientError" };
	for (int i = 0; i < (int)ARRAY_LEN(names); i++)
		if (str_eq(s->policy, str_c(names[i])))
			return i;
	return s->expression.n ? ALWAYS : ON_FAILURE;
}

/* Transient: what the network or the machine does, not the step. Argo's list is mostly of Kubernetes; this is what
 * applies here. */
static bool
is_transient(const struct run *r, str message)
{
	static const char *const signs[] = { "timeout", "timed out", "connection refused", "connection reset",
		"temporarily unavailable", "too many requests", "i/o timeout", "no such host", "unexpected EOF" };
	for (size_t i = 0; i < ARRAY_LEN(signs); i++)
		if (str_find(message, str_c(signs[i]), 0) != SIZE_MAX)
			return true;
	return r->world.transient && r->world.transient(r->world.arg, message);
}

static bool
policy_allows(const struct run *r, const struct retry_strategy *s, const struct node *last)
{
	switch (policy_of(s)) {
	case ALWAYS:
		return true;
	case ON_FAILURE:
		return last->phase == PHASE_FAILED;
	case ON_ERROR:
		return last->phase == PHASE_ERROR;
	default:
		return is_transient(r, last->message);
	}
}

/* As argoproj/pkg/humanize writes it. */
static str
humanize(struct run *r, int64_t ns)
{
	long long s = ns / NS_PER_SEC;
	if (s < 60)
		return run_text(r, "%lld seconds", s);
	if (s < 3600)
		return run_text(r, "%lld minutes %lld seconds", s / 60, s % 60);
	if (s < 86400)
		return run_text(r, "%lld hours %lld minutes %lld seconds", s / 3600, s / 60 % 60, s % 60);
	return run_text(
		r, "%lld days %lld hours %lld minutes %lld seconds", s / 86400, s / 3600 % 24, s / 60 % 60, s % 60);
}

/* As Go prints a time of whole seconds in UTC. */
static str
go_time(struct run *r, int64_t ns)
{
	str t = time_rfc3339(r->tmp, ns); /* 2026-01-01T00:00:30Z */
	return arena_fmt(r->tmp, "%.*s %.*s +0000 UTC", 10, t.p, 8, t.p + 11);
}

static size_t
attempts(const struct node *retry)
{
	size_t n = 0;
	for (size_t i = 0; i < retry->children.n; i++)
		n += !retry->children.p[i]->hooked;
	return n;
}

/* Hooks are its children too. */
static const struct node *
first_attempt(const struct node *retry)
{
	size_t i = 0;
	while (retry->children.p[i]->hooked)
		i++;
	return retry->children.p[i];
}

static void
begin_attempt(struct run *r, struct node *retry, size_t k)
{
	struct call *base = retry->call, *c = ARENA_NEW(r->arena, struct call);
	*c = *base;
	c->rank = (struct heap_node){ 0 };
	c->line = NULL;
	c->held = c->admitted = false;
	c->name = run_text(r, "%.*s(%zu)", STR_ARG(base->name), k);
	c->owner = retry;
	c->role = ROLE_ATTEMPT;
	c->slot = (uint32_t)k;
	c->retried = base;
	c->attempt = (uint32_t)k;
	c->hooked = false;
	(void)call_begin(r, c);
}

/* ---- waiting --------------------------------------------------------------------------------------------------- */

enum wait { WAIT_OVER, WAIT_LONGER, WAIT_ENDS };

/* WAIT_ENDS: there will be no further attempt, *message says why. -1: the strategy is wrong. */
static int
wait_for_backoff(
	struct run *r, struct node *retry, const struct retry_strategy *s, size_t made, str *message, struct err *e)
{
	const struct retry_backoff *b = s->backoff;
	const struct node *last = node_last_attempt(retry);
	int64_t longest = 0, base, cap = 0, over = 0, factor = 0;
	if (b->max_duration.n) {
		if (duration_parse(b->max_duration, &longest, e))
			return -1;
		over = first_attempt(retry)->started + longest;
		if (r->now >= over) {
			*message = S("Max duration limit exceeded");
			return WAIT_ENDS;
		}
	}
	if (!b->duration.n)
		return err_set(e, ERR_INVALID, "no base duration specified for retryStrategy");
	if (duration_parse(b->duration, &base, e) || (b->cap.n && duration_parse(b->cap, &cap, e)))
		return -1;
	if (b->factor.text.n && !str_to_i64(str_trim(b->factor.text), &factor))
		return err_set(e, ERR_INVALID, "retryStrategy.backoff.factor '%.*s' is not an integer",
			STR_ARG(b->factor.text));
	double wait = (double)base * (factor > 0 ? pow((double)factor, (double)(made - 1)) : 1.0);
	int64_t wait_ns = wait < 9e18 ? (int64_t)wait : INT64_MAX / 2;
	if (b->cap.n && wait_ns > cap)
		wait_ns = cap;
	if (wait_ns > INT64_MAX - last->finished)
		wait_ns = INT64_MAX - last->finished;
	int64_t until = last->finished + wait_ns;
	if (over && until > over) {
		*message = S("Backoff would exceed max duration limit");
		return WAIT_ENDS;
	}
	retry->call->deadline = over;
	int64_t limit;
	bool more = !s->limit.text.p || !str_to_i64(str_trim(s->limit.text), &limit) || (int64_t)made <= limit;
	if (r->now < until && more && policy_allows(r, s, last)) {
		*message = run_text(r, "Backoff for %.*s", STR_ARG(humanize(r, wait_ns)));
		run_effect(r, EFFECT_TIMER, retry)->at_ns = until;
		return WAIT_LONGER;
	}
	return WAIT_OVER;
}

/* ---- after an attempt ------------------------------------------------------------------------------------------ */

static void
end_retry(struct node *retry, const struct node *last, enum phase p, str message)
{
	retry->outputs = last->outputs;
	node_set(retry, p, message);
}

static int
expression_allows(struct run *r, struct node *retry, const struct retry_strategy *s, bool *out, struct err *e)
{
	struct scope x = { .run = r, .retry = retry };
	return scope_evaluate_bool(&x, s->expression, out, e);
}

static void
after_failure(struct run *r, struct node *retry, const struct node *last)
{
	const struct retry_strategy *s = retry->call->retry;
	size_t made = attempts(retry);
	str message = S("");
	struct err e;
	if (r->shutdown.n) {
		end_retry(retry, last, last->phase, run_text(r, "Stopped with strategy '%.*s'", STR_ARG(r->shutdown)));
		return;
	}
	if (r->deadline && r->now >= r->deadline && !retry->exiting) {
		end_retry(retry, last, last->phase, run_text(r, "retry exceeded workflow deadline %.*s", STR_ARG(go_time(r, r->deadline))));
		return;
	}
	if (s->backoff) {
		int w = wait_for_backoff(r, retry, s, made, &message, &e);
		if (w < 0) {
			retry->bubbles = true;
			end_retry(retry, last, PHASE_ERROR, run_text(r, "%s", e.msg));
			return;
		}
		if (w == WAIT_ENDS)
			end_retry(retry, last, last->phase, message);
		else
			node_set(retry, retry->phase, message);
		if (w != WAIT_OVER)
			return;
	}
	if (!policy_allows(r, s, last)) {
		end_retry(retry, last, last->phase, last->message);
		return;
	}
	int64_t limit;
	if (s->limit.text.p && !str_to_i64(str_trim(s->limit.text), &limit)) {
		retry->bubbles = true;
		end_retry(retry, last, PHASE_ERROR,
			run_text(r, "retryStrategy.limit '%.*s' is not an integer", STR_ARG(s->limit.text)));
		return;
	}
	if (s->limit.text.p && (int64_t)made > limit) {
		end_retry(retry, last, last->phase, S("No more retries left"));
		return;
	}
	bool again = true;
	if (s->expression.n && expression_allows(r, retry, s, &again, &e)) {
		retry->bubbles = true;
		end_retry(retry, last, PHASE_ERROR, run_text(r, "%s", e.msg));
	} else if (!again) {
		end_retry(retry, last, last->phase, S("retryStrategy.expression evaluated to false"));
	} else {
		begin_attempt(r, retry, last->slot + 1);
	}
}

void
retry_attempt_done(struct run *r, struct node *retry)
{
	const struct node *last = node_last_attempt(retry);
	if (phase_fulfilled(retry->phase) || !last || !node_fulfilled(last))
		return;
	if (last->daemoned) {
		daemon_ready(retry, last->pod_ip);
		return;
	}
	if (phase_failed(last->phase))
		after_failure(r, retry, last);
	else
		end_retry(retry, last, PHASE_SUCCEEDED, S(""));
}

/* While the workflow is suspended nothing is decided: then it is looked at when that is over. */
void
retry_called_off(struct run *r, struct node *retry)
{
	if (r->suspended)
		node_announce(node_last_attempt(retry));
	else if (retry->call)
		retry_attempt_done(r, retry);
}

struct node *
retry_begin(struct run *r, struct call *c, const struct processed *p)
{
	struct node *n = call_node(r, c, NODE_RETRY);
	if (!n)
		return NULL;
	c->retry = p->tmpl->retry;
	n->inputs = p->inputs;
	node_set(n, PHASE_RUNNING, STR_NONE);
	const struct node *last = node_last_attempt(n); /* there is one only after a restart */
	begin_attempt(r, n, last ? last->slot : 0);
	return n;
}
