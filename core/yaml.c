/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml: from libyaml's events to values, with positions. (Writing is in yaml_write.c.)
 *
 * libyaml knows syntax only. Here are the things that go wrong in manifests: duplicate keys, unknown or endless
 * aliases, documents made to exhaust us. Values are immutable, so an alias costs nothing here; but whoever walks the
 * result pays for what it stands for, and therefore the limit on nodes counts an alias as large as what it names.
 *
 * A syntax error ends the reading: libyaml can't go on. Its message is for people who know the grammar; the table of
 * problems below says the same for people who indent.
 */
#include "core/val.h"

#include <yaml.h>

#include "core/base64.h"
#include "core/diag.h"
#include "core/map.h"
#include "core/utf8.h"

#define DEFAULT_DEPTH 100
#define DEFAULT_NODES 1000000
#define DEFAULT_BYTES ((size_t)64 << 20)
#define TAG_PREFIX "tag:yaml.org,2002:"
/* Maps larger than this look for duplicate keys in a hash table. */
#define SMALL_MAP 16

struct anchor {
	str name;
	struct val v;
	uint32_t nodes, height;
	bool open; /* still being read: an alias to it would contain itself */
};

/* Where we are, for the path in a message: a chain on the C stack. */
struct frame {
	const struct frame *up;
	str key;       /* of a map; else... */
	uint32_t index; /* ...of a list */
};

struct reader {
	yaml_parser_t parser;
	yaml_event_t event; /* the current one */
	struct arena *arena;
	struct diags *diags;
	str file, text;
	uint32_t depth, max_depth, nodes, max_nodes;
	struct val *stack; /* finished children of open containers */
	size_t n, cap, documents; /* the lowest are finished documents */
	VEC(struct anchor) anchors;
	yaml_mark_t quote_start, quote_end; /* of the last quoted scalar: a lost quote is often there */
	char quote;
};

/* Height of the subtree it read goes to *height. */
static int read_node(struct reader *r, const struct frame *at, struct val *out, uint32_t *height);

/* ---- messages ----------------------------------------------------------------------------------------------- */

static struct val
place(yaml_mark_t mark)
{
	return (struct val){ .kind = VAL_NULL, .line = mark.line < UINT32_MAX - 1 ? (uint32_t)mark.line + 1 : 0,
		.col = mark.column < 65534 ? (uint16_t)(mark.column + 1) : 65535 };
}

static void
add_path(struct buf *b, const struct frame *at)
{
	if (!at)
		return;
	add_path(b, at->up);
	if (at->key.p)
		buf_addf(b, "%s%.*s", b->n ? "." : "", STR_ARG(at->key));
	else
		buf_addf(b, "[%u]", at->index);
}

static struct diag * __attribute__((format(printf, 4, 5)))
fail(struct reader *r, const struct frame *at, yaml_mark_t mark, const char *fmt, ...)
{
	char text[300];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	struct buf path CLEANUP(free_buf) = { 0 };
	add_path(&path, at);
	struct val where = place(mark);
	return diag_add(r->diags, DIAG_ERROR, &where, buf_str(&path), "%s", text);
}

