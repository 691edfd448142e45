/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cloud: what the drivers gcs, azure and oss share. A driver says how a request is addressed and signed, and how its service words a refusal; asking,
 * trying again, going on where a download broke off, tokens and errors are the same.
 */
#ifndef TIDEGATE_ENGINE_ARTIFACT_CLOUD_H
#define TIDEGATE_ENGINE_ARTIFACT_CLOUD_H

#include "core/net/http_transfer.h"
#include "core/net/oauth.h"
#include "engine/artifact/driver.h"

struct cloud_request {
	const char *method;
	str key;                         /* of the object; absent: the bucket is asked */
	str url;                         /* instead of what the driver makes of key and query: one that the service has given */
	const struct http_header *query; /* values as they are, not encoded; of a driver's own order */
	size_t query_n;
	const struct http_header *headers;
	size_t headers_n;
	str body;
	uint64_t bytes;                  /* of the part of a file that is sent instead */
	str md5;                         /* of that part, for cloud_put; absent: it is computed */
	int fine;                        /* a status beside 2xx that is no refusal */
};

struct cloud {
	const struct artifact_site *site;
	struct http_session *http;
	const char *name;
	str endpoint;                    /* a URL without a slash at its end */
	str bucket;
	/* The request as a call, signed now. What it points to lives in `a`. */
	int (*write)(struct cloud *c, const struct cloud_request *r, struct arena *a, struct http_call *out, struct err *e);
	/* What a body says that refuses; absent: nothing. */
	str (*refusal)(struct arena *a, str body);
	/* The call that gets a token; for cloud_token. */
	int (*token_call)(struct cloud *c, struct arena *a, struct http_call *out, struct err *e);
	struct oauth_token token;
};

/* All tries of a request; then a refusal is an error with the place, the status and the service's words. ERR_NOT_FOUND for 404. */
int cloud_ask(struct cloud *c, const struct cloud_request *r, struct arena *a, struct http_answer *out, struct err *e) MUST_CHECK;
/* With r->bytes of `fd` from `offset` on as the body. */
int cloud_send(struct cloud *c, const struct cloud_request *r, int fd, uint64_t offset, struct arena *a, struct http_answer *out, struct err *e) MUST_CHECK;
/* The part of the file is put (r->method has no meaning), with its type and MD5 beside r->headers. */
int cloud_put(struct cloud *c, const struct cloud_request *r, int fd, uint64_t offset, struct arena *a, struct http_answer *out, struct err *e) MUST_CHECK;
#define CLOUD_BINARY S("application/octet-stream")
/* The same, once; 1: it may be tried again, `e` says why. */
int cloud_send_once(struct cloud *c, const struct cloud_request *r, int fd, uint64_t offset, struct arena *a, struct http_answer *out, struct err *e) MUST_CHECK;
/* The body of the answer into `fd`. */
int cloud_receive(struct cloud *c, const struct cloud_request *r, int fd, struct arena *a, struct http_answer *out, struct err *e) MUST_CHECK;
/* For a download that another process may have begun (site->begun), of a service that tells a tag of what it gives. */
void cloud_go_on(const struct artifact_site *site, struct http_transfer *t);
/* Of a driver: deletes; fine if there is no such object. */
int cloud_remove(void *cloud, str key, struct err *e) MUST_CHECK;

/* There is a good one in c->token now. */
int cloud_token(struct cloud *c, struct err *e) MUST_CHECK;
/* The place and the key, for errors; in `a`. */
str cloud_place(const struct cloud *c, str key, struct arena *a);
/* Of a driver: frees what the service's requests needed. */
void cloud_close(void *cloud);
int64_t cloud_now_ns(void);

/* ---- cloud_list.c: what there is */
#define CLOUD_LISTING_WORDS 4

/* A page while it is read. */
struct cloud_page {
	str prefix;
	bool (*each)(void *arg, str key, uint64_t bytes);
	void *arg;
	str next;    /* what the next page is asked for by; absent: this is the last */
	bool enough; /* each() said so */
};
/* How a service is asked for a page, and how one is read. `prefix`, `marker`: which of the words have that value. */
struct cloud_listing {
	struct http_header query[CLOUD_LISTING_WORDS];
	size_t n, prefix, marker;
	/* Tells cloud_page_add of each object until that says false. ERR_INVALID: it is no page. */
	int (*read)(struct arena *a, str body, struct cloud_page *p, struct err *e);
};
bool cloud_page_add(struct cloud_page *p, str key, int64_t bytes);
/* As `list` of a driver. ERR_INVALID: the pages do not go on. */
int cloud_list(struct cloud *c, const struct cloud_listing *l, str prefix, bool (*each)(void *arg, str key, uint64_t bytes), void *arg, struct err *e) MUST_CHECK;
int gcs_page_read(struct arena *a, str body, struct cloud_page *p, struct err *e) MUST_CHECK;
int oss_page_read(struct arena *a, str body, struct cloud_page *p, struct err *e) MUST_CHECK;
int azure_page_read(struct arena *a, str body, struct cloud_page *p, struct err *e) MUST_CHECK;

/* ---- cloud_file.c: what is checked of files */
/* Its size, from the start. */
int cloud_file_size(int fd, uint64_t *bytes, struct err *e) MUST_CHECK;
/* The hash of a part by its name (crypto_hash), in base64 as headers have it; and the MD5, as Content-MD5 has it. In `a`. */
int cloud_hash(const char *hash, int fd, uint64_t offset, uint64_t bytes, struct arena *a, str *out, struct err *e) MUST_CHECK;
int cloud_md5(int fd, uint64_t offset, uint64_t bytes, struct arena *a, str *out, struct err *e) MUST_CHECK;
/* The CRC-32C of a part, by the processor where it can. */
int cloud_crc32c(int fd, uint64_t offset, uint64_t bytes, uint32_t *out, struct err *e) MUST_CHECK;
/* Any other CRC that begins with ones, takes bits from the lowest on, and is inverted in the end: its polynomial, bits reversed. */
#define CLOUD_CRC32 UINT64_C(0xEDB88320)               /* of zip and Ethernet */
#define CLOUD_CRC64_XZ UINT64_C(0xC96C5795D7870F42)    /* ECMA-182, as xz and OSS have it */
#define CLOUD_CRC64_NVME UINT64_C(0x9A6C9329AC4BC9B5)  /* of NVMe, and of S3 */
int cloud_crc(uint64_t polynomial, int fd, uint64_t offset, uint64_t bytes, uint64_t *out, struct err *e) MUST_CHECK;
/* Where what comes begins in `fd`; -1: it cannot be read again (a pipe, or a file that is only written), so there is nothing to check. */
int64_t cloud_file_start(int fd);
/* How large parts are, so that there are at most `most` of them. */
uint64_t cloud_part_size(uint64_t bytes, uint64_t most);

#endif
