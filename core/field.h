/* SPDX-License-Identifier: Apache-2.0 */
/*
 * field: one table per struct. A schema lists the fields of a C struct as they are called in a manifest; from that one
 * table come decoding with positions, validation, encoding, documentation, JSON Schema, redaction and equality.
 *
 *     struct webhook { str endpoint; enum method method; int64_t max_payload; struct secret_ref *auth; };
 *     static const struct schema webhook_schema = { "WebhookEventSource", "An HTTP endpoint that takes events.",
 *             sizeof(struct webhook), (const struct field[]){
 *         FIELD     (struct webhook, endpoint, "endpoint", REQ, .doc = "Path to serve."),
 *         FIELD_ENUM(struct webhook, method, "method", 0, methods, .dflt = "POST", .doc = "Method accepted."),
 *         FIELD     (struct webhook, max_payload, "maxPayloadSize", 0, .dflt = "1048576", .min = 1, .max = 1 << 30,
 *                    .doc = "Largest body in bytes."),
 *         FIELD_PTR (struct webhook, auth, "authSecret", 0, &secret_ref_schema, .doc = "Token required of callers."),
 *         { 0 } }, check_webhook };
 *
 * The kind of a scalar row follows from the C type of the member, by _Generic: a member of another type does not
 * compile.
 */
#ifndef TIDEGATE_CORE_FIELD_H
#define TIDEGATE_CORE_FIELD_H

#include "core/diag.h"
#include "core/val.h"

/* An optional boolean. Zero is "not given". */
typedef enum { TRI_UNSET, TRI_FALSE, TRI_TRUE } tri;
/* An optional integer. */
struct opt_int {
	bool set;
	int64_t v;
};
/* IntOrString: `text` always holds what was written, `is_int` says whether it is an integer. Absent: text.p == NULL. */
struct intstr {
	bool is_int;
	int64_t v;
	str text;
};
struct strs {
	str *p;
	size_t n;
};
struct kv {
	str key, value;
};
struct kvs {
	struct kv *p;
	size_t n;
};
/* A list of structs: LIST_OF(struct step) steps; */
#define LIST_OF(T) struct { T *p; size_t n; }

enum field_kind {
	FIELD_END, /* the row that ends a table */
	FIELD_STR, FIELD_BOOL, FIELD_TRI, FIELD_INT, FIELD_OPT_INT, FIELD_FLOAT, FIELD_DUR, FIELD_INTSTR, FIELD_VAL,
	FIELD_STRS, FIELD_KVS,
	FIELD_ENUM_, /* int member, index into .choices */
	FIELD_OBJ_,  /* struct inside the struct */
	FIELD_PTR_,  /* pointer to a struct; NULL when absent */
	FIELD_LIST_, /* LIST_OF struct */
	FIELD_LISTS_, /* list of lists: LIST_OF(LIST_OF struct), for `steps` */
	FIELD_MAP_,  /* map name -> struct: a LIST_OF struct whose first member is `str name` (the key) */
	FIELD_SRC_,  /* const struct val *: the value this struct was decoded from; no name in the manifest */
	FIELD_NONE_, /* no C member: the field is known by name and type (.as), checked, and dropped */
};

/* flags of a row */
enum {
	REQ = 1 << 0,        /* must be given (and not empty, if a string) */
	SECRET = 1 << 1,     /* redacted wherever the struct is shown */
	ANYSTR = 1 << 2,     /* str: numbers and booleans are accepted and become text as Argo's AnyString does */
	DEPRECATED = 1 << 3, /* accepted, warned about; .hint says what to write */
	NOEFFECT = 1 << 4,   /* accepted, means nothing without a cluster: warned about */
	LATER = 1 << 5,      /* not served yet: lint warns, running refuses */
	INLINE = 1 << 6,     /* FIELD_OBJ: its fields stand among ours (Go's embedded struct) */
	STATUS = 1 << 7,     /* written by the engine; accepted on input and not looked into */
	GO_DURATION = 1 << 8, /* dur: also a bare integer = seconds (Argo's ParseStringToDuration) */
	EMPTY_OK = 1 << 9,   /* REQ, but an empty string will do */
};

