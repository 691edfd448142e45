/* SPDX-License-Identifier: Apache-2.0 */
/* Pods: several containers, daemons with an address, probes and hooks, what a pod's security context says. */
#include <ifaddrs.h>
#include <sys/socket.h>

#include "exec_world.h"

/* A pod: containers that are shell scripts. */
struct pod_of {
	struct step_of step;
	struct container_set set;
	struct container containers[6], init[3], side[3];
	str argv[12][3];
	str deps[6][2];
	size_t scripts;
	struct container_set_retry retry;
	struct empty_dir memory;
};

static struct container
container(struct pod_of *p, const char *name, const char *script)
{
	str *argv = p->argv[p->scripts++];
	argv[0] = S("/bin/sh");
	argv[1] = S("-c");
	argv[2] = str_c(script);
	return (struct container){ .name = str_c(name), .image = S("busybox"), .command = { argv, 3 }, .has_command = true };
}

static void
set_init(struct pod_of *p, const char *node)
{
	*p = (struct pod_of){ 0 };
	step_init(&p->step, node, "true");
	p->step.tmpl.container = NULL;
	p->step.tmpl.container_set = &p->set;
	p->set.containers.p = p->containers;
}

static struct container *
member(struct pod_of *p, const char *name, const char *script, const char *after)
{
	size_t i = p->set.containers.n++;
	p->containers[i] = container(p, name, script);
	if (after) {
		p->deps[i][0] = str_c(after);
		p->containers[i].dependencies = (struct strs){ p->deps[i], 1 };
	}
	return &p->containers[i];
}

static void
one_init(struct pod_of *p, const char *node, const char *script)
{
	*p = (struct pod_of){ 0 };
	step_init(&p->step, node, script);
	p->step.tmpl.init_containers.p = p->init;
	p->step.tmpl.sidecars.p = p->side;
}

static const struct ended *
run_pod(struct world *w, struct pod_of *p)
{
	return run(w, &p->step);
}

/* A folder of the host that all containers see at its own path. */
static const char *
shared(struct world *w, struct pod_of *p, struct host_path *hp, const char *node)
{
	static char dir[128];
	snprintf(dir, sizeof dir, "%s/%s", w->dir, node);
	mkdir(dir, 0777);
	*hp = (struct host_path){ .path = str_c(dir) };
	step_volume(&p->step, "shared")->host_path = hp;
	p->step.mounts[0] = (struct volume_mount){ .name = S("shared"), .mount_path = str_c(dir) };
	p->set.volume_mounts.p = p->step.mounts;
	p->set.volume_mounts.n = 1;
	p->step.c.volume_mounts.p = p->step.mounts;
	p->step.c.volume_mounts.n = 1;
	return dir;
}

static void
members_take_turns_and_share_volumes(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct pod_of p;
	char log[2048];
	set_init(&p, "turns");
	if (w->sandbox != TASK_SANDBOX_OFF) {
		step_volume(&p.step, "disk");
		p.memory.medium = S("Memory");
		step_volume(&p.step, "memory")->empty_dir = &p.memory;
		p.step.mounts[0] = (struct volume_mount){ .name = S("disk"), .mount_path = S("/disk") };
		p.step.mounts[1] = (struct volume_mount){ .name = S("memory"), .mount_path = S("/memory") };
		p.set.volume_mounts.p = p.step.mounts;
		p.set.volume_mounts.n = 2;
		member(&p, "main", "cat /disk/x /memory/x; test -e /tmp/private || echo alone; cat /disk/x >/tmp/out", "b");
		member(&p, "a", "echo a $$ARGO_CONTAINER_NAME >>/disk/x; touch /tmp/private; sleep 0.2; echo printed", NULL);
		member(&p, "b", "echo b >>/disk/x; echo m >/memory/x", "a");
		step_output(&p.step, "out", "/tmp/out", NULL);
		const struct ended *e = run_pod(w, &p);
		assert_succeeded(e);
		assert_string_equal(e->result, "a a\nb\nm\nalone");
		assert_string_equal(e->parameters[0].value, "a a\nb");
		assert_int_equal(e->containers_n, 3);
		assert_int_equal(e->containers[0].phase, PHASE_SUCCEEDED);
		assert_contains(read_log(w, "turns@a", log, sizeof log), "Z printed\n");
		assert_null(strstr(read_log(w, "turns", log, sizeof log), "printed"));
	} else {
		struct host_path hp;
		char first[256], second[256];
		const char *dir = shared(w, &p, &hp, "turns");
		snprintf(first, sizeof first, "sleep 0.2; echo a >>%s/x", dir);
		snprintf(second, sizeof second, "cat %s/x", dir);
		member(&p, "main", second, "a");
		member(&p, "a", first, NULL);
		const struct ended *e = run_pod(w, &p);
		assert_succeeded(e);
		assert_string_equal(e->result, "a");
	}
	world_free(w);
}

