/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pod's monitor: several containers that share volumes, host name, IPC and perhaps a network. Each has a monitor of
 * its own, which was made with the pod and has its root ready; here is decided when it may begin (spec 2.16, 2.17):
 *
 *   init containers    one after the other; the first that fails ends the pod
 *   main containers    all at once, but each after those it depends on have ended well; if one fails the others are ended
 *   side containers    with the main ones; ended when those have all ended
 *
 * What a main container leaves is read when all main containers have ended, as it may lie in a volume that they share.
 *
 * The pod is process 1 of a process namespace around those of its containers: if it is killed, so is everything.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/shim/shim.h"

#define MEMBERS_MAX 320

enum state { WAITING, TOLD, RUNNING, ENDED };

struct member {
	const char *name;
	const char *records, *end; /* of the container alone */
	enum task_role role;
	enum state state;
	bool ready;
	bool lingers;              /* its command has ended, its monitor waits to read the outputs */
	pid_t pid;                 /* of its monitor */
	int socket, end_fd;        /* to the monitor; what it leaves at its end */
	int code;                  /* of an ended one; 64 where it is not known */
};

struct pod {
	struct setup setup;
	enum task_sandbox sandbox;
	const char *records, *records_end; /* of the pod itself */
	const char *dir, *claim, *hostname, *network;
	int64_t deadline_ns, grace_s;
	struct member member[MEMBERS_MAX];
	size_t n;
	int socket, signals, log_fd;
	char address[16];
	struct why error;
	enum task_cause cause;
	bool ending;                       /* nothing more is begun */
	int64_t term_at;                   /* monotonic; 0: no deadline */
	int64_t started;                   /* wall clock */
	char said[512];                    /* the last line about how far we are */
};

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static void
read_pod(struct pod *p, const struct record *r)
{
	/* clang-format off */
	switch ((enum task_record)r->type) {
	case TASK_DIR: p->dir = r->p; break;
	case TASK_CLAIM: p->claim = r->p; break;
	case TASK_HOSTNAME: p->hostname = r->p; break;
	case TASK_NETWORK: p->network = r->p; break;
	case TASK_DEADLINE: p->deadline_ns = record_i64(r); break;
	case TASK_GRACE: p->grace_s = record_i64(r); break;
	default: break; /* shared volumes: walked by share_volumes */
	}
	/* clang-format on */
}

static int
read_records(struct pod *p, const char *records, size_t n)
{
	const char *end = records + n, *at = records;
	struct record r;
	p->records = p->records_end = records;
	for (const char *before = at; record_next(&at, end, &r); before = at) {
		struct member *m = p->n ? &p->member[p->n - 1] : NULL;
		if (r.type == TASK_CONTAINER) {
			if (p->n == MEMBERS_MAX)
				return why_set(&p->error, "the pod has more than %d containers", MEMBERS_MAX);
			if (m)
				m->end = before;
			else
				p->records_end = before;
			p->member[p->n++] = (struct member){ .name = r.p, .records = before, .end = end, .socket = -1, .end_fd = -1 };
		} else if (r.type == TASK_ROLE && m) {
			m->role = (enum task_role)record_i64(&r);
		} else if (!m) {
			read_pod(p, &r);
		}
	}
	return p->dir && p->n ? 0 : why_set(&p->error, "the pod has no directory or no containers");
}

/* ---- preparing --------------------------------------------------------------------------------------------------- */

/* Our user is root of the pod's user namespace. The containers' monitors then map theirs to it. */
static int
enter_user(struct pod *p)
{
	const struct task as_root = { .sandbox = TASK_SANDBOX_USER };
	if (p->sandbox != TASK_SANDBOX_USER)
		return 0;
	if (sandbox_map_user(&p->setup, &as_root, &p->error) < 0)
		return -1;
	p->setup.uid = p->setup.gid = 0;
	p->setup.nested = true;
	return 0;
}

/* An emptyDir in memory is mounted on its folder, in our mount namespace: the containers find it there. */
static int
share_volume(struct pod *p, const char *text)
{
	char *name, path[8192], options[64];
	long long size = strtoll(text, &name, 10);
	snprintf(path, sizeof path, "%s/%s%s", p->dir, *name ? name + 1 : "", "");
	int fd = task_open_dir(p->setup.tasks_fd, path);
	if (fd < 0)
		return why_errno(&p->error, "make the volume %s", name + 1);
	close(fd);
	snprintf(path, sizeof path, "%s/%s/%s", p->setup.tasks_path, p->dir, name + 1);
	snprintf(options, sizeof options, size ? "mode=0777,size=%lld" : "mode=0777", size);
	if (mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0)
		return why_errno(&p->error, "mount the volume %s", name + 1);
	return 0;
}

