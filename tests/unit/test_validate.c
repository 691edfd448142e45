/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Validation of workflows: for each mistake the finding, with its place; and what looks like a mistake but is none. A case is the part of
 * a manifest below `templates:`, or, if it begins with "kind:", the whole of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "engine/engine.h"
#include "engine/run/run.h"
#include "engine/spec/spec.h"

#define HEAD "kind: Workflow\nmetadata: {generateName: t-}\nspec:\n  entrypoint: main\n  templates:\n"
#define SAY "  - {name: say, inputs: {parameters: [{name: m}]}, container: {image: a, args: ['{{inputs.parameters.m}}']}}\n"
#define RUN "  - {name: run, container: {image: a}}\n"

struct a_case {
	const char *text;
	const char *findings; /* "line:column text" each on a line; "" for none */
};

/* A world with one WorkflowTemplate, `lib`, that has the templates `hi` and `art`, and one cluster-wide, `clib`. */
static struct val lib;

static const struct val *
template_spec(void *arg, bool cluster, str ns, str name)
{
	(void)arg;
	(void)ns;
	return str_eq(name, cluster ? S("clib") : S("lib")) ? &lib : NULL;
}

static struct val
read_one(struct arena *a, const char *text, struct diags *d)
{
	struct val *docs;
	size_t n;

	if (yaml_read_all(a, S("t.yaml"), str_c(text), NULL, &docs, &n, d) < 0 || n != 1)
		fail_msg("not one document: %s", text);
	return docs[0];
}

static str
findings_of(struct arena *a, const char *text, enum validate_mode mode)
{
	const struct run_world world = { .template_spec = template_spec };
	struct buf whole CLEANUP(free_buf) = { 0 }, out CLEANUP(free_buf) = { 0 };
	struct diags d;

	diags_init(&d);
	lib = read_one(a, "entrypoint: hi\ntemplates:\n- {name: hi, inputs: {parameters: [{name: m}]}, container: {image: a}}\n"
		"- {name: art, container: {image: a, volumeDevices: [{name: d, devicePath: /d}]}}\n", &d);
	buf_addf(&whole, "%s%s", strncmp(text, "kind:", 5) ? HEAD : "", text);

	struct val doc = read_one(a, str_z(a, buf_str(&whole)), &d);

	d.file = S("t.yaml");
	workflow_validate(&doc, mode, &world, S("default"), &d);
	for (size_t i = 0; i < d.v.n; i++)
		buf_addf(&out, "%u:%u %s%.*s\n", d.v.p[i].line, d.v.p[i].col,
			d.v.p[i].level == DIAG_LATER ? "later " : d.v.p[i].level == DIAG_WARNING ? "warning " : "", STR_ARG(d.v.p[i].text));
	diags_free(&d);
	return arena_dup(a, buf_str(&out));
}

static void
run_cases(const struct a_case *cases, size_t n, enum validate_mode mode)
{
	struct arena *a = arena_new();
	size_t bad = 0;

	for (size_t i = 0; i < n; i++) {
		str got = findings_of(a, cases[i].text, mode);

		if (str_eq(got, str_c(cases[i].findings)))
			continue;
		print_message("--- case %zu:\n%sexpected:\n%sgot:\n%.*s", i, cases[i].text, cases[i].findings, STR_ARG(got));
		bad++;
	}
	arena_free(a);
	assert_int_equal(bad, 0);
}

/* ---- templates and names ------------------------------------------------------------------------------------ */

