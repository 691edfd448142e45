/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A look-up walks the text once. `in_object` and `in_array` each take the first step off the path, run over the members, and
 * either take the value (last step), go down into it (more steps), or skip it. What follows a `|`, or a `.` before a
 * modifier or multipath, is a look-up of its own in the answer so far.
 *
 * Where gjson is lenient we are too, because paths in the field depend on it: commas and colons are not checked, an
 * array may lack its end, a duplicate key is tried again if the first leads nowhere.
 */
#include "core/lang/gjson.h"

#include <strings.h>

#include "core/lang/gjson_impl.h"
#include "core/lang/gofmt.h"
#include "core/lang/jsonskip.h"
#include "core/lang/match.h"

/* ---- queries ------------------------------------------------------------------------------------------------- */

/* "~true" and its kin: what a value is worth as a truth value. */
static bool
is_ish(const struct gjson *v, str word, bool *known)
{
	*known = true;
	if (str_eq(word, S("*")))
		return gjson_exists(v);
	if (str_eq(word, S("null")))
		return v->kind == GJSON_NULL;
	bool want = str_eq(word, S("true"));
	if (!want && !str_eq(word, S("false"))) {
		*known = false;
		return false;
	}
	switch (v->kind) {
	case GJSON_STR: return gjson_parses_as(v, want);
	case GJSON_NUM: return (v->num != 0) == want;
	case GJSON_TRUE: return want;
	case GJSON_FALSE: case GJSON_NULL: return !want;
	default: return false;
	}
}

/* <0, 0, >0 against an operator */
static bool
ordered(int cmp, str op)
{
	bool eq = op.p[op.n - 1] == '=';
	switch (op.p[0]) {
	case '=': return cmp == 0;
	case '!': return cmp != 0;
	case '<': return cmp < 0 || (eq && cmp == 0);
	case '>': return cmp > 0 || (eq && cmp == 0);
	default: return false;
	}
}

static bool
query_holds(struct gjson_run *run, const struct gjson_step *s, const struct gjson *got)
{
	struct gjson v = *got;
	str want = s->want;
	if (want.n && want.p[0] == '~') {
		bool known, ish = is_ish(&v, str_slice(want, 1, want.n), &known);
		if (!known)
			return false;
		want = S("true");
		v = (struct gjson){ .kind = ish ? GJSON_TRUE : GJSON_FALSE };
	}
	if (!gjson_exists(&v))
		return false;
	if (!s->op.n)
		return true;
	bool glob = s->op.p[s->op.n - 1] == '%', negated = s->op.p[0] == '!';
	switch (v.kind) {
	case GJSON_STR:
		if (glob)
			return gjson_spend(run, v.text.n) && match_glob(v.text, want) != negated;
		return ordered(str_cmp(v.text, want), s->op);
	case GJSON_NUM: {
		double w;
		(void)go_parse_float(want, &w);
		if (glob)
			return false;
		return ordered(v.num < w ? -1 : v.num > w, s->op);
	}
	case GJSON_TRUE:
	case GJSON_FALSE: {
		/* the order is false < true; a word that is neither is unlike both */
		bool is = v.kind == GJSON_TRUE, same = str_eq(want, is ? S("true") : S("false"));
		bool other = str_eq(want, is ? S("false") : S("true"));
		if (glob)
			return false;
		switch (s->op.p[0]) {
		case '=': return same;
		case '!': return !same;
		case '>': return is && (s->op.n == 2 || other);
		default: return !is && (s->op.n == 2 || other);
		}
	}
	default:
		return false;
	}
}

/* ---- walking -------------------------------------------------------------------------------------------------- */

struct walk {
	struct gjson_run *run;
	str json;
	struct gjson value;
	str pipe;
	bool piped;
};

static bool in_object(struct walk *w, size_t *i, str path);
static bool in_array(struct walk *w, size_t *i, str path);

/* A member that the step names: takes it, or goes down into it. True: the answer is in w->value. */
static bool
visit(struct walk *w, size_t *i, enum gjson_starts sort, const struct gjson_step *s, bool *broken)
{
	bool down = s->more && (sort == STARTS_OBJECT || sort == STARTS_ARRAY);
	if (down) {
		++*i;
		return sort == STARTS_OBJECT ? in_object(w, i, s->path) : in_array(w, i, s->path);
	}
	struct gjson v;
	*broken = !gjson_read(w->json, i, sort, &v);
	if (*broken || s->more)
		return false;
	w->value = gjson_taken(w->run, v);
	return true;
}

