/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tidegate serve: the daemon. Reads the manifests, takes up what was running, listens, and follows changes of the manifests
 * until it is told to stop. A changed set that has errors is not taken over: the old one stays in force, and the log says
 * where the new one is wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "cli/command.h"
#include "cli/daemon.h"
#include "cli/kinds.h"
#include "cli/output.h"
#include "cli/watch.h"
#include "core/log.h"
#include "core/net/httpd.h"
#include "core/version.h"

struct serve_opts {
	struct cli_common common;
	const char *config, *listen, *auth, *sandbox;
};

static const char *const auth_modes[] = { "token", "none", NULL };
static const char *const sandbox_modes[] = { "auto", "require", "off", NULL };

struct serve {
	const struct serve_opts *o;
	struct daemon d;
	const char **paths;
	size_t n;
	str ns, token;
	struct api *api;
	struct httpd *tcp, *local;
	struct file_watch *watch;
	uv_signal_t signals[3]; /* TERM, INT, HUP */
	int socket_dir;         /* descriptor of the state directory, if its path is too long for a socket's; else -1 */
	bool stopping, reloading, again;
};

/* ---- the token ---------------------------------------------------------------------------------------------- */

static int
write_token(const char *path, str token, struct err *e)
{
	int fd CLEANUP(close_fd) = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, token.p, token.n) != (ssize_t)token.n || fsync(fd) != 0)
		return err_errno(e, "writing %s", path);
	return 0;
}

/* The token of this state directory: made once, so that clients keep working over restarts. */
static int
read_token(struct serve *s, struct err *e)
{
	struct arena *a = s->d.arena;
	const char *path = arena_fmt(a, "%.*s/token", STR_ARG(s->d.state)).p;
	char text[256];
	int fd CLEANUP(close_fd) = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof text) : 0;
	if (fd >= 0 && n > 0) {
		s->token = arena_dup(a, str_trim((str){ text, (size_t)n }));
		if (s->token.n >= 16)
			return 0;
		return err_set(e, ERR_INVALID, "%s: a token has at least 16 characters; remove the file to get a new one", path);
	}
	if (fd < 0 && errno != ENOENT)
		return err_errno(e, "reading %s", path);
	unsigned char random[24];
	if (getrandom(random, sizeof random, 0) != sizeof random)
		return err_errno(e, "getrandom");
	s->token = str_hex(a, random, sizeof random);
	if (fd >= 0)
		(void)unlink(path); /* an empty file: somebody was killed while writing it */
	return write_token(path, s->token, e);
}

/* ---- listeners ---------------------------------------------------------------------------------------------- */

/* "127.0.0.1:2746", "[::1]:2746", ":2746", "2746" */
static int
parse_address(struct arena *a, str text, struct httpd_config *c, struct err *e)
{
	size_t colon = text.n;
	while (colon && text.p[colon - 1] != ':')
		colon--;
	str host = colon ? str_slice(text, 0, colon - 1) : STR_NONE;
	int64_t port;
	if (!str_to_i64(str_slice(text, colon, text.n), &port) || port < 0 || port > 65535)
		return err_set(e, ERR_INVALID, "listen address %.*s: write it as 127.0.0.1:2746", STR_ARG(text));
	if (host.n > 2 && host.p[0] == '[')
		host = str_slice(host, 1, host.n - 1);
	c->address = arena_dup(a, host.n ? host : colon ? S("") : S("127.0.0.1"));
	c->port = (uint16_t)port;
	return 0;
}

/* A socket's path has room for 107 bytes; a longer one is named through its directory's descriptor. */
static str
socket_address(struct serve *s)
{
	str path = arena_fmt(s->d.arena, "unix:%.*s/tidegate.sock", STR_ARG(s->d.state));
	if (path.n - 5 <= 107)
		return path;
	s->socket_dir = open(str_z(s->d.arena, s->d.state), O_PATH | O_DIRECTORY | O_CLOEXEC);
	return arena_fmt(s->d.arena, "unix:/proc/self/fd/%d/tidegate.sock", s->socket_dir);
}

static int
listen_all(struct serve *s, struct err *e)
{
	struct httpd_config tcp = { 0 }, local = { .address = socket_address(s), .max_body = 16u << 20 };
	str address = s->o->listen ? str_c(s->o->listen) : s->d.settings.listen;
	bool open = strcmp(s->o->auth ? s->o->auth : str_z(s->d.arena, s->d.settings.auth), "none") == 0;
	if (parse_address(s->d.arena, address, &tcp, e) || (!open && read_token(s, e)))
		return -1;
	log_mask(s->token); /* it is printed once, in the greeting, and in no log line */
	if (httpd_start(s->d.loop, &local, &s->local, e))
		return err_wrap(e, "the daemon's own socket");
	if (httpd_start(s->d.loop, &tcp, &s->tcp, e))
		return -1;
	api_attach(s->api, s->local, STR_NONE);
	api_attach(s->api, s->tcp, open ? STR_NONE : s->token);
	return 0;
}