struct schema;
struct field {
	const char *name; /* as in the manifest */
	enum field_kind kind;
	unsigned flags;
	size_t offset;
	/* OBJ, PTR, LIST, LISTS, MAP; NONE and VAL may name one to look into, see .as */
	const struct schema *schema;
	/*
	 * NONE and VAL only: the value must be good for a row of this kind (STR, INT, KVS, OBJ_, LIST_, MAP_ with .schema, ...), with its
	 * .choices, .min, .max; it is decoded into scratch memory for the findings alone. FIELD_END: an object if .schema is
	 * given, else anything.
	 */
	enum field_kind as;
	/* ENUM, or a STR limited to these; NULL-terminated; index 0 is the zero value */
	const char *const *choices;
	const char *dflt;                 /* as it would be written in a manifest; goes through the same decoder */
	/* INT and OPT_INT (both 0: no limit; max alone: from 0; min alone: upwards); STR, lists: max = longest */
	int64_t min, max;
	const char *one_of;               /* rows of a schema with the same group name exclude each other */
	const char *doc;                  /* one sentence or two, for the reference page */
	const char *hint;                 /* what to write instead, for DEPRECATED, NOEFFECT, LATER */
};

struct decode; /* what a check may ask: diags, arena, path */
struct schema {
	const char *name; /* "WebhookEventSource": heading of the reference page */
	const char *doc;
	size_t size;
	const struct field *fields;
	/*
	 * What a row cannot say. Called after the fields are in place, also when some were wrong; adds diags. May be
	 * NULL.
	 */
	void (*check)(void *obj, const struct val *in, struct decode *c);
	bool open; /* unknown members are kept silently: raw Kubernetes objects */
	bool exact; /* unknown members are errors though the diags are lenient: one that does not count would let in what it was to keep out */
};

#define FIELD_KIND_OF(T, m) _Generic(((T *)0)->m, str: FIELD_STR, bool: FIELD_BOOL, tri: FIELD_TRI, int64_t: FIELD_INT, \
	struct opt_int: FIELD_OPT_INT, double: FIELD_FLOAT, dur: FIELD_DUR, struct intstr: FIELD_INTSTR, \
	const struct val *: FIELD_VAL, struct strs: FIELD_STRS, struct kvs: FIELD_KVS)
#define FIELD(T, m, nm, fl, ...) { .name = nm, .kind = FIELD_KIND_OF(T, m), .flags = fl, .offset = offsetof(T, m), __VA_ARGS__ }
/* The member is an int (or an enum of int's size). */
#define FIELD_ENUM(T, m, nm, fl, ch, ...) { .name = nm, .kind = FIELD_ENUM_, .flags = fl, .offset = offsetof(T, m) + \
	0 * sizeof(char[sizeof(((T *)0)->m) == sizeof(int) ? 1 : -1]), .choices = ch, __VA_ARGS__ }
#define FIELD_OBJ(T, m, nm, fl, sc, ...) { .name = nm, .kind = FIELD_OBJ_, .flags = fl, .offset = offsetof(T, m), .schema = sc, __VA_ARGS__ }
#define FIELD_PTR(T, m, nm, fl, sc, ...) { .name = nm, .kind = FIELD_PTR_, .flags = fl, .offset = offsetof(T, m), .schema = sc, __VA_ARGS__ }
#define FIELD_LIST(T, m, nm, fl, sc, ...) { .name = nm, .kind = FIELD_LIST_, .flags = fl, .offset = offsetof(T, m), .schema = sc, __VA_ARGS__ }
#define FIELD_LISTS(T, m, nm, fl, sc, ...) { .name = nm, .kind = FIELD_LISTS_, .flags = fl, .offset = offsetof(T, m), .schema = sc, __VA_ARGS__ }
#define FIELD_MAP(T, m, nm, fl, sc, ...) { .name = nm, .kind = FIELD_MAP_, .flags = fl, .offset = offsetof(T, m), .schema = sc, __VA_ARGS__ }
#define FIELD_SRC(T, m) { .name = "", .kind = FIELD_SRC_, .offset = offsetof(T, m) + 0 * sizeof(((T *)0)->m == (const struct val *)0) }
/*
 * Known, but without a place in the struct; `shape` is the kind its value must have. A schema of such rows alone has
 * size 0.
 */