static bool
key_matches(struct gjson_run *run, const struct gjson_step *s, str key, bool escaped)
{
	if (escaped)
		key = gjson_decode(run->a, key);
	return s->wild ? gjson_spend(run, key.n) && match_glob(key, s->part) : str_eq(key, s->part);
}

/* From behind the '{' at *i. True: found; *i is then behind the value, else behind the object. */
static bool
in_object(struct walk *w, size_t *i, str path)
{
	if (!gjson_enter(w->run, path.n))
		return false;
	struct gjson_step s = gjson_object_step(w->run, path);
	if (s.piped) {
		w->pipe = s.pipe;
		w->piped = true;
	}
	str json = w->json;
	bool found = false, broken = false;
	while (*i < json.n && !found && !broken && !w->run->limited) {
		while (*i < json.n && json.p[*i] != '"' && json.p[*i] != '}')
			++*i;
		if (*i >= json.n || json.p[(*i)++] == '}')
			break;
		bool escaped;
		size_t end = jsonskip_string(json.p, *i, json.n, &escaped);
		if (end >= json.n) {
			*i = json.n;
			break;
		}
		str key = { json.p + *i, end - *i };
		*i = end + 1;
		bool hit = key_matches(w->run, &s, key, escaped);
		enum gjson_starts sort = STARTS_NOTHING;
		while (*i < json.n && ((sort = gjson_starts(json, *i)) == STARTS_NOTHING || sort == STARTS_END_ARRAY))
			++*i;
		if (*i >= json.n)
			break;
		if (hit) {
			found = visit(w, i, sort, &s, &broken);
		} else if (sort == STARTS_OBJECT || sort == STARTS_ARRAY) {
			*i = jsonskip_container(json.p, *i, json.n);
		} else {
			struct gjson skipped;
			broken = !gjson_read(json, i, sort, &skipped);
		}
	}
	w->run->depth--;
	return found;
}

/* What an array collects for "#.key" and "#(...)#". */
struct collected {
	struct buf json;
	VEC(size_t) places;
};

static void
collect(struct gjson_run *run, struct collected *c, const struct gjson *v)
{
	str raw = v->raw.n ? v->raw : gjson_string(run->a, v);
	if (!raw.n || !gjson_spend(run, raw.n))
		return;
	buf_addc(&c->json, c->json.n ? ',' : '[');
	buf_add(&c->json, raw);
	*VEC_PUSH(&c->places) = v->at;
}

static struct gjson
collected_list(struct gjson_run *run, struct collected *c)
{
	if (!c->json.n)
		buf_addc(&c->json, '[');
	buf_addc(&c->json, ']');
	struct gjson v = { .kind = GJSON_JSON, .places_n = c->places.n };
	v.places = ARENA_ARRAY(run->a, size_t, c->places.n + 1); /* never NULL, so that no match is not "the whole" */
	if (c->places.n)
		memcpy(v.places, c->places.p, c->places.n * sizeof *v.places);
	VEC_FREE(&c->places);
	v.raw = gjson_take(run, &c->json);
	return v;
}

/* One element under a query. True: this one is the answer ("#(...)" without the second '#'). */
static bool
ask(struct walk *w, struct gjson_step *s, const struct gjson *element, struct collected *c)
{
	struct gjson got = *element;
	if (element->kind == GJSON_JSON)
		got = gjson_below(w->run, element, s->query_path);
	else if (s->query_path.n)
		return false;
	if (!query_holds(w->run, s, &got))
		return false;
	struct gjson answer = *element;
	if (s->more) {
		str left, right;
		if (gjson_split_pipe(s->path, &left, &right)) {
			s->path = left;
			w->pipe = right;
			w->piped = true;
		}
		answer = gjson_below(w->run, element, s->path);
	}
	if (!s->all) {
		w->value = answer;
		return true;
	}
	collect(w->run, c, &answer);
	return false;
}