static void
templates(void **state)
{
	static const struct a_case cases[] = {
		{ "  - {name: main, container: {image: a}}\n",
		  "" },
		{ "  - {name: main}\n",
		  "6:5 templates.main template type unspecified. choose one of: container, containerSet, steps, script, resource, dag, suspend, data, http, plugin\n" },
		{ "  - {name: main, container: {image: a}, suspend: {}}\n",
		  "6:5 templates.main multiple template types specified. choose one of: container, containerSet, steps, script, resource, dag, suspend, data, http, plugin\n" },
		{ "  - {name: main, suspend: {}}\n"
		  "  - {name: main, suspend: {}}\n",
		  "7:5 spec.templates[1].name 'main' is not unique\n" },
		{ "  - {name: main, suspend: {}}\n"
		  "  - {name: a_b, suspend: {}}\n"
		  "  - {suspend: {}}\n",
		  "7:5 spec.templates[1].name: 'a_b' is invalid: name must consist of alpha-numeric characters or '-', and must start with an alpha-numeric character (e.g. My-name1-2, 123-NAME)\n"
		  "8:5 spec.templates[2].name is required\n" },
		{ "  - {name: mian, suspend: {}}\n",
		  "4:15 template name 'main' undefined\n" },
		{ "  - {name: main, parallelism: 2, container: {image: a}}\n",
		  "6:31 templates.main.parallelism is only valid for steps and dag templates\n" },
		{ "  - {name: main, activeDeadlineSeconds: 0, container: {image: a}}\n",
		  "6:41 templates.main.activeDeadlineSeconds must be a positive integer > 0 or an argo variable\n" },
		{ "  - {name: main, activeDeadlineSeconds: '{{workflow.name}}', container: {image: a}}\n",
		  "" },
		{ "  - {name: main, activeDeadlineSeconds: soon, container: {image: a}}\n",
		  "6:41 templates.main.activeDeadlineSeconds must be a positive integer > 0 or an argo variable\n" },
		{ "  - {name: main, activeDeadlineSeconds: 5, steps: []}\n",
		  "6:41 templates.main.activeDeadlineSeconds is only valid for leaf templates\n" },
		{ "  - {name: main, timeout: 10, container: {image: a}}\n",
		  "" },
		{ "  - {name: main, timeout: 10s, container: {image: a}}\n",
		  "" },
		{ "  - {name: main, timeout: 10s, pendingTimeout: 5s, steps: []}\n",
		  "6:27 templates.main Steps template doesn't support timeout field.\n"
		  "6:48 templates.main Steps template doesn't support pendingTimeout field.\n" },
		{ "  - {name: main, inputs: {parameters: [{name: a b}, {name: c}, {name: c}]}, container: {image: a}}\n",
		  "4:15 templates.main inputs.parameters.a b was not supplied\n"
		  "4:15 templates.main inputs.parameters.c was not supplied\n"
		  "4:15 templates.main inputs.parameters.c was not supplied\n"
		  "6:40 templates.main.inputs.parameters[0].name: 'a b' is invalid: Parameter/Artifact name must consist of alpha-numeric characters, '_' or '-' e.g. my_param_1, MY-PARAM-1\n"
		  "6:64 templates.main.inputs.parameters[2].name 'c' is not unique\n" },
		{ "  - {name: main, inputs: {artifacts: [{name: x}]}, container: {image: a}}\n",
		  "4:15 templates.main inputs.artifacts.x was not supplied\n"
		  "6:39 templates.main.inputs.artifacts.x.path is required: Artifact 'x' did not specify a path\n" },
		{ "  - {name: main, inputs: {artifacts: [{name: x, optional: true, path: /a/../../b}]}, container: {image: a}}\n",
		  "6:71 templates.main.inputs.artifacts.x.path '/a/../../b': Directory traversal is not permitted\n" },
		{ "  - {name: main, inputs: {artifacts: [{name: x, path: /x, from: y, git: {repo: \"\"}}]}, container: {image: a}}\n",
		  "6:65 templates.main.inputs.artifacts.x.from not valid in inputs\n"
		  "6:73 templates.main.inputs.artifacts.x.git.repo is required\n" },
		{ "  - {name: main, inputs: {parameters: [{name: p, value: x}]}, outputs: {artifacts: [{name: \"a-{{inputs.parameters.p}}\", path: /a}], "
		  "parameters: [{name: \"{{ workflow.name }}\", valueFrom: {path: /b}}]}, container: {image: a}}\n",
		  "" },
		{ "  - {name: main, inputs: {parameters: [{name: p, value: x}]}, outputs: {artifacts: [{name: \"a.{{inputs.parameters.p}}\", path: /a}, "
		  "{name: \"{{pod}}\", path: /b}]}, container: {image: a}}\n",
		  "6:85 templates.main.outputs.artifacts[0].name: 'a.{{inputs.parameters.p}}' is invalid: Parameter/Artifact name must consist of alpha-numeric characters, '_' or '-' e.g. my_param_1, MY-PARAM-1\n"
		  "6:132 templates.main.outputs.artifacts[1].name: '{{pod}}' is invalid: Parameter/Artifact name must consist of alpha-numeric characters, '_' or '-' e.g. my_param_1, MY-PARAM-1\n" },
		{ "  - {name: main, outputs: {parameters: [{name: p}]}, container: {image: a}}\n",
		  "6:41 templates.main.outputs.parameters.p does not have valueFrom or value specified\n" },
		{ "  - {name: main, outputs: {parameters: [{name: p, valueFrom: {}}]}, container: {image: a}}\n",
		  "6:62 templates.main.outputs.parameters.p.valueFrom type unspecified. choose one of: path, jqFilter, jsonPath, parameter, raw, expression\n" },
		{ "  - {name: main, outputs: {parameters: [{name: p, valueFrom: {path: /p, parameter: x}}]}, container: {image: a}}\n",
		  "6:62 templates.main.outputs.parameters.p multiple valueFrom types specified. choose one of: path, jqFilter, jsonPath, parameter, raw, expression\n" },
		{ "  - {name: main, outputs: {parameters: [{name: p, valueFrom: {parameter: x}}]}, container: {image: a}}\n",
		  "6:62 templates.main.outputs.parameters.p.path must be specified for Container templates\n" },
		{ "  - {name: main, outputs: {parameters: [{name: p, value: x, valueFrom: {path: /p}}]}, container: {image: a}}\n",
		  "6:41 templates.main.outputs.parameters.p has both valueFrom and value specified. Choose one.\n" },
		{ "  - {name: main, outputs: {parameters: [{name: p, valueFrom: {path: /p}, globalName: \"a b\"}]}, container: {image: a}}\n",
		  "6:86 templates.main.outputs.parameters.p.globalName: 'a b' is invalid: Parameter/Artifact name must consist of alpha-numeric characters, '_' or '-' e.g. my_param_1, MY-PARAM-1\n" },
		{ "  - {name: main, outputs: {parameters: [{name: p, valueFrom: {path: /p}}]}, steps: []}\n",
		  "6:62 templates.main.outputs.parameters.p.parameter or expression must be specified for Steps templates\n" },
		{ "  - {name: main, outputs: {artifacts: [{name: x}]}, container: {image: a}}\n",
		  "6:40 templates.main.outputs.artifacts.x.path not specified (Artifact 'x' did not specify a path)\n" },
		{ "  - {name: main, retryStrategy: {backoff: {factor: 2}}, container: {image: a}}\n",
		  "6:43 warning templates.main no base duration specified for retryStrategy: the first retry will fail\n" },
		{ "kind: Workflow\n"
		  "metadata: {name: a}\n"
		  "spec: {templates: [{name: main, suspend: {}}]}\n",
		  "3:7 spec.entrypoint is required\n" },
		{ "kind: Workflow\n"
		  "metadata: {name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}\n"
		  "spec: {entrypoint: main, templates: [{name: main, suspend: {}}]}\n",
		  "2:18 workflow name \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" must not be more than 63 characters long (currently 64)\n" },
		{ "kind: Workflow\n"
		  "spec:\n"
		  "  entrypoint: main\n"
		  "  arguments:\n"
		  "    parameters: [{name: x, value: c, enum: [a, b]}, {name: y, enum: []}, {name: z, valueFrom: {path: /z}}]\n"
		  "  templates: [{name: main, suspend: {}}]\n",
		  "5:35 spec.arguments.x.value should be present in spec.arguments.x.enum list\n"
		  "5:69 spec.arguments.y.enum should contain at least one value\n"
		  "5:95 spec.arguments.z.valueFrom only allows: default, configMapKeyRef and supplied\n" },
		{ "kind: Workflow\n"
		  "spec: {entrypoint: main, onExit: gone, hooks: {running: {template: main}}, templates: [{name: main, suspend: {}}]}\n",
		  "2:34 template name 'gone' undefined\n"
		  "2:57 hooks.running Expression required\n" },
	};

	(void)state;
	run_cases(cases, ARRAY_LEN(cases), VALIDATE_LINT);
}

static void
steps(void **state)
{
	static const struct a_case cases[] = {
		{ "  - name: main\n"
		  "    steps:\n"
		  "    - - {name: a, template: say, arguments: {parameters: [{name: m, value: x}]}}\n"
		  SAY,
		  "" },
		{ "  - name: main\n"
		  "    steps:\n"
		  "    - - {name: a, template: say}\n"
		  SAY,
		  "8:9 templates.main.steps[0].a templates.say inputs.parameters.m was not supplied\n" },
		{ "  - name: main\n"
		  "    steps:\n"
		  "    - - {name: a, template: say, arguments: {parameters: [{name: m}]}}\n"
		  SAY,
		  "8:59 templates.main.steps[0].a.arguments.m.value or templates.main.steps[0].a.arguments.m.valueFrom is required\n" },
		{ "  - name: main\n"
		  "    steps:\n"
		  "    - - {name: a, template: sya}\n"
		  SAY,
		  "8:29 templates.main.steps[0].a template name 'sya' undefined\n" },
		{ "  - name: main\n"
		  "    steps:\n"
		  "    - - {name: a, template: run}\n"
		  "      - {name: a, template: run}\n"
		  "    - - {name: b c, template: run}\n"
		  "      - {template: run}\n"
		  RUN,
		  "9:9 templates.main.steps[0].name 'a' is not unique\n"
		  "10:9 templates.main.steps[1].name: 'b c' is invalid: name must consist of alpha-numeric characters or '-', and must start with an alpha-numeric character (e.g. My-name1-2, 123-NAME)\n"
		  "11:9 templates.main.steps[1].name is required\n" },
		{ "  - name: main\n"
		  "    steps:\n"
		  "    - - {name: a, template: run, withItems: [1], withParam: \"[]\"}\n"
		  RUN,
		  "8:9 templates.main.steps[0].a only one of withItems, withParam, withSequence can be specified\n" },
		{ "  - name: main\n"
		  "    steps:\n"
		  "    - - {name: a, template: run, withSequence: {count: 1, end: 2}}\n"
		  "      - {name: b, template: run, withSequence: {start: 1}}\n"
		  RUN,
		  "8:48 templates.main.steps[0].a only one of count or end can be defined in withSequence\n"
		  "9:48 warning templates.main.steps[0].b neither end nor count was specified in withSequence\n" },
		{ "  - name: main\n"
		  "    steps:\n"
		  "    - - {name: a, template: run, hooks: {running: {template: run}, exit: {template: gone}}}\n"
		  RUN,
		  "8:51 templates.main.steps[0].a hooks.running Expression required\n"
		  "8:85 templates.main.steps[0].a hooks.exit template name 'gone' undefined\n" },
		{ "  - name: main\n"
		  "    steps:\n"
		  "    - - {name: a}\n"
		  RUN,
		  "8:9 templates.main.steps[0].a template, templateRef or inline is required\n" },
		{ "  - name: main\n"
		  "    steps:\n"
		  "    - - {name: a, template: run, templateRef: {name: lib, template: hi}}\n"
		  RUN,
		  "8:9 templates.main.steps[0].a template name cannot be specified with templateRef.\n"
		  "8:9 templates.main.steps[0].a templates.hi inputs.parameters.m was not supplied\n" },
		{ "  - name: main\n"
		  "    steps:\n"
		  "    - - {name: a, onExit: gone, template: run}\n"
		  RUN,
		  "8:27 templates.main.steps[0].a template name 'gone' undefined\n" },
		{ "  - name: main\n"
		  "    steps:\n"
		  "    - - name: a\n"
		  "        inline: {container: {}}\n",
		  "9:29 templates.main.steps[0].a templates..container.image may not be empty\n" },
		{ "  - name: main\n"
		  "    steps:\n"
		  "    - - {name: \"a-{{inputs.parameters.x}}\", template: run}\n"
		  "    inputs: {parameters: [{name: x, value: y}]}\n"
		  RUN,
		  "" },
		{ "  - name: main\n"
		  "    steps:\n"
		  "    - - {name: a, template: \"{{inputs.parameters.t}}\"}\n"
		  "    inputs: {parameters: [{name: t, value: run}]}\n"
		  RUN,
		  "" },
		{ "  - name: main\n"
		  "    steps:\n"
		  "    - - {name: a, template: main, when: \"{{steps.a.status}} == x\"}\n",
		  "" },
	};

	(void)state;
	run_cases(cases, ARRAY_LEN(cases), VALIDATE_LINT);
}

static void
dags(void **state)
{
	static const struct a_case cases[] = {
		{ "  - name: main\n"
		  "    dag:\n"
		  "      tasks:\n"
		  "      - {name: a, template: run}\n"
		  "      - {name: b, template: run, depends: a.Succeeded && !a.Failed}\n"
		  RUN,
		  "" },
		{ "  - {name: main, dag: {tasks: []}}\n",
		  "6:23 templates.main must have at least one task\n" },
		{ "  - name: main\n"
		  "    dag:\n"
		  "      tasks:\n"
		  "      - {name: a, template: run, dependencies: [c]}\n"
		  "      - {name: b, template: run, dependencies: [a]}\n"
		  "      - {name: c, template: run, dependencies: [b]}\n"
		  "      - {name: d, template: run, dependencies: [c]}\n"
		  RUN,
		  "9:9 templates.main sorting failed: graph with cycle: a<-b<-c<-a\n" },
		{ "  - name: main\n"
		  "    dag:\n"
		  "      tasks:\n"
		  "      - {name: a, template: run, depends: a}\n"
		  RUN,
		  "9:9 templates.main sorting failed: graph with cycle: a<-a\n" },
		{ "  - name: main\n"
		  "    dag:\n"
		  "      tasks:\n"
		  "      - {name: first, template: run}\n"
		  "      - {name: b, template: run, dependencies: [frist]}\n"
		  "      - {name: c, template: run, dependencies: [q]}\n"
		  RUN,
		  "10:49 templates.main.tasks.b dependency 'frist' not defined\n"
		  "11:49 templates.main.tasks.c dependency 'q' not defined\n" },
		{ "  - name: main\n"
		  "    dag:\n"
		  "      tasks:\n"
		  "      - {name: a, template: run}\n"
		  "      - {name: b, template: run, depends: a.Completed}\n"
		  "      - {name: c, template: run, depends: a &&}\n"
		  "      - {name: d, template: run, depends: x || a}\n"
		  RUN,
		  "10:43 templates.main.tasks.b task result 'Completed' for task 'a' is invalid\n"
		  "11:43 templates.main.tasks.c at 5: expected a task, found the end\n"
		  "12:43 templates.main.tasks.d dependency 'x' not defined\n" },
		{ "  - name: main\n"
		  "    dag:\n"
		  "      tasks:\n"
		  "      - {name: a, template: run}\n"
		  "      - {name: b, template: run, depends: a, continueOn: {failed: true}}\n"
		  "      - {name: c, template: run, dependencies: [a]}\n"
		  RUN,
		  "10:58 templates.main cannot use 'continueOn' when using 'depends'. Instead use 'dep-task.Failed'/'dep-task.Errored'\n"
		  "11:48 templates.main cannot use both 'depends' and 'dependencies' in the same DAG template\n" },
		{ "  - name: main\n"
		  "    dag:\n"
		  "      tasks:\n"
		  "      - {name: a, template: run}\n"
		  "      - {name: b, template: run, depends: a.AnySucceeded}\n"
		  "      - {name: c, template: run, withItems: [1]}\n"
		  "      - {name: d, template: run, depends: c.AllFailed}\n"
		  RUN,
		  "10:43 templates.main.tasks.b dependency 'a' uses an items-based condition such as .AnySucceeded or .AllFailed but does not contain any items\n" },
		{ "  - name: main\n"
		  "    dag:\n"
		  "      target: b zz\n"
		  "      tasks:\n"
		  "      - {name: b, template: run}\n"
		  RUN,
		  "8:15 templates.main target 'zz' is not defined\n" },
		{ "  - name: main\n"
		  "    dag:\n"
		  "      tasks:\n"
		  "      - {name: 1a, template: run}\n"
		  "      - {name: b, template: run, dependencies: [1a]}\n"
		  "      - {name: 2c, template: run, dependencies: [b]}\n"
		  RUN,
		  "11:9 templates.main.tasks.2c name cannot begin with a digit when using either 'depends' or 'dependencies'\n" },
		{ "  - name: main\n"
		  "    dag:\n"
		  "      tasks:\n"
		  "      - {name: a, template: run}\n"
		  "      - {name: b, template: say, arguments: {parameters: [{name: m, value: '{{tasks.a.outputs.result}}'}]}}\n"
		  RUN
		  SAY,
		  "10:59 templates.main.tasks.b missing dependency 'a' for parameter 'm'\n" },
		{ "  - name: main\n"
		  "    dag:\n"
		  "      tasks:\n"
		  "      - {name: a, template: run}\n"
		  "      - {name: b, template: run, dependencies: [a]}\n"
		  "      - {name: c, dependencies: [b], template: say, arguments: {parameters: [{name: m, value: '{{tasks.a.outputs.result}}'}]}}\n"
		  RUN
		  SAY,
		  "" },
		{ "  - name: main\n"
		  "    dag:\n"
		  "      tasks:\n"
		  "      - {name: a, template: run}\n"
		  "      - {name: a, template: run}\n"
		  RUN,
		  "10:9 templates.main.tasks[1].name 'a' is not unique\n" },
	};

	(void)state;
	run_cases(cases, ARRAY_LEN(cases), VALIDATE_LINT);
}

static void
variables(void **state)
{
	static const struct a_case cases[] = {
		{ "  - {name: main, container: {image: a, args: ['{{workflow.name}} {{workflow.namespace}} {{workflow.uid}} {{workflow.creationTimestamp.s}} {{pod.name}} {{node.name}} {{ workflow.name }}']}}\n",
		  "" },
		{ "  - {name: main, container: {image: a, args: ['{{inputs.parameters.x}}']}}\n",
		  "6:47 templates.main: failed to resolve {{inputs.parameters.x}}\n" },
		{ "  - {name: main, container: {image: a, args: ['{{workflow.parameters.x}}']}}\n",
		  "6:47 templates.main: failed to resolve {{workflow.parameters.x}}\n" },
		{ "  - {name: main, container: {image: a, args: ['{{workflow.nonsense}} {{ours.is.not}} {{item}} {{retries}}']}}\n",
		  "6:47 templates.main: failed to resolve {{workflow.nonsense}}\n" },
		{ "  - {name: main, container: {image: a, args: ['{{steps.a.outputs.result}} {{tasks.a.ip}}']}}\n",
		  "6:47 templates.main: failed to resolve {{steps.a.outputs.result}}\n"
		  "6:47 templates.main: failed to resolve {{tasks.a.ip}}\n" },
		{ "  - {name: main, container: {image: a, args: ['{{item.x}}']}}\n",
		  "6:47 templates.main: failed to resolve {{item.x}}\n" },
		{ "  - {name: main, container: {image: a, args: ['{{workflow.failures}}']}}\n",
		  "6:47 templates.main: failed to resolve {{workflow.failures}}\n" },
		{ "  - {name: main, container: {image: a, args: ['{{=asInt(inputs.parameters.x)}}']}}\n",
		  "" },
		{ "  - {name: main, container: {image: a, args: ['{{=asInt(}}', '{{=nosuch(1)}}', '{{=nobody.knows}}']}}\n",
		  "6:47 warning {{=asInt(}}: 1:7: the expression ends too early\n"
		  "6:62 warning {{=nosuch(1)}}: 1:1: there is no function nosuch\n" },
		{ "  - {name: main, container: {image: a, args: ['{{inputs.parameters.{{workflow.name}}}}']}}\n",
		  "" },
		{ "  - {name: main, container: {image: a, args: ['{{workflow.name']}}\n",
		  "" },
		{ "  - name: main\n"
		  "    steps:\n"
		  "    - - {name: a, template: run}\n"
		  "    - - name: b\n"
		  "        template: say\n"
		  "        arguments: {parameters: [{name: m, value: '{{steps.a.outputs.result}} {{steps.a.outputs.parameters.p}} {{steps.z.id}}'}]}\n"
		  RUN
		  SAY,
		  "11:51 templates.main.steps[1].b failed to resolve {{steps.a.outputs.parameters.p}}\n"
		  "11:51 templates.main.steps[1].b failed to resolve {{steps.z.id}}\n" },
		{ "  - name: main\n"
		  "    steps:\n"
		  "    - - {name: a, template: say, arguments: {parameters: [{name: m, value: '{{steps.b.outputs.result}}'}]}}\n"
		  "    - - {name: b, template: run}\n"
		  RUN
		  SAY,
		  "8:76 templates.main.steps[0].a failed to resolve {{steps.b.outputs.result}}\n" },
		{ "  - name: main\n"
		  "    steps:\n"
		  "    - - {name: a, template: say, withItems: [{k: 1}], arguments: {parameters: [{name: m, value: '{{item.k}}{{item.q}}'}]}}\n"
		  "    - - {name: b, template: say, withParam: '[]', arguments: {parameters: [{name: m, value: '{{item.anything}}'}]}}\n"
		  SAY,
		  "8:97 templates.main.steps[0].a failed to resolve {{item.q}}\n" },
		{ "  - name: main\n"
		  "    steps:\n"
		  "    - - {name: a, template: run, withItems: [1, 2]}\n"
		  "    - - {name: b, template: say, arguments: {parameters: [{name: m, value: '{{steps.a.outputs.parameters}}'}]}}\n"
		  RUN
		  SAY,
		  "" },
		{ "  - name: main\n"
		  "    steps:\n"
		  "    - - {name: a, template: give}\n"
		  "    - - {name: b, template: say, arguments: {parameters: [{name: m, value: '{{workflow.outputs.parameters.g}}{{workflow.outputs.parameters.h}}'}]}}\n"
		  "  - {name: give, container: {image: a}, outputs: {parameters: [{name: p, globalName: g, valueFrom: {path: /p}}]}}\n"
		  SAY,
		  "9:76 templates.main.steps[1].b failed to resolve {{workflow.outputs.parameters.h}}\n" },
		{ "  - name: main\n"
		  "    steps:\n"
		  "    - - {name: a, template: give}\n"
		  "    outputs: {parameters: [{name: o, valueFrom: {parameter: \"{{steps.a.outputs.parameters.p}}\"}}, {name: q, valueFrom: {parameter: \"{{steps.a.outputs.parameters.no}}\"}}]}\n"
		  "  - {name: give, container: {image: a}, outputs: {parameters: [{name: p, valueFrom: {path: /p}}]}}\n",
		  "9:132 templates.main.outputs failed to resolve {{steps.a.outputs.parameters.no}}\n" },
		{ "  - name: main\n"
		  "    dag:\n"
		  "      tasks:\n"
		  "      - {name: a, template: run, hooks: {exit: {template: say, arguments: {parameters: [{name: m, value: '{{tasks.a.outputs.result}}'}]}}}}\n"
		  RUN
		  SAY,
		  "" },
		{ "kind: Workflow\n"
		  "metadata: {name: a, labels: {l: x}, annotations: {n: y}}\n"
		  "spec:\n"
		  "  entrypoint: main\n"
		  "  arguments: {parameters: [{name: p}]}\n"
		  "  onExit: bye\n"
		  "  templates:\n"
		  "  - {name: main, container: {image: a, args: ['{{workflow.parameters.p}}{{workflow.labels.l}}{{workflow.annotations.n}}{{workflow.labels.no}}{{workflow.priority}}{{workflow.parameters}}']}}\n"
		  "  - {name: bye, container: {image: a, args: ['{{workflow.status}} {{workflow.failures}}']}}\n",
		  "8:47 templates.main: failed to resolve {{workflow.labels.no}}\n"
		  "8:47 templates.main: failed to resolve {{workflow.priority}}\n" },
	};

	(void)state;
	run_cases(cases, ARRAY_LEN(cases), VALIDATE_LINT);
}

static void
leaves(void **state)
{
	static const struct a_case cases[] = {
		{ "  - {name: main, container: {command: [x]}}\n",
		  "6:29 templates.main.container.image may not be empty\n" },
		{ "  - {name: main, script: {source: x}}\n",
		  "6:26 templates.main.script.image may not be empty\n" },
		{ "kind: Workflow\n"
		  "spec: {entrypoint: main, templateDefaults: {container: {image: a}}, templates: [{name: main, container: {command: [x]}}]}\n",
		  "" },
		{ "  - {name: main, container: {image: a, volumeMounts: [{name: v, mountPath: /v}, {name: w, mountPath: /v}]}}\n",
		  "6:62 warning no volume is called \"v\": the step will fail\n6:88 warning no volume is called \"w\": the step will fail\n6:81 templates.main.container.volumeMounts[1].mountPath '/v' already mounted in container.volumeMounts[0].mountPath\n" },
		{ "  - {name: main, inputs: {artifacts: [{name: x, path: /v, raw: {data: x}}]}, container: {image: a, volumeMounts: [{name: v, mountPath: /v}]}}\n",
		  "6:122 warning no volume is called \"v\": the step will fail\n6:39 templates.main.inputs.artifacts[0].path '/v' already mounted in container.volumeMounts[0].mountPath\n" },
		{ "  - {name: main, containerSet: {containers: []}}\n",
		  "6:32 templates.main.containerSet must have at least one container\n" },
		{ "  - {name: main, containerSet: {containers: [{name: a, image: a, dependencies: [b]}, {name: b, image: a, dependencies: [a]}, {name: wait, image: a}, {name: c}]}}\n",
		  "6:126 templates.main.containerSet.containers[2].name 'wait' is reserved\n"
		  "6:150 templates.main.containerSet.containers.c.image may not be empty\n"
		  "6:46 templates.main.containerSet dependency cycle detected: a\n" },
		{ "  - {name: main, containerSet: {containers: [{name: a, image: a}]}, outputs: {parameters: [{name: p, valueFrom: {path: /p}}]}}\n",
		  "6:32 templates.main.containerSet.containers must have a container named \"main\" for input or output\n" },
		{ "  - {name: main, resource: {action: make, manifest: \"a: b\"}}\n"
		  "  - {name: b, resource: {action: create, manifest: \"{\"}}\n"
		  "  - {name: c, resource: {action: create}}\n"
		  "  - {name: d, resource: {action: get, flags: [pod]}}\n",
		  "6:28 templates.main.resource.action must be one of: get, create, apply, delete, replace, patch\n"
		  "7:52 templates.b.resource.manifest must be a valid yaml\n"
		  "8:25 either templates.c.resource.manifest or templates.c.resource.manifestFrom must be specified\n" },
		{ "  - {name: main, container: {image: a}, sidecars: [{image: a}], initContainers: [{name: supervisor, image: a}]}\n",
		  "6:82 templates.main.initContainers[0].name 'supervisor' is reserved\n"
		  "6:52 templates.main.sidecars[0].name is required\n" },
		{ "  - {name: main, container: {image: a}, metrics: {prometheus: [{name: a-b, help: x, counter: {value: \"1\"}}, {name: a, counter: {value: \"1\"}, labels: [{key: 1x, value: y}]}, {name: b, help: x, gauge: {value: \"1\"}, counter: {value: \"1\"}}, {name: c, help: x, gauge: {realtime: true, value: \"{{resourcesDuration.cpu}}\"}}]}}\n",
		  "6:64 templates.main metric name 'a-b' is invalid. Metric names must contain alphanumeric characters or '_'\n"
		  "6:151 templates.main metric 'a' error: '1x' is an invalid label key\n"
		  "6:109 templates.main metric 'a' must contain a help string under 'help: ' field\n"
		  "6:174 templates.main metric 'b' error: must have exactly one of Gauge, Counter, or Histogram\n"
		  "6:264 templates.main metric 'c' error: 'resourcesDuration.*' metrics cannot be used in real-time\n" },
		{ "  - {name: main, container: {image: a}, podResources: {claims: [{name: x}]}}\n",
		  "6:64 templates.main.podResources.claims is not supported\n" },
		{ "kind: Workflow\n"
		  "spec: {entrypoint: main, executorPlugins: [{spec: {sidecar: {container: {name: c}}}}], templates: [{name: main, suspend: {}}]}\n",
		  "2:44 spec.executorPlugins[0].metadata.name is required\n"
		  "2:44 spec.executorPlugins[0].spec.sidecar.container must have a name and an image\n" },
	};

	(void)state;
	run_cases(cases, ARRAY_LEN(cases), VALIDATE_LINT);
}

static void
other_objects(void **state)
{
	static const struct a_case cases[] = {
		{ "  - name: main\n"
		  "    steps:\n"
		  "    - - {name: a, templateRef: {name: lib, template: hi}, arguments: {parameters: [{name: m, value: x}]}}\n",
		  "" },
		{ "  - name: main\n"
		  "    steps:\n"
		  "    - - {name: a, templateRef: {name: lib, template: hi}}\n"
		  "    - - {name: b, templateRef: {name: lib, template: ho}}\n"
		  "    - - {name: c, templateRef: {name: libb, template: hi}}\n"
		  "    - - {name: d, templateRef: {name: lib, template: hi, clusterScope: true}}\n"
		  "    - - {name: e, templateRef: {template: hi}}\n",
		  "8:9 templates.main.steps[0].a templates.hi inputs.parameters.m was not supplied\n"
		  "9:32 templates.main.steps[1].b template reference lib.ho not found\n"
		  "10:39 templates.main.steps[2].c couldn't find workflow template \"libb\" in namespace \"default\"\n"
		  "11:39 templates.main.steps[3].d couldn't find cluster workflow template \"lib\"\n"
		  "12:32 templates.main.steps[4].e resource name is required\n" },
		{ "  - name: main\n"
		  "    steps:\n"
		  "    - - {name: a, templateRef: {name: lib, template: art}}\n",
		  "8:9 later templates.main.steps[0].a \"lib\": container.volumeDevices: not served yet\n" },
		{ "kind: Workflow\n"
		  "metadata: {generateName: t-}\n"
		  "spec:\n"
		  "  workflowTemplateRef: {name: lib}\n"
		  "  arguments: {parameters: [{name: m, value: x}]}\n",
		  "4:24 later \"lib\": templates[1].container.volumeDevices: not served yet\n" },
		{ "kind: Workflow\n"
		  "metadata: {generateName: t-}\n"
		  "spec:\n"
		  "  workflowTemplateRef: {name: gone}\n",
		  "4:31 couldn't find workflow template \"gone\" in namespace \"default\"\n" },
		{ "kind: Workflow\n"
		  "metadata: {generateName: t-}\n"
		  "spec:\n"
		  "  workflowTemplateRef: {name: clib, clusterScope: true}\n"
		  "  templates: [{name: x, suspend: {}}]\n",
		  "5:14 Templates is invalid field in spec if workflow referred WorkflowTemplate reference\n"
		  "4:24 later \"clib\": templates[1].container.volumeDevices: not served yet\n"
		  "4:24 templates.hi inputs.parameters.m was not supplied\n" },
		{ "kind: CronWorkflow\n"
		  "metadata: {name: c}\n"
		  "spec:\n"
		  "  schedules: []\n"
		  "  timezone: Mars/Base\n"
		  "  startingDeadlineSeconds: -1\n"
		  "  workflowSpec: {entrypoint: main, templates: [{name: main, suspend: {}}]}\n",
		  "4:3 cron workflow must have at least one schedule\n"
		  "5:13 timezone \"Mars/Base\": time zone Mars/Base is not in the system's database: write a name like Europe/Berlin\n"
		  "6:28 startingDeadlineSeconds must be positive\n" },
		{ "kind: CronWorkflow\n"
		  "metadata: {name: ccccccccccccccccccccccccccccccccccccccccccccccccccccc}\n"
		  "spec:\n"
		  "  schedules: [\"* * * *\", \"@hourly\"]\n"
		  "  workflowSpec: {entrypoint: nope, templates: [{name: main, suspend: {}}]}\n",
		  "2:18 cron workflow name \"ccccccccccccccccccccccccccccccccccccccccccccccccccccc\" must not be more than 52 characters long (currently 53)\n"
		  "4:15 cron schedule * * * * is malformed: schedule \"* * * *\": 4 fields where five are expected: minute, hour, day of month, month, day of week\n"
		  "5:30 template name 'nope' undefined\n" },
	};

	(void)state;
	run_cases(cases, ARRAY_LEN(cases), VALIDATE_LINT);
}

static void
submissions_need_values(void **state)
{
	static const struct a_case cases[] = {
		{ "kind: Workflow\n"
		  "spec:\n"
		  "  entrypoint: main\n"
		  "  arguments: {parameters: [{name: p}]}\n"
		  "  templates: [{name: main, suspend: {}}]\n",
		  "4:28 spec.arguments.p.value or spec.arguments.p.valueFrom is required\n" },
		{ "kind: Workflow\n"
		  "spec:\n"
		  "  entrypoint: main\n"
		  "  arguments: {parameters: [{name: p, value: \"\"}, {name: q, valueFrom: {configMapKeyRef: {name: c, key: k}}}]}\n"
		  "  templates: [{name: main, suspend: {}}]\n",
		  "" },
		{ "  - {name: main, inputs: {parameters: [{name: p}, {name: q, default: x}]}, container: {image: a}}\n",
		  "4:15 templates.main inputs.parameters.p was not supplied\n" },
	};

	(void)state;
	run_cases(cases, ARRAY_LEN(cases), VALIDATE_SUBMIT);
}

static void
templates_need_less(void **state)
{
	static const struct a_case cases[] = {
		{ "kind: WorkflowTemplate\n"
		  "metadata: {name: a}\n"
		  "spec:\n"
		  "  templates: [{name: main, inputs: {parameters: [{name: p}]}, container: {image: a, args: ['{{workflow.parameters.any}}']}}]\n",
		  "" },
		{ "kind: WorkflowTemplate\n"
		  "metadata: {name: a}\n"
		  "spec:\n"
		  "  templates: [{name: main, container: {image: a, args: ['{{workflow.none}}']}}]\n",
		  "4:57 templates.main: failed to resolve {{workflow.none}}\n" },
		{ "kind: WorkflowTemplate\n"
		  "metadata: {name: a}\n"
		  "spec: {entrypoint: x, templates: [{name: main, suspend: {}}]}\n",
		  "3:20 template name 'x' undefined\n" },
	};

	(void)state;
	run_cases(cases, ARRAY_LEN(cases), VALIDATE_TEMPLATE);
}

/* The cost is that of the manifest, not of its square: 3,000 tasks in a chain, each with a value of the one before. */
static void
long_chains(void **state)
{
	struct arena *a = arena_new();
	struct buf b = { 0 };

	(void)state;
	buf_addf(&b, "  - name: main\n    dag:\n      tasks:\n      - {name: t0, template: say, arguments: {parameters: [{name: m, value: x}]}}\n");
	for (int i = 1; i < 3000; i++)
		buf_addf(&b, "      - {name: t%d, template: say, dependencies: [t%d], arguments: {parameters: [{name: m, value: "
			"'{{tasks.t%d.outputs.result}}'}]}}\n", i, i - 1, i - 1);
	buf_addf(&b, SAY);
	assert_int_equal(findings_of(a, str_z(a, buf_str(&b)), VALIDATE_LINT).n, 0);
	buf_free(&b);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(templates), cmocka_unit_test(steps), cmocka_unit_test(dags), cmocka_unit_test(variables),
		cmocka_unit_test(leaves), cmocka_unit_test(other_objects), cmocka_unit_test(submissions_need_values),
		cmocka_unit_test(templates_need_less), cmocka_unit_test(long_chains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