#define FIELD_AS(nm, shape, fl, ...) { .name = nm, .kind = FIELD_NONE_, .as = shape, .flags = fl, __VA_ARGS__ }
/* The same with a value of any shape, or an object if .schema is given. */
#define FIELD_NONE(nm, fl, ...) { .name = nm, .kind = FIELD_NONE_, .flags = fl, __VA_ARGS__ }

/*
 * Decodes `in` into `out` (sc->size bytes, zeroed by this function). All findings go to `d` in one pass, with
 * positions; returns 0 if none of them was an error (LATER findings do not count), -1 otherwise: then `out` is filled
 * as far as it was understood. What `out` points to is in `a` or in what `in` points to. `path` is the prefix of the
 * paths in messages. A field that no schema knows is an error; with `d->lenient` a warning, unless it looks
 * like one that is misspelt or not indented enough.
 */
int schema_decode(const struct schema *sc, struct arena *a, const struct val *in, str path, void *out,
	struct diags *d) MUST_CHECK;
/*
 * A deep copy of `in` in which unquoted YAML scalars have the types that the schema asks for: what is kept and shown of
 * a manifest. What the schema doesn't know is resolved by YAML's core schema; what is wrong stays wrong for
 * schema_decode.
 */
struct val schema_resolve(const struct schema *sc, struct arena *a, const struct val *in);
/* The struct as a manifest again: defaults and absent fields left out, SECRET strings as "***" if `redact`. */
struct val schema_encode(const struct schema *sc, struct arena *a, const void *obj, bool redact);
/* Whether two structs of the schema are equal, field by field: what a reload compares. */
bool schema_equal(const struct schema *sc, const void *a, const void *b);
/*
 * A Markdown section with a table of the fields: what each is, and whether it is served, accepted without effect (why),
 * or refused. `under`: the row that is refused or without effect by which alone one comes to this table, so that what
 * stands in it is neither; NULL: it is reached by a row that is served.
 */
void schema_doc(const struct schema *sc, const struct field *under, FILE *f);
/*
 * Calls fn for every schema below the roots, once each, with its `under` (above). `under_root` has one for each root;
 * NULL: all are served.
 */
void schema_each_under(const struct schema *const *roots, const struct field *const *under_root, size_t n,
	void (*fn)(const struct schema *sc, const struct field *under, void *arg), void *arg);
/* JSON Schema (2020-12) of the struct, for editors. */
struct val schema_json_schema(const struct schema *sc, struct arena *a);
/* Calls fn for the schema and every schema below it, once each. */
void schema_each(const struct schema *sc, void (*fn)(const struct schema *sc, void *arg), void *arg);
/*
 * Our own mistakes in a table: missing doc, duplicate name, offset outside, default that does not decode. Text or NULL.
 */
const char *schema_self_test(const struct schema *sc);

/* ---- for checks --------------------------------------------------------------------------------------------- */

struct decode {
	struct arena *arena;
	struct diags *diags;
	struct buf path; /* of the object being decoded */
	const struct decode_frame *frame; /* field.c's own */
};
/*
 * Adds an error (warning, ...) at the member `field` of `in` (at `in` itself if it is absent or field is NULL). `field`
 * may be a path of members, "a.b". Fill in a hint with diag_hint(c->diags, ...).
 */
struct diag *decode_error(struct decode *c, const struct val *in, const char *field, const char *fmt,
	...) PRINTF_LIKE(4, 5);
struct diag *decode_warn(struct decode *c, const struct val *in, const char *field, const char *fmt, ...) PRINTF_LIKE(4,
	5);
struct diag *decode_later(struct decode *c, const struct val *in, const char *field, const char *fmt,
	...) PRINTF_LIKE(4, 5);

#endif