static struct gjson
count_value(struct gjson_run *run, size_t n)
{
	return (struct gjson){ .kind = GJSON_NUM, .num = (double)n, .raw = arena_fmt(run->a, "%zu", n) };
}

/* "#.key" at the end of the array: the key of every element. */
static struct gjson
each_value(struct walk *w, struct gjson_step *s, struct gjson *elements, size_t n)
{
	str left, right;
	if (gjson_split_pipe(s->each_key, &left, &right)) {
		s->each_key = left;
		w->pipe = right;
		w->piped = true;
	}
	struct collected c = { 0 };
	for (size_t k = 0; k < n && !w->run->limited; k++) {
		struct gjson got = gjson_below(w->run, &elements[k], s->each_key);
		if (gjson_exists(&got))
			collect(w->run, &c, &got);
	}
	return collected_list(w->run, &c);
}

/* What a list says at its end, when no element was the answer. True: that is the answer. */
static bool
at_array_end(struct walk *w, struct gjson_step *s, size_t n, struct gjson *elements, struct collected *c)
{
	if (s->hash && str_eq(s->part, S("#"))) {
		w->value = s->each ? each_value(w, s, elements, n) : count_value(w->run, n);
		return true;
	}
	if (s->query && s->all && !gjson_exists(&w->value))
		w->value = collected_list(w->run, c);
	return false;
}

/* From behind the '[' at *i. */
static bool
in_array(struct walk *w, size_t *i, str path)
{
	if (!gjson_enter(w->run, path.n))
		return false;
	struct gjson_step s = gjson_array_step(w->run, path);
	int64_t index = -1;
	if (!s.hash && s.part.n && s.part.n < 18 && s.part.p[0] >= '0' && s.part.p[0] <= '9')
		(void)str_to_i64(s.part, &index); /* not a number: matches no index */
	if (s.piped) {
		w->pipe = s.pipe;
		w->piped = true;
	}
	str json = w->json;
	struct collected c = { 0 };
	VEC(struct gjson) elements = { 0 };
	bool found = false, broken = false;
	size_t n = 0;
	while (!found && !broken && !w->run->limited) {
		enum gjson_starts sort = STARTS_END_ARRAY; /* the end of the text closes it too */
		while (*i < json.n && (sort = gjson_starts(json, *i)) == STARTS_NOTHING)
			++*i;
		if (*i >= json.n)
			sort = STARTS_END_ARRAY;
		if (sort == STARTS_END_ARRAY) {
			++*i;
			found = at_array_end(w, &s, n, elements.p, &c);
			break;
		}
		if (!s.hash && (int64_t)n++ == index) {
			found = visit(w, i, sort, &s, &broken);
			continue;
		}
		struct gjson v;
		broken = !gjson_read(json, i, sort, &v);
		n += s.hash;
		if (broken || !s.hash)
			continue;
		if (s.each) {
			v.at = v.kind == GJSON_JSON ? v.at : 0; /* gjson does not say where a scalar of "#." was */
			*VEC_PUSH(&elements) = v;
		} else if (s.query) {
			v = gjson_taken(w->run, v);
			found = ask(w, &s, &v, &c);
		}
	}
	buf_free(&c.json);
	VEC_FREE(&c.places);
	VEC_FREE(&elements);
	w->run->depth--;
	return found;
}

/* ---- the path as a whole ------------------------------------------------------------------------------------- */

/* "!true", "![1,2]": a value of the path's own. False: no such. */
static bool
literal(str path, str *value, str *rest)
{
	static const char *const words[] = { "true", "false", "null", "nan", "inf" };
	str name = str_slice(path, 1, path.n);
	if (name.n && strchr("{[\"+-0123456789", name.p[0]) && name.p[0]) {
		/* numbers and strings run to the end of the path, as in gjson, which looks for a closing bracket */
		size_t n = name.p[0] == '{' || name.p[0] == '[' ? gjson_squash(name).n : name.n;
		*value = str_slice(name, 0, n);
		*rest = str_slice(name, n, name.n);
		return true;
	}
	size_t i = 0;
	while (i < name.n && name.p[i] != '|' && name.p[i] != '.')
		i++;
	*rest = str_slice(name, i, name.n);
	name = str_slice(name, 0, i);
	for (size_t k = 0; k < ARRAY_LEN(words); k++) {
		if (str_eq_nocase(name, str_c(words[k]))) {
			*value = name;
			return true;
		}
	}
	return false;
}

