/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything is sent by go_on(): whoever changed something (an answer, a commit, a timer, room in the bus) has it called once at the end of
 * the turn, and it sends what may be sent now. So the acknowledgements of a transaction go out in full batches.
 *
 * A message stands in one of the lists or in a call; `taken` counts those that are anywhere.
 */
#include "sources/pull.h"

#include "core/log.h"
#include "sources/backoff.h"

#define REFUSED_EVERY (60 * NS_PER_SEC) /* a line about messages that can be no events, at most so often */
#define TOO_QUICK (500 * NS_PER_MS)     /* an answer without messages that came sooner was not waited for at the service */
#define BREATH (1 * NS_PER_SEC)         /* then nobody is asked for so long */

/* A message that was taken. In its event's arena. */
struct taken {
	struct link link;   /* in kept, done or unwanted */
	struct event *ev;   /* one reference: it holds this */
	str receipt;
	uint64_t number;    /* in order of arrival */
	int64_t hidden_until;
};

enum task { PREPARE, ASK, ACKNOWLEDGE, RELEASE, FINISH, TASKS };

/* A call under way. In its own arena. */
struct exchange {
	struct link link; /* in pull.exchanges */
	struct pull *pull;
	enum task task;
	struct pull_call call;
	struct taken **taken; /* of ACKNOWLEDGE and RELEASE */
	size_t n;
	int64_t sent;
};

struct pull {
	struct source *source;
	struct loop *loop;
	const struct pull_ops *ops;
	void *own;
	struct link exchanges;
	size_t calls[TASKS];      /* under way */
	struct link kept;         /* the bus had no room */
	struct link done;         /* on disk: to be acknowledged */
	struct link unwanted;     /* to be released */
	size_t taken, bytes;
	uint64_t numbers;         /* given so far */
	size_t emitted;           /* on their way to the disk */
	size_t found;             /* messages in the answer that is being read */
	size_t askers;            /* calls for messages that may be under way */
	struct backoff_state waits;
	struct timer trouble, idle, end;
	bool troubled, idling;    /* the timers are set */
	bool unacknowledged;      /* the last acknowledgement failed */
	bool stopping, finished, deferred;
	int64_t refused_told;
	uint64_t refused;
};

static void go_on(struct pull *p);

static void
turn_ends(void *arg)
{
	struct pull *p = arg;
	p->deferred = false;
	go_on(p);
}

static void
soon(struct pull *p)
{
	if (!p->deferred)
		loop_defer(p->loop, turn_ends, p);
	p->deferred = true;
}

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

/* ---- messages --------------------------------------------------------------------------------------------------------- */

static void
let_go(struct pull *p, struct taken *t)
{
	list_del(&t->link);
	p->taken--;
	p->bytes -= t->ev->data.n;
	event_unref(t->ev);
}

static void
let_all_go(struct pull *p, struct link *list)
{
	LIST_EACH(list, struct taken, link, t)
		let_go(p, t);
}

/* The last reference is ours: when it goes, so does `t`. */
static struct taken *
new_taken(struct pull *p, struct event *ev, str receipt)
{
	struct taken *t = ARENA_NEW(ev->arena, struct taken);
	*t = (struct taken){ .ev = ev, .receipt = arena_dup(ev->arena, receipt), .number = p->numbers++,
	                     .hidden_until = loop_now(p->loop) + p->ops->hidden_ns };
	p->taken++;
	p->bytes += ev->data.n;
	return t;
}

/* Before those that came later. */
static void
keep(struct pull *p, struct taken *t)
{
	struct link *at = &p->kept;
	while (at->prev != &p->kept && CONTAINER_OF(at->prev, struct taken, link)->number > t->number)
		at = at->prev;
	list_add_tail(at, &t->link);
}

static void
emit(struct pull *p, struct taken *t)
{
	p->emitted++;
	source_emit(p->source, event_ref(t->ev), t);
}

