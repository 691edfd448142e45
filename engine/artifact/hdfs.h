/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hdfs: what the files of the driver share. hdfs_call.c asks name nodes and data nodes, hdfs_sum.c knows HDFS's checksum of a file, hdfs.c is the
 * driver.
 */
#ifndef TIDEGATE_ENGINE_ARTIFACT_HDFS_H
#define TIDEGATE_ENGINE_ARTIFACT_HDFS_H

#include "core/field.h"
#include "core/net/kerberos.h"
#include "core/net/http_transfer.h"
#include "core/net/webhdfs.h"
#include "engine/artifact/driver.h"

struct hdfs {
	const struct artifact_site *site;
	struct http_session *http;
	struct strs addresses;
	size_t active;  /* of the addresses, the one that answered last */
	str user;       /* empty: nobody in particular */
	struct kerberos *login; /* NULL: without Kerberos */
	bool force;
	bool tls_only;  /* data must be sealed on its way */
	bool whole;     /* the server cannot list in parts */
};

/* ---- hdfs_call.c: all tries at all addresses; a refusal is an error with what was asked of whom */
int hdfs_ask(struct hdfs *h, const struct webhdfs_op *op, struct arena *a, struct http_answer *out, struct err *e) MUST_CHECK;
/* The same, where the answer is JSON. */
int hdfs_ask_json(struct hdfs *h, const struct webhdfs_op *op, struct arena *a, struct val *out, struct err *e) MUST_CHECK;
/* The bytes of a file into `fd`; *bytes so many came. */
int hdfs_open(struct hdfs *h, str path, int fd, uint64_t *bytes, struct err *e) MUST_CHECK;
/* A file with the first `bytes` of `fd`, in place of one that is there. */
int hdfs_create(struct hdfs *h, str path, int fd, uint64_t bytes, struct err *e) MUST_CHECK;

/* ---- hdfs_sum.c */
enum hdfs_same { HDFS_DIFFERS, HDFS_SAME, HDFS_UNKNOWN };
/*
 * Whether `bytes` of `fd` from `start` on have the checksum that HDFS says, {"algorithm", "bytes"}: an MD5 of MD5s of CRCs.
 * Not known: another algorithm, or one that differs where the file may have blocks of several sizes (`uniform` is false).
 */
enum hdfs_same hdfs_sum_compare(const struct val *checksum, int fd, uint64_t start, uint64_t bytes, bool uniform, struct arena *a);

#endif
