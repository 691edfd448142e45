/* SPDX-License-Identifier: Apache-2.0 */
/*
 * object: one decoded document, and the set of those in force: an array sorted by kind, namespace and name, in which
 * look-ups are binary searches. Objects are immutable and counted, so whoever runs by one keeps it through a reload.
 */
#include <strings.h>

#include "config/config.h"

/* ---- decode -------------------------------------------------------------------------------------------------- */

struct object *
object_ref(struct object *o)
{
	o->refs++;
	return o;
}

void
object_unref(struct object *o)
{
	if (o && --o->refs == 0)
		arena_free(o->arena); /* the object itself lies in it */
}

static const struct kind *
find_kind(const struct kind *const *kinds, size_t n, str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(str_c(kinds[i]->name), name))
			return kinds[i];
	return NULL;
}

static void
unknown_kind(const struct kind *const *kinds, size_t n, const struct val *v, struct diags *d)
{
	VEC(const char *) names = { 0 };
	for (size_t i = 0; i < n; i++)
		*VEC_PUSH(&names) = kinds[i]->name;
	str name = str_slice(val_text(v), 0, 80);
	const char *near = diag_nearest(name, names.p, names.n);
	for (size_t i = 0; i < n; i++)
		if (str_eq_nocase(name, str_c(names.p[i])))
			near = names.p[i];
	struct diag *x = diag_add(d, DIAG_WARNING, v, S("kind"), "unknown kind \"%.*s\": skipped", STR_ARG(name));
	if (near)
		diag_hint(d, x, "did you mean \"%s\"?", near);
	VEC_FREE(&names);
}

/* The kind of a document; NULL after saying why there is none. */
static const struct kind *
kind_of(const struct kind *const *kinds, size_t n, const struct val *doc, struct diags *d)
{
	const struct val *name = val_get(doc, S("kind")), *api = val_get(doc, S("apiVersion"));
	if (doc->kind != VAL_MAP) {
		diag_add(d, DIAG_ERROR, doc, S(""), "expected an object with apiVersion, kind and metadata, not %s",
			val_kind_name(doc));
		return NULL;
	}
	if (!name && !api) {
		diag_add(d, DIAG_WARNING, doc, S(""), "no Kubernetes object (neither apiVersion nor kind): skipped");
		return NULL;
	}
	if (!name || val_resolve(name).kind != VAL_STR) {
		struct diag *x = diag_add(d, DIAG_ERROR, name ? name : doc, S("kind"),
			name ? "expected a string, not %s" : "required, but not given", val_kind_name(name));
		diag_hint(d, x, "add \"kind\": for example \"kind: Workflow\"");
		return NULL;
	}
	const struct kind *k = find_kind(kinds, n, val_text(name));
	if (!k) {
		unknown_kind(kinds, n, name, d);
		return NULL;
	}
	if (!api || val_resolve(api).kind != VAL_STR || !str_eq(val_text(api), str_c(k->api))) {
		struct diag *x = api ? diag_add(d, DIAG_ERROR, api, S("apiVersion"), "wrong version for a %s", k->name)
		                     : diag_add(d, DIAG_ERROR, doc, S("apiVersion"), "required, but not given");
		diag_hint(d, x, "write \"apiVersion: %s\"", k->api);
	}
	return k;
}

/* ---- names --------------------------------------------------------------------------------------------------- */

static bool
is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* RFC 1123 subdomain, as Kubernetes has it: parts with dots between. A generateName may end in '-' or '.'. */
static bool
is_name(str s, bool prefix)
{
	for (size_t i = 0; i < s.n; i++) {
		bool first = i == 0 || s.p[i - 1] == '.';
		bool last = i + 1 == s.n ? !prefix : s.p[i + 1] == '.';
		if (!is_alnum(s.p[i]) && (first || last || (s.p[i] != '-' && s.p[i] != '.')))
			return false;
	}
	return s.n > 0;
}

