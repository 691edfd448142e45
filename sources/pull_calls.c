/* SPDX-License-Identifier: Apache-2.0 */
/* One call of the service: made by the kind, sent, answered, judged; and what an answer changes. */
#include "sources/pull_impl.h"

#define TOO_QUICK (500 * NS_PER_MS) /* an answer without messages that came sooner was not waited for at the service */
#define BREATH (1 * NS_PER_SEC)     /* then nobody is asked for so long */

/* ---- what kinds ask --------------------------------------------------------------------------------------------------- */

void *
pull_own(const struct pull *p)
{
	return p->own;
}

struct source *
pull_source(const struct pull *p)
{
	return p->source;
}

const void *
pull_config(const struct pull *p)
{
	return source_config(p->source);
}

int
pull_secret(struct pull *p, const struct secret_ref *ref, struct arena *a, str *out, struct err *e)
{
	*out = STR_NONE;
	return ref ? source_secret(p->source, ref, a, out, e) : 0;
}

str
pull_data(struct event *ev, struct arena *a)
{
	str data = arena_dup(a, ev->data);
	event_unref(ev);
	return data;
}

static enum err_code
code_of(int status)
{
	return status == 401   ? ERR_UNAUTHENTICATED
	       : status == 403 ? ERR_DENIED
	       : status == 404 ? ERR_NOT_FOUND
	       : status == 429 || status >= 500 ? ERR_UNAVAILABLE
	                                        : ERR_INVALID;
}

int
pull_judge(struct pull *p, const struct pull_call *c, const struct http_answer *ans, str why, struct err *e)
{
	if (ans->status >= 200 && ans->status < 300)
		return 0;
	str text = http_excerpt(c->arena, why.p ? why : ans->body);
	return err_set(e, code_of(ans->status), "%s answered %d%s%.*s", p->ops->service, ans->status, text.n ? ": " : "", STR_ARG(text));
}

/* ---- calls ------------------------------------------------------------------------------------------------------------ */

static void answered(void *arg, const struct http_answer *ans, const struct err *failure);

static void
begin(struct exchange *x)
{
	struct pull *p = x->pull;
	x->sent = loop_now(p->loop);
	p->calls[x->task]++;
	list_add_tail(&p->exchanges, &x->link);
	httpc_send(sources_httpc(source_owner(p->source)), &x->call.http, answered, x);
}

static void
end(struct exchange *x)
{
	list_del(&x->link);
	x->pull->calls[x->task]--;
	arena_free(x->call.arena);
}

static struct exchange *
new_exchange(struct pull *p, enum task task)
{
	struct arena *a = arena_new();
	struct exchange *x = ARENA_NEW(a, struct exchange);
	*x = (struct exchange){ .pull = p, .task = task, .call.arena = a };
	return x;
}

static void
trouble_is_over(void *arg)
{
	struct pull *p = arg;
	p->troubled = false;
	pull_soon(p);
}

static void
have_trouble(struct pull *p, const struct err *e)
{
	if (p->stopping) {
		pull_let_all_go(p, &p->done);
		pull_let_all_go(p, &p->unwanted);
		return;
	}
	if (p->troubled) /* what else was under way fails likewise, in words of its own */
		return;
	source_state(p->source, false, e);
	p->troubled = true;
	timer_start(p->loop, &p->trouble, loop_now(p->loop) + backoff_next(&p->waits, NULL), trouble_is_over, p);
}

static void
all_is_well(struct pull *p)
{
	backoff_reset(&p->waits);
	source_state(p->source, true, NULL);
}

int
pull_call_maybe(struct pull *p, enum task task, int (*make)(struct pull *p, struct pull_call *c, struct err *e))
{
	struct exchange *x = new_exchange(p, task);
	struct err e = { 0 };
	int rc = make ? make(p, &x->call, &e) : 0;
	if (rc > 0) {
		begin(x);
		return 1;
	}
	arena_free(x->call.arena);
	if (rc < 0)
		have_trouble(p, &e);
	return rc;
}

void
pull_ask(struct pull *p)
{
	struct exchange *x = new_exchange(p, ASK);
	struct err e = { 0 };
	if (p->ops->ask(p, &x->call, &e) == 0) {
		begin(x);
		return;
	}
	arena_free(x->call.arena);
	have_trouble(p, &e);
}

