/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The object as a file of a git repository, read by the git program in a process of its own (core/child.h). One commit is fetched
 * into an empty repository, without what other files contain where the server can leave that out, and the one file is printed. The folder, and
 * with it a key, goes when that is done; what a killed daemon left goes with the start of the next.
 */
#include <stdlib.h>

#include "core/child.h"
#include "core/files.h"
#include "core/net/http_path.h"
#include "triggers/call.h"
#include "triggers/fetch.h"

enum { TIMEOUT_MS = 5 * 60 * 1000, ENV_MAX = 32 };

/*
 * Arguments: folder, url, ref, path, url of the remote or "". What the remote has goes before what url has. A file may have 2 GiB, which
 * bounds what a server can make us store.
 */
static const char script[] =
	"umask 077; ulimit -f 4194304; mkdir -p \"$1\" && cd \"$1\" || exit 1\n"
	"[ -z \"$TIDEGATE_KEY\" ] || printf '%s\\n' \"$TIDEGATE_KEY\" >key || exit 1\n"
	"unset TIDEGATE_KEY\n"
	"git init -q --bare --template= repo && cd repo || exit 1\n"
	"from=$2\n"
	"if [ -n \"$5\" ]; then\n"
	"	git ls-remote -q --exit-code \"$5\" \"$3\" >/dev/null\n"
	"	case $? in 0) from=$5 ;; 2) ;; *) exit 1 ;; esac\n"
	"fi\n"
	"git config remote.it.url \"$from\" || exit 1\n"
	"git fetch -q --depth=1 --no-tags --no-recurse-submodules --filter=blob:none it \"+$3:refs/tidegate/it\" || exit 1\n"
	"entry=$(git ls-tree --full-tree refs/tidegate/it -- \"$4\") || exit 1\n"
	"case $entry in\n"
	"'') echo \"there is no file $4\" >&2; exit 3 ;;\n"
	"100*) ;;\n"
	"120000*) echo \"\\\"$4\\\" is a symbol link which is not allowed\" >&2; exit 3 ;;\n"
	"*) echo \"$4 is no file\" >&2; exit 3 ;;\n"
	"esac\n"
	"exec git cat-file blob \"refs/tidegate/it:$4\"\n";

/* Where a repository is, and who may read it there: empty for everybody. */
struct git_place {
	str url, user, password;
};

struct git_reading {
	const char *folder;
	struct git_place it, remote; /* without a remote its url is empty */
	const char *env[ENV_MAX];
	size_t env_n;
	str name;
};

/* ---- errors ------------------------------------------------------------------------------------------------------------- */

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
complaint(struct arena *a, str text)
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

static void
failed(struct fetch *x, const struct child_end *end, struct err *e)
{
	const struct git_reading *r = x->own;
	enum err_code code = end->status == 3 ? ERR_NOT_FOUND : end->status == 127 ? ERR_UNSUPPORTED : ERR_UNAVAILABLE;
	str text = end->err;
	for (size_t i = 0; i < ARRAY_LEN(lasting) && code == ERR_UNAVAILABLE; i++) {
		size_t at = str_find(end->err, str_c(lasting[i].text), 0);
		if (at == SIZE_MAX)
			continue;
		code = lasting[i].code;
		text = line_at(end->err, at);
	}
	str why = complaint(firing_arena(x->firing), text);
	err_set(e, code, "%.*s: git: %.*s", STR_ARG(r->name), STR_ARG(why.n ? why : S("it failed without a word")));
}

/* ---- the end ------------------------------------------------------------------------------------------------------------ */

static void
remove_folder(void *arg)
{
	files_remove(arg);
}

static void
folder_is_gone(void *arg)
{
	free(arg);
}

static void
clean_up(struct fetch *x)
{
	const struct git_reading *r = x->own;
	if (firing_is_over(x->firing))
		files_remove(r->folder); /* the daemon ends: nobody waits for it */
	else
		loop_work(firing_env(x->firing)->loop, remove_folder, folder_is_gone, mem_text(str_c(r->folder)));
}

static void
ended(void *arg, const struct child_end *end, const struct err *failure)
{
	struct fetch *x = arg;
	const struct git_reading *r = x->own;
	struct err e = { 0 };
	if (failure)
		err_set(&e, failure->code, "%.*s: git: %s", STR_ARG(r->name), failure->msg);
	else if (end->status)
		failed(x, end, &e);
	clean_up(x);
	fetch_done(x, e.code ? STR_NONE : end->out, r->name, e.code ? &e : NULL);
}

/* ---- the environment ---------------------------------------------------------------------------------------------------- */

