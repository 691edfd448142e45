/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A peer is a connection with its thread. Two sides touch it: the loop, which alone makes peers, gives jobs in and ends them, and the thread,
 * which alone touches the connection. What both touch is below `lock`. Only the loop decides that a peer has been idle for long
 * enough, so a job cannot be given to one that is about to end.
 */
#include "core/net/peer.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/map.h"

enum { BACKOFF_FIRST_MS = 100, BACKOFF_MAX_MS = 10000, JOIN_S = 2 };

struct job {
	struct link queue; /* waiting or ended: below the lock */
	struct link sent;  /* not answered yet: the loop's */
	struct arena *arena;
	struct peer_message m;
	void (*done)(void *arg, const struct peer_message *m);
	void *arg;
};

struct peer {
	struct peers *ps;
	struct arena *arena; /* of target and key */
	str key;
	struct peer_target target;
	struct link sent;    /* jobs whose done() is still to be called */
	struct timer idle;
	pthread_t thread;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct link waiting, ended;
	struct loop *loop;   /* NULL: nobody asks any more */
	bool stop, posted, gone /* the thread has ended */, left /* whoever comes last frees */;

	/* the thread's */
	void *conn;
	int64_t not_before_ms;
	int wait_ms;
};

struct peers {
	struct loop *loop;
	struct map by_key;
};

/* ---- the thread ---------------------------------------------------------------------------------------------------- */

static void
wait_until(struct peer *p, int64_t ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * NS_PER_MS };
	pthread_cond_timedwait(&p->changed, &p->lock, &t);
}

/* Waits for jobs, and after a failed attempt to connect also for the next. Returns how many were taken; 0: the end. */
static size_t
take(struct peer *p, struct job **batch)
{
	size_t n = 0;
	pthread_mutex_lock(&p->lock);
	while (!p->stop && list_empty(&p->waiting))
		pthread_cond_wait(&p->changed, &p->lock);
	while (!p->stop && !p->conn && clock_monotonic_ms() < p->not_before_ms)
		wait_until(p, p->not_before_ms);
	while (!p->stop && n < PEER_BATCH && !list_empty(&p->waiting)) {
		batch[n] = LIST_FIRST(&p->waiting, struct job, queue);
		list_del(&batch[n++]->queue);
	}
	pthread_mutex_unlock(&p->lock);
	return n;
}

static void collect(void *arg);

static void
give_back(struct peer *p, struct job **batch, size_t n)
{
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < n; i++)
		list_add_tail(&p->ended, &batch[i]->queue);
	if (p->loop && !p->posted) {
		p->posted = true;
		loop_post(p->loop, collect, p);
	}
	pthread_mutex_unlock(&p->lock);
}

static int
connect_peer(struct peer *p, struct err *e)
{
	if (p->conn)
		return 0;
	p->conn = p->target.ops->open(&p->target, e);
	if (p->conn) {
		p->wait_ms = 0;
		return 0;
	}
	p->wait_ms = p->wait_ms ? p->wait_ms * 2 : BACKOFF_FIRST_MS;
	if (p->wait_ms > BACKOFF_MAX_MS)
		p->wait_ms = BACKOFF_MAX_MS;
	p->not_before_ms = clock_monotonic_ms() + p->wait_ms / 2 + (int64_t)arc4random_uniform((uint32_t)p->wait_ms / 2 + 1);
	return -1;
}

static void
disconnect(struct peer *p)
{
	if (p->conn)
		p->target.ops->close(p->conn);
	p->conn = NULL;
}

/* Those that are not settled, to the front; returns how many. */
static size_t
unsettled(struct job **batch, size_t n, struct peer_message **m)
{
	size_t left = 0;
	for (size_t i = 0; i < n; i++)
		if (!batch[i]->m.settled)
			m[left++] = &batch[i]->m;
	return left;
}

/* A connection that was there before may have died unseen: what it did not settle goes out once more over a new one. */
static void
deliver(struct peer *p, struct job **batch, size_t n)
{
	struct peer_message *m[PEER_BATCH];
	struct err e = { 0 };
	size_t left = unsettled(batch, n, m);
	bool again = p->conn;
	do {
		if (connect_peer(p, &e) < 0)
			break;
		int rc = p->target.ops->send(p->conn, m, left, &e);
		left = unsettled(batch, n, m);
		if (rc == 0)
			break;
		disconnect(p);
		if (!again)
			break;
		again = false;
	} while (left);
	if (left && !e.code)
		err_set(&e, ERR_UNAVAILABLE, "%s: the broker said nothing within %d s", p->target.ops->name, PEER_WAIT_MS / 1000);
	for (size_t i = 0; i < left; i++)
		m[i]->err = e;
}

