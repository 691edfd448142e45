/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/cluster.h"

void
cluster_get(const struct cluster *c, str path, struct arena *a, struct http_call *out)
{
	struct http_header *headers = ARENA_ARRAY(a, struct http_header, 2);
	headers[0] = (struct http_header){ S("Accept"), S("application/json") };
	if (c->token.n)
		headers[1] = (struct http_header){ S("Authorization"), arena_fmt(a, "Bearer %.*s", STR_ARG(c->token)) };
	*out = (struct http_call){ .method = S("GET"), .headers = headers, .headers_n = c->token.n ? 2 : 1, .insecure = c->insecure, .ca_pem = c->ca_pem,
		                   .cert_pem = c->cert_pem, .key_pem = c->key_pem, .connect_to = c->connect_to };
	out->url = arena_fmt(a, "%.*s%.*s", STR_ARG(c->url), STR_ARG(path));
	if (c->user.n && !c->token.n) {
		out->user = c->user;
		out->password = c->password;
	}
}

void
cluster_refused(struct arena *a, int status, str body, struct err *e)
{
	struct val v;
	struct err ours;
	bool is_status = json_read(a, body, &v, &ours) == 0 && str_eq(val_get_str(&v, "kind"), S("Status"));
	str why = http_excerpt(a, is_status ? val_get_str(&v, "message") : body);
	enum err_code code = status == 403 || status == 401 ? ERR_DENIED : status == 404 ? ERR_NOT_FOUND : status < 500 ? ERR_INVALID : ERR_UNAVAILABLE;
	err_set(e, code, "the cluster answered %d%s%.*s", status, why.n ? ": " : "", STR_ARG(why));
}

/* ---- objects ---------------------------------------------------------------------------------------------------------- */

static const char *const changes[] = { [CLUSTER_ADDED] = "ADDED", [CLUSTER_MODIFIED] = "MODIFIED", [CLUSTER_DELETED] = "DELETED",
	[CLUSTER_BOOKMARK] = "BOOKMARK", [CLUSTER_ERROR] = "ERROR" };

static void
read_metadata(const struct val *object, struct cluster_object *out)
{
	const struct val *meta = val_get(object, S("metadata"));
	const struct {
		const char *name;
		str *to;
	} members[] = { { "namespace", &out->ns }, { "name", &out->name }, { "uid", &out->uid }, { "resourceVersion", &out->version } };
	struct err e;
	str created = val_get_str(meta, "creationTimestamp");
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		str text = val_get_str(meta, members[i].name);
		*members[i].to = text.p ? text : S("");
	}
	if (!created.n || time_parse_rfc3339(created, &out->created_ns, &e) < 0)
		out->created_ns = 0;
}

int
cluster_read_object(const struct val *v, struct cluster_object *out, struct err *e)
{
	*out = (struct cluster_object){ .object = *v };
	if (v->kind == VAL_MAP)
		read_metadata(v, out);
	if (!out->name.n || !out->version.n)
		return err_set(e, ERR_INVALID, "an object without a name or a resourceVersion");
	return 0;
}

/* A Status, in place of an object. */
static void
read_error(const struct val *v, struct cluster_object *out)
{
	const struct val *code = val_get(v, S("code"));
	int64_t n = 0;
	out->object = *v;
	out->code = code && val_to_i64(code, &n) && n >= 100 && n < 600 ? (int)n : 0;
}

int
cluster_read_line(str line, struct arena *a, struct cluster_object *out, struct err *e)
{
	struct val v;
	*out = (struct cluster_object){ 0 };
	if (json_read(a, line, &v, e) < 0)
		return err_wrap(e, "a line of the watch");
	str type = val_get_str(&v, "type");
	const struct val *object = val_get(&v, S("object"));
	size_t i = 0;
	while (i < ARRAY_LEN(changes) && !str_eq(type, str_c(changes[i])))
		i++;
	if (i == ARRAY_LEN(changes) || !val_is(object, VAL_MAP))
		return err_set(e, ERR_INVALID, "a line of the watch has no type that is known, or no object");
	if (i == CLUSTER_ERROR) {
		read_error(object, out);
	} else if (i == CLUSTER_BOOKMARK) {
		out->object = *object;
		read_metadata(object, out);
		if (!out->version.n)
			return err_set(e, ERR_INVALID, "a bookmark without a resourceVersion");
	} else if (cluster_read_object(object, out, e) < 0) {
		return err_wrap(e, "a line of the watch");
	}
	out->change = (enum cluster_change)i;
	return 0;
}
