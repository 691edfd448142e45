/* SPDX-License-Identifier: Apache-2.0 */
/* cluster_config: a kubeconfig, or the files of a pod, as a cluster to be asked. */
#include "core/net/cluster.h"

#include <stdlib.h>

#include "core/base64.h"
#include "core/diag.h"
#include "core/files.h"
#include "core/log.h"

#define FILE_MAX_ ((size_t)1 << 20)

struct reading {
	struct arena *arena;
	str folder;
	struct cluster *out;
	struct err *e;
};

static int
read_file(struct reading *r, str path, str *out)
{
	str full = path.n && path.p[0] != '/' && r->folder.n ? arena_fmt(r->arena, "%.*s/%.*s", STR_ARG(r->folder), STR_ARG(path)) : path;
	return files_read(str_z(r->arena, full), FILE_MAX_, r->arena, out, r->e);
}

/* A file's content: in the member "<name>-data" as base64, or in the file that the member names; absent if there is neither. */
static int
content(struct reading *r, const struct val *in, const char *name, str *out)
{
	str data = val_get_str(in, arena_fmt(r->arena, "%s-data", name).p), file = val_get_str(in, name);
	struct err ours;
	if (data.n && base64_decode(r->arena, data, out, &ours) < 0)
		return err_set(r->e, ERR_INVALID, "%s-data is not base64", name);
	if (data.n || !file.n)
		return 0;
	return read_file(r, file, out) < 0 ? err_wrap(r->e, "%s", name) : 0;
}

/* `member` of the entry of that name in a list of {name, member}; NULL: there is none. */
static const struct val *
named(const struct val *doc, const char *list, str name, const char *member)
{
	return val_get(val_named(val_get(doc, str_c(list)), name), str_c(member));
}

static int
refuse(const struct val *in, const char *const *names, size_t n, const char *instead, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		const struct val *v = val_get(in, str_c(names[i]));
		if (v && v->kind != VAL_NULL && !(v->kind == VAL_STR && !v->n))
			return err_set(e, ERR_UNSUPPORTED, "%s is not served: %s", names[i], instead);
	}
	return 0;
}

/* ---- the server ------------------------------------------------------------------------------------------------------- */

/* The certificate has another name than the host: the URL gets that name, and the connection goes to the host. */
static int
name_server(struct reading *r, str name)
{
	struct cluster *c = r->out;
	str rest = str_slice(c->url, 8, c->url.n);
	size_t slash = str_find_char(rest, '/', 0);
	str host = str_slice(rest, 0, slash), path = slash == SIZE_MAX ? S("") : str_slice(rest, slash, rest.n), port = S("443");
	size_t colon = str_find_char(host, ':', str_starts(host, S("[")) ? str_find_char(host, ']', 0) : 0);
	if (colon != SIZE_MAX) {
		port = str_slice(host, colon + 1, host.n);
		host = str_slice(host, 0, colon);
	}
	if (str_find_char(name, '/', 0) != SIZE_MAX || str_find_char(name, ':', 0) != SIZE_MAX || str_find_char(name, '@', 0) != SIZE_MAX)
		return err_set(r->e, ERR_INVALID, "tls-server-name is not the name of a host");
	c->connect_to = arena_fmt(r->arena, "%.*s:%.*s", STR_ARG(host), STR_ARG(port));
	c->url = arena_fmt(r->arena, "https://%.*s:%.*s%.*s", STR_ARG(name), STR_ARG(port), STR_ARG(path));
	return 0;
}

static int
read_server(struct reading *r, const struct val *in)
{
	static const char *const others[] = { "proxy-url" };
	struct cluster *c = r->out;
	str name = val_get_str(in, "tls-server-name");
	c->url = val_get_str(in, "server");
	if (str_ends(c->url, S("/")))
		c->url.n--;
	if (!str_starts(c->url, S("https://")) && !str_starts(c->url, S("http://")))
		return err_set(r->e, ERR_INVALID, "server must be a URL that begins with https://");
	if (refuse(in, others, ARRAY_LEN(others), "name the proxy in HTTPS_PROXY of the daemon's environment", r->e) < 0 ||
	    content(r, in, "certificate-authority", &c->ca_pem) < 0)
		return -1;
	c->insecure = val_is_true(val_get(in, S("insecure-skip-tls-verify")));
	if (c->insecure && c->ca_pem.n)
		return err_set(r->e, ERR_INVALID, "insecure-skip-tls-verify and a certificate-authority exclude each other");
	return name.n && str_starts(c->url, S("https://")) ? name_server(r, name) : 0;
}

/* ---- who asks --------------------------------------------------------------------------------------------------------- */

static void
take_token(struct reading *r, str token)
{
	r->out->token = str_trim(token);
	log_mask(r->out->token);
}

static int
read_user(struct reading *r, const struct val *in)
{
	static const char *const programs[] = { "exec", "auth-provider" };
	static const char *const others[] = { "as", "as-uid", "as-groups", "as-user-extra" };
	struct cluster *c = r->out;
	str file = val_get_str(in, "tokenFile"), token = val_get_str(in, "token");
	if (refuse(in, programs, ARRAY_LEN(programs), "give a token, a tokenFile, or a client certificate", r->e) < 0 ||
	    refuse(in, others, ARRAY_LEN(others), "log in as that user", r->e) < 0)
		return -1;
	if (content(r, in, "client-certificate", &c->cert_pem) < 0 || content(r, in, "client-key", &c->key_pem) < 0)
		return -1;
	if (file.n && read_file(r, file, &token) < 0)
		return err_wrap(r->e, "tokenFile");
	take_token(r, token.n ? token : S(""));
	c->user = val_get_str(in, "username");
	c->password = val_get_str(in, "password");
	log_mask(c->password);
	return 0;
}