/* What the name might be in lower case with dashes; absent if that is no name either. */
static str
repaired(struct arena *a, str s)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] | 0x20) : s.p[i];
		buf_addc(&b, is_alnum(c) || c == '.' ? c : '-');
	}
	str r = buf_str(&b);
	while (r.n && !is_alnum(*r.p))
		r = str_slice(r, 1, r.n);
	while (r.n && !is_alnum(r.p[r.n - 1]))
		r.n--;
	return is_name(r, false) ? arena_dup(a, r) : STR_NONE;
}

static void
check_name(const char *field, str name, size_t max, bool prefix, const struct val *at, struct diags *d)
{
	str path = arena_fmt(d->arena, "metadata.%s", field);
	if (name.n > max) {
		diag_add(d, DIAG_ERROR, at, path, "%zu characters long: at most %zu are allowed", name.n, max);
	} else if (!is_name(name, prefix)) {
		struct diag *x = diag_add(d, DIAG_ERROR, at, path,
			"\"%.*s\" is not a name: lower case letters, digits, '-' and '.' only, a letter or digit at "
			"both ends",
			STR_ARG(str_slice(name, 0, 80)));
		str better = repaired(d->arena, name);
		if (better.p && !prefix)
			diag_hint(d, x, "for example \"%s\"", better.p);
	}
}

static void
check_names(const struct kind *k, const struct meta *m, const struct val *doc, size_t errors, struct diags *d)
{
	const struct val *meta = val_get(doc, S("metadata"));
	const struct val *name = val_get(meta, S("name")), *prefix = val_get(meta, S("generateName"));
	size_t max = k->name_max ? k->name_max : 253;
	if (m->name.n)
		check_name("name", m->name, max, false, name, d);
	else if (m->generate_name.n)
		/* cut to what leaves room, as Kubernetes does */
		check_name("generateName", m->generate_name, 253, true, prefix, d);
	else if (!meta && d->errors == errors)
		diag_hint(d, diag_add(d, DIAG_WARNING, doc, S("metadata"),
			"not given: nobody can create an object without a name"), "add \"name\" or \"generateName\"");
	else if (val_is(meta, VAL_MAP) && !(name && val_resolve(name).kind != VAL_STR &&
		val_resolve(name).kind != VAL_NULL))
		diag_hint(d, diag_add(d, DIAG_ERROR, name ? name : meta, S("metadata.name"), "required, but not given"),
			"add \"name\" or \"generateName\"");
	if (!m->name.n && m->generate_name.n && !k->instance)
		diag_hint(d, diag_add(d, DIAG_WARNING, prefix, S("metadata.generateName"),
			"nothing can refer to a %s without a name: it is kept only where it is created through the API, which makes one up", k->name),
			"add \"name\"");
	if (m->ns.n && !is_name(m->ns, false))
		diag_add(d, DIAG_ERROR, val_get(meta, S("namespace")), S("metadata.namespace"),
			"\"%.*s\" is not a name", STR_ARG(str_slice(m->ns, 0, 80)));
}

struct object *
object_read(const struct kind *const *kinds, size_t n, const struct val *doc, str file, str default_ns, bool *ok,
	struct diags *d)
{
	size_t errors = d->errors;
	str outer_file = d->file;
	if (file.p)
		d->file = arena_dup(d->arena, file);
	const struct kind *k = kind_of(kinds, n, doc, d);
	struct object *o = NULL;
	if (k) {
		struct arena *a = arena_new();
		o = ARENA_NEW(a, struct object);
		struct val *manifest = ARENA_NEW(a, struct val);
		*manifest = schema_resolve(k->schema, a, doc);
		void *spec = arena_alloc(a, k->schema->size, _Alignof(max_align_t));
		bool outer = d->lenient;
		d->lenient = k->lenient;
		int rc = schema_decode(k->schema, a, manifest, STR_NONE, spec, d);
		(void)rc; /* d->errors says the same, and whether anything else is wrong */
		d->lenient = outer;
		const struct meta *m = spec;
		check_names(k, m, manifest, errors, d);
		*o = (struct object){ .kind = k, .name = m->name, .file = arena_dup(a, file), .manifest = manifest,
			.spec = spec, .arena = a, .refs = 1, .revision = 1,
			.ns = k->cluster ? S("") : arena_dup(a, m->ns.n ? m->ns : default_ns) };
	}
	d->file = outer_file;
	*ok = d->errors == errors;
	return o;
}

