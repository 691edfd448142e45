/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/git.h"

#include <stdlib.h>

#include "core/net/http_path.h"
#include "core/net/httpc.h"

/* ---- URLs and refs ------------------------------------------------------------------------------------------------- */

str
git_url_origin(str url)
{
	if (!str_starts(url, S("http://")) && !str_starts(url, S("https://")))
		return STR_NONE;
	size_t host = str_find(url, S("://"), 0) + 3;
	return str_slice(url, 0, str_find_char(url, '/', host));
}

/* As it is written where a '%' means nothing. */
static str
unescaped(struct arena *a, str s)
{
	str out = http_unescape(a, s, false);
	return out.p ? out : s;
}

struct git_url
git_url_split(struct arena *a, str url)
{
	struct git_url u = { .url = url };
	size_t scheme = str_find(url, S("://"), 0), host = scheme + 3, at = SIZE_MAX;
	str rest = scheme == SIZE_MAX ? STR_NONE : str_slice(url, host, url.n), authority = str_cut(&rest, '/');
	for (size_t i = 0; i < authority.n; i++)
		at = authority.p[i] == '@' ? i : at;
	if (at == SIZE_MAX)
		return u;
	bool http = git_url_origin(url).n > 0;
	str password = str_slice(authority, 0, at), user = str_cut(&password, ':');
	u.url = arena_fmt(a, "%.*s%.*s%s%.*s", STR_ARG(str_slice(url, 0, host)), STR_ARG(http ? S("") : user), http ? "" : "@",
	                  STR_ARG(str_slice(url, host + at + 1, url.n)));
	if (http) {
		u.user = unescaped(a, user);
		u.password = unescaped(a, password);
	}
	return u;
}

/* Without a scheme: whether it is user@host:path or host:path rather than a path. */
static bool
is_scp(str url)
{
	size_t colon = str_find_char(url, ':', 0), slash = str_find_char(url, '/', 0);
	return colon < url.n && colon > 0 && colon < slash;
}

bool
git_url_is_good(str url, bool files)
{
	static const char *const schemes[] = { "https://", "http://", "ssh://", "git://", "file://" };
	bool good = str_find(url, S("://"), 0) == SIZE_MAX && (files || is_scp(url));
	for (size_t i = 0; i < ARRAY_LEN(schemes) - !files && !good; i++)
		good = str_starts(url, str_c(schemes[i]));
	for (size_t i = 0; i < url.n && good; i++)
		good = (unsigned char)url.p[i] >= ' ';
	return good && !str_starts(url, S("-")) && str_find(url, S("::"), 0) == SIZE_MAX;
}

bool
git_ref_is_good(str ref)
{
	static const char wrong[] = " :+^~*?[\\\n\t";
	bool good = !str_starts(ref, S("-")) && !memchr(ref.p ? ref.p : "", 0, ref.n);
	for (const char *p = wrong; *p && good; p++)
		good = str_find_char(ref, *p, 0) == SIZE_MAX;
	return good;
}

/* Whether the URL names a user. */
static bool
has_user(str url)
{
	size_t host = str_find(url, S("://"), 0);
	host = host == SIZE_MAX ? 0 : host + 3;
	return str_find_char(str_slice(url, 0, str_find_char(url, host ? '/' : ':', host)), '@', host) != SIZE_MAX;
}

/* ---- the environment ----------------------------------------------------------------------------------------------- */

void
git_env_put(struct git_env *g, const char *name, str value)
{
	assert(g->n < GIT_ENV_MAX - 1);
	g->list[g->n++] = arena_fmt(g->arena, "%s=%.*s", name, STR_ARG(value)).p;
}

static void
put_ours(struct git_env *g, const char *name)
{
	if (getenv(name))
		git_env_put(g, name, str_c(getenv(name)));
}

void
git_env_begin(struct git_env *g, struct arena *a, str home, const char *protocols)
{
	static const char *const ours[] = { "PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "http_proxy", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY" };
	*g = (struct git_env){ .arena = a };
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		put_ours(g, ours[i]);
	git_env_put(g, "HOME", home);
	git_env_put(g, "LC_ALL", S("C"));
	git_env_put(g, "GIT_TERMINAL_PROMPT", S("0"));
	git_env_put(g, "GIT_ALLOW_PROTOCOL", str_c(protocols));
	/* A connection that brings less than 1 KB/s for a minute is none. */
	git_env_put(g, "GIT_HTTP_LOW_SPEED_LIMIT", S("1000"));
	git_env_put(g, "GIT_HTTP_LOW_SPEED_TIME", S("60"));
}