/* ---- manifests ---------------------------------------------------------------------------------------------- */

/* One reading, on a pool thread: touches nothing that the loop owns. */
struct reading {
	struct serve *s;
	struct objects *known; /* what came through the API, for names */
	struct manifest_set set;
	struct diags found;
	bool failed;
};

static struct reading *
reading_new(struct serve *s)
{
	struct reading *r = MEM_NEW(struct reading);
	r->s = s;
	r->known = objects_new(tidegate_kinds, tidegate_kinds_n);
	diags_init(&r->found);
	size_t i = 0;
	for (struct object *o; (o = objects_next(s->d.objects, NULL, &i));)
		if (!o->file.n)
			(void)objects_put(r->known, o); /* into an empty set: always new */
	return r;
}

static void
reading_free(struct reading *r)
{
	manifest_set_free(&r->set);
	diags_free(&r->found);
	objects_free(r->known);
	free(r);
}

static void
reading_work(void *arg)
{
	struct reading *r = arg;
	r->failed = read_manifests(r->s->paths, r->s->n, r->s->ns, r->known, &r->set, &r->found) != 0;
}

/* Workflows are runs and not configuration: a file that is served again would start them again. */
static void
warn_instances(const struct reading *r)
{
	for (size_t i = 0; i < r->set.objects.n; i++) {
		const struct object *o = r->set.objects.p[i];
		struct arena *a CLEANUP(free_arena) = arena_new();
		if (o->kind->instance)
			log_warn("a Workflow is not served: give it to `tidegate submit`", "file", str_z(a, o->file), NULL);
	}
}

static void reload(void *arg);

static void
reading_done(void *arg)
{
	struct reading *r = arg;
	struct serve *s = r->s;
	char count[32];
	s->reloading = false;
	if (s->stopping) {
		reading_free(r);
		return;
	}
	if (r->found.v.n)
		print_findings(&r->found);
	if (r->failed) {
		snprintf(count, sizeof count, "%zu", r->found.errors);
		log_error("changed manifests have errors: the old ones stay in force", "errors", count, NULL);
	} else {
		snprintf(count, sizeof count, "%zu", objects_apply_files(s->d.objects, &r->set));
		warn_instances(r);
		daemon_objects_changed(&s->d);
		log_info("manifests read again", "changes", count, NULL);
	}
	file_watch_refresh(s->watch);
	reading_free(r);
	if (s->again)
		reload(s);
}

/* A reload that comes during another one is done behind it. */
static void
reload(void *arg)
{
	struct serve *s = arg;
	s->again = s->reloading;
	if (s->reloading || s->stopping)
		return;
	s->reloading = true;
	loop_work(s->d.loop, reading_work, reading_done, reading_new(s));
}

static int
read_first(struct serve *s)
{
	struct reading *r = reading_new(s);
	reading_work(r);
	if (r->found.v.n)
		print_findings(&r->found);
	bool failed = r->failed;
	if (!failed) {
		objects_apply_files(s->d.objects, &r->set);
		warn_instances(r);
	}
	reading_free(r);
	return failed ? -1 : 0;
}

/* ---- signals ------------------------------------------------------------------------------------------------ */

static void
on_stop(uv_signal_t *h, int signo)
{
	struct serve *s = h->data;
	if (s->stopping)
		_exit(128 + signo);
	s->stopping = true;
	log_info("stopping", "signal", signo == SIGTERM ? "TERM" : "INT", NULL);
	loop_stop(s->d.loop);
}

static void
on_hangup(uv_signal_t *h, int signo UNUSED)
{
	reload(h->data);
}

static void
watch_signals(struct serve *s)
{
	static const struct {
		int number;
		uv_signal_cb fn;
	} wanted[] = { { SIGTERM, on_stop }, { SIGINT, on_stop }, { SIGHUP, on_hangup } };
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		uv_signal_init(loop_uv(s->d.loop), &s->signals[i]);
		s->signals[i].data = s;
		uv_signal_start(&s->signals[i], wanted[i].fn, wanted[i].number);
	}
}

/* ---- the daemon's life -------------------------------------------------------------------------------------- */