struct object *
object_decode(const struct kind *const *kinds, size_t n, const struct val *doc, str file, str default_ns,
	struct diags *d)
{
	bool ok;
	struct object *o = object_read(kinds, n, doc, file, default_ns, &ok, d);
	if (ok)
		return o;
	object_unref(o);
	return NULL;
}

/* ---- the set ------------------------------------------------------------------------------------------------- */

struct objects {
	const struct kind *const *kinds;
	size_t kinds_n;
	VEC(struct object *) v; /* one reference each; sorted by order() */
	void (*put)(void *arg, struct object *o); /* is told of what is new; may be NULL */
	void *put_arg;
};

struct objects *
objects_new(const struct kind *const *kinds, size_t n)
{
	struct objects *os = MEM_NEW(struct objects);
	os->kinds = kinds;
	os->kinds_n = n;
	return os;
}

void
objects_free(struct objects *os)
{
	if (!os)
		return;
	for (size_t i = 0; i < os->v.n; i++)
		object_unref(os->v.p[i]);
	VEC_FREE(&os->v);
	free(os);
}

const struct kind *
objects_kind(const struct objects *os, str name)
{
	for (size_t i = 0; i < os->kinds_n; i++) {
		const struct kind *k = os->kinds[i];
		if (str_eq_nocase(name, str_c(k->name)))
			return k;
		if (str_eq(name, str_c(k->plural)))
			return k;
		for (size_t s = 0; k->short_names && k->short_names[s]; s++)
			if (str_eq(name, str_c(k->short_names[s])))
				return k;
	}
	return NULL;
}

struct object *
objects_decode(const struct objects *os, const struct val *doc, str file, str default_ns, struct diags *d)
{
	return object_decode(os->kinds, os->kinds_n, doc, file, default_ns, d);
}

static size_t
rank(const struct objects *os, const struct kind *k)
{
	size_t i = 0;
	while (i < os->kinds_n && os->kinds[i] != k)
		i++;
	return i;
}

static int
order(const struct objects *os, const struct object *o, const struct kind *k, str ns, str name)
{
	size_t a = rank(os, o->kind), b = rank(os, k);
	int by_ns = str_cmp(o->ns, ns);
	return a != b ? (a < b ? -1 : 1) : by_ns ? by_ns : str_cmp(o->name, name);
}

