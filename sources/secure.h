/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secure: what proves that a request comes from whom it says. Every sender that signs is a row of one table: which header has the
 * signature, how it is written, what is signed, how old it may be, and which header names the delivery. Nothing is sent or stored here.
 * Needs libcrypto (core/crypto.h): call crypto_load before the first check.
 */
#ifndef TIDEGATE_SOURCES_SECURE_H
#define TIDEGATE_SOURCES_SECURE_H

#include "core/base.h"

enum signature_form {
	SIGNATURE_HEX,    /* an HMAC in hexadecimal digits */
	SIGNATURE_BASE64, /* an HMAC in base64 */
	SIGNATURE_TOKEN,  /* the secret itself */
};

struct signature {
	const char *header;
	const struct signature *otherwise; /* the row to go by where that header was not sent; NULL: none */
	enum signature_form form;
	const char *hash;            /* as crypto_hmac has it; NULL: the header names it, "sha256=<digits>" */
	const char *prefix;          /* before the digits: "v0="; NULL: nothing */
	char separator;              /* several signatures may stand in the header, with this between; 0: one */
	const char *timestamp;       /* header with the time of signing; NULL: none, or the next */
	const char *stamp_prefix;    /* the item of the signature's own header that has the time: "t=" */
	const char *content;         /* what is signed, of {body}, {timestamp} and {id} */
	const char *id;              /* header that names the delivery; NULL: none */
	bool key_base64;             /* the secret is base64, with or without "whsec_" before it */
	int64_t tolerance_ns;        /* how far the time of signing may be from now, either way */
	int status;                  /* of the answer that refuses */
	const char *missing, *wrong, *stale; /* its texts */
};

/* The rows of the senders we know. */
enum signed_by { SIGNED_GITHUB, SIGNED_GITLAB, SIGNED_GITEA, SIGNED_BITBUCKET, SIGNED_BITBUCKET_SERVER, SIGNED_SLACK, SIGNED_STRIPE,
	         SIGNED_STANDARD, SIGNED_BY_N };
extern const struct signature signatures[SIGNED_BY_N];

/* What a request brings along; absent: not sent. */
struct signed_message {
	str signature, timestamp, id, body;
};

/*
 * Checks the message against the secret. In *id (in `a`) comes what names the delivery: the sender's id or, where only the time is
 * signed, the signature itself; absent if there is neither. ERR_DENIED: refuse it, with the error's text as the answer.
 * ERR_INVALID: the secret is not what it must be.
 */
int signature_check(const struct signature *sig, str secret, const struct signed_message *m, int64_t now_ns, struct arena *a, str *id,
                    struct err *e) MUST_CHECK;
/* A time of signing: seconds or milliseconds since 1970, or RFC 3339. */
bool signature_time(str text, int64_t *out_ns);

#endif
