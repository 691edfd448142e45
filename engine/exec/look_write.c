/* SPDX-License-Identifier: Apache-2.0 */
/* look_write: probes and lifecycle hooks of a container as records for the helper. */
#include <arpa/inet.h>
#include <strings.h>

#include "engine/exec/exec.h"

/* What a probe or a hook does; one of them. */
struct action {
	const struct exec_action *exec;
	const struct http_get *http;
	const struct tcp_socket *tcp;
	const struct sleep_action *sleep;
};

static int
find_port(const struct container *c, const struct intstr *port, int32_t *out, struct err *e)
{
	int64_t v = 0;
	if (!str_to_i64(str_trim(port->text), &v))
		for (size_t i = 0; i < c->ports.n; i++)
			if (str_eq(c->ports.p[i].name, port->text))
				v = c->ports.p[i].port;
	if (v < 1 || v > 65535)
		return err_set(e, ERR_INVALID, "port %.*s: neither a number up to 65535 nor the name of one of the container's ports",
			STR_ARG(port->text));
	*out = (int32_t)v;
	return 0;
}

/* The helper looks no names up: an address, or nothing. */
static int
add_host(struct task *t, str host, struct err *e)
{
	unsigned char room[16];
	const char *text = str_z(t->arena, host);
	if (!host.n)
		return 0;
	if (inet_pton(AF_INET, text, room) != 1 && inet_pton(AF_INET6, text, room) != 1)
		return err_set(e, ERR_UNSUPPORTED, "host %s: must be an address", text);
	record_add(&t->records, TASK_LOOK_HOST, host);
	return 0;
}

static int
add_request(struct task *t, const struct http_get *get, int32_t port, struct err *e)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	bool host = false;
	str path = get->path.n ? get->path : S("/");
	buf_addf(&b, "GET %s%.*s HTTP/1.1\r\n", path.p[0] == '/' ? "" : "/", STR_ARG(path));
	for (size_t i = 0; i < get->headers.n; i++) {
		buf_addf(&b, "%.*s: %.*s\r\n", STR_ARG(get->headers.p[i].name), STR_ARG(get->headers.p[i].value));
		host |= get->headers.p[i].name.n == 4 && !strncasecmp(get->headers.p[i].name.p, "Host", 4);
	}
	if (!host)
		buf_addf(&b, "Host: %.*s:%d\r\n", STR_ARG(get->host.n ? get->host : S("localhost")), port);
	buf_addf(&b, "User-Agent: kube-probe/1\r\nAccept: */*\r\nConnection: close\r\n\r\n");
	if (b.n > 16384 || memchr(b.p, 0, b.n))
		return err_set(e, ERR_INVALID, "httpGet: the request is longer than 16384 bytes, or holds a NUL character");
	record_add(&t->records, TASK_LOOK_REQUEST, buf_str(&b));
	return 0;
}

static int
add_action(struct task *t, const struct container *c, const struct action *a, struct task_look *look, struct err *e)
{
	str host = a->http ? a->http->host : a->tcp ? a->tcp->host : STR_NONE;
	const struct intstr *port = a->http ? &a->http->port : a->tcp ? &a->tcp->port : NULL;
	look->action = a->exec ? TASK_DO_EXEC : a->http ? TASK_DO_HTTP : a->tcp ? TASK_DO_CONNECT : TASK_DO_SLEEP;
	if (a->sleep)
		look->timeout_s = (int32_t)a->sleep->seconds;
	if (!a->exec && !port && !a->sleep)
		return err_set(e, ERR_INVALID, "must have one of exec, httpGet, tcpSocket");
	if (port && find_port(c, port, &look->port, e) < 0)
		return -1;
	record_add(&t->records, TASK_LOOK, (str){ (const char *)look, sizeof *look });
	for (size_t i = 0; a->exec && i < a->exec->command.n; i++)
		record_add(&t->records, TASK_LOOK_ARG, a->exec->command.p[i]);
	if (add_host(t, host, e) < 0)
		return -1;
	return a->http ? add_request(t, a->http, look->port, e) : 0;
}

/* What is 0 has Kubernetes' default. */
static int
add_probe(struct task *t, const struct container *c, const struct probe *p, enum task_look_kind kind, const char *what,
	struct err *e)
{
	if (!p)
		return 0;
	struct task_look look = { .kind = kind,
		.delay_s = (int32_t)p->delay,
		.period_s = p->period ? (int32_t)p->period : 10,
		.timeout_s = p->timeout ? (int32_t)p->timeout : 1,
		.successes = p->successes ? (int32_t)p->successes : 1,
		.failures = p->failures ? (int32_t)p->failures : 3 };
	const struct action a = { p->exec, p->http_get, p->tcp_socket, NULL };
	return add_action(t, c, &a, &look, e) < 0 ? err_wrap(e, "%s", what) : 0;
}

static int
add_hook(struct task *t, const struct container *c, const struct lifecycle_handler *h, enum task_look_kind kind,
	const char *what, struct err *e)
{
	if (!h)
		return 0;
	struct task_look look = { .kind = kind };
	const struct action a = { h->exec, h->http_get, h->tcp_socket, h->sleep };
	return add_action(t, c, &a, &look, e) < 0 ? err_wrap(e, "%s", what) : 0;
}

int
looks_write(struct task *t, const struct container *c, struct err *e)
{
	const struct container_lifecycle *l = c->lifecycle;
	/* A readiness probe of what is no daemon tells nobody anything. */
	if (t->daemon && add_probe(t, c, c->readiness_probe, TASK_LOOK_READY, "readinessProbe", e) < 0)
		return -1;
	if (add_probe(t, c, c->liveness_probe, TASK_LOOK_ALIVE, "livenessProbe", e) < 0 ||
		add_probe(t, c, c->startup_probe, TASK_LOOK_STARTUP, "startupProbe", e) < 0)
		return -1;
	return add_hook(t, c, l ? l->post_start : NULL, TASK_HOOK_STARTED, "lifecycle.postStart", e) < 0 ||
			       add_hook(t, c, l ? l->pre_stop : NULL, TASK_HOOK_STOP, "lifecycle.preStop", e) < 0
		       ? -1
		       : 0;
}
