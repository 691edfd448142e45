/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listings of gcs, azure and oss: pages that each name the next one. What a page says is a stranger's word: only keys with the prefix that was asked
 * for count, since what is listed may be removed, and a service that gives the same page again and again is not asked for ever.
 */
#include "core/net/s3_list.h"
#include "core/xml.h"
#include "engine/artifact/cloud.h"

bool
cloud_page_add(struct cloud_page *p, str key, int64_t bytes)
{
	if (key.n && str_starts(key, p->prefix))
		p->enough = !p->each(p->arg, key, bytes > 0 ? (uint64_t)bytes : 0);
	return !p->enough;
}

static int
ask_page(struct cloud *c, const struct cloud_listing *l, str prefix, str marker, struct arena *a, struct cloud_page *p, struct err *e)
{
	struct http_answer ans;
	struct http_header query[CLOUD_LISTING_WORDS];
	size_t n = l->n;
	memcpy(query, l->query, n * sizeof *query);
	query[l->prefix].value = prefix;
	query[l->marker].value = marker;
	if (!marker.n && l->marker == n - 1)
		n--; /* one that may be left out where there is none */
	if (cloud_ask(c, &(struct cloud_request){ .method = "GET", .query = query, .query_n = n }, a, &ans, e) < 0)
		return -1;
	return l->read(a, ans.body, p, e) < 0 ? err_wrap(e, "%s: the listing of %.*s", c->name, STR_ARG(c->bucket)) : 0;
}

int
cloud_list(struct cloud *c, const struct cloud_listing *l, str prefix, bool (*each)(void *arg, str key, uint64_t bytes), void *arg, struct err *e)
{
	struct arena *kept CLEANUP(free_arena) = arena_new();
	for (str marker = S(""); marker.p;) {
		struct arena *a CLEANUP(free_arena) = arena_new();
		struct cloud_page p = { .prefix = prefix, .each = each, .arg = arg };
		if (ask_page(c, l, prefix, marker, a, &p, e) < 0)
			return -1;
		if (p.enough || !p.next.n)
			return 0;
		if (str_eq(p.next, marker))
			return err_set(e, ERR_INVALID, "%s: the listing of %.*s does not go on behind \"%.*s\"", c->name, STR_ARG(c->bucket),
			               STR_ARG(str_slice(marker, 0, 200)));
		marker = arena_dup(kept, p.next);
	}
	return 0;
}

/* ---- gcs ----------------------------------------------------------------------------------------------------------- */

int
gcs_page_read(struct arena *a, str body, struct cloud_page *p, struct err *e)
{
	struct val page;
	if (json_read(a, body, &page, e) < 0)
		return -1;
	const struct val *items = val_get(&page, S("items"));
	p->next = val_get_str(&page, "nextPageToken");
	for (uint32_t i = 0; val_is(items, VAL_LIST) && i < items->n; i++) {
		int64_t n = 0;
		(void)str_to_i64(val_get_str(&items->items[i], "size"), &n); /* a number in quotes */
		if (!cloud_page_add(p, val_get_str(&items->items[i], "name"), n))
			break;
	}
	return 0;
}

/* ---- oss ----------------------------------------------------------------------------------------------------------- */

int
oss_page_read(struct arena *a, str body, struct cloud_page *p, struct err *e)
{
	struct s3_page page;
	if (s3_list_read(a, body, &page, e) < 0)
		return -1;
	for (size_t i = 0; i < page.n && cloud_page_add(p, page.objects[i].key, page.objects[i].size); i++)
		;
	if (str_eq(xml_find(body, "IsTruncated", a), S("true")))
		p->next = s3_key_decode(a, xml_find(body, "NextMarker", a));
	return 0;
}

/* ---- azure --------------------------------------------------------------------------------------------------------- */

struct blob {
	str name, bytes, kind;
};

static bool
is_in(const struct xml_reader *x, const char *parent, const char *element)
{
	return x->depth >= 2 && str_eq(x->open[x->depth - 1], str_c(element)) && str_eq(x->open[x->depth - 2], str_c(parent));
}

static void
take_text(const struct xml_reader *x, str text, struct blob *b, struct cloud_page *p)
{
	if (is_in(x, "Blob", "Name"))
		b->name = text;
	else if (is_in(x, "Properties", "Content-Length"))
		b->bytes = text;
	else if (is_in(x, "Properties", "ResourceType"))
		b->kind = text;
	else if (is_in(x, "EnumerationResults", "NextMarker"))
		p->next = text;
}

/* The blob of a folder, as accounts with a hierarchical namespace have them, is no file. */
static bool
end_blob(struct blob *b, struct cloud_page *p)
{
	struct blob one = *b;
	int64_t n = 0;
	*b = (struct blob){ 0 };
	(void)str_to_i64(one.bytes, &n);
	return str_eq(one.kind, S("directory")) || cloud_page_add(p, one.name, n);
}

int
azure_page_read(struct arena *a, str body, struct cloud_page *p, struct err *e)
{
	struct xml_reader x = { .text = body };
	struct blob b = { 0 };
	str text;
	int kind;
	while ((kind = xml_next(&x, a, &text, e)) > XML_END) {
		if (kind == XML_TEXT)
			take_text(&x, text, &b, p);
		else if (kind == XML_CLOSE && str_eq(text, S("Blob")) && !end_blob(&b, p))
			return 0;
	}
	return kind;
}
