/* SPDX-License-Identifier: Apache-2.0 */
/* What a step cannot do. */
#include "exec_world.h"

/* ---- what a step cannot do -------------------------------------------------------------------------------------- */

static void
a_sandbox_has_no_way_out(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	/* Each must fail; the step prints the names of those that did not. */
	static const struct {
		const char *name, *attempt;
	} attempts[] = {
		{ "write /usr", "touch /usr/x" },
		{ "write /etc of the host", "echo x >/etc/alternatives/x" },
		{ "see the host's processes", "test $(ls -d /proc/[0-9]* | wc -l) -gt 8" },
		{ "signal process 1", "kill -9 1 && ! kill -0 1" },
		{ "read process 1's descriptors",
			"for f in 0 1 2 3 4 5 6 7 8 9; do readlink /proc/1/fd/$f && exit; done; exit 1" },
		{ "enter process 1's root", "ls /proc/1/root/" },
		{ "read process 1's memory", "head -c 1 /proc/1/mem || head -c 1 /proc/1/environ | grep ." },
		{ "mount", "mount -t tmpfs none /tmp" },
		{ "remount /proc", "mount -o remount,rw /proc" },
		{ "mknod", "mknod /tmp/sda b 8 0" },
		{ "write /proc/sys", "echo x >/proc/sys/kernel/hostname" },
		{ "trigger sysrq", "echo h >/proc/sysrq-trigger" },
		{ "a user namespace", "unshare -U true" },
		{ "a mount namespace", "unshare -m true" },
		{ "enter a namespace", "nsenter -t 1 -m true" },
		{ "chroot", "chroot /tmp true" },
		{ "capabilities", "grep -E 'Cap(Eff|Prm|Bnd|Amb|Inh):' /proc/self/status | grep -qv 0000000000000000" },
		{ "new privileges", "! grep -q 'NoNewPrivs:.1' /proc/self/status" },
		{ "no filter", "! grep -q 'Seccomp:.2' /proc/self/status" },
		{ "shadow", "cat /etc/shadow" },
		{ "state of the daemon", "ls %s" },
		{ "kernel log", "dmesg" },
		{ "hostname", "hostname evil" },
		{ "clock", "date -s 2001-01-01" },
		{ "keyctl", "python3 -c 'import ctypes,sys; sys.exit(0 if ctypes.CDLL(None).syscall(250,0,-3,0)>=0 "
			    "else 1)'" },
		{ "bpf", "python3 -c 'import ctypes,sys; sys.exit(0 if ctypes.CDLL(None).syscall(321,0,0,0)>=0 else "
			 "1)'" },
		{ "ptrace process 1",
			"python3 -c 'import ctypes,sys; sys.exit(0 if ctypes.CDLL(None).ptrace(16,1,0,0)==0 else 1)'" },
		{ "open by handle", "python3 -c 'import ctypes,sys; c=ctypes.CDLL(None,use_errno=True); "
				    "c.syscall(304,-1,0,0); sys.exit(ctypes.get_errno()==1)'" },
		{ "unix sockets of the host", "ls /run/dbus /run/docker.sock /run/systemd" },
	};
	if (w->sandbox != TASK_SANDBOX_OFF) {
		struct buf script CLEANUP(free_buf) = { 0 };
		for (size_t i = 0; i < ARRAY_LEN(attempts); i++) {
			struct buf one CLEANUP(free_buf) = { 0 };
			const char *at = strstr(attempts[i].attempt, "%s");
			if (at)
				buf_addf(&one, "%.*s%s%s", (int)(at - attempts[i].attempt), attempts[i].attempt, w->dir,
					at + 2);
			else
				buf_addf(&one, "%s", attempts[i].attempt);
			buf_addf(&script, "if ( %s ) >/dev/null 2>&1; then echo \"%s\"; fi\n", one.p, attempts[i].name);
		}
		struct step_of s;
		step_init(&s, "escape", script.p);
		const struct ended *e = run(w, &s);
		assert_succeeded(e);
		assert_string_equal(e->result, "");
	}
	world_free(w);
}

static void
steps_do_not_see_each_other(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	if (w->sandbox != TASK_SANDBOX_OFF) {
		struct step_of s, t;
		step_init(&s, "one", "echo mine >/tmp/x; ipcmk -M 100 >/dev/null; sleep 0.5; cat /tmp/x; hostname");
		step_init(&t, "two", "ls -A /tmp; ipcs -m | grep -c 0x; echo other >/tmp/x");
		begin(w, &s);
		begin(w, &t);
		assert_string_equal(finish(w, "one")->result, "mine\none");
		assert_string_equal(finish(w, "two")->result, "0");
	}
	world_free(w);
}

/* With `auto` the daemon starts at once with what it expects, and tries before the first step. */
static void
the_sandbox_settles_with_the_first_step(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	struct err e;
	executor_free(w->x);
	w->settings.sandbox = SANDBOX_AUTO;
	assert_int_equal(executor_new(w->loop, &w->settings, w->objects, str_c(w->dir), take_news, w, &w->x, &e), 0);
	assert_false(w->x->settled);
	assert_int_equal(w->x->helper.pid, 0);
	const char *expected = executor_sandbox(w->x);
	step_init(&s, "first", "true");
	assert_succeeded(run(w, &s));
	assert_true(w->x->settled);
	assert_string_equal(executor_sandbox(w->x), expected);
	world_free(w);
}

int
main(int argc, char **argv)
{
	static const struct exec_test tests[] = {
		TEST(the_sandbox_settles_with_the_first_step),
		TEST(a_sandbox_has_no_way_out),
		TEST(steps_do_not_see_each_other),
	};
	return exec_main("exec_sandbox", tests, ARRAY_LEN(tests), argc, argv);
}