void
pull_take(struct pull *p, struct event *ev, str receipt)
{
	struct taken *t = new_taken(p, ev, receipt);
	p->found++;
	if (source_is_paused(p->source) || !list_empty(&p->kept))
		keep(p, t);
	else
		emit(p, t);
}

void
pull_refuse(struct pull *p, str receipt, enum pull_fate fate, const struct err *why)
{
	int64_t now = loop_now(p->loop);
	p->found++;
	p->refused++;
	source_count_failure(p->source);
	if (!p->refused_told || now - p->refused_told >= REFUSED_EVERY) {
		log_warn("messages that cannot be events are not taken", "eventsource", source_name(p->source).p, "event", source_event_name(p->source).p,
		         "then", fate == PULL_DELETE ? "deleted" : "left to the service", "error", why->msg, NULL);
		p->refused_told = now;
	}
	if (fate == PULL_LEAVE || (fate == PULL_RELEASE && !p->ops->release))
		return;
	struct taken *t = new_taken(p, event_new(), receipt);
	list_add_tail(fate == PULL_DELETE ? &p->done : &p->unwanted, &t->link);
}

void
pull_ack(struct source *s, struct event *ev UNUSED, void *token, bool duplicate UNUSED, const struct err *e)
{
	struct pull *p = source_data(s);
	struct taken *t = token;
	p->emitted--;
	if (!e)
		list_add_tail(&p->done, &t->link);
	else if (p->stopping)
		list_add_tail(&p->unwanted, &t->link);
	else /* the bus is full: pull_pause says when it is not */
		keep(p, t);
	soon(p);
}

static void
emit_kept(struct pull *p)
{
	struct link all; /* what comes back waits */
	list_init(&all);
	LIST_EACH(&p->kept, struct taken, link, t) {
		list_del(&t->link);
		list_add_tail(&all, &t->link);
	}
	LIST_EACH(&all, struct taken, link, next) {
		list_del(&next->link);
		if (source_is_paused(p->source))
			keep(p, next);
		else
			emit(p, next);
	}
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
	soon(p);
}

static void
have_trouble(struct pull *p, const struct err *e)
{
	if (p->stopping) {
		let_all_go(p, &p->done);
		let_all_go(p, &p->unwanted);
		return;
	}
	source_state(p->source, false, e);
	if (p->troubled)
		return;
	p->troubled = true;
	timer_start(p->loop, &p->trouble, loop_now(p->loop) + backoff_next(&p->waits, NULL), trouble_is_over, p);
}

static void
all_is_well(struct pull *p)
{
	backoff_reset(&p->waits);
	source_state(p->source, true, NULL);
}

/* Asks the kind for a call that may not be necessary, and makes it. As the kind: 1, 0 or -1. */
static int
call_maybe(struct pull *p, enum task task, int (*make)(struct pull *p, struct pull_call *c, struct err *e))
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

static void
ask(struct pull *p)
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

/* The next batch of the list. False: it cannot be sent. */
static bool
settle(struct pull *p, enum task task, struct link *list)
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
	soon(p);
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
	else if (p->found >= p->ops->most && p->askers < PULL_ASKING_MAX)
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
			let_go(p, t);
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
		go_on(p);
	else
		soon(p);
}

/* ---- the end ---------------------------------------------------------------------------------------------------------- */

static bool
is_over(const struct pull *p)
{
	return p->stopping && !p->emitted && list_empty(&p->exchanges) && list_empty(&p->done) && list_empty(&p->unwanted);
}

static void
finish(struct pull *p)
{
	struct source *s = p->source;
	assert(!p->taken);
	timer_stop(&p->end);
	if (p->ops->free)
		p->ops->free(p->own);
	free(p);
	source_stopped(s);
}

static void
forget_calls(struct pull *p, bool all)
{
	struct httpc *h = sources_httpc(source_owner(p->source));
	LIST_EACH(&p->exchanges, struct exchange, link, x) {
		if (!all && x->task != ASK && x->task != PREPARE)
			continue;
		for (size_t i = 0; i < x->n; i++)
			let_go(p, x->taken[i]);
		if (h)
			httpc_forget(h, x);
		end(x);
	}
}