static void
put(struct fetch *x, const char *name, str value)
{
	struct git_reading *r = x->own;
	assert(r->env_n < ENV_MAX - 1);
	r->env[r->env_n++] = arena_fmt(firing_arena(x->firing), "%s=%.*s", name, STR_ARG(value)).p;
}

static void
put_ours(struct fetch *x, const char *name)
{
	if (getenv(name))
		put(x, name, str_c(getenv(name)));
}

/* Of ours it gets what leads to programs, certificates and proxies. The configuration of the machine counts, that of a user does not. */
static void
put_base(struct fetch *x)
{
	static const char *const ours[] = { "PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "http_proxy", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY" };
	const struct git_reading *r = x->own;
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		put_ours(x, ours[i]);
	put(x, "HOME", str_c(r->folder));
	put(x, "LC_ALL", S("C"));
	put(x, "GIT_TERMINAL_PROMPT", S("0"));
	put(x, "GIT_ALLOW_PROTOCOL", S("file:git:http:https:ssh"));
	/* A connection that brings less than 1 KB/s for a minute is none. */
	put(x, "GIT_HTTP_LOW_SPEED_LIMIT", S("1000"));
	put(x, "GIT_HTTP_LOW_SPEED_TIME", S("60"));
}

/* Scheme, host and port; absent if it is not http. */
static str
origin_of(str url)
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

/*
 * Takes user and password out of the URL, since everybody may read the command lines of processes. In one of ssh the user stays; git knows
 * no password there.
 */
static struct git_place
place_of(struct arena *a, str url)
{
	struct git_place p = { .url = url };
	size_t scheme = str_find(url, S("://"), 0), host = scheme + 3, at = SIZE_MAX;
	str rest = scheme == SIZE_MAX ? STR_NONE : str_slice(url, host, url.n), authority = str_cut(&rest, '/');
	for (size_t i = 0; i < authority.n; i++)
		at = authority.p[i] == '@' ? i : at;
	if (at == SIZE_MAX)
		return p;
	bool http = origin_of(url).n > 0;
	str password = str_slice(authority, 0, at), user = str_cut(&password, ':');
	p.url = arena_fmt(a, "%.*s%.*s%s%.*s", STR_ARG(str_slice(url, 0, host)), STR_ARG(http ? S("") : user), http ? "" : "@",
	                  STR_ARG(str_slice(url, host + at + 1, url.n)));
	if (http) {
		p.user = unescaped(a, user);
		p.password = unescaped(a, password);
	}
	return p;
}

static bool
has_line_break(str s)
{
	return str_find_char(s, '\n', 0) != SIZE_MAX;
}

/* A credential helper for the host and for no other: a redirect elsewhere does not get them. */
static int
put_place(struct fetch *x, const struct git_place *p, int n, struct err *e)
{
	struct arena *a = firing_arena(x->firing);
	if (has_line_break(p->user) || has_line_break(p->password))
		return err_set(e, ERR_INVALID, "source.git: a line break is not allowed in user name and password");
	put(x, arena_fmt(a, "GIT_CONFIG_KEY_%d", n).p, arena_fmt(a, "credential.%.*s.helper", STR_ARG(origin_of(p->url))));
	put(x, arena_fmt(a, "GIT_CONFIG_VALUE_%d", n).p,
	    arena_fmt(a, "!f() { printf 'username=%%s\\npassword=%%s\\n' \"$TIDEGATE_USER_%d\" \"$TIDEGATE_PASSWORD_%d\"; }; f", n, n));
	put(x, arena_fmt(a, "TIDEGATE_USER_%d", n).p, p->user);
	put(x, arena_fmt(a, "TIDEGATE_PASSWORD_%d", n).p, p->password);
	return 0;
}

/* The secrets of creds go before what the URLs say, as in Argo. */
static int
put_creds(struct fetch *x, const struct git_source *g, struct err *e)
{
	struct git_reading *r = x->own;
	struct git_place *const places[] = { &r->it, &r->remote };
	str user, password;
	int n = 0;
	if (g->creds && (call_secret(x->firing, g->creds->username, &user, e) < 0 || call_secret(x->firing, g->creds->password, &password, e) < 0))
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		struct git_place *p = places[i];
		bool http = origin_of(p->url).n > 0;
		if (g->creds && http) {
			p->user = user;
			p->password = password;
		}
		if (http && (p->user.n || p->password.n) && put_place(x, p, n++, e) < 0)
			return -1;
	}
	if (g->creds && !n)
		return err_set(e, ERR_INVALID, "source.git.creds are for http and https; for %.*s give an sshKeySecret",
		               STR_ARG(http_url_public(firing_arena(x->firing), g->url)));
	if (n)
		put(x, "GIT_CONFIG_COUNT", arena_fmt(firing_arena(x->firing), "%d", n));
	return 0;
}