void
git_env_config(struct git_env *g, str key, str value)
{
	char name[40];
	snprintf(name, sizeof name, "GIT_CONFIG_KEY_%zu", g->configs);
	git_env_put(g, name, key);
	snprintf(name, sizeof name, "GIT_CONFIG_VALUE_%zu", g->configs++);
	git_env_put(g, name, value);
}

static bool
has_line_break(str s)
{
	return str_find_char(s, '\n', 0) != SIZE_MAX;
}

int
git_env_login(struct git_env *g, const struct git_url *u, struct err *e)
{
	char name[40];
	size_t i = g->logins++;
	if (has_line_break(u->user) || has_line_break(u->password))
		return err_set(e, ERR_INVALID, "a line break is not allowed in user name and password");
	git_env_config(g, arena_fmt(g->arena, "credential.%.*s.helper", STR_ARG(git_url_origin(u->url))),
	               arena_fmt(g->arena, "!f() { printf 'username=%%s\\npassword=%%s\\n' \"$TIDEGATE_USER_%zu\" \"$TIDEGATE_PASSWORD_%zu\"; }; f", i, i));
	snprintf(name, sizeof name, "TIDEGATE_USER_%zu", i);
	git_env_put(g, name, u->user);
	snprintf(name, sizeof name, "TIDEGATE_PASSWORD_%zu", i);
	git_env_put(g, name, u->password);
	return 0;
}

static const char *
host_key_options(bool ignore)
{
	if (ignore)
		return "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR";
	return getenv("SSH_KNOWN_HOSTS") ? "-o StrictHostKeyChecking=yes -o UserKnownHostsFile=\"$SSH_KNOWN_HOSTS\"" : "-o StrictHostKeyChecking=yes";
}

void
git_env_ssh(struct git_env *g, str url, bool key, bool ignore_host_key)
{
	put_ours(g, "SSH_KNOWN_HOSTS");
	git_env_put(g, "GIT_SSH_VARIANT", S("ssh"));
	git_env_put(g, "GIT_SSH_COMMAND", arena_fmt(g->arena, "ssh -F none -o BatchMode=yes -o ConnectTimeout=30 -o ServerAliveInterval=30%s%s %s",
	                                            key ? " -o IdentitiesOnly=yes -i \"$HOME\"/key" : "", has_user(url) ? "" : " -o User=git",
	                                            host_key_options(ignore_host_key)));
}

const char *const *
git_env_end(struct git_env *g)
{
	if (g->configs)
		git_env_put(g, "GIT_CONFIG_COUNT", arena_fmt(g->arena, "%zu", g->configs));
	g->list[g->n] = NULL;
	return g->list;
}

/* ---- complaints ---------------------------------------------------------------------------------------------------- */

/* What git says where it will not help to ask again. Everything else is taken for an outage. */
static const struct {
	const char *text;
	enum err_code code;
} lasting[] = {
	{ "ouldn't find remote ref", ERR_NOT_FOUND },
	{ "not our ref", ERR_NOT_FOUND },
	{ "epository not found", ERR_NOT_FOUND },
	{ "not appear to be a git repository", ERR_NOT_FOUND },
	{ "not found", ERR_NOT_FOUND },
	{ "Authentication failed", ERR_UNAUTHENTICATED },
	{ "could not read Username", ERR_UNAUTHENTICATED },
	{ "Permission denied", ERR_UNAUTHENTICATED },
	{ "Host key verification failed", ERR_UNAUTHENTICATED },
	{ "invalid format", ERR_UNAUTHENTICATED },
	{ "certificate", ERR_UNAUTHENTICATED },
	{ "error: 403", ERR_DENIED },
	{ "dubious ownership", ERR_DENIED },
	{ "not allowed", ERR_INVALID },
};

/* What went wrong, without what is only worth knowing. */
static str
without_advice(struct arena *a, str text)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	while (text.n) {
		str line = str_cut(&text, '\n');
		if (!str_starts(line, S("warning: ")) && !str_starts(line, S("hint: ")))
			buf_addf(&b, "%.*s\n", STR_ARG(line));
	}
	return http_excerpt(a, buf_str(&b));
}

static str
line_at(str text, size_t at)
{
	size_t from = at;
	while (from && text.p[from - 1] != '\n')
		from--;
	return str_slice(text, from, str_find_char(text, '\n', at));
}

enum err_code
git_complaint(struct arena *a, str written, str *why)
{
	enum err_code code = ERR_UNAVAILABLE;
	str text = written;
	for (size_t i = 0; i < ARRAY_LEN(lasting) && code == ERR_UNAVAILABLE; i++) {
		size_t at = str_find(written, str_c(lasting[i].text), 0);
		if (at == SIZE_MAX)
			continue;
		code = lasting[i].code;
		text = line_at(written, at);
	}
	*why = without_advice(a, text);
	if (!why->n)
		*why = S("it failed without a word");
	return code;
}
