/* SPDX-License-Identifier: Apache-2.0 */
#include "triggers/aws_role.h"

#include "triggers/call.h"

struct waiting {
	struct firing *firing;
	void (*done)(struct firing *f, const struct sigv4_keys *keys, const struct err *e);
};

struct aws_role {
	struct arena *arena; /* of what for and keys */
	str what_for;        /* role, region, endpoint and one's own keys as one text */
	struct sigv4_keys keys;
	int64_t until_ns;    /* 0: there are none */
	VEC(struct waiting) waiting; /* the first asks for all */
};

void
aws_role_free(struct aws_role *r)
{
	if (!r)
		return;
	assert(!r->waiting.n);
	VEC_FREE(&r->waiting);
	arena_free(r->arena);
	free(r);
}

static str
what_for(struct arena *a, const struct sts_role *role, const struct sigv4_keys *own)
{
	const str parts[] = { role->arn, role->region, role->endpoint, own->access_key, own->secret_key, own->session_token };
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		buf_addf(&b, "%zu:%.*s", parts[i].n, STR_ARG(parts[i]));
	return arena_dup(a, buf_str(&b));
}

/* Takes over the keys of an answer. */
static int
keep(struct aws_role *r, struct firing *f, const struct http_answer *ans, struct err *e)
{
	struct arena *a = firing_arena(f);
	if (call_judge_read(f, S("STS"), ans, e) < 0) {
		struct err status = *e;
		str why = http_excerpt(a, http_xml_refusal(a, ans->body));
		return why.n ? err_set(e, status.code, "STS answered %d: %.*s", ans->status, STR_ARG(why)) : -1;
	}
	return sts_read_keys(ans->body, r->arena, &r->keys, &r->until_ns, e);
}

/* All that wait go on. Each may end the trigger's last attempt, and with that its memory. */
static void
answered(void *arg, const struct http_answer *ans, const struct err *failure)
{
	struct aws_role *r = arg;
	struct err e = { 0 };
	if (failure)
		e = *failure;
	else
		(void)!keep(r, r->waiting.p[0].firing, ans, &e); /* e says it */
	r->until_ns = e.code ? 0 : r->until_ns;
	__typeof__(r->waiting) all = r->waiting;
	struct sigv4_keys keys = r->keys;
	struct arena *kept = arena_new();
	str *const texts[] = { &keys.access_key, &keys.secret_key, &keys.session_token };
	for (size_t i = 0; i < ARRAY_LEN(texts) && !e.code; i++)
		*texts[i] = arena_dup(kept, *texts[i]);
	r->waiting = (__typeof__(r->waiting)){ 0 };
	for (size_t i = 0; i < all.n; i++)
		all.p[i].done(all.p[i].firing, e.code ? NULL : &keys, e.code ? &e : NULL);
	VEC_FREE(&all);
	arena_free(kept);
}

/* For another role, or with other keys, begins anew; not while somebody waits. */
static struct aws_role *
role_of(struct aws_role **place, str wanted)
{
	if (*place && !(*place)->waiting.n && !str_eq((*place)->what_for, wanted)) {
		aws_role_free(*place);
		*place = NULL;
	}
	if (!*place) {
		*place = MEM_NEW(struct aws_role);
		(*place)->arena = arena_new();
		(*place)->what_for = arena_dup((*place)->arena, wanted);
	}
	return *place;
}

static void
ask(struct aws_role *r, struct firing *f, const struct sts_role *role, const struct sigv4_keys *own)
{
	const struct trigger_env *env = firing_env(f);
	struct arena *a = firing_arena(f);
	struct http_call call;
	str wanted = arena_dup(a, r->what_for);
	arena_free(r->arena); /* the keys of before */
	r->arena = arena_new();
	r->what_for = arena_dup(r->arena, wanted);
	r->until_ns = 0;
	sts_assume_role(role, own, loop_now(env->loop), a, &call);
	httpc_send(env->httpc(env->arg), &call, answered, r);
}

void
aws_role_keys(struct aws_role **place, struct firing *f, const struct sts_role *role, const struct sigv4_keys *own,
              void (*done)(struct firing *f, const struct sigv4_keys *keys, const struct err *e))
{
	str wanted = what_for(firing_arena(f), role, own);
	struct aws_role *r = role_of(place, wanted);
	struct err e;
	if (!str_eq(r->what_for, wanted)) {
		firing_alone(f);
		err_set(&e, ERR_UNAVAILABLE, "keys of another role are being asked for");
		done(f, NULL, &e);
	} else if (loop_now(firing_env(f)->loop) < r->until_ns - STS_EARLY) {
		done(f, &r->keys, NULL);
	} else {
		*VEC_PUSH(&r->waiting) = (struct waiting){ f, done };
		if (r->waiting.n == 1)
			ask(r, f, role, own);
	}
}