bool
pull_settle(struct pull *p, enum task task, struct link *list)
{
	struct exchange *x = new_exchange(p, task);
	struct arena *a = x->call.arena;
	str *receipts = ARENA_ARRAY(a, str, p->ops->batch);
	struct err e = { 0 };
	x->taken = ARENA_ARRAY(a, struct taken *, p->ops->batch);
	LIST_EACH(list, struct taken, link, t) {
		if (x->n == p->ops->batch)
			break;
		receipts[x->n] = t->receipt;
		x->taken[x->n++] = t;
	}
	int (*make)(struct pull *p, const str *receipts, size_t n, struct pull_call *c, struct err *e) = task == RELEASE ? p->ops->release : p->ops->acknowledge;
	if (make(p, receipts, x->n, &x->call, &e) < 0) {
		arena_free(a);
		have_trouble(p, &e);
		return false;
	}
	for (size_t i = 0; i < x->n; i++)
		list_del(&x->taken[i]->link);
	begin(x);
	return true;
}

/* ---- answers ---------------------------------------------------------------------------------------------------------- */

static void
idled(void *arg)
{
	struct pull *p = arg;
	p->idling = false;
	pull_soon(p);
}

/* After an answer without messages. */
static void
rest(struct pull *p, const struct exchange *x)
{
	int64_t now = loop_now(p->loop), ns = p->ops->idle_ns ? p->ops->idle_ns(p) : 0;
	if (!ns && now - x->sent < TOO_QUICK)
		ns = BREATH;
	p->askers = 1;
	p->idling = ns > 0;
	if (ns)
		timer_start(p->loop, &p->idle, now + ns, idled, p);
}

static void
asked(struct pull *p, const struct exchange *x, const struct err *e)
{
	if (e->code)
		p->askers = 1;
	else if (!p->found)
		rest(p, x);
	else if (p->found >= p->ops->most && p->askers < pull_at_a_time(p->ops->most, PULL_ASKING_MAX))
		p->askers++;
	if (!e->code && !p->unacknowledged)
		all_is_well(p);
}

/* Those that could not be acknowledged are once more, while it is of use. */
static void
settled(struct pull *p, const struct exchange *x, const struct err *e)
{
	bool again = e->code && x->task == ACKNOWLEDGE && !p->stopping;
	if (x->task == ACKNOWLEDGE)
		p->unacknowledged = e->code != 0;
	for (size_t i = x->n; i-- > 0;) {
		struct taken *t = x->taken[i];
		if (again && loop_now(p->loop) < t->hidden_until)
			list_add_tail(p->done.next, &t->link); /* in front */
		else
			pull_let_go(p, t);
	}
}

static int
read_answer(struct pull *p, const struct exchange *x, const struct http_answer *ans, struct err *e)
{
	p->found = 0;
	return x->call.answered ? x->call.answered(p, &x->call, ans, e) : pull_judge(p, &x->call, ans, STR_NONE, e);
}

static void
answered(void *arg, const struct http_answer *ans, const struct err *failure)
{
	struct exchange *x = arg;
	struct pull *p = x->pull;
	struct err e = { 0 };
	if (failure)
		e = *failure;
	else if (read_answer(p, x, ans, &e) == 0)
		e.code = ERR_NONE;
	if (x->task == ASK)
		asked(p, x, &e);
	if (x->task == ACKNOWLEDGE || x->task == RELEASE)
		settled(p, x, &e);
	bool matters = e.code && x->task != RELEASE && x->task != FINISH;
	end(x);
	if (matters)
		have_trouble(p, &e);
	if (p->stopping)
		pull_go_on(p);
	else
		pull_soon(p);
}

void
pull_forget_calls(struct pull *p, bool all)
{
	struct httpc *h = sources_httpc(source_owner(p->source));
	LIST_EACH(&p->exchanges, struct exchange, link, x) {
		if (!all && x->task != ASK && x->task != PREPARE)
			continue;
		for (size_t i = 0; i < x->n; i++)
			pull_let_go(p, x->taken[i]);
		if (h)
			httpc_forget(h, x);
		end(x);
	}
}
