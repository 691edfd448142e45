/* SPDX-License-Identifier: Apache-2.0 */
/* s3_list: lists in XML: a page of ListObjectsV2 (asked for with encoding-type=url), the parts of an upload, and the words of an error of S3. */
#ifndef TIDEGATE_CORE_NET_S3_LIST_H
#define TIDEGATE_CORE_NET_S3_LIST_H

#include "core/base.h"

struct s3_object {
	str key, etag;    /* decoded; without quotes */
	int64_t modified; /* ns */
	int64_t size;
};
struct s3_page {
	struct s3_object *objects; /* in the arena of s3_list_read, as their texts */
	size_t n;
	str next; /* continuation token; absent: this was the last page */
};
enum { S3_PAGE_MAX = 1000 };
/* ERR_INVALID: it is none, or one of more than a thousand objects. */
int s3_list_read(struct arena *a, str xml, struct s3_page *out, struct err *e) MUST_CHECK;
/* "AccessDenied: Access Denied." of an answer's body; absent: there is none. In `a`. */
str s3_error_text(struct arena *a, str xml);

/* A part that the server has, for the list that completes an upload. ERR_UNAVAILABLE without an ETag. */
int s3_parts_add(struct buf *list, unsigned number, str etag, struct err *e) MUST_CHECK;
/* The body of that request; `attributes` is " xmlns=...", say. In `a`. */
str s3_parts_body(const struct buf *list, const char *attributes, struct arena *a);

/* The text without its percent-encoding; + is a blank. In `a`. */
str s3_key_decode(struct arena *a, str text);

#endif
