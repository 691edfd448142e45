/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The git driver: a repository becomes a folder, by the git program. Fields are those of Argo's GitArtifact. A clone without its files comes first; what the
 * commit would become is counted; then the files, and the submodules, one by one by the same way. No hook, template, filter or configuration of
 * others has a say, files of Git LFS stay the pointers that they are, and what comes of it has no password in it. A repository on this machine is
 * not read: steps see nothing of the host.
 */
#include "engine/artifact/git.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/files.h"
#include "core/net/httpc.h"

#define ANSWER_MAX (4u << 20)
#define ARGS_MAX (GIT_SUBMODULES_MAX + 16)

struct args {
	struct git *git;
	const char *v[ARGS_MAX];
	size_t n;
};

static void
add(struct args *x, const char *text)
{
	assert(x->n < ARGS_MAX - 1);
	x->v[x->n++] = text;
	x->v[x->n] = NULL;
}

static void
add_str(struct args *x, str text)
{
	add(x, str_z(x->git->site->arena, text));
}

static struct args
args_of(struct git *g, const char *command)
{
	struct args x = { .git = g };
	add(&x, "git");
	add(&x, command);
	return x;
}

/* ---- the place ----------------------------------------------------------------------------------------------------- */

static bool
is_true(const struct git *g, const char *field)
{
	return val_is_true(val_get(g->place, str_c(field)));
}

static str
text_of(const struct git *g, const char *field)
{
	str s = val_get_str(g->place, field);
	return s.p ? s : S("");
}

static int
check(const struct git *g, str repo, struct err *e)
{
	if (!git_url_is_good(repo, false))
		return err_set(e, ERR_INVALID, "git: repo is \"%.*s\": it must begin with https://, http://, ssh:// or git://, or be user@host:path",
		               STR_ARG(str_slice(g->name, 0, 200)));
	if (is_true(g, "singleBranch") && !text_of(g, "branch").n)
		return err_set(e, ERR_INVALID, "git: singleBranch needs a branch");
	if (!git_ref_is_good(text_of(g, "branch")))
		return err_set(e, ERR_INVALID, "git: \"%.*s\" is no name of a branch", STR_ARG(str_slice(text_of(g, "branch"), 0, 80)));
	return 0;
}

static int
add_login(struct git *g, struct err *e)
{
	str user = text_of(g, "username"), password = text_of(g, "password"), origin = git_url_origin(g->url.url);
	if (text_of(g, "sshPrivateKey").n)
		user = password = S(""); /* the key goes first, as in Argo */
	if ((user.n || password.n) && !origin.n)
		return err_set(e, ERR_INVALID, "git: usernameSecret and passwordSecret are for http and https; for %.*s give an sshPrivateKeySecret",
		               STR_ARG(g->name));
	if (user.n || password.n) {
		g->url.user = user;
		g->url.password = password;
	}
	if (origin.n && is_true(g, "insecureSkipTLS"))
		git_env_config(&g->env, arena_fmt(g->site->arena, "http.%.*s.sslVerify", STR_ARG(origin)), S("false"));
	return g->url.user.n || g->url.password.n ? git_env_login(&g->env, &g->url, e) : 0;
}

static void
make_environment(struct git *g)
{
	git_env_begin(&g->env, g->site->arena, g->home, "git:http:https:ssh");
	git_env_put(&g->env, "GIT_CONFIG_NOSYSTEM", S("1"));
	git_env_put(&g->env, "GIT_CONFIG_GLOBAL", S("/dev/null"));
	git_env_put(&g->env, "GIT_ATTR_NOSYSTEM", S("1"));
	git_env_put(&g->env, "GIT_LITERAL_PATHSPECS", S("1"));
	git_env_config(&g->env, S("core.hooksPath"), S("/dev/null"));
	git_env_config(&g->env, S("core.fsmonitor"), S("false"));
	git_env_config(&g->env, S("gc.auto"), S("0"));
	git_env_config(&g->env, S("maintenance.auto"), S("false"));
	git_env_config(&g->env, S("init.defaultBranch"), S("master"));
	git_env_config(&g->env, S("advice.detachedHead"), S("false"));
}

static int
open_git(const struct val *place, const struct artifact_site *site, void **state, struct err *e)
{
	struct git *g = ARENA_NEW(site->arena, struct git);
	char path[4096], link[40];
	str repo = val_get_str(place, "repo");
	*g = (struct git){ .site = site, .place = place, .url = git_url_split(site->arena, repo), .root = -1 };
	g->name = http_url_public(site->arena, g->url.url);
	snprintf(link, sizeof link, "/proc/self/fd/%d", site->scratch);
	ssize_t n = readlink(link, path, sizeof path);
	if (n <= 0 || (size_t)n == sizeof path)
		return err_errno(e, "find the scratch folder");
	g->home = arena_fmt(site->arena, "%.*s/git", (int)n, path);
	if (check(g, repo, e) < 0)
		return -1;
	make_environment(g);
	git_env_ssh(&g->env, g->url.url, text_of(g, "sshPrivateKey").n > 0, is_true(g, "insecureIgnoreHostKey"));
	if (add_login(g, e) < 0)
		return -1;
	g->list = git_env_end(&g->env);
	*state = g;
	return 0;
}

