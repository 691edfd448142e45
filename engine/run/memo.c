/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memo: templates whose results are used again (spec 2.12). Before a node with `memoize` begins, an earlier result under
 * the same key ends it at once: with its usual type, Succeeded, with those outputs and nothing below it. Otherwise it runs,
 * and what it gave is kept under the key. The Retry node looks up, its attempts keep.
 *
 * Where results are kept is the shell's affair (cache.c); looking one up asks the world, keeping one is an effect.
 */
#include "engine/run/run_impl.h"

enum { MEMO_MAX = 1024 * 1024 }; /* of one result, as JSON; so large a ConfigMap may be that Argo keeps them in */

/* ^[a-zA-Z0-9][-a-zA-Z0-9]*$ */
static bool
is_key(str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
		if (!plain && (c != '-' || i == 0))
			return false;
	}
	return s.n > 0;
}

static const struct val *
memo_status(struct run *r, bool hit, str key, str cache)
{
	struct val_map m = { 0 };
	struct val *v = ARENA_NEW(r->arena, struct val);
	val_map_add(&m, S("hit"), val_bool(hit));
	val_map_add(&m, S("key"), val_str(arena_dup(r->arena, key)));
	val_map_add(&m, S("cacheName"), val_str(arena_dup(r->arena, cache)));
	*v = val_map_end(&m, r->arena);
	return v;
}

bool
memo_is_hit(const struct node *n)
{
	const struct val *hit = val_get(n->memo, S("hit"));
	return val_is(hit, VAL_BOOL) && hit->b;
}

/* What this very stimulus keeps, the world does not know yet. */
static bool
just_kept(const struct run *r, str cache, str key, struct memo_entry *out)
{
	bool found = false;
	for (const struct effect *x = r->keeps ? r->first : NULL; x; x = x->next) {
		if (x->kind != EFFECT_MEMO || memo_is_hit(x->node) || !str_eq(val_get_str(x->memo, "key"), key) ||
			!str_eq(val_get_str(x->memo, "cacheName"), cache))
			continue;
		*out = (struct memo_entry){ x->outputs, r->now };
		found = true;
	}
	return found;
}

/* 1: there is one that is young enough; 0: there is none. */
static int
look_up(struct run *r, const struct val *memoize, str cache, str key, const struct val **outputs, struct err *e)
{
	struct memo_entry entry = { 0 };
	str max_age = val_get_str(memoize, "maxAge");
	dur age;
	if (!is_key(key))
		return err_set(e, ERR_INVALID, "invalid cache key: %.*s", STR_ARG(key));
	int rc = just_kept(r, cache, key, &entry) ? 1
		 : r->world.memo ? r->world.memo(r->world.arg, r->ns, cache, key, r->arena, &entry, e)
				 : 0;
	if (rc < 0)
		return -1;
	if (max_age.n && dur_parse(max_age, &age, e))
		return err_wrap(e, "invalid maxAge");
	*outputs = entry.outputs;
	return rc && (!max_age.n || r->now - entry.created <= age.ns);
}

static void
hit(struct run *r, struct node *n, const struct processed *p, str cache, str key, const struct val *outputs)
{
	struct effect *x = run_effect(r, EFFECT_MEMO, n);
	n->memo = memo_status(r, true, key, cache);
	n->inputs = p->inputs;
	n->outputs = outputs && outputs->kind == VAL_MAP ? outputs : NULL;
	x->memo = n->memo;
	outputs_to_globals(r, n);
	node_set(n, PHASE_SUCCEEDED, S(""));
}

bool
memo_ends(struct run *r, struct call *c, const struct processed *p, struct node **out)
{
	const struct val *memoize = val_get(p->body, S("memoize")), *outputs = NULL;
	struct err e;
	if (!val_is(memoize, VAL_MAP) || c->retried || !call_is_new(r, c))
		return false;
	str cache = any_text(r, val_path(memoize, "cache.configMap.name")), key = any_text(r, val_get(memoize, S("key")));
	int rc = look_up(r, memoize, cache.p ? cache : S(""), key.p ? key : S(""), &outputs, &e);
	if (rc == 0)
		return false;
	*out = rc < 0 ? call_failed(r, c, run_text(r, "%s", e.msg)) : call_node(r, c, call_node_type(c, p->tmpl));
	if (rc > 0 && *out)
		hit(r, *out, p, cache, key, outputs);
	return true;
}

/* A node without `memoize`, or one that takes part in nothing: suspended nodes are somebody's decision. */
void
memo_begins(struct run *r, struct node *n, const struct processed *p)
{
	const struct val *memoize = val_get(p->body, S("memoize"));
	if (!val_is(memoize, VAL_MAP) || n->memo || n->type == NODE_SUSPEND)
		return;
	str cache = any_text(r, val_path(memoize, "cache.configMap.name")), key = any_text(r, val_get(memoize, S("key")));
	n->memo = memo_status(r, false, key.p ? key : S(""), cache.p ? cache : S(""));
	node_changed(n);
	if (n->phase == PHASE_SUCCEEDED) /* it had nothing to do */
		(void)memo_keeps(r, n, NULL);
}

int
memo_keeps(struct run *r, struct node *n, struct err *e)
{
	struct memo_entry ignored;
	struct err why = { 0 };
	str cache = val_get_str(n->memo, "cacheName"), key = val_get_str(n->memo, "key");
	if (n->type == NODE_RETRY || memo_is_hit(n))
		return 0;
	e = e ? e : &why;
	if (n->outputs && json_write(r->tmp, n->outputs).n > MEMO_MAX)
		return err_set(e, ERR_LIMIT, "error creating cache entry: the outputs are larger than %d bytes", MEMO_MAX);
	if (r->world.memo && r->world.memo(r->world.arg, r->ns, cache, key, r->tmp, &ignored, e) < 0)
		return -1;
	struct effect *x = run_effect(r, EFFECT_MEMO, n);
	x->memo = n->memo;
	x->outputs = n->outputs;
	r->keeps = true;
	return 0;
}
