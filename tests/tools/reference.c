/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reference DIR: writes the reference pages, one for each group of kinds, from the tables. `make docs` puts them into
 * docs/reference; `make test` fails if what lies there is not what this would write.
 */
#include <errno.h>
#include <sys/stat.h>

#include "api/bodies.h"
#include "cli/kinds.h"
#include "cli/test_file.h"
#include "core/field_kinds.h"
#include "core/map.h"
#include "engine/engine.h"
#include "sensors/sensor.h"
#include "sources/source.h"
#include "triggers/trigger.h"

enum { ROOTS_MAX = 64 };

struct page {
	FILE *f;
	struct map printed; /* by name: a table stands once on a page */
	size_t rows, later, no_effect;
};

static void
open_page(struct page *p, const char *dir, const char *name, const char *title, const char *intro)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/%s.md", dir, name);
	*p = (struct page){ .f = fopen(path, "w") };
	if (!p->f) {
		perror(path);
		exit(1);
	}
	fprintf(p->f, "<!-- Written by `make docs` from the tables in the code: change those. -->\n# %s\n\n%s\n\n",
		title, intro);
}

static void
close_page(struct page *p)
{
	fprintf(p->f, "---\n\n%zu fields on this page, %zu of them not served yet, %zu without effect here.\n",
		p->rows, p->later, p->no_effect);
	if (fclose(p->f)) {
		perror("writing");
		exit(1);
	}
	map_free(&p->printed);
}

static void
print_schema(const struct schema *sc, const struct field *under, void *arg)
{
	struct page *p = arg;

	if (map_put(&p->printed, str_c(sc->name), p))
		return;
	schema_doc(sc, under, p->f);
	EACH_FIELD(sc, f)
	{
		if (f->kind == FIELD_SRC_ || f->flags & INLINE)
			continue;
		p->rows++;
		const unsigned flags = f->flags & (LATER | STATUS) || !under ? f->flags : under->flags;
		p->later += !!(flags & LATER);
		p->no_effect += !(flags & LATER) && flags & (NOEFFECT | STATUS);
	}
}

/* The tables a page begins with; those of kinds that are not served stand under a row that says so. */
struct roots {
	VEC(const struct schema *) schemas;
	VEC(const struct field *) under;
	struct field later[ROOTS_MAX];
};

static void
add_root(struct roots *r, const struct schema *sc, const char *name, bool served)
{
	struct field *row = &r->later[r->schemas.n];

	*row = (struct field){ .name = name, .flags = LATER };
	*VEC_PUSH(&r->schemas) = sc;
	*VEC_PUSH(&r->under) = served ? NULL : row;
	assert(r->schemas.n < ROOTS_MAX);
}

static void
print_roots(struct page *p, struct roots *r)
{
	schema_each_under(r->schemas.p, r->under.p, r->schemas.n, print_schema, p);
	VEC_FREE(&r->schemas);
	VEC_FREE(&r->under);
}

/* A link within the page, as GitHub makes anchors. */
static void
print_link(FILE *f, const char *heading)
{
	fprintf(f, "[%s](#", heading);
	for (; *heading; heading++)
		fputc(*heading >= 'A' && *heading <= 'Z' ? *heading | 0x20 : *heading, f);
	fputc(')', f);
}

static void
write_sources(const char *dir)
{
	struct page p;

	open_page(&p, dir, "eventsource", "EventSource", "An EventSource holds, for each kind of source, a map from "
		"event name to configuration: "
		"`spec.<kind>.<event>`.");
	fprintf(p.f, "| kind | | configuration |\n|---|---|---|\n");
	for (size_t i = 0; i < source_kinds_n; i++) {
		const struct source_ops *o = source_kinds[i];

		fprintf(p.f, "| `%s` | %s%s | ", o->kind, o->doc, o->start ? "" : " *Not served yet.*");
		print_link(p.f, o->schema->name);
		fprintf(p.f, " |\n");
	}
	fprintf(p.f, "\n");
	struct roots r = { 0 };
	add_root(&r, kind_eventsource.schema, kind_eventsource.name, true);
	for (size_t i = 0; i < source_kinds_n; i++)
		add_root(&r, source_kinds[i]->schema, source_kinds[i]->kind, source_kinds[i]->start);
	print_roots(&p, &r);
	close_page(&p);
}