/* Where it is or would be. */
static size_t
place(const struct objects *os, const struct kind *k, str ns, str name, bool *found)
{
	size_t low = 0, high = os->v.n;
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (order(os, os->v.p[mid], k, ns, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	*found = low < os->v.n && order(os, os->v.p[low], k, ns, name) == 0;
	return low;
}

struct object *
objects_find(const struct objects *os, const struct kind *k, str ns, str name)
{
	bool found;
	size_t i = place(os, k, k->cluster ? S("") : ns, name, &found);
	return found ? os->v.p[i] : NULL;
}

struct object *
objects_find_named(const struct objects *os, const char *kind, str ns, str name)
{
	const struct kind *k = find_kind(os->kinds, os->kinds_n, str_c(kind));
	return k ? objects_find(os, k, ns, name) : NULL;
}

const char *
objects_nearest(const struct objects *os, const char *kind, str ns, str name)
{
	VEC(const char *) names = { 0 };
	for (size_t i = 0; i < os->v.n; i++) {
		const struct object *o = os->v.p[i];
		if (strcmp(o->kind->name, kind) == 0 && (o->kind->cluster || str_eq(o->ns, ns)))
			*VEC_PUSH(&names) = o->name.p;
	}
	const char *near = diag_nearest(name, names.p, names.n);
	VEC_FREE(&names);
	return near;
}

size_t
objects_count(const struct objects *os)
{
	return os->v.n;
}

struct object *
objects_next(const struct objects *os, const struct kind *k, size_t *i)
{
	bool found;
	if (k && *i == 0)
		*i = place(os, k, S(""), S(""), &found);
	if (*i >= os->v.n || (k && os->v.p[*i]->kind != k))
		return NULL;
	return os->v.p[(*i)++];
}

/* The same manifest but for its status, which is written, not configured. */
static bool
same(const struct object *x, const struct object *y)
{
	struct arena *tmp CLEANUP(free_arena) = arena_new();
	return val_eq(val_unset(tmp, x->manifest, S("status")), val_unset(tmp, y->manifest, S("status")));
}

bool
objects_put(struct objects *os, struct object *o)
{
	if (!o->name.n)
		return false; /* nothing could find it */
	bool found;
	size_t i = place(os, o->kind, o->ns, o->name, &found);
	if (found) {
		struct object *old = os->v.p[i];
		if (old == o)
			return false;
		/* an equal one is taken too if it came from elsewhere: it may have moved to another file */
		bool changed = !same(old, o);
		if (!changed && str_eq(old->file, o->file))
			return false;
		o->revision = old->revision + changed;
		if (changed && os->put)
			os->put(os->put_arg, o);
		os->v.p[i] = object_ref(o);
		object_unref(old);
		return changed;
	}
	if (os->put)
		os->put(os->put_arg, o);
	(void)VEC_PUSH(&os->v);
	memmove(&os->v.p[i + 1], &os->v.p[i], (os->v.n - 1 - i) * sizeof *os->v.p);
	os->v.p[i] = object_ref(o);
	return true;
}

void
objects_on_put(struct objects *os, void (*fn)(void *arg, struct object *o), void *arg)
{
	os->put = fn;
	os->put_arg = arg;
}

static void
remove_at(struct objects *os, size_t i)
{
	object_unref(os->v.p[i]);
	memmove(&os->v.p[i], &os->v.p[i + 1], (os->v.n - 1 - i) * sizeof *os->v.p);
	os->v.n--;
}

bool
objects_del(struct objects *os, const struct kind *k, str ns, str name)
{
	bool found;
	size_t i = place(os, k, k->cluster ? S("") : ns, name, &found);
	if (found)
		remove_at(os, i);
	return found;
}

size_t
objects_apply_files(struct objects *os, const struct manifest_set *m)
{
	size_t changes = 0;
	struct objects *wanted = objects_new(os->kinds, os->kinds_n);
	for (size_t i = 0; i < m->objects.n; i++)
		if (!m->objects.p[i]->kind->instance)
			(void)objects_put(wanted, m->objects.p[i]);
	for (size_t i = os->v.n; i-- > 0;) {
		const struct object *o = os->v.p[i];
		if (o->file.p && !objects_find(wanted, o->kind, o->ns, o->name)) {
			remove_at(os, i);
			changes++;
		}
	}
	for (size_t i = 0; i < wanted->v.n; i++)
		changes += objects_put(os, wanted->v.p[i]);
	objects_free(wanted);
	return changes;
}

/* ---- compatibility -------------------------------------------------------------------------------------------- */

static const struct val *
compat_of(const struct object *o)
{
	return val_get(val_path(o->manifest, "metadata.annotations"), S("tidegate/compat"));
}

bool
object_like_argo(const struct object *o)
{
	const struct val *compat = compat_of(o);
	return val_is(compat, VAL_STR) && str_eq(val_text(compat), S("argo"));
}

void
object_check_compat(const struct object *o, struct diags *d)
{
	if (!compat_of(o) || object_like_argo(o))
		return;
	struct diag *x = diag_add(d, DIAG_ERROR, compat_of(o), S("metadata.annotations"), "tidegate/compat: must be argo");
	x->file = arena_dup(d->arena, o->file);
}