static void free_peer(struct peer *p);

static void *
peer_main(void *arg)
{
	struct peer *p = arg;
	struct job *batch[PEER_BATCH];
	for (size_t n; (n = take(p, batch)) > 0;) {
		deliver(p, batch, n);
		give_back(p, batch, n);
	}
	disconnect(p);
	pthread_mutex_lock(&p->lock);
	bool mine = p->left && !p->posted;
	p->gone = true;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	if (mine)
		free_peer(p);
	return NULL;
}

/* ---- the loop's side ------------------------------------------------------------------------------------------------ */

static str
dup_option(struct arena *a, str s)
{
	return s.p ? arena_dup(a, s) : STR_NONE;
}

static const struct http_header *
dup_headers(struct arena *a, const struct http_header *h, size_t n)
{
	struct http_header *copy = ARENA_ARRAY(a, struct http_header, n);
	for (size_t i = 0; i < n; i++)
		copy[i] = (struct http_header){ arena_dup(a, h[i].name), arena_dup(a, h[i].value) };
	return copy;
}

/* Everything of the target as one text: equal if and only if all of it is. */
static void
target_key(const struct peer_target *t, struct buf *b)
{
	const str parts[] = { str_c(t->ops->name), t->address, t->user, t->password, t->token, t->nkey, t->creds, t->ca_pem, t->cert_pem, t->key_pem };
	buf_addf(b, "%d%d", t->tls, t->insecure);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		buf_addf(b, "%c%zu:", parts[i].p ? '+' : '-', parts[i].n);
		buf_add(b, parts[i]);
	}
	for (size_t i = 0; i < t->options_n; i++)
		buf_addf(b, "%zu:%.*s%zu:%.*s", t->options[i].name.n, STR_ARG(t->options[i].name), t->options[i].value.n,
		         STR_ARG(t->options[i].value));
}

static void
copy_target(struct arena *a, const struct peer_target *t, struct peer_target *out)
{
	*out = *t;
	out->address = arena_dup(a, t->address);
	str *const texts[] = { &out->user, &out->password, &out->token, &out->nkey, &out->creds, &out->ca_pem, &out->cert_pem, &out->key_pem };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		*texts[i] = dup_option(a, *texts[i]);
	out->options = dup_headers(a, t->options, t->options_n);
}

static struct job *
new_job(const struct peer_message *m, void (*done)(void *arg, const struct peer_message *m), void *arg)
{
	struct arena *a = arena_new();
	struct job *j = ARENA_NEW(a, struct job);
	*j = (struct job){ .arena = a, .m = *m, .done = done, .arg = arg };
	str *const texts[] = { &j->m.to, &j->m.key, &j->m.verb, &j->m.body, &j->m.id };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		*texts[i] = dup_option(a, *texts[i]);
	j->m.headers = dup_headers(a, m->headers, m->headers_n);
	return j;
}

static void
end_job(struct job *j)
{
	list_del(&j->sent);
	j->done(j->arg, &j->m);
	arena_free(j->arena);
}

/* Frees what neither side uses any more; jobs that were told already may still be in its lists. */
static void
free_peer(struct peer *p)
{
	struct link *const heads[] = { &p->waiting, &p->ended };
	for (size_t i = 0; i < ARRAY_LEN(heads); i++)
		while (!list_empty(heads[i])) {
			struct job *j = LIST_FIRST(heads[i], struct job, queue);
			list_del(&j->queue);
			arena_free(j->arena);
		}
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->changed);
	arena_free(p->arena);
	free(p);
}

static void
tell_to_stop(struct peer *p)
{
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

/* Nobody has sent for long: the thread closes the connection on its own time, and what is left of the peer with it. */
static void
retire(void *arg)
{
	struct peer *p = arg;
	(void)map_del(&p->ps->by_key, p->key);
	tell_to_stop(p);
	pthread_detach(p->thread);
	pthread_mutex_lock(&p->lock);
	bool gone = p->gone;
	p->left = true;
	p->loop = NULL;
	pthread_mutex_unlock(&p->lock);
	if (gone)
		free_peer(p);
}

static void
collect(void *arg)
{
	struct peer *p = arg;
	struct link ended;
	list_init(&ended);
	pthread_mutex_lock(&p->lock);
	p->posted = false;
	bool left = p->left, gone = p->gone;
	while (!left && !list_empty(&p->ended)) {
		struct job *j = LIST_FIRST(&p->ended, struct job, queue);
		list_del(&j->queue);
		list_add_tail(&ended, &j->queue);
	}
	pthread_mutex_unlock(&p->lock);
	if (left) { /* peers_free was there first, and left the end to this call */
		if (gone)
			free_peer(p);
		return;
	}
	while (!list_empty(&ended)) {
		struct job *j = LIST_FIRST(&ended, struct job, queue);
		list_del(&j->queue);
		end_job(j);
	}
	if (list_empty(&p->sent))
		timer_start(p->ps->loop, &p->idle, loop_now(p->ps->loop) + PEER_IDLE_S * NS_PER_SEC, retire, p);
}

static int
start_thread(struct peer *p)
{
	sigset_t all, old;
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, &attr);
	pthread_condattr_destroy(&attr);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int rc = pthread_create(&p->thread, NULL, peer_main, p);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc;
}

