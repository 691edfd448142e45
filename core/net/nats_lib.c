/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/nats_lib.h"

#define lib nats_lib

struct nats_lib nats_lib;

static const struct peer_function functions[] = {
#define X(name) { #name, (void **)&nats_lib.name },
	NATS_FUNCTIONS(X)
#undef X
};

int
nats_fail(natsStatus s, const char *what, struct err *e)
{
	natsStatus of;
	const char *detail = lib.nats_GetLastError(&of);
	bool denied = s == NATS_CONNECTION_AUTH_FAILED || s == NATS_SSL_ERROR || s == NATS_NOT_PERMITTED;
	bool ours = s == NATS_INVALID_ARG || s == NATS_INVALID_SUBJECT || s == NATS_ADDRESS_MISSING;
	enum err_code code = denied ? ERR_UNAUTHENTICATED : ours ? ERR_INVALID : ERR_UNAVAILABLE;
	if (detail && detail[0] == '(' && strstr(detail, "): "))
		detail = strstr(detail, "): ") + 3; /* a place in the library's source */
	bool more = detail && *detail && of == s;
	return err_set(e, code, "nats: %s: %s%s%s", what, lib.natsStatus_GetText(s), more ? ": " : "", more ? detail : "");
}

static natsStatus
set_login(natsOptions *o, const struct peer_target *t, struct arena *a, int *fd, struct err *e)
{
	char path[32];
	natsStatus s = NATS_OK;
	if (t->user.p)
		s = lib.natsOptions_SetUserInfo(o, str_z(a, t->user), str_z(a, t->password));
	if (s == NATS_OK && t->token.p)
		s = lib.natsOptions_SetToken(o, str_z(a, t->token));
	if (s == NATS_OK && t->creds.p)
		s = peer_file(t->creds, fd, path, e) < 0 ? NATS_ERR : lib.natsOptions_SetUserCredentialsFromFiles(o, path, NULL);
	if (s == NATS_OK && t->nkey.p)
		s = peer_file(t->nkey, fd, path, e) < 0 ? NATS_ERR :
		                                          lib.natsOptions_SetNKeyFromSeed(o, str_z(a, peer_option(t, "nkey.public")), path);
	return s;
}

static natsStatus
set_tls(natsOptions *o, const struct peer_target *t, struct arena *a)
{
	natsStatus s = lib.natsOptions_SetSecure(o, true);
	if (s == NATS_OK && t->ca_pem.p)
		s = lib.natsOptions_SetCATrustedCertificates(o, str_z(a, t->ca_pem));
	if (s == NATS_OK && t->cert_pem.p)
		s = lib.natsOptions_SetCertificatesChain(o, str_z(a, t->cert_pem), str_z(a, t->key_pem));
	if (s == NATS_OK && t->insecure)
		s = lib.natsOptions_SkipServerVerification(o, true);
	return s;
}

static natsStatus
set_servers(natsOptions *o, str address, struct arena *a)
{
	const char *servers[16];
	int n = 0;
	while (address.n && n < (int)ARRAY_LEN(servers))
		servers[n++] = str_z(a, str_trim(str_cut(&address, ',')));
	return lib.natsOptions_SetServers(o, servers, n);
}

static natsStatus
configure(natsOptions *o, const struct peer_target *t, int *fd, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	natsStatus s = set_servers(o, t->address, a);
	if (s == NATS_OK)
		s = lib.natsOptions_SetName(o, "tidegate");
	if (s == NATS_OK)
		s = lib.natsOptions_SetAllowReconnect(o, false);
	if (s == NATS_OK)
		s = lib.natsOptions_SetTimeout(o, PEER_WAIT_MS / 3);
	if (s == NATS_OK)
		s = set_login(o, t, a, fd, e);
	if (s == NATS_OK && t->tls)
		s = set_tls(o, t, a);
	return s;
}

int
nats_connect(const struct peer_target *t, natsStatus (*more)(natsOptions *o, void *arg), void *arg, natsConnection **out, struct err *e)
{
	static bool loaded;
	int fd CLEANUP(close_fd) = -1;
	natsOptions *o = NULL;
	if (peer_load(&loaded, "libnats.so.3.4", "libnats3.4", functions, ARRAY_LEN(functions), e) < 0)
		return -1;
	natsStatus s = lib.natsOptions_Create(&o);
	if (s == NATS_OK)
		s = configure(o, t, &fd, e);
	if (s == NATS_OK && more)
		s = more(o, arg);
	if (s == NATS_OK)
		s = lib.natsConnection_Connect(out, o);
	lib.natsOptions_Destroy(o);
	if (s == NATS_OK)
		return 0;
	struct err why = *e;
	if (!e->code && nats_fail(s, "connecting", &why) < 0)
		err_set(e, why.code, "%s%s", why.msg, s == NATS_SSL_ERROR || why.code != ERR_UNAVAILABLE ? "" : peer_tls_hint(t));
	return -1;
}
