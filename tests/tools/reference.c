/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reference DIR: writes the reference pages, one for each group of kinds, from the tables. `make docs` puts them into
 * docs/reference; `make test` fails if what lies there is not what this would write.
 */
#include <errno.h>
#include <sys/stat.h>

#include "cli/kinds.h"
#include "core/field_kinds.h"
#include "core/map.h"
#include "engine/engine.h"
#include "sensors/sensor.h"
#include "sources/source.h"
#include "triggers/trigger.h"

struct page {
	FILE *f;
	struct map printed; /* by name: a table stands once on a page */
	struct map served;  /* tables that a field which is served refers to, by name */
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
	map_free(&p->served);
}

/* What can be reached without a field that is refused. */
static void
reach(struct page *p, const struct schema *sc)
{
	if (!sc || map_put(&p->served, str_c(sc->name), p))
		return;
	EACH_FIELD(sc, f)
	{
		if (!(f->flags & LATER))
			reach(p, f->schema);
	}
}

static void
print_schema(const struct schema *sc, void *arg)
{
	struct page *p = arg;

	if (map_put(&p->printed, str_c(sc->name), p))
		return;
	schema_doc(sc, p->f);
	if (!map_get(&p->served, str_c(sc->name)))
		fputs("Refused as a whole: no field that is served leads here.\n\n", p->f);
	EACH_FIELD(sc, f)
	{
		p->rows += f->kind != FIELD_SRC_;
		p->later += !!(f->flags & LATER);
		p->no_effect += !!(f->flags & NOEFFECT);
	}
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
	reach(&p, kind_eventsource.schema);
	for (size_t i = 0; i < source_kinds_n; i++)
		if (source_kinds[i]->start)
			reach(&p, source_kinds[i]->schema);
	schema_each(kind_eventsource.schema, print_schema, &p);
	for (size_t i = 0; i < source_kinds_n; i++)
		schema_each(source_kinds[i]->schema, print_schema, &p);
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
	reach(&p, kind_sensor.schema);
	for (size_t i = 0; i < trigger_kinds_n; i++)
		if (trigger_kinds[i]->fire)
			reach(&p, trigger_kinds[i]->schema);
	schema_each(kind_sensor.schema, print_schema, &p);
	for (size_t i = 0; i < trigger_kinds_n; i++)
		schema_each(trigger_kinds[i]->schema, print_schema, &p);
	close_page(&p);
}

static void
write_kinds(const char *dir, const char *name, const char *title, const char *intro, const struct kind *const *kinds)
{
	struct page p;

	open_page(&p, dir, name, title, intro);
	for (size_t i = 0; kinds[i]; i++)
		reach(&p, kinds[i]->schema);
	for (; *kinds; kinds++)
		schema_each((*kinds)->schema, print_schema, &p);
	close_page(&p);
}

static void
write_settings(const char *dir)
{
	struct page p;

	open_page(&p, dir, "settings", "Settings", "The configuration of the daemon itself: a YAML file named by "
		"`--config`.");
	reach(&p, &settings_schema);
	schema_each(&settings_schema, print_schema, &p);
	close_page(&p);
}

int
main(int argc, char **argv)
{
	static const struct kind *const workflows[] = { &kind_workflow, &kind_workflowtemplate, &kind_cronworkflow,
		&kind_workfloweventbinding, NULL };
	static const struct kind *const objects[] = { &kind_eventbus, &kind_configmap, &kind_secret, NULL };

	if (argc != 2 || (mkdir(argv[1], 0777) && errno != EEXIST)) {
		fprintf(stderr, "usage: reference DIR\n");
		return 2;
	}
	write_sources(argv[1]);
	write_sensors(argv[1]);
	write_kinds(argv[1], "workflow", "Workflow and its kin", "Workflow, WorkflowTemplate (and "
		"ClusterWorkflowTemplate, which has the same fields), "
		"CronWorkflow and WorkflowEventBinding.", workflows);
	write_kinds(argv[1], "objects", "EventBus, ConfigMap, Secret", "What the other kinds refer to.", objects);
	write_settings(argv[1]);
	return 0;
}