/* Whether the URL names a user; without one it is git, as in Argo. */
static bool
has_user(str url)
{
	size_t host = str_find(url, S("://"), 0);
	host = host == SIZE_MAX ? 0 : host + 3;
	return str_find_char(str_slice(url, 0, str_find_char(url, host ? '/' : ':', host)), '@', host) != SIZE_MAX;
}

static const char *
host_key_options(const struct git_source *g)
{
	if (g->ignore_host_key)
		return "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR";
	return getenv("SSH_KNOWN_HOSTS") ? "-o StrictHostKeyChecking=yes -o UserKnownHostsFile=\"$SSH_KNOWN_HOSTS\"" : "-o StrictHostKeyChecking=yes";
}

static int
put_ssh(struct fetch *x, const struct git_source *g, struct err *e)
{
	bool with_key = g->ssh_key && !g->creds;
	str key;
	if (with_key && call_secret(x->firing, g->ssh_key, &key, e) < 0)
		return -1;
	if (with_key)
		put(x, "TIDEGATE_KEY", key);
	put_ours(x, "SSH_KNOWN_HOSTS");
	put(x, "GIT_SSH_VARIANT", S("ssh"));
	put(x, "GIT_SSH_COMMAND", arena_fmt(firing_arena(x->firing), "ssh -F none -o BatchMode=yes -o ConnectTimeout=30%s%s %s",
	                                    with_key ? " -o IdentitiesOnly=yes -i \"$HOME\"/key" : "", has_user(g->url) ? "" : " -o User=git",
	                                    host_key_options(g)));
	return 0;
}

/* ---- the start ---------------------------------------------------------------------------------------------------------- */

static int
prepare(struct fetch *x, struct err *e)
{
	struct git_reading *r = x->own;
	const struct git_source *g = x->from.git;
	const struct trigger_env *env = firing_env(x->firing);
	if (g->github_app)
		return err_set(e, ERR_UNSUPPORTED, "source.git.githubApp is not served yet: give a token as the password of creds");
	if (!g->url.n || !g->file_path.n)
		return err_set(e, ERR_INVALID, "source.git: url and filePath must be given");
	if (!env->children)
		return err_set(e, ERR_UNSUPPORTED, "source.git: nothing is asked for over the network here");
	r->name = arena_fmt(firing_arena(x->firing), "%.*s:%.*s", STR_ARG(http_url_public(firing_arena(x->firing), g->url)), STR_ARG(g->file_path));
	r->it = place_of(firing_arena(x->firing), g->url);
	r->remote = place_of(firing_arena(x->firing), g->remote && g->remote->urls.n ? g->remote->urls.p[0] : S(""));
	r->folder = arena_fmt(firing_arena(x->firing), "%.*s/git-%.*s", STR_ARG(env->folder), STR_ARG(firing_id(x->firing))).p;
	put_base(x);
	return put_creds(x, g, e) < 0 ? -1 : put_ssh(x, g, e);
}

static str
full_ref(struct arena *a, const struct git_source *g)
{
	if (g->ref.n)
		return g->ref;
	return g->tag.n ? arena_fmt(a, "refs/tags/%.*s", STR_ARG(g->tag)) : arena_fmt(a, "refs/heads/%.*s", STR_ARG(g->branch));
}

/* As git names it: without a slash in front, and none twice. */
static str
path_in_tree(struct arena *a, str path)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (str rest = path; rest.n;) {
		str part = str_cut(&rest, '/');
		if (part.n && !str_eq(part, S(".")))
			buf_addf(&b, "%s%.*s", b.n ? "/" : "", STR_ARG(part));
	}
	return arena_dup(a, buf_str(&b));
}

void
fetch_git(struct fetch *x)
{
	struct arena *a = firing_arena(x->firing);
	struct git_reading *r = ARENA_NEW(a, struct git_reading);
	const struct trigger_env *env = firing_env(x->firing);
	struct err e = { 0 };
	*r = (struct git_reading){ 0 };
	x->own = r;
	if (prepare(x, &e) < 0) {
		fetch_failed(x, &e);
		return;
	}
	const struct git_source *g = x->from.git;
	const char *const argv[] = { "sh", "-c", script, "sh", r->folder, str_z(a, r->it.url), str_z(a, full_ref(a, g)),
		                     str_z(a, path_in_tree(a, g->file_path)), str_z(a, r->remote.url), NULL };
	const struct child_spec spec = { .argv = argv, .env = r->env, .out_max = RESOURCE_MAX, .timeout_ms = TIMEOUT_MS };
	child_run(env->children(env->arg), &spec, ended, x);
}