static void
write_sensors(const char *dir)
{
	struct page p;

	open_page(&p, dir, "sensor", "Sensor", "A Sensor waits for events and fires triggers. What a trigger does is "
		"under the key of its kind in "
		"`spec.triggers[].template`.");
	fprintf(p.f, "| kind | | configuration |\n|---|---|---|\n");
	for (size_t i = 0; i < trigger_kinds_n; i++) {
		const struct trigger_ops *o = trigger_kinds[i];

		fprintf(p.f, "| `%s` | %s%s | ", o->kind, o->doc, o->fire ? "" : " *Not served yet.*");
		print_link(p.f, o->schema->name);
		fprintf(p.f, " |\n");
	}
	fprintf(p.f, "\n");
	struct roots r = { 0 };
	add_root(&r, kind_sensor.schema, kind_sensor.name, true);
	for (size_t i = 0; i < trigger_kinds_n; i++)
		add_root(&r, trigger_kinds[i]->schema, trigger_kinds[i]->kind, trigger_kinds[i]->fire);
	print_roots(&p, &r);
	close_page(&p);
}

static void
write_kinds(const char *dir, const char *name, const char *title, const char *intro, const struct kind *const *kinds)
{
	struct page p;

	open_page(&p, dir, name, title, intro);
	struct roots r = { 0 };
	for (; *kinds; kinds++)
		add_root(&r, (*kinds)->schema, (*kinds)->name, true);
	print_roots(&p, &r);
	close_page(&p);
}

static void
write_settings(const char *dir)
{
	struct page p;

	open_page(&p, dir, "settings", "Settings", "The configuration of the daemon itself: a YAML file named by "
		"`--config`.");
	struct roots r = { 0 };
	add_root(&r, &settings_schema, "settings", true);
	print_roots(&p, &r);
	close_page(&p);
}

static void
write_requests(const char *dir)
{
	struct page p;
	struct roots r = { 0 };

	open_page(&p, dir, "requests", "Bodies of requests", "What the REST interface takes beside manifests. Members that are not here are "
		"ignored.");
	for (size_t i = 0; request_bodies[i]; i++)
		add_root(&r, request_bodies[i], request_bodies[i]->name, true);
	print_roots(&p, &r);
	close_page(&p);
}

static void
write_tests(const char *dir)
{
	struct page p;

	open_page(&p, dir, "test", "Test files", "What `tidegate test FILE.test.yaml` reads: YAML with a case a document. "
		"[testing-manifests.md](../testing-manifests.md) shows how to write one.");
	struct roots r = { 0 };
	add_root(&r, &test_case_schema, "test", true);
	print_roots(&p, &r);
	close_page(&p);
}

static void
write_metrics(const char *dir)
{
	struct page p;

	open_page(&p, dir, "metrics", "Metrics", "What `/metrics` has in Prometheus' text format. What Argo has as well has its name, its "
		"labels and its units here.");
	fputs("| metric | kind | labels | meaning |\n|---|---|---|---|\n", p.f);
#define METRIC(id, kind, name, labels, help) fprintf(p.f, "| `%s` | %s | %s | %s |\n", name, #kind, labels, help);
#define HISTOGRAM(id, name, labels, help, ...) METRIC(id, histogram, name, labels, help)
#define NOT_SERVED(name, why)
#include "core/metrics.def"
#undef METRIC
#undef HISTOGRAM
#undef NOT_SERVED
	fputs("\nWorkflows and templates report more (`metrics.prometheus`), as `argo_workflows_<name>`.\n\n## Not served\n\n"
		"| metric of Argo's controller | why |\n|---|---|\n", p.f);
#define METRIC(id, kind, name, labels, help)
#define HISTOGRAM(id, name, labels, help, ...)
#define NOT_SERVED(name, why) fprintf(p.f, "| `argo_workflows_%s` | %s |\n", name, why);
#include "core/metrics.def"
#undef METRIC
#undef HISTOGRAM
#undef NOT_SERVED
	if (fclose(p.f)) {
		perror("writing");
		exit(1);
	}
}

int
main(int argc, char **argv)
{
	static const struct kind *const workflows[] = { &kind_workflow, &kind_workflowtemplate, &kind_cronworkflow,
		&kind_workfloweventbinding, NULL };
	static const struct kind *const objects[] = { &kind_eventbus, &kind_configmap, &kind_secret, &kind_claim, NULL };

	if (argc != 2 || (mkdir(argv[1], 0777) && errno != EEXIST)) {
		fprintf(stderr, "usage: reference DIR\n");
		return 2;
	}
	write_sources(argv[1]);
	write_sensors(argv[1]);
	write_kinds(argv[1], "workflow", "Workflow and its kin", "Workflow, WorkflowTemplate (and "
		"ClusterWorkflowTemplate, which has the same fields), "
		"CronWorkflow and WorkflowEventBinding.", workflows);
	write_kinds(argv[1], "objects", "EventBus, ConfigMap, Secret, PersistentVolumeClaim", "What the other kinds refer to.", objects);
	write_settings(argv[1]);
	write_requests(argv[1]);
	write_tests(argv[1]);
	write_metrics(argv[1]);
	return 0;
}