/* "@name", "@name:arg": runs it over `json`. False: no modifier of that name. */
static bool
modifier(struct gjson_run *run, str json, str path, str *value, str *rest)
{
	size_t i = 1;
	while (i < path.n && path.p[i] != ':' && path.p[i] != '|' && path.p[i] != '.')
		i++;
	gjson_modifier *fn = gjson_find_modifier(str_slice(path, 1, i));
	if (!fn)
		return false;
	bool args = i < path.n && path.p[i] == ':' && i + 1 < path.n;
	*rest = str_slice(path, i < path.n && path.p[i] == ':' ? i + 1 : i, path.n);
	str arg = STR_NONE;
	if (args && strchr("{[\"", rest->p[0])) {
		arg = gjson_squash(*rest);
	} else if (args) {
		size_t end = 0;
		for (; end < rest->n && rest->p[end] != '|'; end++)
			if (strchr("{[\"(", rest->p[end]) && rest->p[end])
				end += gjson_squash(str_slice(*rest, end, rest->n)).n - 1;
		arg = str_slice(*rest, 0, end);
	}
	*rest = str_slice(*rest, arg.n, rest->n);
	*value = gjson_enter(run, json.n) ? fn(run, json, arg) : STR_NONE;
	run->depth--;
	return true;
}

struct selector {
	str name, path;
};

/* The parts of "[a,b]" or "{\"x\":a,b}"; false if the bracket is not closed. */
static bool
selectors(str path, struct selector **out, size_t *n, str *rest)
{
	VEC(struct selector) sels = { 0 };
	size_t depth = 1, colon = 0, start = 1;
	bool in_modifier = false;
	for (size_t i = 1; i < path.n; i++) {
		bool ends = false;
		switch (path.p[i]) {
		case '\\':
			i++;
			break;
		case '@':
			in_modifier |= path.p[i - 1] == '.' || path.p[i - 1] == '|';
			break;
		case ':':
			if (!in_modifier && !colon && depth == 1)
				colon = i;
			break;
		case ',':
			ends = depth == 1;
			break;
		case '"': {
			bool escaped;
			i = jsonskip_string(path.p, i + 1, path.n, &escaped);
			break;
		}
		case '[': case '(': case '{':
			depth++;
			break;
		case ']': case ')': case '}':
			ends = --depth == 0;
			break;
		}
		if (!ends)
			continue;
		*VEC_PUSH(&sels) = (struct selector){ colon ? str_slice(path, start, colon) : STR_NONE,
			                              str_slice(path, colon ? colon + 1 : start, i) };
		colon = 0;
		in_modifier = false;
		start = i + 1;
		if (depth == 0) {
			*out = sels.p;
			*n = sels.n;
			*rest = str_slice(path, i + 1, path.n);
			return true;
		}
	}
	VEC_FREE(&sels);
	return false;
}

/* The name under which "{a.b}" puts its value: the last step if that is a plain one. */
static str
last_name(str path)
{
	str name = path;
	for (size_t i = path.n; i-- > 0;) {
		if ((path.p[i] == '|' || path.p[i] == '.') && !(i > 0 && path.p[i - 1] == '\\')) {
			name = str_slice(path, i + 1, path.n);
			break;
		}
	}
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] < ' ' || strchr("[]{}()#|!", name.p[i]))
			return S("_");
	return name;
}

bool json_valid(str text); /* core/val.h */

static void
add_selector_name(struct buf *b, const struct selector *s)
{
	if (s->name.n && s->name.p[0] == '"' && json_valid(s->name))
		buf_add(b, s->name);
	else
		gjson_quote(b, s->name.n ? s->name : last_name(s->path));
	buf_addc(b, ':');
}