static void
a_failed_member_ends_the_others(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct pod_of p;
	set_init(&p, "fails");
	member(&p, "a", "exit 3", NULL);
	member(&p, "b", "echo never", "a");
	member(&p, "c", "sleep 1000", NULL);
	const struct ended *e = run_pod(w, &p);
	assert_int_equal(e->phase, PHASE_FAILED);
	assert_string_equal(e->message, "a: Error (exit code 3)");
	assert_int_equal(e->exit_code, -1); /* that of main, and there is none */
	assert_string_equal(e->containers[0].message, "a: Error (exit code 3): ");
	assert_int_equal(e->containers[1].phase, PHASE_ERROR);
	assert_contains(e->containers[1].message, "dependency \"a\" exited with non-zero code: 3");
	assert_int_equal(e->containers[2].phase, PHASE_FAILED);
	assert_string_equal(e->containers[2].message, "c: Error (exit code 143): ");
	world_free(w);
}

static void
init_containers_come_first_and_decide(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct pod_of p;
	struct host_path hp;
	char script[3][256];
	one_init(&p, "init", "");
	const char *dir = shared(w, &p, &hp, "init");
	snprintf(script[0], 256, "sleep 0.1; echo one >>%s/x", dir);
	snprintf(script[1], 256, "echo two >>%s/x", dir);
	snprintf(script[2], 256, "cat %s/x", dir);
	p.init[0] = container(&p, "i1", script[0]);
	p.init[1] = container(&p, "i2", script[1]);
	p.init[0].mirror_volume_mounts = p.init[1].mirror_volume_mounts = true;
	p.step.tmpl.init_containers.n = 2;
	p.step.argv[2] = str_c(script[2]);
	assert_string_equal(run_pod(w, &p)->result, "one\ntwo");

	one_init(&p, "initfails", "echo never");
	p.init[0] = container(&p, "i1", "echo why >&2; exit 7");
	p.init[1] = container(&p, "i2", "true");
	p.step.tmpl.init_containers.n = 2;
	const struct ended *e = run_pod(w, &p);
	assert_int_equal(e->phase, PHASE_FAILED);
	assert_string_equal(e->message, "i1: Error (exit code 7)");
	assert_string_equal(e->result, "");
	world_free(w);
}

static void
side_containers_end_with_main(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct pod_of p;
	struct host_path hp;
	char wait[256], touch[256];
	one_init(&p, "side", "");
	const char *dir = shared(w, &p, &hp, "side");
	snprintf(wait, sizeof wait, "until [ -e %s/up ]; do sleep 0.02; done; echo met", dir);
	snprintf(touch, sizeof touch, "touch %s/up; sleep 1000", dir);
	p.step.argv[2] = str_c(wait);
	p.side[0] = container(&p, "s", touch);
	p.side[0].mirror_volume_mounts = true;
	p.step.tmpl.sidecars.n = 1;
	const struct ended *e = run_pod(w, &p);
	assert_succeeded(e);
	assert_string_equal(e->result, "met");

	/* An end of its own that is not ours fails the pod, but only when main has ended. */
	one_init(&p, "sidefails", "sleep 0.2; echo done");
	p.side[0] = container(&p, "s", "exit 4");
	p.step.tmpl.sidecars.n = 1;
	e = run_pod(w, &p);
	assert_int_equal(e->phase, PHASE_FAILED);
	assert_string_equal(e->message, "s: Error (exit code 4)");
	assert_int_equal(e->exit_code, 0);
	assert_string_equal(e->result, "done");
	world_free(w);
}