/* What libyaml says, what we say, and what to do about it. The first row whose problem and context match. */
static const struct problem {
	const char *problem, *context; /* beginnings; context may be NULL: any */
	const char *text, *hint;
	bool at_context; /* the place to look at is where it began */
} problems[] = {
	{ "found unexpected end of stream", "while scanning a quoted scalar", "the quote opened here is never closed",
		"add the closing quote", true },
	{ "found unexpected document indicator", "while scanning a quoted scalar",
		"the quote opened here is not closed before the document ends",
		"add the closing quote", true },
	{ "found unknown escape character", NULL, "no such escape in double quotes",
		"write \\\\ for a backslash, or use single quotes" },
	{ "did not find expected ',' or ']'", NULL, "the list in brackets is not closed here",
		"add a comma or the closing ']'" },
	{ "did not find expected ',' or '}'", NULL, "the map in braces is not closed here",
		"add a comma or the closing '}'; a value that begins with '{' needs quotes" },
	{ "mapping values are not allowed in this context", NULL, "a key with a value can't stand here",
		"check the indentation; a text that contains \": \" needs quotes" },
	{ "did not find expected key", NULL, "expected a key of the map that began above",
		"indent this line as its neighbours" },
	{ "did not find expected '-' indicator", NULL, "expected the next item of the list that began above",
		"indent this line as the other items" },
	{ "could not find expected ':'", NULL, "a line that is neither \"key: value\" nor \"- item\"",
		"write a colon and a space behind the key; indent the further lines of a text deeper", true },
	{ "block sequence entries are not allowed", NULL, "a list item can't stand here",
		"start the list on a line of its own" },
	{ "mapping keys are not allowed", NULL, "a key can't stand here", "start the map on a line of its own" },
	{ "found a tab character", NULL, "a tab can't be used for indentation", "use spaces" },
	{ "did not find expected comment or line break", NULL, "the text must begin on the line after '|' or '>'" },
	{ "did not find expected node content", NULL, "expected a value", "is a bracket or brace above not closed?" },
	{ "did not find expected <document start>", NULL, "expected \"---\" or the end of the file",
		"check the indentation: the first line sets it for the whole document" },
	{ "control characters are not allowed", NULL, "a control character",
		"remove it, or write it as an escape in double quotes" },
	{ "invalid leading UTF-8 octet", NULL, "not UTF-8", "save the file as UTF-8" },
	{ "invalid trailing UTF-8 octet", NULL, "not UTF-8", "save the file as UTF-8" },
	{ "incomplete UTF-8 octet sequence", NULL, "not UTF-8", "save the file as UTF-8" },
	{ "invalid length of a UTF-8 sequence", NULL, "not UTF-8", "save the file as UTF-8" },
};

/* The byte at a position; NUL beyond the end of the line. */
static char
byte_at(str text, yaml_mark_t mark)
{
	for (size_t line = 0; line < mark.line && text.n; line++)
		(void)str_cut(&text, '\n');
	str line = str_cut(&text, '\n');
	size_t at = 0;
	for (size_t col = 0; at < line.n && col < mark.column; col++)
		for (at++; at < line.n && ((unsigned char)line.p[at] & 0xc0) == 0x80;)
			at++;
	return at < line.n ? line.p[at] : 0;
}

/* Reader errors have an offset only. */
static yaml_mark_t
mark_at(str text, size_t offset)
{
	yaml_mark_t m = { 0 };
	for (size_t i = 0; i < offset && i < text.n; i++) {
		if (text.p[i] == '\n') {
			m.line++;
			m.column = 0;
		} else if (((unsigned char)text.p[i] & 0xc0) != 0x80) {
			m.column++;
		}
	}
	return m;
}

static int
syntax_error(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	const char *text = p->problem ? p->problem : "cannot be read", *hint = NULL;
	yaml_mark_t mark = p->error == YAML_READER_ERROR ? mark_at(r->text, p->problem_offset) : p->problem_mark;
	bool at_start = false;
	for (size_t i = 0; i < ARRAY_LEN(problems); i++) {
		const struct problem *row = &problems[i];
		if (!str_starts(str_c(p->problem), str_c(row->problem)) ||
		    (row->context && !str_starts(str_c(p->context), str_c(row->context))))
			continue;
		text = row->text;
		hint = row->hint;
		at_start = row->at_context && p->context;
		break;
	}
	char c = byte_at(r->text, mark);
	char reserved[80];
	if (str_eq(str_c(p->problem), S("found character that cannot start any token"))) {
		snprintf(reserved, sizeof reserved,
			c == '\t' ? "a tab can't be used for indentation" : "a value can't begin with '%c'", c);
		text = reserved;
		hint = c == '\t' ? "use spaces" : "put it in quotes";
	}
	if (at_start)
		mark = p->context_mark;
	struct diag *d = fail(r, NULL, mark, "%s", text);
	if (hint)
		diag_hint(r->diags, d, "%s", hint);
	yaml_mark_t other = p->context_mark;
	bool have_other = p->context && !at_start && (other.line != mark.line || other.column != mark.column);
	if (p->error == YAML_READER_ERROR)
		have_other = false;
	if (!at_start && r->quote && r->quote_end.line == mark.line) {
		/* text that goes on behind a quote: one was left out before, or one inside was taken for its end */
		bool several = r->quote_start.line != r->quote_end.line;
		d->text = S("text behind a closing quote");
		diag_hint(r->diags, d, several
			? "the quotes opened at the other place end only here: close them where their text ends"
			: r->quote == '"' ? "write \\\" for a quote inside of the quotes"
				: "write '' for a quote inside of the quotes");
		other = r->quote_start;
		have_other = true;
	}
	if (have_other) {
		struct val where = place(other);
		d->other_line = where.line;
		d->other_col = where.col;
	}
	return -1;
}

