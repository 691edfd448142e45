/* SPDX-License-Identifier: Apache-2.0 */
/*
 * val: the one data type. JSON, YAML, expression values, template input and workflow status are all a `struct val`.
 *
 * A val is immutable once built and 24 bytes. It points into an arena (or into a text that outlives it) and carries the
 * line and column it came from, so that any layer can say where something is wrong. "Changing" a val makes a new root
 * that shares what did not change.
 *
 * Numbers keep their text: a JSON number read is VAL_NUM with the very bytes, so that 1.10, 1e3 and
 * 12345678901234567890 survive. Computed numbers are VAL_INT or VAL_FLOAT. val_to_* hide the difference.
 */
#ifndef TIDEGATE_CORE_VAL_H
#define TIDEGATE_CORE_VAL_H

#include "core/base.h"

enum val_kind {
	VAL_NULL,
	VAL_BOOL,
	VAL_INT,
	VAL_FLOAT,
	VAL_NUM, /* number as text, valid JSON number syntax */
	VAL_STR,
	VAL_LIST,
	VAL_MAP,
};

/* flags */
#define VAL_PLAIN 1u  /* VAL_STR from an unquoted YAML scalar: its type is open until somebody asks (val_resolve) */
#define VAL_TAGGED 2u /* this value or something below it may contain "{{": lets substitution skip whole subtrees */

struct val {
	uint8_t kind;
	uint8_t flags;
	uint16_t col;  /* from 1; 0 unknown; 65535 = that or more */
	uint32_t line; /* from 1; 0 unknown */
	union {
		bool b;
		int64_t i;
		double f;
		const char *p;             /* STR, NUM: not NUL-terminated unless it came from an arena function */
		const struct val *items;   /* LIST */
		const struct member *members; /* MAP, in order of appearance */
	};
	uint32_t n; /* bytes, items or members */
	uint32_t pad;
};

struct member {
	struct val key; /* VAL_STR */
	struct val value;
};

/* ---- make --------------------------------------------------------------------------------------------------- */

static inline struct val val_null(void) { return (struct val){ .kind = VAL_NULL }; }
static inline struct val val_bool(bool b) { return (struct val){ .kind = VAL_BOOL, .b = b }; }
static inline struct val val_int(int64_t i) { return (struct val){ .kind = VAL_INT, .i = i }; }
static inline struct val val_float(double f) { return (struct val){ .kind = VAL_FLOAT, .f = f }; }
/* Borrows the bytes; a str over 4 GiB is cut. */
struct val val_str(str s);
static inline struct val val_cstr(const char *z) { return val_str(str_c(z)); }

/* Builders: push onto these, then finish into an arena. Zero-initialise; _end frees what they hold. */
struct val_list {
	VEC(struct val) v;
};
struct val_map {
	VEC(struct member) v;
};
void val_list_add(struct val_list *b, struct val v);
struct val val_list_end(struct val_list *b, struct arena *a);
/* Appends; does not look for an earlier member of the same name. Borrows key. */
void val_map_add(struct val_map *b, str key, struct val v);
/* The same, but only if `s` is present and not empty. */
void val_map_add_str(struct val_map *b, str key, str s);
struct val val_map_end(struct val_map *b, struct arena *a);

/* A deep copy into `a`, positions kept. */
/*
 * A copy in one block of memory, for free(). What is the very same in `base` (NULL: nothing), member by member, is not copied, and
 * must live as long: a template and what variables made of it have most in common.
 */
struct val *val_pack(const struct val *v, const struct val *base);
struct val val_copy(struct arena *a, const struct val *v);

/* ---- look --------------------------------------------------------------------------------------------------- */

static inline str val_text(const struct val *v) { return (str){ v->p, v->n }; } /* STR or NUM only */
static inline str val_key(const struct member *m) { return (str){ m->key.p, m->key.n }; }
/* The last member of that name (as Go's decoder has it), or NULL; NULL too if `map` is NULL or no map. */
const struct val *val_get(const struct val *map, str key);
/* The item, or NULL if out of range or no list. */
const struct val *val_at(const struct val *list, size_t i);
/* The first item of a list whose member "name" is this; NULL: there is none, or no list. */
const struct val *val_named(const struct val *list, str name);
/* val_get along "a.b.c"; no escapes, no indices. NULL where something is missing. */
const struct val *val_path(const struct val *root, const char *dotted);
/* The text of a string member, STR_NONE if it is missing or no string. */
str val_get_str(const struct val *map, const char *key);
static inline bool val_is(const struct val *v, enum val_kind k) { return v && v->kind == k; }
static inline bool val_is_number(const struct val *v) { return v && v->kind >= VAL_INT && v->kind <= VAL_NUM; }
const char *val_kind_name(const struct val *v); /* "a string", "a list", ... for messages */

