/* SPDX-License-Identifier: Apache-2.0 */
/*
 * configmap: ConfigMaps and Secrets. Base64 is decoded when the manifest is read, so that a slip in it is found there.
 */
#include "config/config.h"
#include "core/base64.h"

#define ENVELOPE(T, meta) \
	FIELD_AS("apiVersion", FIELD_STR, REQ, .doc = "v1."), \
	FIELD_AS("kind", FIELD_STR, REQ, .doc = "Kind of the object."), \
	FIELD_OBJ(T, meta, "metadata", REQ, &meta_schema, .doc = "Name, namespace, labels and annotations.")

/* Beyond the data, what a Secret says. Begins with what both have. */
struct secret {
	struct config_map base;
	struct kvs string_data;
};

static void
decode_values(struct kvs *data, const char *field, const struct val *in, struct decode *c)
{
	for (size_t i = 0; i < data->n; i++) {
		struct err e;
		str bytes;
		if (base64_decode(c->arena, data->p[i].value, &bytes, &e)) {
			const struct val *v = val_get(val_get(in, str_c(field)), data->p[i].key);
			struct diag *d = decode_error(c, v ? v : in, NULL, "%s", e.msg);
			diag_hint(c->diags, d, strcmp(field, "data") == 0 ? "write plain text under \"stringData\""
				: "write plain text under \"data\"");
			continue;
		}
		data->p[i].value = bytes;
	}
}

/* The key's own place; the object's if the field is written in another case. */
static const struct val *
key_of(const struct val *in, const char *field, str key)
{
	const struct val *map = val_get(in, str_c(field));
	for (uint32_t i = 0; val_is(map, VAL_MAP) && i < map->n; i++)
		if (str_eq(val_key(&map->members[i]), key))
			return &map->members[i].key;
	return in;
}

static void
check_keys(const struct kvs *data, const char *field, const struct val *in, struct decode *c)
{
	for (size_t i = 0; i < data->n; i++) {
		str key = data->p[i].key;
		bool ok = key.n && key.n <= 253 && !str_eq(key, S(".")) && !str_eq(key, S(".."));
		for (size_t k = 0; k < key.n; k++)
			ok = ok && (strchr("-_.", key.p[k]) ? key.p[k] != 0 : (key.p[k] >= '0' && key.p[k] <= '9') ||
				((key.p[k] | 0x20) >= 'a' && (key.p[k] | 0x20) <= 'z'));
		if (!ok)
			decode_error(c, key_of(in, field, key), NULL,
				"\"%.*s\" is not a key: letters, digits, '-', '_' and '.' only", 
				STR_ARG(str_slice(key, 0, 80)));
	}
}

static void
check_configmap(void *obj, const struct val *in, struct decode *c)
{
	struct config_map *m = obj;
	check_keys(&m->data, "data", in, c);
	check_keys(&m->binary_data, "binaryData", in, c);
	decode_values(&m->binary_data, "binaryData", in, c);
}

static void
check_secret(void *obj, const struct val *in, struct decode *c)
{
	struct secret *s = obj;
	check_keys(&s->base.data, "data", in, c);
	check_keys(&s->string_data, "stringData", in, c);
	decode_values(&s->base.data, "data", in, c);
	struct kvs all = { .p = ARENA_ARRAY(c->arena, struct kv, s->base.data.n + s->string_data.n) };
	for (size_t i = 0; i < s->string_data.n; i++)
		all.p[all.n++] = s->string_data.p[i];
	for (size_t i = 0; i < s->base.data.n; i++)
		all.p[all.n++] = s->base.data.p[i]; /* behind: the first one found counts */
	s->base.data = all;
}

static const struct schema config_map_schema = { "ConfigMap", "Texts by name, for workflows to use.",
	sizeof(struct config_map),
	(const struct field[]){
	ENVELOPE(struct config_map, meta),
	FIELD(struct config_map, data, "data", 0, .doc = "Texts."),
	FIELD(struct config_map, binary_data, "binaryData", 0, .doc = "Bytes, in base64."),
	FIELD_AS("immutable", FIELD_BOOL, 0, .doc = "Whether it may not change. Files are what they are: not "
		"enforced."),
	{ 0 } }, check_configmap };

static const struct schema secret_schema = { "Secret", "Texts by name that are never shown.", sizeof(struct secret),
	(const struct field[]){
	ENVELOPE(struct secret, base.meta),
	FIELD(struct secret, base.data, "data", SECRET, .doc = "Values, in base64."),
	FIELD(struct secret, string_data, "stringData", SECRET,
		.doc = "Values as they are; of two with one name this one counts."),
	FIELD(struct secret, base.type, "type", 0, .doc = "What it is used for; nothing depends on it here."),
	FIELD_AS("immutable", FIELD_BOOL, 0, .doc = "Whether it may not change. Files are what they are: not "
		"enforced."),
	{ 0 } }, check_secret };

const struct kind kind_configmap = { .name = "ConfigMap", .plural = "configmaps",
	.short_names = (const char *const[]){ "configmap", "cm", NULL }, .api = "v1",
	.schema = &config_map_schema, .name_max = 253 };
const struct kind kind_secret = { .name = "Secret", .plural = "secrets", 
	.short_names = (const char *const[]){ "secret", NULL }, .api = "v1",
	.schema = &secret_schema, .name_max = 253 };

/* ---- look up ------------------------------------------------------------------------------------------------- */

static const str *
find(const struct kvs *data, str key)
{
	for (size_t i = 0; i < data->n; i++)
		if (str_eq(data->p[i].key, key))
			return &data->p[i].value;
	return NULL;
}

static int
get(const struct objects *os, const char *kind, str ns, str name, str key, str *out, struct err *e)
{
	const struct object *o = objects_find_named(os, kind, ns, name);
	if (!o)
		return err_set(e, ERR_NOT_FOUND, "%s \"%.*s\" not found in namespace \"%.*s\"", kind, STR_ARG(name),
			STR_ARG(ns));
	const struct config_map *m = o->spec;
	const str *v = find(&m->data, key);
	if (!v)
		v = find(&m->binary_data, key);
	if (!v)
		return err_set(e, ERR_NOT_FOUND, "%s \"%.*s\" has no key \"%.*s\"", kind, STR_ARG(name), STR_ARG(key));
	*out = *v;
	return 0;
}

int
config_map_key(const struct objects *os, str ns, str name, str key, str *out, struct err *e)
{
	return get(os, "ConfigMap", ns, name, key, out, e);
}

int
secret_key(const struct objects *os, str ns, str name, str key, str *out, struct err *e)
{
	return get(os, "Secret", ns, name, key, out, e);
}