static int
next(struct reader *r)
{
	yaml_event_delete(&r->event);
	return yaml_parser_parse(&r->parser, &r->event) ? 0 : syntax_error(r);
}

/* ---- scalars ------------------------------------------------------------------------------------------------ */

static int
decode_binary(struct reader *r, const struct frame *at, struct val *out)
{
	struct err e;
	str bytes;
	if (base64_decode(r->arena, val_text(out), &bytes, &e)) {
		fail(r, at, r->event.start_mark, "!!binary: %s", e.msg);
		return -1;
	}
	if (!utf8_valid(bytes)) { /* every string is text: what is written as JSON must read back */
		struct diag *d = fail(r, at, r->event.start_mark, "!!binary: the bytes are no text (UTF-8)");
		diag_hint(r->diags, d, "a ConfigMap has binaryData for them");
		return -1;
	}
	struct val v = val_str(bytes);
	v.line = out->line;
	v.col = out->col;
	*out = v;
	return 0;
}

/* An explicit tag decides what a scalar is; tags that nobody here knows are said to be ignored. */
static int
apply_tag(struct reader *r, const struct frame *at, const char *tag, struct val *out)
{
	static const struct {
		const char *name;
		unsigned kinds; /* 1 << enum val_kind */
		const char *what;
	} typed[] = {
		{ "int", 1u << VAL_INT | 1u << VAL_NUM, "an integer" },
		{ "float", 1u << VAL_INT | 1u << VAL_NUM | 1u << VAL_FLOAT, "a number" },
		{ "bool", 1u << VAL_BOOL, "a boolean" },
		{ "null", 1u << VAL_NULL, "null" },
	};
	str name = str_c(tag);
	if (str_starts(name, S(TAG_PREFIX)))
		name = str_slice(name, strlen(TAG_PREFIX), SIZE_MAX);
	if (str_eq(name, S("str")) || str_eq(name, S("!")) || str_eq(name, S("timestamp")) || str_eq(name, S("merge")))
		return 0;
	if (str_eq(name, S("binary")))
		return decode_binary(r, at, out);
	for (size_t i = 0; i < ARRAY_LEN(typed); i++) {
		if (!str_eq(name, str_c(typed[i].name)))
			continue;
		out->flags |= VAL_PLAIN;
		struct val v = val_resolve(out);
		if (!(1u << v.kind & typed[i].kinds)) {
			fail(r, at, r->event.start_mark, "!!%s: \"%.*s\" is not %s", typed[i].name,
				(int)(out->n < 80 ? out->n : 80), out->p, typed[i].what);
			return -1;
		}
		*out = v;
		return 0;
	}
	struct val where = place(r->event.start_mark);
	diag_add(r->diags, DIAG_WARNING, &where, S(""), "the tag %.80s has no meaning here and is ignored", tag);
	return 0;
}