static void
close_git(void *state)
{
	struct git *g = state;
	files_remove(g->home.p);
	VEC_FREE(&g->links);
}

/* ---- one repository ------------------------------------------------------------------------------------------------ */

static void
add_depth(struct args *x)
{
	int64_t depth = 0;
	if (val_to_i64(val_get(x->git->place, S("depth")), &depth) && depth > 0)
		add(x, arena_fmt(x->git->site->arena, "--depth=%lld", (long long)depth).p);
}

/* `main`: the one of the place, to which its settings apply. */
static int
clone_bare_files(struct git *g, int dir, str url, bool main, struct err *e)
{
	struct args x = args_of(g, "clone");
	static const char *const always[] = { "-q", "--no-checkout", "--template=", "--origin=origin", "--no-recurse-submodules" };
	for (size_t i = 0; i < ARRAY_LEN(always); i++)
		add(&x, always[i]);
	if (main)
		add_depth(&x);
	if (main && is_true(g, "singleBranch"))
		add(&x, arena_fmt(g->site->arena, "--branch=%.*s", STR_ARG(text_of(g, "branch"))).p);
	add(&x, main && is_true(g, "singleBranch") ? "--single-branch" : "--no-single-branch");
	add(&x, "--");
	add_str(&x, url);
	add(&x, ".");
	return git_run(g, dir, x.v, NULL, e);
}

/* Fetches refspecs; with one that names nothing to write to it is FETCH_HEAD. */
static int
fetch_specs(struct git *g, int dir, const str *specs, size_t n, bool main, struct err *e)
{
	struct args x = args_of(g, "fetch");
	add(&x, "-q");
	add(&x, "--no-recurse-submodules");
	add(&x, "--update-head-ok");
	if (main)
		add_depth(&x);
	add(&x, "--");
	add(&x, "origin");
	for (size_t i = 0; i < n; i++)
		add_str(&x, specs[i]);
	return git_run(g, dir, x.v, NULL, e);
}

static int
fetch_more(struct git *g, int dir, struct err *e)
{
	const struct val *list = val_get(g->place, S("fetch"));
	uint32_t n = val_is(list, VAL_LIST) ? list->n : 0;
	str *specs = ARENA_ARRAY(g->site->arena, str, n + 1);
	if (n > GIT_SUBMODULES_MAX)
		return err_set(e, ERR_LIMIT, "git: more than %u refspecs to fetch", GIT_SUBMODULES_MAX);
	for (uint32_t i = 0; i < n; i++) {
		specs[i] = val_is(&list->items[i], VAL_STR) ? val_text(&list->items[i]) : S("");
		if (!specs[i].n || *specs[i].p == '-' || memchr(specs[i].p, 0, specs[i].n))
			return err_set(e, ERR_INVALID, "git: \"%.*s\" is no refspec", STR_ARG(str_slice(specs[i], 0, 80)));
	}
	return n ? fetch_specs(g, dir, specs, n, true, e) : 0;
}

/* The commit that a revision means; absent: none. */
static int
look_up(struct git *g, int dir, const char *before, str revision, str *commit, struct err *e)
{
	bool ok;
	const char *what = arena_fmt(g->site->arena, "%s%.*s^{commit}", before, STR_ARG(revision)).p;
	const char *const argv[] = { "git", "rev-parse", "-q", "--verify", "--end-of-options", what, NULL };
	if (git_ask(g, dir, argv, 4096, &ok, commit, e) < 0)
		return -1;
	*commit = ok ? str_trim(*commit) : STR_NONE;
	return 0;
}