static struct peer *
new_peer(struct peers *ps, const struct peer_target *t, str key, struct err *e)
{
	if (ps->by_key.n >= PEER_TARGETS_MAX) {
		err_set(e, ERR_UNAVAILABLE, "%s: %d connections to brokers are open already", t->ops->name, PEER_TARGETS_MAX);
		return NULL;
	}
	struct peer *p = MEM_NEW(struct peer);
	p->ps = ps;
	p->loop = ps->loop;
	p->arena = arena_new();
	p->key = arena_dup(p->arena, key);
	copy_target(p->arena, t, &p->target);
	list_init(&p->sent);
	list_init(&p->waiting);
	list_init(&p->ended);
	if (start_thread(p)) {
		err_set(e, ERR_UNAVAILABLE, "%s: no thread can be started", t->ops->name);
		free_peer(p);
		return NULL;
	}
	(void)map_put(&ps->by_key, p->key, p);
	return p;
}

/* ---- the set -------------------------------------------------------------------------------------------------------- */

struct peers *
peers_new(struct loop *l)
{
	struct peers *ps = MEM_NEW(struct peers);
	ps->loop = l;
	return ps;
}

static void
refused(void *arg)
{
	end_job(arg);
}

static void
give(struct peer *p, struct job *j)
{
	timer_stop(&p->idle);
	list_add_tail(&p->sent, &j->sent);
	pthread_mutex_lock(&p->lock);
	list_add_tail(&p->waiting, &j->queue);
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

void
peers_send(struct peers *ps, const struct peer_target *t, const struct peer_message *m, void (*done)(void *arg, const struct peer_message *m), void *arg)
{
	struct buf key CLEANUP(free_buf) = { 0 };
	struct job *j = new_job(m, done, arg);
	target_key(t, &key);
	struct peer *p = map_get(&ps->by_key, buf_str(&key));
	if (m->body.n > PEER_MESSAGE_MAX) {
		err_set(&j->m.err, ERR_LIMIT, "%s: a message of %zu bytes: %d are the most", t->ops->name, m->body.n, PEER_MESSAGE_MAX);
		p = NULL;
	} else if (!p) {
		p = new_peer(ps, t, buf_str(&key), &j->m.err);
	}
	if (p)
		give(p, j);
	else
		loop_defer(ps->loop, refused, j);
}

size_t
peers_count(const struct peers *ps)
{
	return ps->by_key.n;
}

/* The thread has ended, or is left to itself after a while; *alone: nobody but the caller has the peer. */
static bool
wait_for_end(struct peer *p, bool *alone)
{
	int64_t until = clock_monotonic_ms() + JOIN_S * 1000;
	pthread_mutex_lock(&p->lock);
	while (!p->gone && clock_monotonic_ms() < until)
		wait_until(p, until);
	bool gone = p->gone;
	*alone = gone && !p->posted;
	p->left = true;
	p->loop = NULL;
	pthread_mutex_unlock(&p->lock);
	if (gone)
		pthread_join(p->thread, NULL);
	else
		pthread_detach(p->thread);
	return gone;
}

static void
end_peer(struct peer *p)
{
	timer_stop(&p->idle);
	bool alone, gone = wait_for_end(p, &alone);
	while (!list_empty(&p->sent)) {
		struct job *j = LIST_FIRST(&p->sent, struct job, sent);
		list_del(&j->sent);
		struct peer_message m = { 0 };
		if (gone && j->m.settled)
			m = j->m;
		else
			err_set(&m.err, ERR_UNAVAILABLE, "%s: the daemon ends", p->target.ops->name);
		j->done(j->arg, &m); /* the job itself stays with the thread, or in one of the lists */
	}
	if (alone)
		free_peer(p);
}

void
peers_free(struct peers *ps)
{
	if (!ps)
		return;
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&ps->by_key, &i));)
		tell_to_stop(slot->value);
	for (size_t i = 0; (slot = map_next(&ps->by_key, &i));)
		end_peer(slot->value);
	map_free(&ps->by_key);
	free(ps);
}