static int
read_scalar(struct reader *r, const struct frame *at, struct val *out)
{
	const yaml_event_t *e = &r->event;
	str text = { (const char *)e->data.scalar.value, e->data.scalar.length };
	struct val where = place(e->start_mark);
	*out = val_str(arena_dup(r->arena, text));
	out->line = where.line;
	out->col = where.col;
	bool single = e->data.scalar.style == YAML_SINGLE_QUOTED_SCALAR_STYLE;
	if (single || e->data.scalar.style == YAML_DOUBLE_QUOTED_SCALAR_STYLE) {
		r->quote = single ? '\'' : '"';
		r->quote_start = e->start_mark;
		r->quote_end = e->end_mark;
	}
	if (e->data.scalar.tag)
		return apply_tag(r, at, (const char *)e->data.scalar.tag, out);
	if (e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		out->flags |= VAL_PLAIN;
	return 0;
}

/* ---- anchors ------------------------------------------------------------------------------------------------ */

static struct anchor *
find_anchor(struct reader *r, str name)
{
	for (size_t i = r->anchors.n; i-- > 0;)
		if (str_eq(r->anchors.p[i].name, name))
			return &r->anchors.p[i];
	return NULL;
}

static int
count_nodes(struct reader *r, uint32_t n)
{
	if (n <= r->max_nodes - r->nodes) {
		r->nodes += n;
		return 0;
	}
	struct diag *d = fail(r, NULL, r->event.start_mark, "more than %u values", r->max_nodes);
	diag_hint(r->diags, d, "aliases count as what they stand for");
	return -1;
}

static int
read_alias(struct reader *r, const struct frame *at, struct val *out, uint32_t *height)
{
	str name = str_c((const char *)r->event.data.alias.anchor);
	const struct anchor *a = find_anchor(r, name);
	if (!a) {
		VEC(const char *) names = { 0 };
		for (size_t i = 0; i < r->anchors.n; i++)
			*VEC_PUSH(&names) = r->anchors.p[i].name.p;
		const char *near = diag_nearest(name, names.p, names.n);
		struct diag *d = fail(r, at, r->event.start_mark, "no anchor \"&%.*s\" before this alias",
			STR_ARG(name));
		if (near)
			diag_hint(r->diags, d, "did you mean \"*%s\"?", near);
		VEC_FREE(&names);
		return -1;
	}
	if (a->open) {
		fail(r, at, r->event.start_mark, "the alias \"*%.*s\" would contain itself", STR_ARG(name));
		return -1;
	}
	if (a->height > r->max_depth - r->depth) {
		fail(r, at, r->event.start_mark, "nested deeper than %u levels", r->max_depth);
		return -1;
	}
	if (count_nodes(r, a->nodes))
		return -1;
	struct val where = place(r->event.start_mark);
	*out = a->v;
	out->line = where.line;
	out->col = where.col;
	*height = a->height;
	return 0;
}

/* ---- containers --------------------------------------------------------------------------------------------- */

static void
push(struct reader *r, struct val v)
{
	if (r->n == r->cap)
		vec_grow((void **)&r->stack, &r->cap, sizeof *r->stack);
	r->stack[r->n++] = v;
}

/* Moves the values from `base` on to the arena. */
static const struct val *
take(struct reader *r, size_t base, uint8_t *flags)
{
	size_t n = r->n - base;
	struct val *to = ARENA_ARRAY(r->arena, struct val, n);
	for (size_t i = 0; i < n; i++) {
		to[i] = r->stack[base + i];
		*flags |= to[i].flags & VAL_TAGGED;
	}
	r->n = base;
	return to;
}

static int
read_list(struct reader *r, const struct frame *up, struct val *out, uint32_t *height)
{
	size_t base = r->n;
	struct frame at = { .up = up };
	while (next(r) == 0) {
		struct val v;
		if (r->event.type == YAML_SEQUENCE_END_EVENT) {
			out->kind = VAL_LIST;
			out->n = (uint32_t)(r->n - base);
			out->items = take(r, base, &out->flags);
			return 0;
		}
		if (read_node(r, &at, &v, height))
			return -1;
		push(r, v);
		at.index++;
	}
	return -1;
}

/* What keys the open map has so far: by looking while it is small, by a table from then on. */
struct key_set {
	size_t base; /* on the reader's stack: key, value, key, value... */
	struct map index; /* key -> position on the stack + 1 */
};

static void
add_key(struct reader *r, struct key_set *keys, size_t at)
{
	size_t n = (at - keys->base) / 2 + 1;
	if (n <= SMALL_MAP)
		return;
	for (size_t i = keys->index.n ? at : keys->base; i <= at; i += 2)
		map_put(&keys->index, val_text(&r->stack[i]), (void *)(uintptr_t)(i + 1));
}

static const struct val *
find_key(const struct reader *r, const struct key_set *keys, str key)
{
	if (keys->index.n) {
		uintptr_t i = (uintptr_t)map_get(&keys->index, key);
		return i ? &r->stack[i - 1] : NULL;
	}
	for (size_t i = keys->base; i < r->n; i += 2)
		if (str_eq(val_text(&r->stack[i]), key))
			return &r->stack[i];
	return NULL;
}

static bool
is_merge_key(const yaml_event_t *e)
{
	return e->type == YAML_SCALAR_EVENT && e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       str_eq((str){ (const char *)e->data.scalar.value, e->data.scalar.length }, S("<<"));
}

/* The members of `from` that the open map doesn't have. */
static int
merge_map(struct reader *r, const struct frame *at, struct key_set *keys, const struct val *from)
{
	if (from->kind != VAL_MAP) {
		struct diag *d = fail(r, at, (yaml_mark_t){ .line = from->line - 1u, .column = from->col - 1u },
			"\"<<\" needs a map, not %s", val_kind_name(from));
		diag_hint(r->diags, d, "write \"<<: *anchor\" or a list of such aliases");
		return -1;
	}
	for (uint32_t i = 0; i < from->n; i++) {
		const struct member *m = &from->members[i];
		if (find_key(r, keys, val_key(m)))
			continue;
		push(r, m->key);
		push(r, m->value);
		add_key(r, keys, r->n - 2);
	}
	return 0;
}

static int
apply_merges(struct reader *r, const struct frame *at, struct key_set *keys, const struct val *merges, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct val *from = &merges[i];
		if (from->kind != VAL_LIST && merge_map(r, at, keys, from))
			return -1;
		for (uint32_t k = 0; from->kind == VAL_LIST && k < from->n; k++)
			if (merge_map(r, at, keys, &from->items[k]))
				return -1;
	}
	return 0;
}