/* What there is, what the other side's branches are, or what the other side has by that name, beyond the depth or on no branch. */
static int
resolve(struct git *g, int dir, str revision, bool main, str *commit, struct err *e)
{
	if (*revision.p == '-' || memchr(revision.p, 0, revision.n))
		return err_set(e, ERR_INVALID, "git: \"%.*s\" is no revision", STR_ARG(str_slice(revision, 0, 80)));
	if (look_up(g, dir, "", revision, commit, e) < 0 || (!commit->p && look_up(g, dir, "origin/", revision, commit, e) < 0))
		return -1;
	if (commit->p)
		return 0;
	if (!git_ref_is_good(revision))
		return err_set(e, ERR_NOT_FOUND, "%.*s has no revision %.*s", STR_ARG(g->name), STR_ARG(str_slice(revision, 0, 200)));
	if (fetch_specs(g, dir, &revision, 1, main, e) < 0)
		return err_wrap(e, "revision %.*s", STR_ARG(str_slice(revision, 0, 200)));
	if (look_up(g, dir, "", S("FETCH_HEAD"), commit, e) < 0)
		return -1;
	return commit->p ? 0 : err_set(e, ERR_NOT_FOUND, "%.*s: %.*s is no commit", STR_ARG(g->name), STR_ARG(str_slice(revision, 0, 200)));
}

static int
has_refs(struct git *g, int dir, bool *any, struct err *e)
{
	str out;
	const char *const argv[] = { "git", "for-each-ref", "--count=1", NULL };
	int rc = git_ask(g, dir, argv, 65536, NULL, &out, e);
	*any = rc == 0 && out.n;
	return rc;
}

/* Absent: the repository is empty, which is no error, as in Argo. */
static int
find_commit(struct git *g, int dir, str revision, bool main, str *commit, struct err *e)
{
	bool any;
	if (has_refs(g, dir, &any, e) < 0)
		return -1;
	*commit = STR_NONE;
	if (!any)
		return 0;
	if (revision.n)
		return resolve(g, dir, revision, main, commit, e);
	if (look_up(g, dir, "", S("HEAD"), commit, e) < 0)
		return -1;
	return commit->p ? 0 : err_set(e, ERR_NOT_FOUND, "%.*s: its HEAD is a branch that it does not have: give a revision", STR_ARG(g->name));
}

/* With a revision HEAD is that commit, as in Argo; else the branch that it is there. */
static int
lay_out(struct git *g, int dir, str commit, bool detach, struct err *e)
{
	struct args x = args_of(g, "checkout");
	add(&x, "-q");
	add(&x, "--force");
	if (detach)
		add(&x, "--detach");
	if (detach)
		add_str(&x, commit);
	add(&x, "--");
	return git_run(g, dir, x.v, NULL, e);
}

static int repository(struct git *g, int dir, str url, str revision, str prefix, unsigned level, struct err *e);

/* ---- submodules ---------------------------------------------------------------------------------------------------- */

struct names {
	str config, urls; /* "submodule.NAME.path<newline>VALUE<nul>..." of .gitmodules; the URLs that git made of it */
};

static int
read_config(struct git *g, int dir, str commit, str *out, struct err *e)
{
	bool ok;
	const char *blob = arena_fmt(g->site->arena, "--blob=%.*s:.gitmodules", STR_ARG(commit)).p;
	const char *const argv[] = { "git", "config", "-z", blob, "--get-regexp", "^submodule\\..*\\.path$", NULL };
	if (git_ask(g, dir, argv, ANSWER_MAX, &ok, out, e) < 0)
		return -1;
	*out = ok ? *out : S("");
	return 0;
}

/* Relative URLs are resolved, and suspicious ones left out, by git itself. */
static int
read_urls(struct git *g, int dir, const struct git_tree *t, struct names *n, struct err *e)
{
	struct args x = args_of(g, "submodule");
	static const char *const ask[] = { "git", "config", "-z", "--local", "--get-regexp", "^submodule\\..*\\.url$", NULL };
	bool ok;
	add(&x, "-q");
	add(&x, "init");
	add(&x, "--");
	for (size_t i = 0; i < t->modules.n; i++)
		if (git_module_name(n->config, t->modules.p[i].path).p)
			add_str(&x, t->modules.p[i].path);
	if (git_run(g, dir, x.v, NULL, e) < 0 || git_ask(g, dir, ask, ANSWER_MAX, &ok, &n->urls, e) < 0)
		return -1;
	n->urls = ok ? n->urls : S("");
	return 0;
}

static int
fetch_module(struct git *g, int dir, const struct names *n, const struct git_module *m, str prefix, unsigned level, struct err *e)
{
	struct arena *a = g->site->arena;
	str name = git_module_name(n->config, m->path), url = name.p ? git_module_url(n->urls, name) : STR_NONE;
	if (!name.p)
		return 0; /* .gitmodules does not know it: an empty folder, as in Argo */
	if (!url.n || !git_url_is_good(url, false))
		return err_set(e, ERR_INVALID, "the submodule %.*s has no URL of https, http, ssh or git: \"%.*s\"", STR_ARG(m->path),
		               STR_ARG(str_slice(http_url_public(a, url.n ? url : S("")), 0, 200)));
	if (level == GIT_SUBMODULE_DEPTH)
		return err_set(e, ERR_LIMIT, "submodules are more than %u deep in each other", GIT_SUBMODULE_DEPTH);
	int into CLEANUP(close_fd) = open_beneath(dir, str_z(a, m->path), O_RDONLY | O_DIRECTORY, 0);
	if (into < 0)
		return err_errno(e, "open the folder of the submodule %.*s", STR_ARG(m->path));
	str below = arena_fmt(a, "%.*s%.*s/", STR_ARG(prefix), STR_ARG(m->path));
	return repository(g, into, url, m->commit, below, level + 1, e) < 0 ? err_wrap(e, "submodule %.*s", STR_ARG(m->path)) : 0;
}

