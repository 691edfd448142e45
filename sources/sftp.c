/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sftp: changes of files in a directory of an SFTP server (spec events 1.C2), which is looked at again and again. Each look is a call of its own
 * thread (sources/aside.h); the connection stays from one to the next. Which server is spoken to is always checked: by knownHostsSecret, by
 * hostKeyFingerprint, or, with neither, by the key that it had at the first connection, which is kept with the names.
 */
#include "core/log.h"
#include "core/net/sftpc.h"
#include "sources/aside.h"
#include "sources/check.h"
#include "sources/lookup.h"
#include "sources/webhook_context.h"

#define INTERVAL (10 * NS_PER_SEC)
#define STUCK (60 * NS_PER_SEC) /* a server that says nothing for so long is left */

struct sftp_source {
	struct secret_ref *address;
	str event_type;
	struct source_filter *filter;
	str host_key_fingerprint;
	bool immediate;
	struct secret_ref *known_hosts_secret;
	struct kvs metadata;
	struct secret_ref *password;
	str poll_interval_duration;
	struct secret_ref *ssh_key_secret;
	struct secret_ref *username;
	struct watch_path *watch_path_config;
	const struct val *src;
};

/* ---- the table ------------------------------------------------------------------------------------------------ */

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct sftp_source *s = obj;
	str unknown;

	if (!s->event_type.n)
		decode_error(c, in, NULL, "type must be specified: set eventType");
	if (watch_ops(s->event_type, &unknown) & WATCH_RENAME || unknown.p)
		decode_error(c, in, "eventType", "type \"%.*s\" matches nothing: CREATE, WRITE, REMOVE or CHMOD, or several with | between",
			STR_ARG(unknown.p ? unknown : s->event_type));
	lookup_check_interval(s->poll_interval_duration, in, c, "pollIntervalDuration");
	source_check_path(s->watch_path_config, in, c);
	if (!s->address || !s->username)
		decode_warn(c, in, NULL, "without address and username nothing can be connected to");
	if (s->host_key_fingerprint.n && !str_starts(s->host_key_fingerprint, S("SHA256:")))
		decode_error(c, in, "hostKeyFingerprint", "must be SHA256:... as `ssh-keygen -l` prints it");
	if (s->host_key_fingerprint.n && s->known_hosts_secret)
		decode_error(c, in, "hostKeyFingerprint", "hostKeyFingerprint and knownHostsSecret exclude each other");
}