static int
read_key(struct reader *r, const struct frame *at, struct val *key)
{
	uint32_t height = 0;
	if (r->event.type != YAML_SCALAR_EVENT && r->event.type != YAML_ALIAS_EVENT) {
		struct diag *d = fail(r, at, r->event.start_mark, "a key must be a text, not a list or a map");
		diag_hint(r->diags, d, "put \"{{...}}\" in quotes");
		return -1;
	}
	if (read_node(r, at, key, &height))
		return -1;
	if (key->kind != VAL_STR) { /* an explicit tag or an alias made it something else */
		struct diag *d = fail(r, at, r->event.start_mark, "a key must be a text, not %s", val_kind_name(key));
		diag_hint(r->diags, d, "put it in quotes");
		return -1;
	}
	key->flags &= (uint8_t)~VAL_PLAIN;
	return 0;
}

static int
read_members(struct reader *r, const struct frame *up, struct key_set *keys, uint32_t *height)
{
	VEC(struct val) merges = { 0 };
	int rc = -1;
	while (next(r) == 0) {
		struct val key = { 0 }, value;
		if (r->event.type == YAML_MAPPING_END_EVENT) {
			rc = apply_merges(r, up, keys, merges.p, merges.n);
			break;
		}
		bool merge = is_merge_key(&r->event);
		if (read_key(r, up, &key))
			break;
		struct frame at = { .up = up, .key = val_text(&key) };
		const struct val *first = merge ? NULL : find_key(r, keys, val_text(&key));
		if (first) {
			struct diag *d = diag_add(r->diags, DIAG_ERROR, &key, S(""), "duplicate key \"%.*s\"",
				STR_ARG(val_text(&key)));
			struct buf path CLEANUP(free_buf) = { 0 };
			add_path(&path, up);
			d->path = arena_dup(r->diags->arena, buf_str(&path));
			d->other_line = first->line;
			d->other_col = first->col;
		}
		if (next(r) || read_node(r, &at, &value, height))
			break;
		if (merge) {
			*VEC_PUSH(&merges) = value;
		} else {
			push(r, key);
			push(r, value);
			add_key(r, keys, r->n - 2);
		}
	}
	VEC_FREE(&merges);
	return rc;
}