static void
greet(const struct serve *s)
{
	bool open = !s->token.n;
	str host = s->o->listen ? str_c(s->o->listen) : s->d.settings.listen;
	size_t colon = host.n;
	while (colon && host.p[colon - 1] != ':')
		colon--;
	host = colon > 1 ? str_slice(host, 0, colon - 1) : S("127.0.0.1");
	struct buf b CLEANUP(free_buf) = { 0 };
	buf_addf(&b, "tidegate %s  pid %d  state %.*s  sandbox: %s\n", TIDEGATE_VERSION, (int)getpid(), STR_ARG(s->d.state), executor_sandbox(s->d.executor));
	buf_addf(&b, "listening on http://%.*s:%u", STR_ARG(host), httpd_port(s->tcp));
	if (open)
		buf_addf(&b, "  without a token: whoever reaches it rules it\n");
	else
		buf_addf(&b, "  token %.*s (also in %.*s/token)\n", STR_ARG(s->token), STR_ARG(s->d.state));
	fwrite(b.p, 1, b.n, stderr); /* at once: who waits for it must not see half of it */
	fflush(stderr);
}

static void
api_changed(void *arg)
{
	daemon_objects_changed(arg);
}

static int
start(struct serve *s, struct err *e)
{
	struct daemon *d = &s->d;
	struct err wrong = { 0 };
	d->keep_revisions = true;
	if (daemon_open(d, e))
		return -1;
	watch_signals(s);
	if (read_first(s))
		return err_set(e, ERR_INVALID, "the manifests have errors: nothing was started");
	store_flush(d->store); /* the revisions of what is new: who asks next sees them */
	if (daemon_recover(d, &wrong) || daemon_start_events(d, &wrong)) {
		*e = wrong;
		return -1;
	}
	struct api_env env = { .loop = d->loop, .store = d->store, .objects = d->objects, .revisions = d->revisions, .engine = d->engine, .executor = d->executor,
	                       .sources = d->sources, .sensors = d->sensors, .settings = &d->settings, .kinds = tidegate_kinds,
	                       .kinds_n = tidegate_kinds_n, .state = d->state, .changed = api_changed, .arg = d };
	s->api = api_new(&env);
	if (listen_all(s, e))
		return -1;
	if (s->n)
		s->watch = file_watch_new(d->loop, s->paths, s->n, reload, s);
	greet(s);
	return 0;
}

static void
stop(struct serve *s)
{
	s->stopping = true;
	if (s->api) {
		api_stop(s->api);
		loop_turn(s->d.loop, 0);
	}
	while (s->reloading) /* the pool thread works on our names */
		loop_turn(s->d.loop, -1);
	httpd_stop(s->tcp);
	httpd_stop(s->local);
	file_watch_free(s->watch);
	for (size_t i = 0; i < ARRAY_LEN(s->signals); i++)
		if (s->signals[i].data)
			uv_close((uv_handle_t *)&s->signals[i], NULL);
	if (s->d.loop)
		loop_turn(s->d.loop, 0);
	struct api *api = s->api;
	daemon_close(&s->d);
	api_free(api);
	close_fd(&s->socket_dir);
}

static int
run(const void *opts, char **args, int n)
{
	struct serve s = { .o = opts, .socket_dir = -1 };
	struct err e = { 0 };
	int code = EXIT_DONE;
	httpd_preload(); /* while the state is opened and the manifests are read */
	if (daemon_settings(&s.d, s.o->config, s.o->common.state, s.o->sandbox, &e))
		return cli_fail(&e);
	s.ns = s.o->common.ns && *s.o->common.ns ? str_c(s.o->common.ns) : s.d.settings.namespace_;
	s.n = (size_t)n;
	s.paths = ARENA_ARRAY(s.d.arena, const char *, s.n + 1);
	for (int i = 0; i < n; i++)
		s.paths[i] = args[i];
	if (start(&s, &e))
		code = cli_fail(&e);
	else
		loop_run(s.d.loop);
	stop(&s);
	return code;
}

const struct command command_serve = {
	.name = "serve",
	.args = "[MANIFEST|DIR...]",
	.summary = "Serve event sources, sensors and workflows.",
	.examples = "  tidegate serve manifests/                          everything below a directory, which is watched\n"
	            "  tidegate serve --listen 0.0.0.0:2746 manifests/    reachable from elsewhere\n"
	            "  tidegate serve --state ./state manifests/          with a state directory of its own\n",
	.doc = "SIGHUP reads the manifests again, as every change of a file does; if they have errors the old ones stay in force.\n"
	       "SIGTERM stops; steps that run go on, and the next start takes them up again.",
	.options = (const struct cli_option[]){
		OPTION(struct serve_opts, config, "config", 0, "FILE", "Settings."),
		OPTION(struct serve_opts, listen, "listen", 0, "ADDRESS", "Address of the API; 127.0.0.1:2746 if not given. Port 0: any."),
		OPTION(struct serve_opts, auth, "auth", 0, "MODE", "token (if not given), or none.", .choices = auth_modes),
		OPTION(struct serve_opts, sandbox, "sandbox", 0, "MODE", "auto, require or off.", .choices = sandbox_modes),
		{ 0 },
	},
	.size = sizeof(struct serve_opts),
	.args_max = -1,
	.run = run,
};
