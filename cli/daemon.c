/* SPDX-License-Identifier: Apache-2.0 */
/* The wiring. Nothing here decides anything: it makes the parts and tells them about each other. */
#include <errno.h>
#include <sys/stat.h>

#include "api/api.h"
#include "cli/client.h"
#include "cli/daemon.h"
#include "cli/kinds.h"
#include "cli/output.h"
#include "config/kept.h"
#include "config/revisions.h"
#include "core/child.h"
#include "core/files.h"
#include "core/lang/script.h"
#include "core/log.h"
#include "engine/run/run.h"
#include "engine/spec/spec.h"
#include "sensors/jq.h"
#include "triggers/firing.h"

enum { CHILDREN_AT_ONCE = 4 /* commands of triggers, as git */ };

/* The history of the state file. A step is never changed once it was released; a new one goes to the end. */
static const struct store_migration *
migrations(size_t *n)
{
	static struct store_migration history[24];
	history[0] = (struct store_migration){ 1, bus_schema_sql };
	history[1] = (struct store_migration){ 2, sensor_schema_sql };
	history[2] = (struct store_migration){ 3, engine_schema_sql };
	history[3] = (struct store_migration){ 4, kept_schema_sql };
	history[4] = (struct store_migration){ 5, sources_schema_sql };
	history[5] = (struct store_migration){ 6, archive_schema_sql };
	history[6] = (struct store_migration){ 7, queue_schema_sql };
	history[7] = (struct store_migration){ 8, expiry_schema_sql };
	history[8] = (struct store_migration){ 9, cache_schema_sql };
	history[9] = (struct store_migration){ 10, revisions_schema_sql };
	history[10] = (struct store_migration){ 11, sync_limit_schema_sql };
	history[11] = (struct store_migration){ 12, baseline_schema_sql };
	history[12] = (struct store_migration){ 13, kill_schema_sql };
	history[13] = (struct store_migration){ 14, tags_schema_sql };
	history[14] = (struct store_migration){ 15, sensor_waiting_sql };
	history[15] = (struct store_migration){ 16, firing_schema_sql };
	history[16] = (struct store_migration){ 17, firing_gather_sql };
	history[17] = (struct store_migration){ 18, sensor_explain_sql };
	history[18] = (struct store_migration){ 19, firing_aside_sql };
	history[19] = (struct store_migration){ 20, resource_schema_sql };
	history[20] = (struct store_migration){ 21, sources_rows_sql };
	history[21] = (struct store_migration){ 22, resource_cluster_sql };
	history[22] = (struct store_migration){ 23, cron_schema_sql };
	history[23] = (struct store_migration){ 24, collect_schema_sql };
	*n = ARRAY_LEN(history);
	return history;
}

/* ---- settings ----------------------------------------------------------------------------------------------- */

void
print_findings(struct diags *d)
{
	unsigned opts = out_is_terminal(stderr) ? DIAG_CARET : 0;
	diags_print(d, stderr, opts | (out_colors(stderr) ? DIAG_COLOR : 0));
}

static int
sandbox_of(const char *word, int *out, struct err *e)
{
	static const struct {
		const char *word;
		enum sandbox_mode mode;
	} modes[] = { { "auto", SANDBOX_AUTO }, { "require", SANDBOX_REQUIRE }, { "off", SANDBOX_OFF } };
	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		if (strcmp(word, modes[i].word) == 0) {
			*out = modes[i].mode;
			return 0;
		}
	return err_set(e, ERR_INVALID, "sandbox \"%s\": must be auto, require or off", word);
}

/* The engine's tables say what a spec may hold; the settings' know only that there is one. */
static bool
wrong_defaults(struct daemon *d, struct diags *found)
{
	const struct val *spec = val_get(d->settings.workflow_defaults, S("spec"));
	return spec && (schema_decode(&workflow_spec_schema, d->arena, spec, S("workflowDefaults.spec"),
	                              arena_alloc(d->arena, workflow_spec_schema.size, _Alignof(max_align_t)), found) || found->later);
}

static bool
wrong_repository(const struct daemon *d, struct diags *found)
{
	const struct val *repo = d->settings.artifact_repository;
	struct val ignored;
	struct err e;
	if (!repo || repository_location(repo, d->arena, &ignored, &e) == 0)
		return false;
	diag_add(found, DIAG_ERROR, repo, S("artifactRepository"), "%s", e.msg);
	return true;
}