static int
read_map(struct reader *r, const struct frame *up, struct val *out, uint32_t *height)
{
	struct key_set keys = { .base = r->n };
	int rc = read_members(r, up, &keys, height);
	map_free(&keys.index);
	if (rc)
		return -1;
	out->kind = VAL_MAP;
	out->n = (uint32_t)((r->n - keys.base) / 2);
	out->items = take(r, keys.base, &out->flags); /* a member is two values side by side */
	return 0;
}

static int
read_container(struct reader *r, const struct frame *at, struct val *out, uint32_t *height)
{
	struct val where = place(r->event.start_mark);
	bool map = r->event.type == YAML_MAPPING_START_EVENT;
	const char *tag = map ? (const char *)r->event.data.mapping_start.tag
		: (const char *)r->event.data.sequence_start.tag;
	*out = (struct val){ .line = where.line, .col = where.col };
	if (tag && !str_starts(str_c(tag), S(TAG_PREFIX)))
		diag_add(r->diags, DIAG_WARNING, &where, S(""), "the tag %.80s has no meaning here and is ignored",
			tag);
	if (r->depth == r->max_depth) {
		fail(r, NULL, r->event.start_mark, "nested deeper than %u levels", r->max_depth);
		return -1;
	}
	r->depth++;
	uint32_t below = 0;
	int rc = map ? read_map(r, at, out, &below) : read_list(r, at, out, &below);
	r->depth--;
	*height = below + 1;
	return rc;
}

static str
anchor_name(const yaml_event_t *e)
{
	return str_c(e->type == YAML_SCALAR_EVENT         ? (const char *)e->data.scalar.anchor
	             : e->type == YAML_MAPPING_START_EVENT  ? (const char *)e->data.mapping_start.anchor
	             : e->type == YAML_SEQUENCE_START_EVENT ? (const char *)e->data.sequence_start.anchor : NULL);
}

/* At the node's first event; at its last afterwards. */
static int
read_node(struct reader *r, const struct frame *at, struct val *out, uint32_t *height)
{
	uint32_t own = 0, nodes = r->nodes;
	size_t anchor = SIZE_MAX;
	int rc;
	str name = arena_dup(r->arena, anchor_name(&r->event));
	if (r->event.type != YAML_ALIAS_EVENT && count_nodes(r, 1))
		return -1;
	if (name.p) {
		anchor = r->anchors.n;
		*VEC_PUSH(&r->anchors) = (struct anchor){ .name = name, .open = true };
	}
	if (r->event.type == YAML_ALIAS_EVENT)
		rc = read_alias(r, at, out, &own);
	else if (r->event.type == YAML_SCALAR_EVENT)
		rc = read_scalar(r, at, out);
	else
		rc = read_container(r, at, out, &own);
	if (anchor != SIZE_MAX)
		r->anchors.p[anchor] = (struct anchor){ .name = name, .v = *out, .nodes = r->nodes - nodes,
			.height = own };
	if (own > *height)
		*height = own;
	return rc;
}

/* ---- documents ---------------------------------------------------------------------------------------------- */

static int
read_documents(struct reader *r)
{
	while (next(r) == 0) {
		struct val v;
		uint32_t height = 0;
		if (r->event.type == YAML_STREAM_END_EVENT)
			return 0;
		if (r->event.type != YAML_DOCUMENT_START_EVENT)
			continue;
		r->anchors.n = 0;
		if (next(r) || read_node(r, NULL, &v, &height))
			return -1;
		/* nothing between two "---", or comments only */
		bool empty = v.kind == VAL_STR && v.flags & VAL_PLAIN && !v.n;
		/* the end of the document must be good too before it counts */
		if (next(r))
			return -1;
		if (!empty) {
			push(r, v);
			r->documents = r->n;
		}
	}
	return -1;
}

