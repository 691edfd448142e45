/* SPDX-License-Identifier: Apache-2.0 */
/*
 * validate: what its files share. Validation follows the references from the entrypoint as Argo does: a template is
 * looked into once, when it is first reached; what depends on who calls it (arguments) is checked at every call.
 *
 * Variables are not collected into sets that are copied from step to step: a tag is taken apart and its parts are
 * looked up, so that the cost is that of the manifest and not of its square.
 */
#ifndef TIDEGATE_ENGINE_SPEC_VALIDATE_H
#define TIDEGATE_ENGINE_SPEC_VALIDATE_H

#include "core/map.h"
#include "engine/run/run.h"
#include "engine/spec/spec.h"

/* Templates that call each other by name: the workflow's own, or those of one (Cluster)WorkflowTemplate. */
struct owner {
	bool cluster;
	str name;                     /* "" for the workflow's own */
	struct workflow_spec spec;
	struct map by_name;           /* -> struct template_state */
	struct owner *next;
};
/* A template and where it is from. Borrowed from the check's arena. */
struct template_state {
	const struct template *t;
	struct owner *owner;
	bool visited;
};

struct check {
	struct arena *arena;
	struct diags *diags;
	struct diags quiet;           /* findings of decoding again: everybody has seen them */
	const struct val *root;       /* the manifest */
	const struct val *meta;
	const struct run_world *world;
	str ns;
	enum validate_mode mode;
	struct owner *owners;         /* the workflow's own first */
	const struct val *foreign;    /* inside another object: the place that refers to it */
	const struct val *home;       /* where else to report what has no place in the manifest */
	size_t reported;
	struct buf prefix;            /* "templates.main.steps[0].a ": where we are, in Argo's words */
	bool on_exit;                 /* workflow.failures is known */
	struct map parameters, labels, annotations; /* names known as workflow.*; values mean nothing */
	struct map global_parameters, global_artifacts; /* workflow.outputs.* */
	bool any_global_parameter, any_global_artifact; /* some have names that are variables themselves */
};

/* The variables that are known at a place. */
struct scope {
	const struct template *t;     /* inputs; NULL: none */
	const struct steps_scope *steps;
	struct dag_scope *dag;
	size_t group;                 /* steps: those of groups before this one are known */
	size_t task;                  /* dag: the task we are in; SIZE_MAX: at the template's outputs */
	const struct step *self;      /* step or task that also knows itself: in its hooks */
	const struct loops *loops;
};
/* What `item` stands for so far. As in Argo it grows through a template. */
struct loops {
	bool any;                     /* withParam: any key */
	struct map keys;
};
struct steps_scope {
	struct map by_name;           /* -> struct known_step */
};
struct known_step {
	const struct step *step;
	struct template_state *tmpl;  /* NULL: could not be found, or its name is a variable */
	size_t group;
};
struct dag_scope {
	const struct dag *dag;
	struct map by_name;           /* -> struct known_step; group is the index */
	struct known_step *tasks;
	struct task_deps *deps;       /* by index */
	/* for walks over them */
	struct arena *arena;
	size_t *first, *behind;       /* those that depend on i: behind[first[i]] up to behind[first[i + 1]] */
	uint32_t *mark, round;        /* mark[i] == round: seen */
	size_t *queue;
	bool **reach;                 /* by index, where it was asked for often: which tasks depend on it */
	size_t reached, work;         /* number of those; steps of walks so far */
};
struct task_deps {
	size_t *p, n;
};

/* ---- validate.c ---------------------------------------------------------------------------------------------- */