/* "[a,b]" and "{a,b}" at the start of a path. False: not one after all. */
static bool
multipath(struct gjson_run *run, str json, str path, struct gjson *out)
{
	struct selector *sels;
	size_t n, found = 0;
	str rest;
	if (!selectors(path, &sels, &n, &rest))
		return false;
	if (rest.n && rest.p[0] != '|' && rest.p[0] != '.') {
		free(sels);
		return false;
	}
	struct buf b = { 0 };
	buf_addc(&b, path.p[0]);
	for (size_t i = 0; i < n; i++) {
		struct gjson v = gjson_lookup(run, json, sels[i].path);
		if (!gjson_exists(&v) || !gjson_spend(run, v.raw.n))
			continue;
		if (found++)
			buf_addc(&b, ',');
		if (path.p[0] == '{')
			add_selector_name(&b, &sels[i]);
		str raw = v.raw.n ? v.raw : gjson_string(run->a, &v);
		buf_add(&b, raw.n ? raw : S("null"));
	}
	free(sels);
	buf_addc(&b, (char)(path.p[0] + 2));
	*out = (struct gjson){ .kind = GJSON_JSON, .raw = gjson_take(run, &b), .computed = true };
	if (rest.n) {
		*out = gjson_below(run, out, str_slice(rest, 1, rest.n));
		out->at = 0;
	}
	return true;
}

static struct gjson
computed(struct gjson v)
{
	v.at = 0;
	v.places = NULL;
	v.places_n = 0;
	return v;
}

/* What a path may begin with instead of a key. False: none of it. */
static bool
special(struct gjson_run *run, str json, str path, struct gjson *out)
{
	str value, rest;
	bool made = false;
	switch (path.p[0]) {
	case '@': made = modifier(run, json, path, &value, &rest); break;
	case '!': made = literal(path, &value, &rest); break;
	case '[': case '{': return multipath(run, json, path, out);
	}
	if (!made)
		return false;
	if (rest.n && (rest.p[0] == '|' || rest.p[0] == '.'))
		*out = computed(gjson_lookup(run, value, str_slice(rest, 1, rest.n)));
	else
		*out = gjson_parse(run, value);
	return true;
}

struct gjson
gjson_lookup(struct gjson_run *run, str json, str path)
{
	struct walk w = { .run = run, .json = json };
	if (!gjson_enter(run, json.n))
		return w.value;
	struct gjson out;
	size_t i = 0;
	if (path.n > 1 && special(run, json, path, &out)) {
		run->depth--;
		return out;
	}
	if (str_starts(path, S(".."))) { /* JSON lines: the text is an array without brackets */
		in_array(&w, &i, str_slice(path, 2, path.n));
	} else {
		while (i < json.n && json.p[i] != '{' && json.p[i] != '[')
			i++;
		if (i < json.n && json.p[i++] == '{')
			in_object(&w, &i, path);
		else if (i <= json.n && i > 0 && json.p[i - 1] == '[')
			in_array(&w, &i, path);
	}
	if (w.piped) {
		struct gjson below = gjson_below(run, &w.value, w.pipe);
		below.at = 0;
		w.value = below;
	}
	run->depth--;
	return run->limited ? (struct gjson){ 0 } : w.value;
}

/* Where a slice of `v` lies in the text that v->at counts in; 0 for what was computed, and for what is below such a value. */
static size_t
place_of(const struct gjson *v, const char *p, size_t at)
{
	bool inside = v->raw.n && p >= v->raw.p && p < v->raw.p + v->raw.n;
	return inside && (v->at || !v->computed) ? v->at + at : 0;
}

struct gjson
gjson_below(struct gjson_run *run, const struct gjson *v, str path)
{
	struct gjson r = gjson_lookup(run, v->raw, path);
	bool placed = v->at || !v->computed;
	for (size_t i = 0; i < r.places_n; i++)
		r.places[i] = r.places[i] && placed ? r.places[i] + v->at : 0;
	if (!r.places)
		r.at = place_of(v, r.raw.p, r.at);
	return r;
}

/* ---- outside --------------------------------------------------------------------------------------------------- */

bool
gjson_get(struct arena *a, str json, str path, struct gjson *out)
{
	struct gjson_run run = { .a = a, .work = GJSON_WORK_BASE + 16 * (json.n < SIZE_MAX / 32 ? json.n : 0) };
	if (path.n > GJSON_PATH_MAX)
		run.limited = true;
	else
		*out = gjson_lookup(&run, json, path);
	if (run.limited || !gjson_exists(out))
		*out = (struct gjson){ .limited = run.limited };
	return gjson_exists(out);
}