/* JSON allows what YAML's duplicate check would report: look for it here. */
static void
report_duplicates(struct diags *d, const struct val *v)
{
	if (v->kind == VAL_LIST)
		for (uint32_t i = 0; i < v->n; i++)
			report_duplicates(d, &v->items[i]);
	if (v->kind != VAL_MAP)
		return;
	struct map seen = { 0 };
	for (uint32_t i = 0; i < v->n; i++) {
		const struct member *m = &v->members[i];
		const struct val *first = NULL;
		for (uint32_t k = 0; v->n <= SMALL_MAP && k < i && !first; k++)
			first = str_eq(val_key(&v->members[k]), val_key(m)) ? &v->members[k].key : NULL;
		if (v->n > SMALL_MAP) {
			uintptr_t at = (uintptr_t)map_get(&seen, val_key(m));
			first = at ? &v->members[at - 1].key : NULL;
			if (!first)
				map_put(&seen, val_key(m), (void *)(uintptr_t)(i + 1));
		}
		if (first) {
			struct diag *x = diag_add(d, DIAG_ERROR, &m->key, S(""), "duplicate key \"%.*s\"",
				STR_ARG(val_key(m)));
			x->other_line = first->line;
			x->other_col = first->col;
		}
		report_duplicates(d, &m->value);
	}
	map_free(&seen);
}

/* True if it was JSON (or should have been): then everything is said and done. */
static bool
try_json(struct arena *a, str file, str text, const struct val_limits *lim, struct val **docs, size_t *n,
	struct diags *d)
{
	str body = str_trim(text);
	if (!body.n || (*body.p != '{' && *body.p != '['))
		return false;
	struct val v;
	struct err e;
	if (json_read_limited(a, arena_dup(a, text), lim, &v, &e)) {
		if (!str_ends(file, S(".json")))
			return false; /* YAML's own braces, or a mistake that YAML's messages are as good for */
		str rest = str_c(e.msg);
		int64_t line = 0, col = 0;
		str_to_i64(str_cut(&rest, ':'), &line);
		str_to_i64(str_cut(&rest, ':'), &col);
		struct val where = { .line = (uint32_t)line, .col = col < 65535 ? (uint16_t)col : 65535 };
		diag_add(d, DIAG_ERROR, &where, S(""), "%.*s", STR_ARG(str_trim(rest)));
		return true;
	}
	report_duplicates(d, &v);
	*docs = ARENA_NEW(a, struct val);
	**docs = v;
	*n = 1;
	return true;
}

int
yaml_read_all(struct arena *a, str file, str text, const struct val_limits *lim, struct val **docs, size_t *n,
	struct diags *d)
{
	size_t errors = d->errors, bytes = lim && lim->bytes ? lim->bytes : DEFAULT_BYTES;
	str outer_file = d->file;
	*docs = NULL;
	*n = 0;
	if (file.p)
		d->file = file;
	if (text.n > bytes) {
		diag_add(d, DIAG_ERROR, NULL, S(""), "%zu bytes: more than %zu are not accepted", text.n, bytes);
	} else if (!try_json(a, file, text, lim, docs, n, d)) {
		struct reader r = { .arena = a, .diags = d, .file = file, .text = text,
			.max_depth = lim && lim->depth ? lim->depth : DEFAULT_DEPTH,
			.max_nodes = lim && lim->nodes ? lim->nodes : DEFAULT_NODES };
		if (!yaml_parser_initialize(&r.parser))
			abort(); /* out of memory */
		yaml_parser_set_input_string(&r.parser, (const unsigned char *)(text.p ? text.p : ""), text.n);
		(void)read_documents(&r); /* what it could not read is in `d` */
		*docs = ARENA_ARRAY(a, struct val, r.documents);
		if (r.documents)
			memcpy(*docs, r.stack, r.documents * sizeof **docs);
		*n = r.documents;
		yaml_event_delete(&r.event);
		yaml_parser_delete(&r.parser);
		VEC_FREE(&r.anchors);
		free(r.stack);
	}
	d->file = outer_file;
	return d->errors == errors ? 0 : -1;
}