/* Section 2.17: whatever else failed in the pod, an init container is named before main, main before the executor and the side containers. */
static void
of_several_that_failed_the_first_in_rank_is_named(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct pod_of p;
	one_init(&p, "mainranks", "exit 3");
	step_output(&p.step, "out", "/tmp/tidegate-is-never-written", NULL);
	p.side[0] = container(&p, "s", "exit 4");
	p.step.tmpl.sidecars.n = 1;
	const struct ended *e = run_pod(w, &p);
	assert_int_equal(e->phase, PHASE_FAILED);
	assert_string_equal(e->message, "main: Error (exit code 3)");
	assert_int_equal(e->exit_code, 3);

	one_init(&p, "executorranks", "true");
	step_output(&p.step, "out", "/tmp/tidegate-is-never-written", NULL);
	p.side[0] = container(&p, "s", "exit 4");
	p.step.tmpl.sidecars.n = 1;
	e = run_pod(w, &p);
	assert_int_equal(e->phase, PHASE_ERROR);
	assert_contains(e->message, "wait: Error (exit code 64)");

	one_init(&p, "initranks", "exit 3");
	p.init[0] = container(&p, "i", "exit 5");
	p.step.tmpl.init_containers.n = 1;
	p.side[0] = container(&p, "s", "exit 4");
	p.step.tmpl.sidecars.n = 1;
	e = run_pod(w, &p);
	assert_int_equal(e->phase, PHASE_FAILED);
	assert_string_equal(e->message, "i: Error (exit code 5)");
	world_free(w);
}

static void
a_side_container_that_was_told_to_end_does_not_matter(void **state)
{
	static const char *const scripts[] = { "exit 143", "exit 137", "kill -KILL $$$$" };
	struct world *w = world_new(sandbox_of(state));
	struct pod_of p;
	for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
		char node[16];
		snprintf(node, sizeof node, "told%zu", i);
		one_init(&p, node, "sleep 0.1; echo done");
		p.side[0] = container(&p, "s", scripts[i]);
		p.step.tmpl.sidecars.n = 1;
		const struct ended *e = run_pod(w, &p);
		assert_succeeded(e);
		assert_string_equal(e->result, "done");
	}
	world_free(w);
}

static void
a_member_whose_command_is_not_there_is_an_error(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct pod_of p;
	set_init(&p, "absent");
	member(&p, "main", "true", NULL);
	p.argv[0][0] = S("there-is-no-such-command");
	const struct ended *e = run_pod(w, &p);
	assert_int_equal(e->containers[0].phase, PHASE_ERROR);
	assert_contains(e->containers[0].message, "main: Error (exit code 64)");
	assert_contains(e->containers[0].message, "executable file not found");
	assert_int_equal(e->exit_code, 64);
	world_free(w);
}

static void
attempts_are_counted_in_total(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct pod_of p;
	struct host_path hp;
	char script[256];
	set_init(&p, "again");
	const char *dir = shared(w, &p, &hp, "again");
	snprintf(script, sizeof script, "echo x >>%s/n; wc -l <%s/n; [ $(wc -l <%s/n) = 3 ]", dir, dir, dir);
	p.set.retry = &p.retry;
	p.retry.retries.text = S("3");
	p.retry.duration = S("20ms");
	member(&p, "main", script, NULL);
	const struct ended *e = run_pod(w, &p);
	assert_succeeded(e);
	assert_string_equal(e->result, "1\n2\n3");

	set_init(&p, "toofew");
	p.set.retry = &p.retry;
	p.retry.retries.text = S("2");
	member(&p, "main", "echo x; exit 9", NULL);
	e = run_pod(w, &p);
	assert_string_equal(e->message, "main: Error (exit code 9)");
	assert_string_equal(e->result, "x\nx");
	world_free(w);
}

static void
a_pod_is_ended_when_asked_and_at_its_deadline(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct pod_of p;
	set_init(&p, "asked");
	member(&p, "a", "sleep 1000", NULL);
	member(&p, "b", "sleep 1000", "a");
	begin(w, &p.step);
	WAIT_FOR(w, w->started_n == 1);
	executor_kill(w->x, S("default"), S("wf"), S("asked"), 5);
	const struct ended *e = finish(w, "asked");
	assert_int_equal(e->phase, PHASE_FAILED);
	assert_int_equal(e->containers[1].phase, PHASE_PENDING); /* it was not begun */

	set_init(&p, "late");
	member(&p, "a", "sleep 1000", NULL);
	p.step.spec.deadline_ns = loop_now(w->loop) + NS_PER_SEC / 2;
	p.step.spec.grace_seconds = 1;
	e = run_pod(w, &p);
	assert_string_equal(e->message, "Pod was active on the node longer than the specified deadline");
	world_free(w);
}