static int
share_volumes(struct pod *p)
{
	struct record r;
	for (const char *at = p->records; record_next(&at, p->records_end, &r);)
		if (r.type == TASK_SHARED && share_volume(p, r.p) < 0)
			return -1;
	return 0;
}

static int
enter_namespaces(struct pod *p, int netlink)
{
	if (p->sandbox == TASK_SANDBOX_OFF) {
		prctl(PR_SET_CHILD_SUBREAPER, 1);
		return 0;
	}
	if (enter_user(p) < 0)
		return -1;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return why_errno(&p->error, "make the mounts private");
	if (p->hostname)
		(void)sethostname(p->hostname, strnlen(p->hostname, 64)); /* a name is no reason to fail */
	if (p->network && network_make(netlink, p->network, p->address, &p->error) < 0)
		return -1;
	p->setup.address = p->address[0] ? p->address : NULL;
	return share_volumes(p);
}

/* The containers share what the pod has, and have a root and a process namespace each. */
static uint64_t
namespaces(const struct pod *p)
{
	return step_namespaces(p->sandbox) & ~(uint64_t)(CLONE_NEWIPC | CLONE_NEWUTS);
}

static int
make_monitor(struct pod *p, struct member *m)
{
	int pair[2];
	m->end_fd = memfd_create("end", MFD_CLOEXEC);
	if (m->end_fd < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return why_errno(&p->error, "make container %s", m->name);
	m->pid = fork_into(namespaces(p), SIGCHLD);
	if (m->pid == 0) {
		for (struct member *x = p->member; x <= m; x++) /* or it would not see our end */
			if (x->socket >= 0)
				close(x->socket);
		cgroup_forget();
		close(pair[0]);
		close(p->socket);
		close(p->signals);
		monitor_run(&p->setup, p->sandbox, m->records, (size_t)(m->end - m->records), pair[1], m->end_fd);
	}
	int code = errno;
	close(pair[1]);
	m->socket = pair[0];
	errno = code;
	return m->pid < 0 ? why_errno(&p->error, "make container %s", m->name) : 0;
}

static void
prepare(struct pod *p, const char *records, size_t n, int netlink)
{
	if (read_records(p, records, n) < 0)
		return;
	const struct task own = { .records = p->records, .records_end = p->records_end };
	if (cgroup_make(&own, &p->error) < 0 || enter_namespaces(p, netlink) < 0)
		return;
	for (size_t i = 0; i < p->n; i++)
		if (make_monitor(p, &p->member[i]) < 0)
			return;
}

/* ---- saying how far we are --------------------------------------------------------------------------------------- */

static char
letter(const struct member *m)
{
	return m->state == ENDED ? m->code ? 'x' : 'o' : m->state == RUNNING ? 'r' : '-';
}

static bool
all_ready(const struct pod *p)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct member *m = &p->member[i];
		if (m->role == TASK_ROLE_INIT ? m->state != ENDED || m->code : m->state != RUNNING || !m->ready)
			return false;
	}
	return !p->ending;
}

static void
say(struct pod *p)
{
	char text[sizeof p->said], line[sizeof text + 16];
	for (size_t i = 0; i < p->n; i++)
		text[i] = letter(&p->member[i]);
	snprintf(text + p->n, sizeof text - p->n, " %s %s", p->address[0] ? p->address : "-", all_ready(p) ? "ready" : "-");
	if (!strcmp(text, p->said))
		return;
	memcpy(p->said, text, sizeof text);
	int n = snprintf(line, sizeof line, TASK_LOG_POD "%s\n", text);
	(void)!write(p->log_fd, line, (size_t)n); /* nobody but a later daemon misses it */
	n = snprintf(line, sizeof line, "s%s", text);
	(void)!send(p->socket, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT); /* the daemon may be gone */
}

/* ---- what may begin and what must end ---------------------------------------------------------------------------- */

static struct member *
find(struct pod *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (!strcmp(p->member[i].name, name))
			return &p->member[i];
	return NULL;
}

static void
tell(struct member *m, const char *text)
{
	(void)!send(m->socket, text, strlen(text), MSG_NOSIGNAL); /* a monitor that is gone is reaped */
	m->state = TOLD;
}

/* It is never begun and leaves without a trace. */
static void
dismiss(struct member *m)
{
	if (m->socket >= 0)
		close(m->socket);
	m->socket = -1;
}

static void
end_member(const struct member *m, int64_t grace_s)
{
	const union sigval value = { .sival_int = (int)grace_s };
	if (m->pid > 0 && (m->state == TOLD || m->state == RUNNING))
		(void)sigqueue(m->pid, SIGTERM, value);
}

