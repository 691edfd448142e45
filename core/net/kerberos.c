/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/kerberos.h"

#include <krb5.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/net/peer.h"

#define FUNCTIONS(X)                                                                                                              \
	X(init_context) X(free_context) X(parse_name) X(free_principal) X(kt_resolve) X(kt_close) X(get_init_creds_keytab)         \
	X(free_cred_contents) X(cc_resolve) X(cc_initialize) X(cc_store_cred) X(cc_destroy) X(get_error_message) X(free_error_message)

static struct {
#define X(name) __typeof__(&krb5_##name) name;
	FUNCTIONS(X)
#undef X
} lib;

struct kerberos {
	int config, tickets; /* files without a name */
	krb5_context context;
	krb5_ccache cache;   /* in memory, of a login with a key */
};

static int
load(struct err *e)
{
	static bool loaded;
	static const struct peer_function functions[] = {
#define X(name) { "krb5_" #name, (void **)&lib.name },
		FUNCTIONS(X)
#undef X
	};
	return peer_load(&loaded, "libkrb5.so.3", "libkrb5-3", functions, ARRAY_LEN(functions), e);
}

static enum err_code
code_of(krb5_error_code code)
{
	switch (code) {
	case KRB5_KDC_UNREACH: case KRB5_REALM_CANT_RESOLVE: case KRB5KRB_AP_ERR_SKEW: case KRB5KRB_ERR_RESPONSE_TOO_BIG: return ERR_UNAVAILABLE;
	case KRB5KDC_ERR_C_PRINCIPAL_UNKNOWN: case KRB5KDC_ERR_PREAUTH_FAILED: case KRB5KDC_ERR_CLIENT_REVOKED: case KRB5KRB_AP_ERR_BAD_INTEGRITY:
	case KRB5KDC_ERR_KEY_EXP: case KRB5_KT_NOTFOUND: return ERR_UNAUTHENTICATED;
	default: return ERR_INVALID;
	}
}

static int
failed(krb5_context c, krb5_error_code code, const struct kerberos_keys *keys, struct err *e)
{
	const char *text = lib.get_error_message(c, code);
	err_set(e, code_of(code), "kerberos: %.*s: %s", STR_ARG(keys->principal), text);
	lib.free_error_message(c, text);
	return -1;
}

/* ---- a key table ------------------------------------------------------------------------------------------------- */

/* The first ticket, asked for with the key. */
static krb5_error_code
ask(krb5_context c, krb5_principal who, const char *keytab, krb5_creds *out)
{
	krb5_keytab table;
	krb5_error_code rc = lib.kt_resolve(c, keytab, &table);
	if (rc)
		return rc;
	rc = lib.get_init_creds_keytab(c, out, who, table, 0, NULL, NULL);
	lib.kt_close(c, table);
	return rc;
}

static krb5_error_code
keep(struct kerberos *k, krb5_principal who, krb5_creds *ticket)
{
	krb5_error_code rc = lib.cc_resolve(k->context, "MEMORY:tidegate", &k->cache);
	if (rc == 0)
		rc = lib.cc_initialize(k->context, k->cache, who);
	return rc ? rc : lib.cc_store_cred(k->context, k->cache, ticket);
}

static krb5_error_code
sign_in(struct kerberos *k, const char *name, const char *keytab)
{
	krb5_principal who;
	krb5_creds ticket;
	krb5_error_code rc = lib.parse_name(k->context, name, &who);
	if (rc)
		return rc;
	rc = ask(k->context, who, keytab, &ticket);
	if (rc == 0) {
		rc = keep(k, who, &ticket);
		lib.free_cred_contents(k->context, &ticket);
	}
	lib.free_principal(k->context, who);
	return rc;
}

static int
by_key(struct kerberos *k, const struct kerberos_keys *keys, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	int fd CLEANUP(close_fd) = -1;
	char path[32];
	if (peer_file(keys->keytab, &fd, path, e) < 0)
		return -1;
	krb5_error_code rc = sign_in(k, str_z(a, keys->principal), arena_fmt(a, "FILE:%s", path).p);
	if (rc)
		return failed(k->context, rc, keys, e);
	return setenv("KRB5CCNAME", "MEMORY:tidegate", 1) < 0 ? err_errno(e, "kerberos") : 0;
}

/* ---- tickets that there are -------------------------------------------------------------------------------------- */

static int
by_tickets(struct kerberos *k, const struct kerberos_keys *keys, struct err *e)
{
	char path[32], name[64];
	if (peer_file(keys->ccache, &k->tickets, path, e) < 0)
		return -1;
	snprintf(name, sizeof name, "FILE:%s", path);
	return setenv("KRB5CCNAME", name, 1) < 0 ? err_errno(e, "kerberos") : 0;
}

static int
set_config(struct kerberos *k, const struct kerberos_keys *keys, struct err *e)
{
	char path[32];
	if (!keys->config.n)
		return 0;
	if (kerberos_check_config(keys->config, e) < 0 || peer_file(keys->config, &k->config, path, e) < 0)
		return -1;
	return setenv("KRB5_CONFIG", path, 1) < 0 ? err_errno(e, "kerberos") : 0;
}

static int
login(struct kerberos *k, const struct kerberos_keys *keys, struct err *e)
{
	if (load(e) < 0 || set_config(k, keys, e) < 0)
		return -1;
	krb5_error_code rc = lib.init_context(&k->context);
	if (rc)
		return failed(NULL, rc, keys, e);
	return keys->ccache.n ? by_tickets(k, keys, e) : by_key(k, keys, e);
}

int
kerberos_login(const struct kerberos_keys *keys, struct kerberos **out, struct err *e)
{
	struct kerberos *k = MEM_NEW(struct kerberos);
	k->config = k->tickets = -1;
	*out = k;
	if (login(k, keys, e) == 0)
		return 0;
	kerberos_free(k);
	*out = NULL;
	return -1;
}

void
kerberos_free(struct kerberos *k)
{
	if (!k)
		return;
	if (k->cache)
		lib.cc_destroy(k->context, k->cache);
	if (k->context)
		lib.free_context(k->context);
	if (k->config >= 0)
		(void)unsetenv("KRB5_CONFIG");
	(void)unsetenv("KRB5CCNAME");
	close_fd(&k->config);
	close_fd(&k->tickets);
	free(k);
}