/* ---- a kubeconfig ----------------------------------------------------------------------------------------------------- */

static int
read_document(struct reading *r, const struct val *doc, str context)
{
	str name = context.n ? context : val_get_str(doc, "current-context");
	const struct val *of = named(doc, "contexts", name, "context");
	if (!of)
		return err_set(r->e, ERR_NOT_FOUND, "there is no context \"%.*s\"", STR_ARG(str_slice(name, 0, 100)));
	str cluster = val_get_str(of, "cluster"), user = val_get_str(of, "user");
	const struct val *server = named(doc, "clusters", cluster, "cluster"), *login = named(doc, "users", user, "user");
	if (!server)
		return err_set(r->e, ERR_NOT_FOUND, "there is no cluster \"%.*s\"", STR_ARG(str_slice(cluster, 0, 100)));
	if (user.n && !login)
		return err_set(r->e, ERR_NOT_FOUND, "there is no user \"%.*s\"", STR_ARG(str_slice(user, 0, 100)));
	if (read_server(r, server) < 0)
		return err_wrap(r->e, "cluster \"%.*s\"", STR_ARG(str_slice(cluster, 0, 100)));
	if (!str_starts(r->out->url, S("https://"))) /* as kubectl has it: nobody logs in where everybody could listen */
		return 0;
	return login && read_user(r, login) < 0 ? err_wrap(r->e, "user \"%.*s\"", STR_ARG(str_slice(user, 0, 100))) : 0;
}

int
cluster_read_kubeconfig(str text, str folder, str context, struct arena *a, struct cluster *out, struct err *e)
{
	struct reading r = { a, folder, out, e };
	struct val *docs;
	size_t n = 0;
	struct diags d;
	*out = (struct cluster){ 0 };
	diags_init(&d);
	int rc = yaml_read_all(a, S("kubeconfig"), text, NULL, &docs, &n, &d);
	if (rc < 0 || !n)
		rc = d.v.n ? err_set(e, ERR_INVALID, "%u:%u: %.*s", d.v.p[0].line, d.v.p[0].col, STR_ARG(d.v.p[0].text)) : err_set(e, ERR_INVALID, "it is empty");
	else
		rc = read_document(&r, &docs[0], context);
	diags_free(&d);
	return rc;
}

static int
read_kubeconfig(const struct cluster_place *p, struct arena *a, struct cluster *out, struct err *e)
{
	const char *env = getenv("KUBECONFIG");
	str path = p->kubeconfig.n ? p->kubeconfig : str_c(env ? env : ""), text;
	if (!path.n)
		return err_set(e, ERR_INVALID, "kubernetes.kubeconfig of the settings names no file, and KUBECONFIG is not set");
	if (!p->kubeconfig.n && str_find_char(path, ':', 0) != SIZE_MAX)
		return err_set(e, ERR_UNSUPPORTED, "KUBECONFIG names several files: name one in kubernetes.kubeconfig of the settings");
	size_t slash = SIZE_MAX;
	for (size_t i = 0; i < path.n; i++)
		slash = path.p[i] == '/' ? i : slash;
	if (files_read(str_z(a, path), FILE_MAX_, a, &text, e) < 0)
		return -1;
	if (cluster_read_kubeconfig(text, slash == SIZE_MAX ? S(".") : str_slice(path, 0, slash + 1), p->context, a, out, e) < 0)
		return err_wrap(e, "%.*s", STR_ARG(path));
	return 0;
}

/* ---- in a pod --------------------------------------------------------------------------------------------------------- */

static int
read_pod(const struct cluster_place *p, struct arena *a, struct cluster *out, struct err *e)
{
	struct reading r = { a, p->service_account, out, e };
	const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
	str token;
	*out = (struct cluster){ 0 };
	if (!host || !*host || !port || !*port)
		return err_set(e, ERR_INVALID, "kubernetes.access is inCluster, but KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: this is no pod");
	out->url = arena_fmt(a, strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s", host, port);
	if (read_file(&r, S("token"), &token) < 0 || read_file(&r, S("ca.crt"), &out->ca_pem) < 0)
		return -1;
	take_token(&r, token);
	return 0;
}

int
cluster_read(const struct cluster_place *p, struct arena *a, struct cluster *out, struct err *e)
{
	switch (p ? p->access : CLUSTER_NONE) {
	case CLUSTER_KUBECONFIG:
		return read_kubeconfig(p, a, out, e);
	case CLUSTER_IN_CLUSTER:
		return read_pod(p, a, out, e);
	default:
		return err_set(e, ERR_UNSUPPORTED, "there is no cluster: write `kubernetes: {access: kubeconfig, kubeconfig: FILE}` into the settings "
		                                   "(--config), or `kubernetes: {access: inCluster}` in a pod");
	}
}