/* The service does not answer: what it has is given again, and known. */
static void
give_up(void *arg)
{
	struct pull *p = arg;
	p->finished = true;
	forget_calls(p, true);
	let_all_go(p, &p->done);
	let_all_go(p, &p->unwanted);
	go_on(p);
}

void
pull_stop(struct source *s)
{
	struct pull *p = source_data(s);
	p->stopping = true;
	p->troubled = false;
	timer_stop(&p->trouble);
	timer_stop(&p->idle);
	forget_calls(p, false);
	LIST_EACH(&p->kept, struct taken, link, t) {
		list_del(&t->link);
		list_add_tail(&p->unwanted, &t->link);
	}
	timer_start(p->loop, &p->end, loop_now(p->loop) + PULL_STOP_NS, give_up, p);
	go_on(p);
}

/* ---- the loop --------------------------------------------------------------------------------------------------------- */

static bool
wants_to_ask(const struct pull *p)
{
	return !p->stopping && !p->idling && !source_is_paused(p->source) && list_empty(&p->kept) && p->calls[ASK] < p->askers &&
	       p->taken + (p->calls[ASK] + 1) * p->ops->most <= PULL_WINDOW && p->bytes < PULL_WINDOW_BYTES &&
	       !(p->unacknowledged && p->calls[ACKNOWLEDGE] + !list_empty(&p->done));
}

static void
settle_all(struct pull *p, enum task task, struct link *list)
{
	while (!list_empty(list) && p->calls[ACKNOWLEDGE] + p->calls[RELEASE] < PULL_ACKNOWLEDGING_MAX)
		if (!settle(p, task, list))
			return;
}

static void
send_all(struct pull *p)
{
	if (p->troubled || p->calls[PREPARE])
		return;
	if (list_empty(&p->done) && list_empty(&p->unwanted) && !wants_to_ask(p))
		return;
	if (call_maybe(p, PREPARE, p->ops->prepare) != 0)
		return;
	settle_all(p, ACKNOWLEDGE, &p->done);
	settle_all(p, RELEASE, &p->unwanted);
	while (!p->troubled && wants_to_ask(p))
		ask(p);
}

/* Nothing can be sent any more: the daemon stops. */
static void
drop_all(struct pull *p)
{
	let_all_go(p, &p->done);
	let_all_go(p, &p->unwanted);
	p->finished = true;
}

static void
go_on(struct pull *p)
{
	if (!p->ops->release)
		let_all_go(p, &p->unwanted);
	if (sources_httpc(source_owner(p->source)))
		send_all(p);
	else
		drop_all(p);
	if (!is_over(p) || p->deferred)
		return;
	if (!p->finished && p->ops->finish) {
		p->finished = true;
		if (call_maybe(p, FINISH, p->ops->finish) > 0)
			return;
	}
	finish(p);
}

/* ---- life ------------------------------------------------------------------------------------------------------------- */

void
pull_start(struct source *s, const struct pull_ops *ops, void *own)
{
	struct pull *p = MEM_NEW(struct pull);
	*p = (struct pull){ .source = s, .loop = source_loop(s), .ops = ops, .own = own, .askers = 1 };
	list_init(&p->exchanges);
	list_init(&p->kept);
	list_init(&p->done);
	list_init(&p->unwanted);
	source_set_data(s, p);
	source_connecting(s);
	soon(p);
}

void
pull_pause(struct source *s, bool on)
{
	struct pull *p = source_data(s);
	if (!on && !p->stopping)
		emit_kept(p);
	soon(p);
}

void
pull_describe(const struct source *s, struct val_map *m, struct arena *a UNUSED)
{
	const struct pull *p = source_data(s);
	val_map_add(m, S("unacknowledged"), val_int((int64_t)p->taken));
}
