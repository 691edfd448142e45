/* SPDX-License-Identifier: Apache-2.0 */
#include "sensors/awaiting.h"

struct waiter;

/* A jq program that is under way, or has answered. */
struct answer {
	struct transformed t;
	struct waiter *of;
	struct jq_job *job; /* NULL: it has answered */
};
struct waiter {
	struct link link;
	struct awaiting *line;
	struct event *ev;
	struct arena *arena; /* of the reasons; made with the first program */
	struct answer *answers;
	size_t n, open;
};
struct awaiting {
	struct jq_pool *(*jq)(void *arg);
	void (*ready)(void *arg, struct event *ev, const struct transformed *t, size_t n);
	void *arg;
	const struct program *program;
	struct link events;
	size_t n;
	bool advancing, begun; /* the first one's programs run */
};

/* ---- one event ----------------------------------------------------------------------------------------------------- */

static bool
uses_jq(const struct program_dep *d)
{
	return !d->problem.p && transformer_is_jq(&d->transform);
}

static size_t
count_programs(const struct program *p, const struct event *ev)
{
	size_t n = 0;
	for (size_t at = program_find(p, ev->source, ev->subject); at; at = p->deps[at - 1].next)
		n += uses_jq(&p->deps[at - 1]);
	return n;
}

/* The first event stops what it waits for, and forgets what it got. */
static void
take_back(struct waiter *x)
{
	for (size_t i = 0; i < x->n; i++) {
		if (x->answers[i].job)
			jq_cancel(x->answers[i].job);
		event_unref(x->answers[i].t.ev);
	}
	free(x->answers);
	x->answers = NULL;
	x->n = x->open = 0;
	arena_free(x->arena);
	x->arena = NULL;
}

static void
drop(struct waiter *x)
{
	take_back(x);
	list_del(&x->link);
	x->line->n--;
	event_unref(x->ev);
	free(x);
}

static void advance(struct awaiting *w);

static void
on_answer(void *arg, str out, const struct err *e)
{
	struct answer *a = arg;
	struct waiter *x = a->of;
	a->job = NULL;
	if (e)
		a->t.why = arena_dup(x->arena, str_c(e->msg));
	else
		a->t.ev = event_with_data(x->ev, out);
	if (--x->open == 0)
		advance(x->line);
}

static void
begin(struct awaiting *w, struct waiter *x)
{
	const struct program *p = w->program;
	x->n = 0;
	x->answers = mem_alloc(sizeof *x->answers * (count_programs(p, x->ev) + 1));
	x->arena = arena_new();
	for (size_t at = program_find(p, x->ev->source, x->ev->subject); at; at = p->deps[at - 1].next) {
		const struct program_dep *d = &p->deps[at - 1];
		if (!uses_jq(d))
			continue;
		struct answer *a = &x->answers[x->n++];
		*a = (struct answer){ .t.dep = at - 1, .of = x };
		const char *wrong = !x->ev->data.n ? "the event has no data" : !event_is_json(x->ev) ? "the event's data is no JSON" : NULL;
		if (wrong) {
			a->t.why = str_c(wrong);
			continue;
		}
		x->open++;
		a->job = jq_run(w->jq(w->arg), d->transform.spec->jq, x->ev, on_answer, a);
	}
}

static void
hand_over(struct awaiting *w, struct waiter *x)
{
	struct transformed *t = ARENA_ARRAY(x->arena, struct transformed, x->n);
	for (size_t i = 0; i < x->n; i++)
		t[i] = x->answers[i].t;
	w->begun = false;
	w->ready(w->arg, x->ev, t, x->n);
	drop(x);
}

/* Hands over whoever is first and waits for nothing. */
static void
advance(struct awaiting *w)
{
	if (w->advancing)
		return;
	w->advancing = true;
	while (!list_empty(&w->events)) {
		struct waiter *x = LIST_FIRST(&w->events, struct waiter, link);
		if (!w->begun)
			begin(w, x);
		w->begun = true;
		if (x->open)
			break;
		hand_over(w, x);
	}
	w->advancing = false;
}

/* ---- the line -------------------------------------------------------------------------------------------------------- */

struct awaiting *
awaiting_new(struct jq_pool *(*jq)(void *arg), void (*ready)(void *arg, struct event *ev, const struct transformed *t, size_t n), void *arg)
{
	struct awaiting *w = MEM_NEW(struct awaiting);
	w->jq = jq;
	w->ready = ready;
	w->arg = arg;
	list_init(&w->events);
	return w;
}

void
awaiting_free(struct awaiting *w)
{
	if (!w)
		return;
	awaiting_clear(w);
	free(w);
}

bool
awaiting_add(struct awaiting *w, const struct program *p, struct event *ev)
{
	if (list_empty(&w->events) && !count_programs(p, ev))
		return false;
	struct waiter *x = MEM_NEW(struct waiter);
	x->line = w;
	x->ev = event_ref(ev);
	list_add_tail(&w->events, &x->link);
	w->n++;
	w->program = p;
	if (!w->begun)
		advance(w);
	return true;
}

void
awaiting_restart(struct awaiting *w, const struct program *p)
{
	if (w->begun && !list_empty(&w->events))
		take_back(LIST_FIRST(&w->events, struct waiter, link));
	w->begun = false;
	w->program = p;
	advance(w);
}

void
awaiting_clear(struct awaiting *w)
{
	LIST_EACH(&w->events, struct waiter, link, x)
		drop(x);
	w->begun = false;
}

size_t
awaiting_count(const struct awaiting *w)
{
	return w->n;
}