int
daemon_settings(struct daemon *d, const char *config, const char *state, const char *sandbox, struct err *e)
{
	struct diags found;
	*d = (struct daemon){ .arena = arena_new() };
	diags_init(&found);
	int failed = settings_read(config, d->arena, &d->settings, &found) || wrong_defaults(d, &found) || wrong_repository(d, &found);
	if (found.v.n)
		print_findings(&found);
	diags_free(&found);
	int rc = failed ? err_set(e, ERR_INVALID, "the settings in %s are wrong", config ? config : "the defaults")
		 : sandbox ? sandbox_of(sandbox, &d->settings.sandbox, e) : 0;
	if (rc) {
		arena_free(d->arena);
		d->arena = NULL;
		return -1;
	}
	bool given = state || getenv("TIDEGATE_STATE") || !d->settings.state.n;
	d->state = given ? state_directory(d->arena, state) : d->settings.state;
	script_set_limits(&(struct script_limits){ d->settings.script_instructions, d->settings.script_memory << 20, d->settings.script_time.ns });
	jq_set_limits(&(struct jq_limits){ d->settings.jq_memory << 20, d->settings.jq_time.ns, d->settings.jq_helpers });
	log_setup(str_eq(d->settings.log_level, S("debug")) ? LOG_DEBUG : str_eq(d->settings.log_level, S("warn")) ? LOG_WARN : LOG_INFO,
	          str_eq(d->settings.log_format, S("json")) ? LOG_JSON : LOG_LOGFMT);
	return 0;
}

/* ---- opening ------------------------------------------------------------------------------------------------ */

/* The state directory's parents; the directory itself is the store's to make, with its mode. */
static int
make_parents(str path, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	for (size_t i = 1; i < path.n; i++) {
		if (path.p[i] != '/')
			continue;
		const char *dir = str_z(a, str_slice(path, 0, i));
		if (mkdir(dir, 0755) != 0 && errno != EEXIST)
			return err_errno(e, "making %s", dir);
	}
	return 0;
}

int
daemon_open(struct daemon *d, struct err *e)
{
	size_t n;
	const struct store_migration *history = migrations(&n);
	d->loop = loop_new();
	if (make_parents(d->state, e) || store_open(d->loop, d->state, history, n, &d->store, e))
		return -1;
	d->objects = objects_new(tidegate_kinds, tidegate_kinds_n);
	if (d->keep_revisions)
		d->revisions = revisions_new(d->loop, d->store, d->objects, d->settings.template_revisions);
	if (kept_load(d->store, d->objects, e))
		return -1;
	d->engine = engine_new(d->loop, d->store, d->objects, &d->settings);
	if (executor_new(d->loop, &d->settings, d->objects, d->state, engine_task_news, d->engine, &d->executor, e))
		return -1;
	engine_set_executor(d->engine, d->executor);
	return 0;
}

int
daemon_recover(struct daemon *d, struct err *e)
{
	return engine_recover(d->engine, e);
}

/* ---- events ------------------------------------------------------------------------------------------------- */

/* The limits that the EventBus object names; the log's own without one. */
static struct bus_limits
limits_of(const struct daemon *d, str ns, str name)
{
	const struct object *o = objects_find(d->objects, &kind_eventbus, ns, name);
	if (!o)
		return (struct bus_limits){ .max_age_ns = 168 * 3600 * NS_PER_SEC };
	const struct event_bus *eb = o->spec;
	return (struct bus_limits){ .max_age_ns = eb->max_age_ns, .max_events = eb->max_events, .max_bytes = eb->max_bytes, .dedup_ns = eb->dedup_ns };
}

/* A log for each EventBus that somebody names ("default" if nobody does), opened with its first use. */
static struct bus *
bus_of(void *arg, str ns, str name)
{
	struct daemon *d = arg;
	struct err e;
	str bus_name = name.n ? name : S("default");
	struct arena *tmp CLEANUP(free_arena) = arena_new();
	str key = arena_fmt(tmp, "%.*s/%.*s", STR_ARG(ns), STR_ARG(bus_name));
	struct bus *b = map_get(&d->buses, key);
	if (b)
		return b;
	struct bus_limits limits = limits_of(d, ns, bus_name);
	if (bus_open(d->store, d->loop, ns, bus_name, &limits, &b, &e)) {
		log_error("event bus does not open", "bus", key.p, "error", e.msg, NULL);
		return NULL;
	}
	(void)map_put(&d->buses, arena_dup(d->arena, key), b);
	return b;
}

/* Made with the first call to the outside, so that who calls nobody does not load curl. */
static struct httpc *
httpc_of(void *arg)
{
	struct daemon *d = arg;
	if (!d->httpc)
		d->httpc = httpc_new(d->loop);
	return d->httpc;
}

/* The same for brokers. */
static struct peers *
peers_of(void *arg)
{
	struct daemon *d = arg;
	if (!d->peers)
		d->peers = peers_new(d->loop);
	return d->peers;
}

/* The same for commands. */
static struct children *
children_of(void *arg)
{
	struct daemon *d = arg;
	if (!d->children)
		d->children = children_new(d->loop, CHILDREN_AT_ONCE);
	return d->children;
}

static void
objects_changed_by_trigger(void *arg)
{
	struct daemon *d = arg;
	d->change_is_due = false;
	daemon_objects_changed(d);
}