static int
fetch_modules(struct git *g, int dir, str commit, const struct git_tree *t, str prefix, unsigned level, struct err *e)
{
	struct names n = { 0 };
	int rc = 0;
	if (!t->modules.n || is_true(g, "disableSubmodules"))
		return 0;
	g->modules += t->modules.n;
	if (g->modules > GIT_SUBMODULES_MAX)
		return err_set(e, ERR_LIMIT, "%.*s has more than %u submodules", STR_ARG(g->name), GIT_SUBMODULES_MAX);
	if (!t->has_config)
		return 0;
	if (read_config(g, dir, commit, &n.config, e) < 0 || read_urls(g, dir, t, &n, e) < 0)
		return -1;
	for (size_t i = 0; rc == 0 && i < t->modules.n; i++)
		rc = fetch_module(g, dir, &n, &t->modules.p[i], prefix, level, e);
	return rc;
}

/* ---- all of it ----------------------------------------------------------------------------------------------------- */

static int
take_commit(struct git *g, int dir, str commit, bool detach, str prefix, unsigned level, struct err *e)
{
	struct git_tree t = { 0 };
	int rc = git_tree_count(g, dir, prefix, commit, &t, e);
	if (rc == 0)
		rc = lay_out(g, dir, commit, detach, e);
	if (rc == 0)
		rc = fetch_modules(g, dir, commit, &t, prefix, level, e);
	VEC_FREE(&t.modules);
	return rc;
}

/* The URL's repository into the empty folder `dir`, which lies at `prefix` in the whole. */
static int
repository(struct git *g, int dir, str url, str revision, str prefix, unsigned level, struct err *e)
{
	str commit;
	if (clone_bare_files(g, dir, url, level == 0, e) < 0 || (level == 0 && fetch_more(g, dir, e) < 0) ||
	    find_commit(g, dir, revision, level == 0, &commit, e) < 0)
		return -1;
	return commit.p ? take_commit(g, dir, commit, revision.n > 0, prefix, level, e) : 0;
}

/* The submodules' own folders go where git would have made them. */
static int
settle(struct git *g, struct err *e)
{
	static const char *const argv[] = { "git", "submodule", "-q", "absorbgitdirs", NULL };
	return g->modules && !is_true(g, "disableSubmodules") ? git_run(g, g->root, argv, NULL, e) : 0;
}

/* A folder of its own, with the key if there is one. */
static int
make_home(struct git *g, struct err *e)
{
	str key = text_of(g, "sshPrivateKey");
	files_remove(g->home.p);
	if (mkdir(g->home.p, 0700) < 0)
		return err_errno(e, "make a folder for git");
	if (!key.n)
		return 0;
	int fd CLEANUP(close_fd) = open(arena_fmt(g->site->arena, "%.*s/key", STR_ARG(g->home)).p, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	key = arena_fmt(g->site->arena, "%.*s\n", STR_ARG(key)); /* ssh does not read one without its last line break */
	return fd < 0 || write(fd, key.p, key.n) != (ssize_t)key.n ? err_errno(e, "write the ssh key") : 0;
}

static int
fetch(void *state, int dir, const char *name, struct err *e)
{
	struct git *g = state;
	if (make_home(g, e) < 0)
		return -1;
	if (mkdirat(dir, name, 0755) < 0)
		return err_errno(e, "make the folder %s", name);
	int root CLEANUP(close_fd) = open_beneath(dir, name, O_RDONLY | O_DIRECTORY, 0);
	if (root < 0)
		return err_errno(e, "open the folder %s", name);
	g->root = root;
	int rc = repository(g, root, g->url.url, text_of(g, "revision"), S(""), 0, e);
	if (rc == 0)
		rc = settle(g, e);
	if (rc == 0)
		rc = git_tree_links(g, e);
	g->root = -1;
	if (rc < 0)
		files_remove(arena_fmt(g->site->arena, "/proc/self/fd/%d/%s", dir, name).p);
	else
		watch_moved(g->site->watch, g->bytes);
	return rc;
}

const struct artifact_driver artifact_git = { .name = "git", .open = open_git, .close = close_git, .fetch = fetch };
