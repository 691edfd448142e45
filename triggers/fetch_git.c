/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The object as a file of a git repository, read by the git program in a process of its own (core/child.h). One commit is fetched
 * into an empty repository, without what other files contain where the server can leave that out, and the one file is printed. The folder, and
 * with it a key, goes when that is done; what a killed daemon left goes with the start of the next.
 */
#include "core/child.h"
#include "core/files.h"
#include "core/net/git.h"
#include "triggers/call.h"
#include "triggers/fetch.h"

enum { TIMEOUT_MS = 5 * 60 * 1000 };

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

struct git_reading {
	const char *folder;
	struct git_url it, remote; /* without a remote its url is empty */
	struct git_env env;
	str name;
};

/* ---- errors ------------------------------------------------------------------------------------------------------------- */

static void
failed(struct fetch *x, const struct child_end *end, struct err *e)
{
	const struct git_reading *r = x->own;
	str why;
	enum err_code code = git_complaint(firing_arena(x->firing), end->err, &why);
	if (end->status == 3 || end->status == 127)
		code = end->status == 3 ? ERR_NOT_FOUND : ERR_UNSUPPORTED;
	err_set(e, code, "%.*s: git: %.*s", STR_ARG(r->name), STR_ARG(why));
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

/* ---- secrets ---------------------------------------------------------------------------------------------------------- */

/* The secrets of creds go before what the URLs say, as in Argo. */
static int
put_creds(struct fetch *x, const struct git_source *g, struct err *e)
{
	struct git_reading *r = x->own;
	struct git_url *const places[] = { &r->it, &r->remote };
	str user, password;
	if (g->creds && (call_secret(x->firing, g->creds->username, &user, e) < 0 || call_secret(x->firing, g->creds->password, &password, e) < 0))
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		struct git_url *p = places[i];
		bool http = git_url_origin(p->url).n > 0;
		if (g->creds && http) {
			p->user = user;
			p->password = password;
		}
		if (http && (p->user.n || p->password.n) && git_env_login(&r->env, p, e) < 0)
			return err_wrap(e, "source.git");
	}
	if (g->creds && !r->env.logins)
		return err_set(e, ERR_INVALID, "source.git.creds are for http and https; for %.*s give an sshKeySecret",
		               STR_ARG(http_url_public(firing_arena(x->firing), g->url)));
	return 0;
}

static int
put_ssh(struct fetch *x, const struct git_source *g, struct err *e)
{
	struct git_reading *r = x->own;
	bool with_key = g->ssh_key && !g->creds;
	str key;
	if (with_key && call_secret(x->firing, g->ssh_key, &key, e) < 0)
		return -1;
	if (with_key)
		git_env_put(&r->env, "TIDEGATE_KEY", key);
	git_env_ssh(&r->env, g->url, with_key, g->ignore_host_key);
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
	r->it = git_url_split(firing_arena(x->firing), g->url);
	r->remote = git_url_split(firing_arena(x->firing), g->remote && g->remote->urls.n ? g->remote->urls.p[0] : S(""));
	r->folder = arena_fmt(firing_arena(x->firing), "%.*s/git-%.*s", STR_ARG(env->folder), STR_ARG(firing_id(x->firing))).p;
	git_env_begin(&r->env, firing_arena(x->firing), str_c(r->folder), "file:git:http:https:ssh");
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
	const struct child_spec spec = { .argv = argv, .env = git_env_end(&r->env), .out_max = RESOURCE_MAX, .timeout_ms = TIMEOUT_MS };
	child_run(env->children(env->arg), &spec, ended, x);
}