/* Ends what runs, of this role or all (-1), and begins nothing more. */
static void
end_all(struct pod *p, int role, int64_t grace_s)
{
	for (size_t i = 0; i < p->n; i++) {
		struct member *m = &p->member[i];
		if (role >= 0 && m->role != (enum task_role)role)
			continue;
		if (m->state == WAITING)
			dismiss(m);
		else
			end_member(m, grace_s);
	}
	p->ending |= role < 0;
}

/* 1: it may begin; 0: not yet; -1: never, it was told so. In the words of Argo's emissary. */
static int
dependencies(struct pod *p, struct member *m)
{
	struct record r;
	int rc = 1;
	for (const char *at = m->records; record_next(&at, m->end, &r);) {
		const struct member *d = r.type == TASK_DEPENDS ? find(p, r.p) : NULL;
		if (!d)
			continue;
		if (d->state != ENDED) {
			rc = 0;
		} else if (d->code) {
			char text[512];
			snprintf(text, sizeof text, "ddependency \"%.200s\" exited with non-zero code: %d", d->name, d->code);
			tell(m, text);
			return -1;
		}
	}
	return rc;
}

/* True: they are all done. */
static bool
begin_init(struct pod *p)
{
	for (size_t i = 0; i < p->n; i++) {
		struct member *m = &p->member[i];
		if (m->role != TASK_ROLE_INIT || (m->state == ENDED && !m->code))
			continue;
		if (m->state == ENDED)
			end_all(p, -1, 0);
		else if (m->state == WAITING)
			tell(m, "r");
		return false;
	}
	return true;
}

static void
begin_main(struct pod *p)
{
	bool failed = false, open = false;
	for (size_t i = 0; i < p->n; i++) {
		struct member *m = &p->member[i];
		if (m->role == TASK_ROLE_INIT)
			continue;
		if (m->state == WAITING && m->socket >= 0 && (m->role == TASK_ROLE_SIDECAR || dependencies(p, m) > 0))
			tell(m, "r");
		failed |= m->role == TASK_ROLE_MAIN && m->state == ENDED && m->code;
		open |= m->role == TASK_ROLE_MAIN && (m->state != ENDED || m->pid > 0); /* side containers run on until the outputs are read */
	}
	if (failed) /* those that wait hear of it by what they depend on */
		for (size_t i = 0; i < p->n; i++)
			end_member(&p->member[i], p->grace_s);
	else if (!open)
		end_all(p, TASK_ROLE_SIDECAR, p->grace_s);
}

static bool
may_still_write(const struct member *m)
{
	return m->role == TASK_ROLE_MAIN && m->state != ENDED && (m->state != WAITING || m->socket >= 0);
}

static void
let_outputs_be_read(struct pod *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (may_still_write(&p->member[i]))
			return;
	for (size_t i = 0; i < p->n; i++) {
		struct member *m = &p->member[i];
		if (m->lingers)
			(void)send(m->socket, "o", 1, MSG_NOSIGNAL); /* one that is gone is reaped */
		m->lingers = false;
	}
}

static void
advance(struct pod *p)
{
	if (!p->ending && begin_init(p))
		begin_main(p);
	let_outputs_be_read(p);
	say(p);
}

/* ---- news -------------------------------------------------------------------------------------------------------- */

/* The exit code in what a container left. */
static int
read_code(const struct member *m)
{
	struct stat st;
	struct record r;
	int code = TASK_EXIT_NOT_STARTED;
	if (fstat(m->end_fd, &st) < 0 || !st.st_size)
		return code;
	const char *text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, m->end_fd, 0);
	for (const char *at = text; text != MAP_FAILED && record_next(&at, text + st.st_size, &r);)
		if (r.type == TASK_EXIT_CODE)
			code = record_i32(&r);
	if (text != MAP_FAILED)
		munmap((void *)(uintptr_t)text, (size_t)st.st_size);
	return code;
}

static void
reap(struct pod *p)
{
	int status;
	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
		for (size_t i = 0; i < p->n; i++) {
			struct member *m = &p->member[i];
			if (m->pid != pid)
				continue;
			m->pid = 0;
			if (m->state == WAITING && m->socket < 0)
				continue; /* dismissed */
			m->state = ENDED;
			m->code = read_code(m);
		}
}

static void
command_ended(struct member *m, const char *text, size_t n)
{
	char code[16] = "";
	memcpy(code, text + 1, n - 1 < sizeof code - 1 ? n - 1 : sizeof code - 1);
	m->state = ENDED;
	m->code = atoi(code);
	m->lingers = true;
}