static void
a_running_pod_is_adopted(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct pod_of p;
	struct host_path hp;
	char first[256], go[160];
	set_init(&p, "adopted");
	const char *dir = shared(w, &p, &hp, "adopted");
	snprintf(first, sizeof first, "echo x >>%s/n; while ! [ -e %s/go ]; do sleep 0.02; done", dir, dir);
	snprintf(go, sizeof go, "%s/go", dir);
	member(&p, "a", first, NULL);
	member(&p, "main", "echo later", "a");
	begin(w, &p.step);
	WAIT_FOR(w, w->started_n == 1);
	reopen(w);
	executor_adopt(w->x, &p.step.spec);
	WAIT_FOR(w, w->started_n == 1);
	close(open(go, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	const struct ended *e = finish(w, "adopted");
	assert_succeeded(e);
	assert_string_equal(e->result, "later");
	assert_int_equal(e->containers_n, 2);
	reopen(w);
	executor_adopt(w->x, &p.step.spec);
	assert_string_equal(finish(w, "adopted")->result, "later");
	world_free(w);
}

/* ---- daemons ----------------------------------------------------------------------------------------------------- */

static void
daemon_init(struct pod_of *p, const char *node, const char *script)
{
	one_init(p, node, script);
	p->step.tmpl.daemon = TRI_TRUE;
}

static bool
has_interface_with(const char *prefix)
{
	struct ifaddrs *list, *a;
	bool found = false;
	assert_int_equal(getifaddrs(&list), 0);
	for (a = list; a; a = a->ifa_next)
		found |= !strncmp(a->ifa_name, prefix, strlen(prefix));
	freeifaddrs(list);
	return found;
}

/* The host's end of the pair of a pod with this address. */
static void
interface_of(const char *ip, char to[32])
{
	unsigned a, b, c, d;
	assert_int_equal(sscanf(ip, "%u.%u.%u.%u", &a, &b, &c, &d), 4);
	snprintf(to, 32, "tgp%08x", a << 24 | b << 16 | c << 8 | (d - 1));
}

/* A probe that closed with bytes unread would reset the connection: the server, which waits for its end, would fail. */
static void
a_probe_reads_the_whole_answer(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct pod_of p;
	w->settings.pod_network = S("10.215.0.0/16");
	if (w->sandbox == TASK_SANDBOX_PRIVILEGED && geteuid() == 0) {
		daemon_init(&p, "d", "exec python3 -c 'import socket as n\n"
			"s=n.create_server((\"\",8099)); c=s.accept()[0]; c.recv(9999)\n"
			"c.sendall(b\"HTTP/1.1 200 OK\\r\\n\\r\\n\"+b\"x\"*5000); c.shutdown(1)\n"
			"while c.recv(9999): pass'");
		struct http_get get = { .path = S("/"), .port = { .text = S("8099") } };
		struct probe ready = { .http_get = &get, .period = 1, .timeout = 5 };
		p.step.c.readiness_probe = &ready;
		begin(w, &p.step);
		assert_string_equal(finish(w, "d")->message, "");
		assert_int_equal(finish(w, "d")->phase, PHASE_SUCCEEDED);
	}
	world_free(w);
}

/* Two on the same port, each reached at its own address, by a step in the host's network. */
static void
daemons_have_addresses_of_their_own(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct pod_of p[2];
	struct step_of s;
	char script[2][512], ask[512], name[2][32], ip[2][64];
	w->settings.pod_network = S("10.215.0.0/16");
	if (w->sandbox == TASK_SANDBOX_PRIVILEGED && geteuid() == 0) {
		for (int i = 0; i < 2; i++) {
			snprintf(script[i], sizeof script[i], "cd /tmp; echo server %d >x; sleep 0.1; exec python3 -m http.server 8099", i);
			daemon_init(&p[i], i ? "d1" : "d0", script[i]);
			struct http_get get = { .path = S("/x"), .port = { .text = S("8099") } };
			struct probe ready = { .http_get = &get, .period = 1, .timeout = 5 };
			p[i].step.c.readiness_probe = &ready;
			begin(w, &p[i].step);
			WAIT_FOR(w, !strcmp(w->ready, i ? "d1" : "d0"));
			snprintf(ip[i], sizeof ip[i], "%s", w->ip);
			interface_of(w->ip, name[i]);
			assert_true(has_interface_with(name[i]));
		}
		assert_string_not_equal(ip[0], ip[1]);
		assert_int_equal(executor_running(w->x), 0); /* they take no place from others */
		snprintf(ask, sizeof ask, "for i in %s %s; do python3 -c 'import sys,urllib.request as u; "
			"print(u.urlopen(\"http://\"+sys.argv[1]+\":8099/x\").read().decode().strip())' $i; done", ip[0], ip[1]);
		step_init(&s, "client", ask);
		assert_string_equal(run(w, &s)->result, "server 0\nserver 1");

		/* A daemon of ours that comes later finds it ready, and its end takes the interfaces with it. */
		reopen(w);
		w->ready[0] = 0;
		struct http_get get = { .path = S("/x"), .port = { .text = S("8099") } };
		struct probe ready = { .http_get = &get, .period = 1, .timeout = 5 };
		p[0].step.c.readiness_probe = &ready;
		executor_adopt(w->x, &p[0].step.spec);
		WAIT_FOR(w, !strcmp(w->ready, "d0"));
		assert_string_equal(w->ip, ip[0]);
		executor_kill(w->x, S("default"), S("wf"), S("d0"), 5);
		(void)finish(w, "d0");
		WAIT_FOR(w, !has_interface_with(name[0]));

		/* One that is killed leaves nothing either. */
		char path[256];
		snprintf(path, sizeof path, "%s/tasks/default/wf/d1.log", w->dir);
		int fd = open(path, O_RDWR | O_CLOEXEC);
		struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
		assert_int_equal(fcntl(fd, F_GETLK, &lock), 0);
		assert_int_equal(kill(lock.l_pid, SIGKILL), 0);
		close(fd);
		WAIT_FOR(w, !has_interface_with(name[1]));
	} else {
		daemon_init(&p[0], "refused", "sleep 1000");
		const struct ended *e = run_pod(w, &p[0]);
		assert_int_equal(e->phase, PHASE_ERROR);
		assert_contains(e->message, "an address of its own needs the sandbox `namespaces (privileged)`");
	}
	daemon_init(&p[0], "hosts", "sleep 1000");
	p[0].step.spec.host_network = true;
	begin(w, &p[0].step);
	WAIT_FOR(w, !strcmp(w->ready, "hosts"));
	assert_string_equal(w->ip, "127.0.0.1");
	executor_kill(w->x, S("default"), S("wf"), S("hosts"), 5);
	(void)finish(w, "hosts");
	world_free(w);
}

static void
a_range_that_is_none_is_an_error(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	if (w->sandbox == TASK_SANDBOX_PRIVILEGED) {
		static const struct {
			const char *range, *want;
		} cases[] = { { "nonsense", "must be a range" }, { "127.0.0.0/24", "has a route there already" } };
		for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
			struct pod_of p;
			char node[16];
			snprintf(node, sizeof node, "range%zu", i);
			w->settings.pod_network = str_c(cases[i].range);
			daemon_init(&p, node, "sleep 1000");
			const struct ended *e = run_pod(w, &p);
			assert_int_equal(e->phase, PHASE_ERROR);
			assert_contains(e->message, cases[i].want);
		}
	}
	world_free(w);
}

/* ---- probes and hooks -------------------------------------------------------------------------------------------- */

static void
probes_say_when_it_is_ready_and_when_it_is_over(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct pod_of p;
	struct host_path hp;
	char test[256], path[160];
	daemon_init(&p, "probed", "sleep 1000");
	const char *dir = shared(w, &p, &hp, "probed");
	snprintf(test, sizeof test, "test -e %s/up", dir);
	snprintf(path, sizeof path, "%s/up", dir);
	str up[] = { S("/bin/sh"), S("-c"), str_c(test) };
	struct exec_action exec = { .command = { up, 3 } };
	struct probe ready = { .exec = &exec, .period = 1, .timeout = 5 };
	p.step.c.readiness_probe = &ready;
	p.step.spec.host_network = true;
	begin(w, &p.step);
	WAIT_FOR(w, w->started_n == 1);
	assert_string_equal(w->ready, "");
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	WAIT_FOR(w, !strcmp(w->ready, "probed"));
	executor_kill(w->x, S("default"), S("wf"), S("probed"), 5);
	(void)finish(w, "probed");

	/* A container that is not alive any more, of a step without more to it. */
	struct step_of s;
	struct tcp_socket nobody = { .port = { .text = S("9") } };
	struct probe alive = { .tcp_socket = &nobody, .period = 1, .timeout = 1, .failures = 1 };
	step_init(&s, "dead", "sleep 1000");
	s.c.liveness_probe = &alive;
	assert_string_equal(run(w, &s)->message, "main: Error (exit code 143)");
	world_free(w);
}

static void
hooks_run_after_the_start_and_before_the_end(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct pod_of p;
	struct host_path hp;
	char post[256], pre[256], path[160];
	one_init(&p, "hooked", "sleep 1000");
	const char *dir = shared(w, &p, &hp, "hooked");
	snprintf(post, sizeof post, "touch %s/post", dir);
	snprintf(pre, sizeof pre, "sleep 0.1; touch %s/pre", dir);
	str started[] = { S("/bin/sh"), S("-c"), str_c(post) }, stopping[] = { S("/bin/sh"), S("-c"), str_c(pre) };
	struct exec_action a = { .command = { started, 3 } }, b = { .command = { stopping, 3 } };
	struct lifecycle_handler h1 = { .exec = &a }, h2 = { .exec = &b };
	struct container_lifecycle life = { &h1, &h2 };
	p.step.c.lifecycle = &life;
	begin(w, &p.step);
	snprintf(path, sizeof path, "%s/post", dir);
	WAIT_FOR(w, file_exists(path));
	executor_kill(w->x, S("default"), S("wf"), S("hooked"), 30);
	assert_int_equal(finish(w, "hooked")->exit_code, 143);
	snprintf(path, sizeof path, "%s/pre", dir);
	assert_true(file_exists(path));

	struct step_of s;
	str fails[] = { S("/bin/false") };
	struct exec_action c = { .command = { fails, 1 } };
	struct lifecycle_handler h3 = { .exec = &c };
	struct container_lifecycle bad = { &h3, NULL };
	step_init(&s, "badhook", "sleep 1000");
	s.c.lifecycle = &bad;
	assert_int_equal(run(w, &s)->exit_code, 143);
	world_free(w);
}

/* ---- what the pod says of its security and hosts ----------------------------------------------------------------- */

static struct val
json(const char *text)
{
	static struct arena *a;
	struct val v;
	struct err e;
	if (!a)
		a = arena_new();
	assert_int_equal(json_read(a, str_c(text), &v, &e), 0);
	return v;
}

static void
the_security_context_is_honoured(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	struct val own, pod;
	if (w->sandbox != TASK_SANDBOX_OFF) {
		own = json("{\"runAsUser\": 1234, \"readOnlyRootFilesystem\": true}");
		pod = json("{\"runAsUser\": 99, \"runAsGroup\": 2345}");
		step_init(&s, "user", "id -u; id -g; touch /x 2>/dev/null && echo written; echo 1 >/dev/null; "
			"echo 1/2 >/var/run/argo/progress; echo said >/dev/termination-log; exit 3");
		s.c.security_context = &own;
		s.tmpl.security_context = &pod;
		const struct ended *e = run(w, &s);
		assert_string_equal(e->message, "main: Error (exit code 3): said");
		assert_string_equal(e->result, "1234\n2345");
		step_init(&s, "hosts", "grep -A1 198.51.100.7 /etc/hosts");
		str names[] = { S("one.example"), S("two.example") };
		struct host_alias alias = { .ip = S("198.51.100.7"), .hostnames = { names, 2 } };
		s.tmpl.host_aliases.p = &alias;
		s.tmpl.host_aliases.n = 1;
		assert_string_equal(run(w, &s)->result, "198.51.100.7\tone.example\ttwo.example");
	} else {
		own = json("{\"readOnlyRootFilesystem\": true}");
		step_init(&s, "ro", "true");
		s.c.security_context = &own;
		assert_contains(run(w, &s)->message, "without a sandbox there is no root of the step's own");
	}
	own = json("{\"runAsNonRoot\": true, \"runAsUser\": 0}");
	step_init(&s, "nonroot", "true");
	s.c.security_context = &own;
	const struct ended *e = run(w, &s);
	assert_int_equal(e->phase, PHASE_ERROR);
	assert_contains(e->message, "container has runAsNonRoot and image will run as root");
	world_free(w);
}

static void
termination_messages_come_from_where_the_manifest_says(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	if (w->sandbox != TASK_SANDBOX_OFF) {
		struct step_of s;
		step_init(&s, "path", "echo the end >/some/where/message; exit 1");
		s.c.termination_message_path = S("/some/where/message");
		assert_string_equal(run(w, &s)->message, "main: Error (exit code 1): the end");
		step_init(&s, "log", "echo first; echo last >&2; exit 1");
		s.c.termination_message_policy = S("FallbackToLogsOnError");
		assert_string_equal(run(w, &s)->message, "main: Error (exit code 1): first\nlast");
	}
	world_free(w);
}

/* Two that fit by themselves and not together: what podResources gives is for all of them. The control groups leave with the pod. */
static void
a_pods_limit_is_for_all_its_containers(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct pod_of p;
	const struct val all = json("{\"limits\": {\"memory\": \"100Mi\", \"cpu\": \"1\"}}"), much = json("{\"limits\": {\"memory\": \"200Mi\"}}"),
			 own = json("{\"limits\": {\"memory\": \"30Mi\"}}");
	const char *hungry = "x=$(head -c 60000000 /dev/zero | tr '\\0' x); echo has it; sleep 1000 & wait";
	char path[512];
	set_init(&p, "feast");
	member(&p, "a", hungry, NULL);
	member(&p, "b", hungry, NULL);
	p.step.spec.pod_resources = &all;
	begin(w, &p.step);
	const char *base = w->x->cgroups.base[LIMIT_MEMORY];
	if (!base) {
		print_message("no control groups here\n");
		executor_kill(w->x, S("default"), S("wf"), S("feast"), 0);
		(void)finish(w, "feast");
		world_free(w);
		return;
	}
	const struct ended *e = finish(w, "feast");
	assert_int_equal(e->phase, PHASE_FAILED);
	size_t killed = 0; /* the other one is told to end then */
	for (size_t i = 0; i < e->containers_n; i++)
		killed += strstr(e->containers[i].message, "OOMKilled (exit code 137)") != NULL;
	assert_true(killed > 0);
	snprintf(path, sizeof path, "%s/feast-%08x", base, str_fnv32a(S("default/wf/feast")));
	assert_false(file_exists(path));

	/* One that a container has besides is its own. */
	set_init(&p, "diet");
	member(&p, "a", "x=$(head -c 60000000 /dev/zero | tr '\\0' x); echo has it", NULL)->resources = &own;
	member(&p, "b", "x=$(head -c 60000000 /dev/zero | tr '\\0' x); echo has it", NULL);
	p.step.spec.pod_resources = &much;
	e = run_pod(w, &p);
	assert_contains(e->message, "a: OOMKilled (exit code 137)");

	/* Together they fit. One that was not released leaves nothing either. */
	set_init(&p, "snack");
	member(&p, "a", "echo fine", NULL);
	member(&p, "b", "echo fine", "a");
	p.step.spec.pod_resources = &all;
	assert_succeeded(run_pod(w, &p));
	p.step.spec.order++;
	executor_start(w->x, &p.step.spec);
	snprintf(path, sizeof path, "%s/snack-%08x", base, str_fnv32a(S("default/wf/snack")));
	WAIT_FOR(w, file_exists(path));
	executor_kill(w->x, S("default"), S("wf"), S("snack"), 0);
	WAIT_FOR(w, !file_exists(path));
	world_free(w);
}

int
main(int argc, char **argv)
{
	static const struct exec_test tests[] = {
		TEST(members_take_turns_and_share_volumes),
		TEST(a_failed_member_ends_the_others),
		TEST(init_containers_come_first_and_decide),
		TEST(side_containers_end_with_main),
		TEST(of_several_that_failed_the_first_in_rank_is_named),
		TEST(a_side_container_that_was_told_to_end_does_not_matter),
		TEST(a_member_whose_command_is_not_there_is_an_error),
		TEST(attempts_are_counted_in_total),
		TEST(a_pod_is_ended_when_asked_and_at_its_deadline),
		TEST(a_running_pod_is_adopted),
		TEST(daemons_have_addresses_of_their_own),
		TEST(a_probe_reads_the_whole_answer),
		TEST(a_range_that_is_none_is_an_error),
		TEST(probes_say_when_it_is_ready_and_when_it_is_over),
		TEST(hooks_run_after_the_start_and_before_the_end),
		TEST(the_security_context_is_honoured),
		TEST(termination_messages_come_from_where_the_manifest_says),
		TEST(a_pods_limit_is_for_all_its_containers),
	};
	return exec_main("exec_pods", tests, ARRAY_LEN(tests), argc, argv);
}
