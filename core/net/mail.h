/* SPDX-License-Identifier: Apache-2.0 */
/* mail: hands a finished message to an SMTP server, on the loop and connections of core/net/httpc.h. */
#ifndef TIDEGATE_CORE_NET_MAIL_H
#define TIDEGATE_CORE_NET_MAIL_H

#include "core/net/httpc.h"

enum mail_tls {
	MAIL_TLS_IF_OFFERED, /* STARTTLS where the server has it */
	MAIL_TLS_NEEDED,     /* STARTTLS, or nothing is sent */
	MAIL_TLS_AT_ONCE,    /* TLS from the first byte on (port 465) */
};
struct mail {
	str host;
	unsigned port;
	enum mail_tls tls;
	bool insecure;           /* do not verify the server's certificate */
	str ca_pem, cert_pem, key_pem;
	str user, password;      /* absent: none */
	str from;                /* addresses of the envelope, without names and angle brackets */
	const str *to;
	size_t to_n;
	str message;             /* head and body, lines end with CRLF */
	int64_t timeout_ms;      /* 0: 60 s */
};

/* In the text of an error that is the server's answer to this mail: the server itself is there. */
#define MAIL_REFUSED "the server refused"

/*
 * Sends it to all receivers or to none: one that the server refuses ends it before the message. The strings are copied. done() runs
 * exactly once, later: its answer has the server's last code as status; or an error: ERR_INVALID if the server refused for good (5xx),
 * ERR_UNAUTHENTICATED (login, certificate), else as httpc_send. httpc_free and httpc_forget count for mails, too.
 */
void mail_send(struct httpc *h, const struct mail *m, void (*done)(void *arg, const struct http_answer *ans, const struct err *e), void *arg);

#endif