/* Adds an error at `at` with the prefix before its text. */
struct diag *check_fail(struct check *k, const struct val *at, const char *fmt, ...) PRINTF_LIKE(3, 4);
void check_expression(struct check *k, str text, const struct val *at); /* warns of one that cannot be read */
struct diag *check_warn(struct check *k, const struct val *at, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Something that is not served yet. */
void check_later(struct check *k, const struct val *at, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Adds to the prefix; leave it with check_leave and what this returned. */
size_t check_enter(struct check *k, const char *fmt, ...) PRINTF_LIKE(2, 3);
void check_leave(struct check *k, size_t before);
/*
 * A name of letters, digits and '-' that begins with a letter or digit (templates, steps, tasks), or of letters,
 * digits, '-' and '_' (parameters, artifacts). `where` is Argo's place, as "spec.templates[0].name". False if it is
 * wrong; then an error was added.
 */
bool check_field_name(struct check *k, str name, const struct val *at, const char *where);
bool check_parameter_name(struct check *k, str name, const struct val *at, const char *where);
/* As check_parameter_name, for outputs: their names may have tags of what a call is given, {{inputs.parameters.x}} and {{workflow.name}}. */
bool check_output_name(struct check *k, str name, const struct val *at, const char *where);
/* "name" and "is not unique", for lists of things with names. */
bool check_unique(struct check *k, struct map *seen, str name, const struct val *at, const char *where);
/* Names, values, enums and sources of arguments. `where` ends with a dot. */
void check_arguments(struct check *k, const struct arguments *args, bool may_be_empty, const char *where);
void check_artifact_location(struct check *k, const struct artifact *art, const char *where);
/* Whether the text is, or holds, a variable: then only the run can tell. */
bool check_has_tag(str s);

/* ---- validate_cron.c --------------------------------------------------------------------------------------------- */

/* Of the spec of a CronWorkflow, all but its workflowSpec. */
void check_cron(struct check *k, const struct val *spec);

/* ---- validate_volume.c ------------------------------------------------------------------------------------------- */

void check_volumes(struct check *k, const struct volume *list, size_t n);
/* Of a container of `t`. */
void check_volume_mount(struct check *k, const struct template *t, const struct volume_mount *m);

/* ---- validate_patch.c ---------------------------------------------------------------------------------------------- */

/* Warns of what a podSpecPatch (a text in the manifest, or NULL) says that no pod has, or none has here. */
void check_pod_patch(struct check *k, const struct val *at);

/* ---- validate_ref.c: from references to templates ---------------------------------------------------------------- */

/* Decodes a spec into an owner and puts it into k->owners' list. */
struct owner *check_owner(struct check *k, const struct val *spec, bool cluster, str name);
/*
 * The template that a step, task or hook calls; NULL if there is none (an error was added) or its name is a variable.
 */
struct template_state *check_resolve(struct check *k, struct owner *from, str name, const struct template_ref *ref,
                                    const struct val *inline_template, const struct val *at);
struct template_state *check_resolve_name(struct check *k, struct owner *from, str name, const struct val *at);
/* "did you mean", from the names of (Cluster)WorkflowTemplates. */
void check_hint_template(struct check *k, struct diag *x, bool cluster, str name);
/* Reports in `at` what a template of another object uses that is not served yet. */
void check_report_later(struct check *k, const struct val *spec_or_template, const struct schema *sc,
	const struct val *at, const char *what);

/* ---- validate_template.c ----------------------------------------------------------------------------------------- */

/* Looks into the template unless that was done; `args` NULL: whatever its inputs need is there. `at`: the call. */
void check_call(struct check *k, struct template_state *s, const struct arguments *args, const struct val *at);
/* Hooks and onExit of a step or task. */
void check_hooks(struct check *k, struct owner *owner, const struct step *step, const struct scope *scope);
/* The condition of a step, as far as it can be read before its variables are known. */
void check_when(struct check *k, const struct step *step);
/* How often a step runs: adds what `item` means to `loops`. False if that is wrong. */
void check_loop(struct check *k, const struct step *step, struct loops *loops);
static inline bool check_is_loop(const struct step *s)
{
	return (s->with_items && s->with_items->n) || s->with_param.n || s->with_sequence;
}

/* ---- validate_leaf.c, validate_dag.c ------------------------------------------------------------------------------ */

void check_leaf(struct check *k, const struct template_state *s, const struct scope *scope);
void check_metrics(struct check *k, const struct template *t);
void check_dag(struct check *k, const struct template_state *s, struct dag_scope *dag, struct loops *loops);
/* Whether task `ancestor` is a transitive dependency of `task`. True without looking once that has taken too much work. */
bool check_is_ancestor(struct dag_scope *dag, size_t task, size_t ancestor);

/* ---- validate_vars.c ------------------------------------------------------------------------------------------------ */

/* All tags in strings at or below `v`; members called `skip` (NULL-terminated) at the top are left out. */
void check_tags(struct check *k, const struct scope *s, const struct val *v, const char *const *skip);
/* Warns of every {{=...}} at or below that cannot be compiled. */
void check_expressions(struct check *k, const struct val *v);

#endif