static const struct schema sftp_source_schema = { "SFTPEventSource", "Changes of files on an SFTP server.",
	sizeof(struct sftp_source), (const struct field[]){
	FIELD_PTR(struct sftp_source, address, "address", 0, &secret_ref_schema, .doc = "Host and port of the server."),
	FIELD(struct sftp_source, event_type, "eventType", 0, .doc = "CREATE, WRITE, REMOVE, CHMOD, or several with `|` between."),
	FIELD_PTR(struct sftp_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD(struct sftp_source, host_key_fingerprint, "hostKeyFingerprint", 0,
		.doc = "The server's key must have this fingerprint: `SHA256:...` as `ssh-keygen -l` prints it."),
	FIELD(struct sftp_source, immediate, "immediate", 0,
		.doc = "Announce a file as soon as its name is there, as Argo does; else when it has looked the same for an interval."),
	FIELD_PTR(struct sftp_source, known_hosts_secret, "knownHostsSecret", 0, &secret_ref_schema,
		.doc = "Lines of a known_hosts file; the server's key must be among them. Without it and hostKeyFingerprint the key of the first "
			"connection is kept, and no other is accepted."),
	FIELD(struct sftp_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD_PTR(struct sftp_source, password, "password", 0, &secret_ref_schema, .doc = "Password."),
	FIELD(struct sftp_source, poll_interval_duration, "pollIntervalDuration", 0, .dflt = "10s",
		.doc = "Time between two looks."),
	FIELD_PTR(struct sftp_source, ssh_key_secret, "sshKeySecret", 0, &secret_ref_schema, .doc = "Private SSH key; goes before password."),
	FIELD_PTR(struct sftp_source, username, "username", 0, &secret_ref_schema, .doc = "User name."),
	FIELD_PTR(struct sftp_source, watch_path_config, "watchPathConfig", 0, &watch_path_schema,
		.doc = "Directory and files to watch."),
	FIELD_SRC(struct sftp_source, src),
	{ 0 } }, check };

/* ---- the running source --------------------------------------------------------------------------------------- */

struct sftp {
	struct arena *arena;
	struct source *source;
	struct lookup *lookup;
	struct watch_match *match;
	str directory;
	struct sftpc *conn;    /* NULL: none; while a look is under way it is the job's, too */
	struct aside *aside;
	struct timer watchdog;
	unsigned progress;     /* when the watchdog looked last */
};

struct look_job {
	struct arena *arena; /* it lies in it */
	struct sftp *owner;
	struct sftpc *conn;
	struct sftpc_target target;
	const char *directory;
	struct watch_match *match;
	bool fresh;          /* the connection is to be made */
	bool first_use;      /* the configuration names no key: the first one that is seen counts */
	/* what came of it */
	struct watch_look *look;
	struct err err;      /* code 0: all went well */
};

/* ---- on the thread -------------------------------------------------------------------------------------------------- */

static int
see(void *arg, const struct sftpc_entry *x, struct err *e)
{
	struct look_job *j = arg;
	if (watch_look_count(j->look, e) < 0)
		return -1;
	int rc = x->is_directory ? 0 : watch_matches(j->match, x->name, e); /* no directories, as Argo */
	if (rc <= 0)
		return rc;
	struct watch_seen seen = { .name = x->name, .stamp = { .size = x->size, .mtime = x->mtime, .mode = x->mode } };
	return watch_look_add(j->look, &seen, e);
}

static int
list(struct look_job *j)
{
	j->look = watch_look_new();
	return sftpc_list(j->conn, j->directory, see, j, &j->err);
}

static void
work(void *arg)
{
	struct look_job *j = arg;
	if (!j->fresh || sftpc_connect(j->conn, &j->target, &j->err) == 0)
		(void)list(j); /* err says why not */
	else if (j->first_use && j->target.fingerprint.p && !str_eq(sftpc_fingerprint(j->conn), j->target.fingerprint) &&
	         j->err.code == ERR_UNAUTHENTICATED)
		err_wrap(&j->err, "not the key that the server had at first (if that is right, name its key in hostKeyFingerprint)");
}

static void
job_free(struct look_job *j)
{
	watch_look_free(j->look);
	watch_match_unref(j->match);
	arena_free(j->arena);
}

/* Nobody waits any more. */
static void
drop(void *arg)
{
	struct look_job *j = arg;
	sftpc_free(j->conn);
	job_free(j);
}

/* ---- on the loop ---------------------------------------------------------------------------------------------------- */

/* Whose key it is, as it is kept: "host:port fingerprint". */
static str
key_row(struct arena *a, const struct sftpc_target *t, str fingerprint)
{
	return arena_fmt(a, "%.*s:%d %.*s", STR_ARG(t->host), t->port, STR_ARG(fingerprint));
}

/* The key that counts: of the configuration, else the one that this server had at first. */
static int
pin(struct sftp *f, struct look_job *j, struct err *e)
{
	const struct sftp_source *config = source_config(f->source);
	if (config->known_hosts_secret)
		return source_secret(f->source, config->known_hosts_secret, j->arena, &j->target.known_hosts, e);
	if (config->host_key_fingerprint.n) {
		j->target.fingerprint = arena_dup(j->arena, config->host_key_fingerprint);
		return 0;
	}
	str kept = watch_kept(lookup_watch(f->lookup)), server = key_row(j->arena, &j->target, S(""));
	j->first_use = true;
	if (str_starts(kept, server))
		j->target.fingerprint = arena_dup(j->arena, str_slice(kept, server.n, kept.n));
	return 0;
}

static int
find_target(struct sftp *f, struct look_job *j, struct err *e)
{
	const struct sftp_source *config = source_config(f->source);
	str address;
	if (!config->address || !config->username || (!config->password && !config->ssh_key_secret))
		return err_set(e, ERR_INVALID, "address, username, and password or sshKeySecret are needed to connect");
	if (source_secret(f->source, config->address, j->arena, &address, e) < 0 ||
	    source_secret(f->source, config->username, j->arena, &j->target.user, e) < 0 ||
	    sftpc_address(address, &j->target.host, &j->target.port, e) < 0)
		return -1;
	int rc = config->ssh_key_secret ? source_secret(f->source, config->ssh_key_secret, j->arena, &j->target.key, e) :
	                                  source_secret(f->source, config->password, j->arena, &j->target.password, e);
	return rc < 0 ? rc : pin(f, j, e);
}

static void
close_connection(struct sftp *f)
{
	sftpc_free(f->conn);
	f->conn = NULL;
}

static void
on_watchdog(void *arg)
{
	struct sftp *f = arg;
	struct loop *l = source_loop(f->source);
	unsigned progress = sftpc_progress(f->conn);
	if (progress == f->progress)
		sftpc_interrupt(f->conn);
	f->progress = progress;
	timer_start(l, &f->watchdog, loop_now(l) + STUCK, on_watchdog, f);
}

/* The first connection decides whose key counts from now on. */
static void
keep_key(struct sftp *f, const struct look_job *j)
{
	if (!j->fresh || !j->first_use || j->target.fingerprint.p || !sftpc_is_connected(f->conn))
		return;
	str fingerprint = sftpc_fingerprint(f->conn);
	log_info("this key of an sftp server counts from now on", "eventsource", str_z(j->arena, source_name(f->source)), "event",
	         str_z(j->arena, source_event_name(f->source)), "server", str_z(j->arena, j->target.host), "key", str_z(j->arena, fingerprint), NULL);
	watch_keep(lookup_watch(f->lookup), key_row(j->arena, &j->target, fingerprint));
}

static void look(void *arg);

static void
on_looked(void *arg)
{
	struct look_job *j = arg;
	struct sftp *f = j->owner;
	f->aside = NULL;
	timer_stop(&f->watchdog);
	keep_key(f, j);
	/* The directory may be missing, or its files too many: the connection is good. */
	bool broken = j->err.code == ERR_UNAVAILABLE || !sftpc_is_connected(f->conn);
	if (broken)
		close_connection(f);
	if (broken && !j->fresh)
		look(f); /* one that was kept may have ended meanwhile: that is no failure if there is another */
	else if (j->err.code)
		lookup_failed(f->lookup, &j->err);
	else
		lookup_seen(f->lookup, j->look);
	j->look = j->err.code ? j->look : NULL;
	job_free(j);
}

static void
look(void *arg)
{
	struct sftp *f = arg;
	struct loop *l = source_loop(f->source);
	struct arena *a = arena_new();
	struct look_job *j = ARENA_NEW(a, struct look_job);
	struct err e;
	*j = (struct look_job){ .arena = a, .owner = f, .directory = str_z(a, f->directory), .match = watch_match_ref(f->match), .fresh = !f->conn };
	int rc = j->fresh ? find_target(f, j, &e) : 0;
	if (rc == 0) {
		j->conn = f->conn = f->conn ? f->conn : sftpc_new();
		f->aside = aside_start(l, &(struct aside_job){ work, on_looked, drop, j }, &e);
	}
	if (!f->aside) {
		close_connection(f);
		job_free(j);
		lookup_failed(f->lookup, &e);
		return;
	}
	f->progress = sftpc_progress(f->conn);
	timer_start(l, &f->watchdog, loop_now(l) + STUCK, on_watchdog, f);
}

static int
start(struct source *s, struct err *e)
{
	const struct sftp_source *config = source_config(s);
	const struct watch_path *path = config->watch_path_config;
	struct arena *a = arena_new();
	struct sftp *f = ARENA_NEW(a, struct sftp);
	str name;
	*f = (struct sftp){ .arena = a, .source = s };
	f->directory = watch_place(a, path->directory, path->path, &name);
	if (watch_match_new(name, path->path_regexp, &f->match, e) < 0) {
		arena_free(a);
		return -1;
	}
	const struct secret_ref *address = config->address;
	struct watch_options o = { .match = watch_match_ref(f->match), .type = config->event_type, .metadata = &config->metadata,
	                           .rules = WATCH_CHANGE_CREATES | (config->immediate ? WATCH_AT_ONCE : 0) };
	o.place = arena_fmt(a, "sftp\n%.*s/%.*s\n%.*s\n%.*s\n%.*s", STR_ARG(address ? address->name : S("")), STR_ARG(address ? address->key : S("")),
	                    STR_ARG(f->directory), STR_ARG(name), STR_ARG(path->path_regexp));
	source_set_data(s, f);
	f->lookup = lookup_start(s, &o, config->poll_interval_duration, INTERVAL, look, f);
	return 0;
}

static void
on_pause(struct source *s, bool on)
{
	struct sftp *f = source_data(s);
	lookup_pause(f->lookup, on);
}

static void
stop(struct source *s)
{
	struct sftp *f = source_data(s);
	timer_stop(&f->watchdog);
	lookup_free(f->lookup);
	if (f->aside) {
		sftpc_interrupt(f->conn); /* the thread ends soon, and frees it */
		aside_leave(f->aside);
	} else {
		sftpc_free(f->conn);
	}
	watch_match_unref(f->match);
	arena_free(f->arena);
	source_stopped(s);
}

static void
describe(const struct source *s, struct val_map *m, struct arena *a)
{
	const struct sftp *f = source_data(s);
	lookup_describe(f->lookup, m, a);
	if (f->conn && !f->aside)
		val_map_add(m, S("hostKey"), val_str(arena_dup(a, sftpc_fingerprint(f->conn))));
}

const struct source_ops source_sftp = { .kind = "sftp", .doc = "Changes of files on an SFTP server.",
	.schema = &sftp_source_schema, .start = start, .pause = on_pause, .stop = stop, .describe = describe };
