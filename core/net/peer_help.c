/* SPDX-License-Identifier: Apache-2.0 */
/* What the protocols of peer.h share: opening their library, PEM as a file, and the parts of an address. */
#include <dlfcn.h>
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/net/peer.h"

str
peer_option(const struct peer_target *t, const char *name)
{
	for (size_t i = 0; i < t->options_n; i++)
		if (str_eq(t->options[i].name, str_c(name)))
			return t->options[i].value;
	return STR_NONE;
}

static int
find_functions(void *lib, const char *library, const struct peer_function *functions, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		*functions[i].at = dlsym(lib, functions[i].name);
		if (!*functions[i].at)
			return err_set(e, ERR_UNSUPPORTED, "%s is too old: it has no %s", library, functions[i].name);
	}
	return 0;
}

int
peer_load(bool *loaded, const char *library, const char *package, const struct peer_function *functions, size_t n, struct err *e)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	int rc = 0;
	pthread_mutex_lock(&lock);
	if (!*loaded) {
		void *lib = dlopen(library, RTLD_NOW | RTLD_LOCAL); /* stays until the process ends */
		rc = lib ? find_functions(lib, library, functions, n, e) :
		           err_set(e, ERR_UNSUPPORTED, "%s cannot be loaded (%s): install %s", library, dlerror(), package);
		*loaded = rc == 0;
	}
	pthread_mutex_unlock(&lock);
	return rc;
}

int
peer_file(str text, int *fd, char path[32], struct err *e)
{
	*fd = -1;
	if (!text.p)
		return 0;
	*fd = memfd_create("peer", MFD_CLOEXEC);
	if (*fd < 0)
		return err_errno(e, "a file in memory");
	for (size_t done = 0; done < text.n;) {
		ssize_t n = write(*fd, text.p + done, text.n - done);
		if (n < 0)
			return err_errno(e, "a file in memory");
		done += (size_t)n;
	}
	snprintf(path, 32, "/proc/self/fd/%d", *fd);
	return 0;
}

const char *
peer_tls_hint(const struct peer_target *t)
{
	return t->tls && !t->cert_pem.p ? " (the server may want a certificate of the client)" : "";
}

/* "host:port" or "[::1]:port". */
static int
split_host(str s, struct peer_url *out, struct err *e)
{
	int64_t port;
	str rest = s;
	if (str_starts(s, S("["))) {
		size_t end = str_find_char(s, ']', 0);
		if (end == SIZE_MAX)
			return err_set(e, ERR_INVALID, "address %.*s: the ] is missing", STR_ARG(s));
		out->host = str_slice(s, 1, end);
		rest = str_slice(s, end + 1, s.n);
	} else {
		size_t colon = str_find_char(s, ':', 0);
		out->host = str_slice(s, 0, colon);
		rest = str_slice(s, colon, s.n);
	}
	if (!out->host.n)
		return err_set(e, ERR_INVALID, "address %.*s: a host is needed", STR_ARG(s));
	if (!rest.n)
		return 0;
	if (rest.p[0] != ':' || !str_to_i64(str_slice(rest, 1, rest.n), &port) || port < 1 || port > 65535)
		return err_set(e, ERR_INVALID, "address %.*s: host:port is needed, the port from 1 to 65535", STR_ARG(s));
	out->port = (int)port;
	return 0;
}

int
peer_url_parse(str url, int port, struct peer_url *out, struct err *e)
{
	*out = (struct peer_url){ .port = port };
	size_t scheme = str_find(url, S("://"), 0);
	if (scheme != SIZE_MAX) {
		out->scheme = str_slice(url, 0, scheme);
		url = str_slice(url, scheme + 3, url.n);
	}
	size_t slash = str_find_char(url, '/', 0);
	if (slash != SIZE_MAX)
		out->path = str_slice(url, slash + 1, url.n);
	str authority = str_slice(url, 0, slash);
	size_t at = SIZE_MAX;
	for (size_t i = 0; i < authority.n; i++)
		if (authority.p[i] == '@')
			at = i;
	if (at != SIZE_MAX) {
		str login = str_slice(authority, 0, at);
		size_t colon = str_find_char(login, ':', 0);
		out->user = str_slice(login, 0, colon);
		if (colon != SIZE_MAX)
			out->password = str_slice(login, colon + 1, login.n);
		authority = str_slice(authority, at + 1, authority.n);
	}
	return split_host(authority, out, e);
}
