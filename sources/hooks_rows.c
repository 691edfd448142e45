/* SPDX-License-Identifier: Apache-2.0 */
/* What the rows of hooks.h are written with: calls to an API, and what its answers say of hooks. */
#include "sources/hooks.h"

#include <stdarg.h>

enum { TARGETS_MAX = 10000 };

/* ---- requests ------------------------------------------------------------------------------------------------- */

void
hook_add_target(struct hook_site *site, int what, const char *path, ...)
{
	va_list ap;
	if (site->targets.n == TARGETS_MAX)
		return;
	struct hook_target *t = VEC_PUSH(&site->targets);
	va_start(ap, path);
	t->path = arena_vfmt(site->arena, path, ap);
	va_end(ap);
	t->what = what;
}

void
hook_call(struct hook_request *q, const char *method, str body, const struct hook_site *site, const char *path, ...)
{
	va_list ap;
	va_start(ap, path);
	str rest = arena_vfmt(q->arena, path, ap);
	va_end(ap);
	q->method = method;
	q->url = arena_fmt(q->arena, "%.*s%.*s", STR_ARG(site->base), STR_ARG(rest));
	q->body = body;
	if (body.n)
		hook_header(q, "Content-Type", S("application/json"));
}

void
hook_form(struct hook_request *q, str form, const struct hook_site *site, const char *path, ...)
{
	va_list ap;
	va_start(ap, path);
	str rest = arena_vfmt(q->arena, path, ap);
	va_end(ap);
	q->method = "POST";
	q->url = arena_fmt(q->arena, "%.*s%.*s", STR_ARG(site->base), STR_ARG(rest));
	q->body = form;
	hook_header(q, "Content-Type", S("application/x-www-form-urlencoded"));
}

void
hook_header(struct hook_request *q, const char *name, str value)
{
	assert(q->headers_n < HOOK_HEADERS);
	q->headers[q->headers_n++] = (struct http_header){ str_c(name), value };
}

int
hook_authorize(struct hook_request *q, const struct hook_site *site, const char *scheme, const struct secret_ref *ref, struct err *e)
{
	str token;
	if (source_secret(site->source, ref, q->arena, &token, e) < 0)
		return -1;
	hook_header(q, "Authorization", arena_fmt(q->arena, "%s %.*s", scheme, STR_ARG(token)));
	return 0;
}

int
hook_basic(struct hook_request *q, const struct hook_site *site, const struct secret_ref *user, const struct secret_ref *password,
           struct err *e)
{
	return source_secret(site->source, user, q->arena, &q->user, e) < 0 ? -1
	                                                                    : source_secret(site->source, password, q->arena, &q->password, e);
}

int
hook_tls(struct source *s, const struct tls_config *tls, struct arena *a, struct http_call *call, struct err *e)
{
	if (!tls)
		return 0;
	const struct {
		const struct secret_ref *ref;
		str *to;
	} parts[] = { { tls->ca_cert, &call->ca_pem }, { tls->client_cert, &call->cert_pem }, { tls->client_key, &call->key_pem } };
	call->insecure = tls->insecure_skip_verify;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (parts[i].ref && source_secret(s, parts[i].ref, a, parts[i].to, e) < 0)
			return err_wrap(e, "tls");
	return 0;
}

/* ---- what rows have in common ---------------------------------------------------------------------------------- */

str
hook_text(const struct val *object, const char *member, struct arena *a)
{
	const struct val *v = val_get(object, str_c(member));
	int64_t number;
	if (val_is(v, VAL_STR))
		return val_text(v);
	return v && val_to_i64(v, &number) ? arena_fmt(a, "%lld", (long long)number) : STR_NONE;
}

static bool
has_text(const struct val *list, str text)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (list->items[i].kind == VAL_STR && str_eq(val_text(&list->items[i]), text))
			return true;
	return false;
}

bool
hook_same_events(const struct val *list, const struct strs *want)
{
	if (!val_is(list, VAL_LIST) || list->n != want->n)
		return false;
	for (size_t i = 0; i < want->n; i++)
		if (!has_text(list, want->p[i]))
			return false;
	return true;
}

const struct val *
hook_with_url(const struct val *list, const char *member, str url)
{
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++) {
		const struct val *at = val_path(&list->items[i], member);
		if (val_is(at, VAL_STR) && str_eq(val_text(at), url))
			return &list->items[i];
	}
	return NULL;
}

int
hook_read_page(const struct hook_site *site, str answer, const char *items, const char *member, struct arena *a,
               const struct val **hook, struct err *e)
{
	struct val *all = ARENA_NEW(a, struct val);
	if (json_read(a, answer, all, e) < 0)
		return -1;
	const struct val *list = items ? val_get(all, str_c(items)) : all;
	if (!val_is(list, VAL_LIST))
		return err_set(e, ERR_INVALID, "the answer has no list of hooks");
	*hook = hook_with_url(list, member, site->url);
	return (int)list->n;
}

void
hook_delete(struct hook_site *site, const struct hook_target *t, struct hook_request *q)
{
	hook_call(q, "DELETE", STR_NONE, site, "/%.*s/%.*s", STR_ARG(t->path), STR_ARG(t->id));
}

void
hook_write(struct hook_site *site, const struct hook_target *t, struct hook_request *q, const char *change, struct val body)
{
	str text = json_write(q->arena, &body);
	if (t->id.n)
		hook_call(q, change, text, site, "/%.*s/%.*s", STR_ARG(t->path), STR_ARG(t->id));
	else
		hook_call(q, "POST", text, site, "/%.*s", STR_ARG(t->path));
}

struct val
hook_events(const struct strs *events, struct arena *a)
{
	struct val_list list = { 0 };
	for (size_t i = 0; i < events->n; i++)
		val_list_add(&list, val_str(events->p[i]));
	return val_list_end(&list, a);
}

str
hook_base(str url, const char *otherwise)
{
	if (!url.n)
		return str_c(otherwise);
	while (str_ends(url, S("/")))
		url.n--;
	return url;
}