/*
 * A plain YAML scalar by the YAML 1.2 core schema (null, bool, int incl. 0x 0o, float), but for 0644, which is octal as Kubernetes reads it;
 * others come back as they are.
 */
struct val val_resolve(const struct val *v);
/* Whether it is true, be it a plain scalar; v may be NULL. */
static inline bool
val_is_true(const struct val *v)
{
	struct val plain = v ? val_resolve(v) : (struct val){ .kind = VAL_NULL };
	return plain.kind == VAL_BOOL && plain.b;
}
/* val_resolve over a whole tree: what a YAML document means where no table says more. Shares what does not change. */
const struct val *val_resolve_all(struct arena *a, const struct val *v);
/* Numbers (and only numbers) as a double / an integer without loss. Plain scalars are resolved first. */
bool val_to_double(const struct val *v, double *out);
bool val_to_i64(const struct val *v, int64_t *out);

/* Deep equality; numbers compare by value, maps without regard to order. */
bool val_eq(const struct val *a, const struct val *b);

/* ---- notations ---------------------------------------------------------------------------------------------- */

/* What a reader accepts at most. Zero members mean the default. */
struct val_limits {
	uint32_t depth; /* 100 */
	uint32_t nodes; /* 1,000,000, alias expansion counted */
	size_t bytes;   /* 64 MiB */
};

/*
 * One JSON value (RFC 8259, UTF-8 checked, nothing behind it but white space). Strings without escapes point into
 * `text`, which must live as long as the value. ERR_INVALID with "line:column: reason"; ERR_LIMIT where a limit is hit.
 */
int json_read(struct arena *a, str text, struct val *out, struct err *e) MUST_CHECK;
int json_read_limited(struct arena *a, str text, const struct val_limits *lim, struct val *out,
	struct err *e) MUST_CHECK;
/* Whether `text` is one valid JSON value, without building anything. */
bool json_valid(str text);

/* Compact JSON. Plain YAML scalars are resolved. Floats as Go prints them; NaN and infinities as null. */
str json_write(struct arena *a, const struct val *v);
void json_write_buf(struct buf *b, const struct val *v);
#define JSON_INDENT 1u    /* two spaces a level, as Go's MarshalIndent */
#define JSON_SORT 2u      /* members by key, byte order */
#define JSON_HTML 4u      /* <, >, & as \u003c ... as Go's encoder does */
void json_write_opts(struct buf *b, const struct val *v, unsigned opts);
/* Appends the bytes as a JSON string with its quotes; invalid UTF-8 becomes U+FFFD. */
void json_quote(struct buf *b, str s, unsigned opts);
/* A number as Go's encoding/json prints a float64 (shortest; exponent below 1e-6 and from 1e21 on). */
void json_float(struct buf *b, double f);

struct diags; /* core/diag.h */
/*
 * All documents of a YAML stream (libyaml; YAML 1.1 syntax, scalars untyped). Aliases and `<<` merge keys are expanded
 * within the limits. Duplicate keys, bad syntax and exceeded limits go to `d` with both places; the documents before a
 * syntax error are still returned. JSON text is YAML, and is read by this too. Returns 0 if no error was added.
 */
int yaml_read_all(struct arena *a, str file, str text, const struct val_limits *lim, struct val **docs, size_t *n,
	struct diags *d) MUST_CHECK;
/* Block style YAML that reads back equal; strings are quoted only where they would be taken for something else. */
void yaml_write_buf(struct buf *b, const struct val *v);

/* ---- change ------------------------------------------------------------------------------------------------- */

/* A map with `key` set (appended if new). `map` may be NULL or null: then a new map. */
const struct val *val_set(struct arena *a, const struct val *map, str key, const struct val *v);
const struct val *val_unset(struct arena *a, const struct val *map, str key);
/*
 * `patch` over `base`, as Kubernetes' strategic merge patch does for Argo's types (spec 1.9): maps merge, lists named
 * in the table (templates, volumes, env, ... by "name") merge by key, other lists and scalars are replaced, null
 * deletes.
 */
const struct val *val_merge(struct arena *a, const struct val *base, const struct val *patch);
/* RFC 7386 JSON merge patch. */
const struct val *val_merge_patch(struct arena *a, const struct val *base, const struct val *patch);

#endif