/* Sensors are in the middle of an event: they look again when it is handled, and once for all changes of the turn. */
static void
change_is_due(void *arg)
{
	struct daemon *d = arg;
	if (!d->change_is_due)
		loop_defer(d->loop, objects_changed_by_trigger, d);
	d->change_is_due = true;
}

/* ---- workflows for sources of kind resource ------------------------------------------------------------------ */

static struct val
workflow_body(const struct workflow_news *news, struct arena *a)
{
	return engine_saving_workflow(news->of, a);
}

static void
workflow_saving(void *arg, const struct workflow_saving *w)
{
	struct daemon *d = arg;
	struct workflow_news news = { .change = w->removed ? OBJECT_DELETE : w->added ? OBJECT_ADD : OBJECT_UPDATE, .id = w->id, .ns = w->ns,
		                      .name = w->name, .body = w->run ? workflow_body : NULL, .of = w };
	if (d->sources)
		sources_tell(d->sources, &news);
}

static void
watch_workflows(void *arg, bool on)
{
	struct daemon *d = arg;
	d->workflows_watched += on ? 1 : (size_t)-1;
	engine_on_save(d->engine, d->workflows_watched ? workflow_saving : NULL, d);
}

static int64_t
newest_workflow(void *arg)
{
	const struct daemon *d = arg;
	return engine_newest(d->engine);
}

struct workflow_page {
	struct stored_workflow *items;
	size_t n;
};

static void
add_to_page(void *arg, int64_t id, str ns, str name, const struct val *workflow)
{
	struct workflow_page *p = arg;
	p->items[p->n++] = (struct stored_workflow){ id, ns, name, workflow ? *workflow : val_null() };
}

static int
page_of_workflows(sqlite3 *db, str ns, int64_t from, int64_t to, size_t limit, struct arena *a, struct stored_workflow *out, size_t *n, struct err *e)
{
	struct workflow_page p = { out, 0 };
	int rc = engine_stored_page(db, ns, from, to, limit, a, add_to_page, &p, e);
	*n = p.n;
	return rc;
}

int
daemon_start_events(struct daemon *d, struct err *e)
{
	str folder = arena_fmt(d->arena, "%.*s/triggers", STR_ARG(d->state));
	files_remove(folder.p); /* what a killed daemon left there */
	struct trigger_env env = { .loop = d->loop, .store = d->store, .objects = d->objects, .engine = d->engine, .httpc = httpc_of,
		                   .peers = peers_of, .revisions = d->revisions, .changed = change_is_due, .children = children_of, .folder = folder, .arg = d, .dead_letters = d->settings.dead_letters };
	d->sensors = sensors_new(&env, bus_of, d);
	if (sensors_apply(d->sensors, e))
		return -1;
	d->sources = sources_new(d->loop, d->store, d->objects, STR_NONE, bus_of, d);
	d->workflows = (struct workflow_feed){ watch_workflows, newest_workflow, engine_stored, page_of_workflows, d };
	sources_set_workflows(d->sources, &d->workflows);
	sources_set_cluster(d->sources, &d->settings.kubernetes);
	sources_apply(d->sources);
	return engine_cron_start(d->engine, e);
}

void
daemon_objects_changed(struct daemon *d)
{
	struct err e;
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&d->buses, &i));) {
		str name = slot->key, ns = str_cut(&name, '/');
		struct bus_limits limits = limits_of(d, ns, name);
		bus_set_limits(slot->value, &limits);
	}
	if (d->engine)
		engine_objects_changed(d->engine);
	if (d->sensors && sensors_apply(d->sensors, &e))
		log_error("sensors not taken over", "error", e.msg, NULL);
	if (d->sources)
		sources_apply(d->sources);
}

void
daemon_close(struct daemon *d)
{
	sources_free(d->sources);
	sensors_free(d->sensors);
	d->sources = NULL;
	d->sensors = NULL;
	while (d->store && store_reading(d->store)) /* what was asked of the engine is answered while there is one */
		loop_turn(d->loop, 10);
	if (d->store)
		store_flush(d->store);
	engine_free(d->engine);
	executor_free(d->executor);
	httpc_free(d->httpc);
	peers_free(d->peers);
	children_free(d->children);
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&d->buses, &i));)
		bus_close(slot->value);
	map_free(&d->buses);
	/* What those left for the end of the turn runs before the store goes. */
	if (d->loop)
		loop_turn(d->loop, 0);
	store_close(d->store);
	revisions_free(d->revisions);
	objects_free(d->objects);
	loop_free(d->loop);
	arena_free(d->arena);
	*d = (struct daemon){ 0 };
}

/* ---- manifests ---------------------------------------------------------------------------------------------- */

int
read_manifests(const char *const *paths, size_t n, str ns, const struct objects *resolve_in, struct manifest_set *out, struct diags *d)
{
	*out = (struct manifest_set){ 0 };
	return manifests_read(tidegate_kinds, tidegate_kinds_n, paths, n, ns, resolve_in, out, d);
}
