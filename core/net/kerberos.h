/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kerberos: signs in by Kerberos, for the requests of libcurl with `negotiate` (SPNEGO). By MIT's libkrb5, which is opened with the first login: libcurl
 * brings it. The library takes configuration and tickets from the environment of the process, so there is one login at a time; for
 * processes of their own with one thread, never the daemon's. Keys and tickets stay in memory.
 */
#ifndef TIDEGATE_CORE_NET_KERBEROS_H
#define TIDEGATE_CORE_NET_KERBEROS_H

#include "core/base.h"

/* Files, as texts. */
struct kerberos_keys {
	str config;            /* krb5.conf; absent: the machine's */
	str ccache;            /* a credential cache with tickets; or */
	str keytab, principal; /* a key table, and whose key is asked with: "user@REALM" */
};
struct kerberos;
/*
 * ERR_UNAUTHENTICATED (the key is none, or no longer good), ERR_INVALID (configuration or key table cannot be read), ERR_UNAVAILABLE (no KDC answers),
 * ERR_UNSUPPORTED (libkrb5 is not there).
 */
int kerberos_login(const struct kerberos_keys *keys, struct kerberos **out, struct err *e) MUST_CHECK;
/* Nobody is signed in any more. NULL is fine. */
void kerberos_free(struct kerberos *k);
/*
 * A krb5.conf of a stranger may say who is asked for tickets, but not what the library loads or includes: modules, plug-ins, include, pkinit. ERR_INVALID
 * with the line.
 */
int kerberos_check_config(str text, struct err *e) MUST_CHECK;

#endif
