/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/listeners.h"

#include "cli/output.h"
#include "core/clock.h"

str
number_text(struct arena *a, const struct val *v)
{
	int64_t n = 0;
	(void)val_to_i64(v, &n); /* absent is none */
	return arena_fmt(a, "%lld", (long long)n);
}

void
print_sources(const struct val *list, struct arena *a)
{
	struct table t = { .columns = 6, .colors = out_colors(stdout) };
	if (!val_is(list, VAL_LIST) || list->n == 0)
		return;
	table_row(&t, (const str[]){ S("SOURCE"), S("TYPE"), S("STATE"), S("SINCE"), S("URL"), S("ERROR") });
	for (uint32_t i = 0; i < list->n; i++) {
		const struct val *s = &list->items[i];
		int64_t since = time_member(s, "since");
		table_row(&t, (const str[]){
			arena_fmt(a, "%.*s/%.*s/%.*s", STR_ARG(val_get_str(s, "namespace")), STR_ARG(val_get_str(s, "eventSource")), STR_ARG(val_get_str(s, "event"))),
			val_get_str(s, "type"), val_get_str(s, "state"), since ? age_text(a, clock_wall_ns() - since) : S(""), val_get_str(s, "url"),
			val_get_str(s, "error") });
	}
	table_print(&t, stdout);
}

/* Firings that wait for their next attempt, over all triggers of a sensor. */
static int64_t
pending(const struct val *sensor)
{
	const struct val *triggers = val_get(sensor, S("triggers"));
	int64_t sum = 0, n;
	for (uint32_t i = 0; val_is(triggers, VAL_LIST) && i < triggers->n; i++)
		if (val_to_i64(val_get(&triggers->items[i], S("pending")), &n))
			sum += n;
	return sum;
}

void
print_sensors(const struct val *list, struct arena *a)
{
	struct table t = { .columns = 6, .colors = out_colors(stdout) };
	if (!val_is(list, VAL_LIST) || list->n == 0)
		return;
	table_row(&t, (const str[]){ S("SENSOR"), S("STATE"), S("EVENTS"), S("FIRED"), S("PENDING"), S("ERROR") });
	for (uint32_t i = 0; i < list->n; i++) {
		const struct val *s = &list->items[i];
		table_row(&t, (const str[]){ arena_fmt(a, "%.*s/%.*s", STR_ARG(val_get_str(s, "namespace")), STR_ARG(val_get_str(s, "name"))),
			val_get_str(s, "state"), number_text(a, val_get(s, S("events"))), number_text(a, val_get(s, S("fired"))),
			arena_fmt(a, "%lld", (long long)pending(s)), val_get_str(s, "error") });
	}
	table_print(&t, stdout);
}

/* Those of the list whose `field` is one of the names; all, if none is given. *missing: the first name that none has. */
static struct val
named(const struct val *list, const char *field, char **names, int n, struct arena *a, const char **missing)
{
	struct val_list out = { 0 };
	for (int k = 0; k < n || (n == 0 && k == 0); k++) {
		bool found = n == 0;
		for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++) {
			if (n && !str_eq(val_get_str(&list->items[i], field), str_c(names[k])))
				continue;
			val_list_add(&out, list->items[i]);
			found = true;
		}
		if (!found && !*missing)
			*missing = names[k];
	}
	return val_list_end(&out, a);
}

/* Of one namespace. */
static struct val
of_namespace(const struct val *list, str ns, struct arena *a)
{
	struct val_list out = { 0 };
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++)
		if (str_eq(val_get_str(&list->items[i], "namespace"), ns))
			val_list_add(&out, list->items[i]);
	return val_list_end(&out, a);
}

static const struct listeners {
	const char *words[5];
	const char *member, *name; /* of the daemon's status; the field with the object's name */
	void (*print)(const struct val *list, struct arena *a);
} kinds[] = {
	{ { "eventsources", "eventsource", "es" }, "sources", "eventSource", print_sources },
	{ { "sensors", "sensor", "sn" }, "sensors", "name", print_sensors },
};

static const struct listeners *
kind_of(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		for (const char *const *w = kinds[i].words; *w; w++)
			if (strcmp(*w, word) == 0)
				return &kinds[i];
	return NULL;
}

bool
is_listeners(const char *word)
{
	return kind_of(word) != NULL;
}

int
get_listeners(struct client *c, const char *output, char **args, int n)
{
	const struct listeners *k = kind_of(args[0]);
	const char *missing = NULL;
	struct err e = { 0 };
	struct val status;
	if (client_call(c, "GET", S("/tidegate/v1/status"), NULL, &status, &e))
		return cli_fail(&e);
	struct val ours = of_namespace(val_get(&status, str_c(k->member)), c->ns, c->arena);
	struct val list = named(&ours, k->name, args + 1, n - 1, c->arena, &missing);
	if (output && strcmp(output, "name") == 0)
		for (uint32_t i = 0; i < list.n; i++)
			printf("%.*s\n", STR_ARG(val_get_str(&list.items[i], k->name)));
	else if (output && (strcmp(output, "json") == 0 || strcmp(output, "yaml") == 0))
		print_value(stdout, &list, output);
	else if (list.n == 0 && !missing)
		printf("there are no %s in namespace %.*s\n", k->words[0], STR_ARG(c->ns));
	else
		k->print(&list, c->arena);
	if (!missing)
		return EXIT_DONE;
	err_set(&e, ERR_NOT_FOUND, "there is no %s \"%s\" in namespace %.*s", k->words[1], missing, STR_ARG(c->ns));
	return cli_fail(&e);
}