static void
hear(struct pod *p, struct member *m)
{
	char text[600];
	ssize_t n;
	while ((n = recv(m->socket, text, sizeof text, MSG_DONTWAIT)) > 0) {
		if (text[0] == 'c' && m->state == TOLD)
			m->state = RUNNING;
		else if (text[0] == 'y')
			m->ready = true;
		else if (text[0] == 'e')
			command_ended(m, text, (size_t)n);
		else if (m->role == TASK_ROLE_MAIN) /* progress: for the daemon as it is */
			(void)!send(p->socket, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	if (n == 0) { /* its monitor is ending: what is left to know comes with that */
		close(m->socket);
		m->socket = -1;
	}
}

static void
take_signals(struct pod *p)
{
	struct signalfd_siginfo si;
	while (read(p->signals, &si, sizeof si) == sizeof si) {
		if (si.ssi_signo != SIGTERM)
			continue;
		if (p->cause == TASK_CAUSE_ITSELF)
			p->cause = TASK_CAUSE_ASKED;
		end_all(p, -1, si.ssi_int > 0 ? si.ssi_int : 0);
	}
	reap(p);
}

static int
wait_ms(const struct pod *p)
{
	int64_t ms = p->term_at ? (p->term_at - now_mono() + 999999) / 1000000 : -1;
	return !p->term_at ? -1 : ms < 0 ? 0 : ms > 3600000 ? 3600000 : (int)ms;
}

static bool
any_left(const struct pod *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->member[i].pid > 0)
			return true;
	return false;
}

static void
watch(struct pod *p)
{
	struct pollfd fds[MEMBERS_MAX + 1];
	if (p->deadline_ns) {
		int64_t left = p->deadline_ns - now_real();
		p->term_at = now_mono() + (left > 0 ? left : 0);
	}
	for (advance(p); any_left(p); advance(p)) {
		for (size_t i = 0; i < p->n; i++)
			fds[i] = (struct pollfd){ p->member[i].socket, POLLIN, 0 };
		fds[p->n] = (struct pollfd){ p->signals, POLLIN, 0 };
		if (poll(fds, p->n + 1, wait_ms(p)) < 0 && errno != EINTR)
			_exit(1);
		for (size_t i = 0; i < p->n; i++)
			if (p->member[i].socket >= 0)
				hear(p, &p->member[i]);
		take_signals(p);
		if (p->term_at && now_mono() >= p->term_at) {
			p->term_at = 0;
			p->cause = TASK_CAUSE_DEADLINE;
			end_all(p, -1, p->grace_s);
		}
	}
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

static void
put_member(const struct member *m, struct exit_buf *b)
{
	struct stat st;
	struct record r;
	exit_put(b, TASK_EXIT_CONTAINER, m->name, strlen(m->name));
	if (m->end_fd < 0 || fstat(m->end_fd, &st) < 0 || !st.st_size)
		return; /* it was not begun */
	const char *text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, m->end_fd, 0);
	for (const char *at = text; text != MAP_FAILED && record_next(&at, text + st.st_size, &r);)
		exit_put(b, r.type, r.p, r.n);
}

static void
leave_end(const struct pod *p)
{
	struct exit_buf b = { 0 };
	exit_put_i64(&b, TASK_EXIT_STARTED, p->started);
	exit_put_i64(&b, TASK_EXIT_FINISHED, now_real());
	exit_put_i32(&b, TASK_EXIT_CAUSE, (int32_t)p->cause);
	if (p->error.text[0])
		exit_put(&b, TASK_EXIT_ERROR, p->error.text, strlen(p->error.text));
	for (size_t i = 0; i < p->n; i++)
		put_member(&p->member[i], &b);
	if (relay_end(p->log_fd, b.p, b.n) < 0)
		_exit(1);
}

/* It was not released: the containers' monitors leave when they see us gone, and their control groups before ours. */
static _Noreturn void
leave(struct pod *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->member[i].socket >= 0)
			close(p->member[i].socket);
	while (waitpid(-1, NULL, 0) > 0)
		;
	cgroup_remove();
	_exit(0);
}

_Noreturn void
pod_run(const struct setup *s, enum task_sandbox sandbox, const char *records, size_t n, int socket, int netlink)
{
	static struct pod p;
	p.setup = *s;
	p.sandbox = sandbox;
	p.socket = socket;
	setpgid(0, 0);
	p.signals = monitor_signals();
	prepare(&p, records, n, netlink);
	if (!claim_wait(socket))
		leave(&p);
	if (!p.dir)
		_exit(1);
	p.log_fd = claim_take(&p.setup, p.dir, p.claim, socket);
	claim_tell(socket);
	p.started = now_real();
	if (p.error.text[0])
		end_all(&p, -1, 0);
	watch(&p);
	cgroup_remove();
	leave_end(&p);
	_exit(0); /* the namespaces end with us, and what the network had in the host's */
}
