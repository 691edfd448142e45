/* SPDX-License-Identifier: Apache-2.0 */
/*
 * webhdfs: HDFS over HTTP (hadoop.apache.org: WebHDFS REST API), as name nodes, HttpFS and Knox serve it: addresses, URLs, and what answers say.
 * Nothing is sent here.
 */
#ifndef TIDEGATE_CORE_NET_WEBHDFS_H
#define TIDEGATE_CORE_NET_WEBHDFS_H

#include "core/net/httpc.h"
#include "core/val.h"

enum { WEBHDFS_ANSWER_MAX = 16 << 20 /* bytes; an answer has at most 1,000 names from servers that list in parts */ };

/* An operation: the query is `op`, and then this; values as they are, not encoded. */
struct webhdfs_op {
	const char *method, *op;
	str path; /* absolute */
	struct http_header query[4];
	size_t query_n;
};

/* The URL that asks `address`, "host:port" or a URL, as `user` (empty: as nobody in particular). In `a`. */
str webhdfs_url(str address, const struct webhdfs_op *op, str user, struct arena *a);
/* A port of the name node's own protocol, which Argo speaks, and what to write instead. */
bool webhdfs_is_rpc(str address);
#define WEBHDFS_NOT_RPC "%.*s looks like the name node's RPC port: write the address of its WebHDFS, such as http://namenode:9870"

/* An answer that refuses, {"RemoteException": {"exception", "message"}}. */
struct webhdfs_refusal {
	str exception, message; /* absent: the answer is none of WebHDFS; the message is one line. In the arena */
	str text;               /* "404 FileNotFoundException: File does not exist" */
	enum err_code code;     /* ERR_NOT_FOUND for a file only, not for a server that does not know WebHDFS */
	bool passing;           /* a standby name node, or one that is not ready: another may serve it, or the same one later */
};
void webhdfs_refusal(const struct http_answer *ans, struct arena *a, struct webhdfs_refusal *out);

/* Members of a FileStatus: a text ("" if there is none), a number (0). */
str webhdfs_text(const struct val *status, const char *member);
int64_t webhdfs_number(const struct val *status, const char *member);
bool webhdfs_is_directory(const struct val *status);
/* The FileStatus values of LISTSTATUS or LISTSTATUS_BATCH; NULL: it is no listing. *after is the name to go on behind (startAfter); absent: that is all. */
const struct val *webhdfs_listing(const struct val *answer, str *after);

#endif
