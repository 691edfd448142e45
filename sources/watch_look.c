/* SPDX-License-Identifier: Apache-2.0 */
/* Names: which ones match, and what a look at them has seen. */
#include <stdatomic.h>

#include "sources/watch_impl.h"

static const struct {
	str word;
	unsigned op;
} ops[] = { { { "CREATE", 6 }, WATCH_CREATE }, { { "WRITE", 5 }, WATCH_WRITE }, { { "REMOVE", 6 }, WATCH_REMOVE },
	{ { "RENAME", 6 }, WATCH_RENAME }, { { "CHMOD", 5 }, WATCH_CHMOD } };

static unsigned
op_of(str word)
{
	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		if (str_eq(word, ops[i].word))
			return ops[i].op;
	return 0;
}

unsigned
watch_ops(str type, str *unknown)
{
	unsigned all = 0;
	*unknown = STR_NONE;
	while (type.n) {
		str word = str_cut(&type, '|');
		unsigned op = op_of(word);
		if (!op && !unknown->p)
			*unknown = word;
		all |= op;
	}
	return all;
}

str
watch_clean(struct arena *a, str path)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	while (path.n) {
		str part = str_cut(&path, '/');
		if (part.n == 0 || str_eq(part, S(".")))
			continue;
		if (str_eq(part, S(".."))) {
			while (b.n && b.p[--b.n] != '/')
				;
			continue;
		}
		buf_addc(&b, '/');
		buf_add(&b, part);
	}
	return b.n ? arena_dup(a, buf_str(&b)) : S("/");
}

str
watch_place(struct arena *a, str directory, str path, str *name)
{
	*name = STR_NONE;
	directory = watch_clean(a, directory);
	if (!path.n)
		return directory;
	str whole = watch_clean(a, arena_fmt(a, "%.*s/%.*s", STR_ARG(directory), STR_ARG(path)));
	size_t slash = whole.n;
	while (slash && whole.p[slash - 1] != '/')
		slash--;
	*name = str_slice(whole, slash, whole.n);
	return slash > 1 ? str_slice(whole, 0, slash - 1) : S("/");
}

/* ---- which names ---------------------------------------------------------------------------------------------------- */

struct watch_match {
	atomic_int refs;
	str path;            /* absent: by expression */
	struct regex *regex; /* NULL: by path */
};

int
watch_match_new(str path, str path_regexp, struct watch_match **out, struct err *e)
{
	struct regex *regex = NULL;
	if (path_regexp.n && regex_compile(path_regexp, &regex, e) < 0)
		return err_wrap(e, "pathRegexp");
	struct watch_match *m = MEM_NEW(struct watch_match);
	atomic_init(&m->refs, 1);
	m->path = str_own(path);
	m->regex = regex;
	*out = m;
	return 0;
}

struct watch_match *
watch_match_ref(struct watch_match *m)
{
	atomic_fetch_add(&m->refs, 1);
	return m;
}

void
watch_match_unref(struct watch_match *m)
{
	if (!m || atomic_fetch_sub(&m->refs, 1) > 1)
		return;
	str_disown(m->path);
	regex_free(m->regex);
	free(m);
}

int
watch_matches(const struct watch_match *m, str name, struct err *e)
{
	if (!m->regex)
		return str_eq(m->path, name);
	int rc = regex_matches(m->regex, name, e);
	return rc < 0 ? err_wrap(e, "pathRegexp on \"%.*s\"", STR_ARG(str_slice(name, 0, 100))) : rc;
}

/* ---- a look --------------------------------------------------------------------------------------------------------- */

bool
watch_stamp_eq(const struct watch_stamp *a, const struct watch_stamp *b)
{
	return a->id == b->id && a->size == b->size && a->mtime == b->mtime && a->ctime == b->ctime && a->mode == b->mode;
}

struct watch_look *
watch_look_new(void)
{
	struct watch_look *k = MEM_NEW(struct watch_look);
	k->arena = arena_new();
	return k;
}

void
watch_look_free(struct watch_look *k)
{
	if (!k)
		return;
	VEC_FREE(&k->seen);
	arena_free(k->arena);
	free(k);
}

int
watch_look_count(struct watch_look *k, struct err *e)
{
	if (++k->entries <= WATCH_ENTRIES_MAX)
		return 0;
	return err_set(e, ERR_LIMIT, "more than %d entries: only so many are looked at", WATCH_ENTRIES_MAX);
}

int
watch_look_add(struct watch_look *k, const struct watch_seen *seen, struct err *e)
{
	if (k->seen.n == WATCH_NAMES_MAX)
		return err_set(e, ERR_LIMIT, "more than %d names match: only so many are watched; narrow pathRegexp, or move away what is done",
		               WATCH_NAMES_MAX);
	if (seen->name.n > WATCH_NAME_MAX)
		return err_set(e, ERR_LIMIT, "a name of %zu bytes: %d are the most", seen->name.n, WATCH_NAME_MAX);
	struct watch_seen *x = VEC_PUSH(&k->seen);
	*x = *seen;
	x->name = arena_dup(k->arena, seen->name);
	return 0;
}

const struct watch_seen *
watch_look_seen(const struct watch_look *k, size_t *n)
{
	*n = k->seen.n;
	return k->seen.p;
}
