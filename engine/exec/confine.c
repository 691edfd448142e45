/* SPDX-License-Identifier: Apache-2.0 */
/*
 * confine: which sandbox works here, and the filter of system calls in it. The sandbox itself is the helper's.
 *
 * The filter forbids what a step could use against the kernel or the host and has no business with: mounts, namespaces,
 * modules, keys, clocks, tracing of the kernel, io_uring. Rules are refused with EPERM, as a missing capability would
 * be. System calls that are newer than this table do not exist (ENOSYS); libc has a fallback for those. clone3 does not
 * exist either, because a filter cannot see its flags; libc then uses clone, whose flags are checked.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/log.h"
#include "engine/exec/exec.h"

/* Numbers are the same on all architectures from 424 on; the last one that was looked at is mseal. */
#define NEWEST_SYSCALL 462
#define SETTLE_AFTER_MS 250

/* clang-format off */
static const char *const forbidden[] = {
	/* mounts and roots */
	"mount", "umount", "umount2", "mount_setattr", "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount",
	"fspick", "pivot_root", "chroot", "swapon", "swapoff", "quotactl", "quotactl_fd", "statmount", "listmount",
	/* namespaces and other processes' insides */
	"unshare", "setns", "pidfd_getfd", "process_madvise", "kcmp", "process_vm_readv", "process_vm_writev",
	/* files by handle go around the root */
	"open_by_handle_at", "name_to_handle_at",
	/* kernel code and memory */
	"init_module", "finit_module", "delete_module", "create_module", "query_module", "get_kernel_syms",
	"kexec_load", "kexec_file_load", "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter",
	"io_uring_register", "lookup_dcookie", "uselib",
	"fanotify_init", "fanotify_mark", "memfd_secret",
	/* keys are not in a namespace */
	"add_key", "request_key", "keyctl",
	/* the machine */
	"reboot", "syslog", "acct", "settimeofday", "stime", "clock_settime", "clock_adjtime", "adjtimex", "ioperm",
	"iopl", "vhangup",
	"sethostname", "setdomainname", "nfsservctl", "_sysctl", "sysfs", "ustat", "vm86", "vm86old", "modify_ldt",
};
/* clang-format on */

#define NEW_NAMESPACES                                                                                                 \
	(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP)

static int
add_rules(scmp_filter_ctx ctx)
{
	const uint32_t refuse = SCMP_ACT_ERRNO(EPERM);
	for (size_t i = 0; i < ARRAY_LEN(forbidden); i++) {
		int nr = seccomp_syscall_resolve_name(forbidden[i]);
		/* Names of other architectures, or newer than the library, cannot be called or are refused by number.
		 */
		if (nr >= 0 && seccomp_rule_add(ctx, refuse, nr, 0) < 0)
			return -1;
	}
	for (unsigned bit = 0; bit < 32; bit++)
		if ((NEW_NAMESPACES >> bit & 1) && seccomp_rule_add(ctx, refuse, SCMP_SYS(clone), 1,
							   SCMP_A0(SCMP_CMP_MASKED_EQ, 1u << bit, 1u << bit)) < 0)
			return -1;
	/* Typing into a terminal, and sockets of kinds that reach the hypervisor or old kernel code. */
	static const unsigned ioctls[] = { TIOCSTI, TIOCLINUX };
	static const int families[] = { AF_VSOCK, AF_ALG, AF_KEY, AF_PACKET, AF_BLUETOOTH, AF_RDS, AF_TIPC };
	for (size_t i = 0; i < ARRAY_LEN(ioctls); i++)
		if (seccomp_rule_add(
			    ctx, refuse, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, ioctls[i])) < 0)
			return -1;
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		if (seccomp_rule_add(ctx, refuse, SCMP_SYS(socket), 1,
			    SCMP_A0(SCMP_CMP_MASKED_EQ, UINT32_MAX, (unsigned)families[i])) < 0)
			return -1;
	return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

/* What libseccomp cannot say: a number beyond what we know. */
static int
write_prefix(int fd)
{
	const struct sock_filter prefix[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, NEWEST_SYSCALL, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	};
	return write(fd, prefix, sizeof prefix) == sizeof prefix ? 0 : -1;
}

int
seccomp_program(struct err *e)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int fd = memfd_create("seccomp", MFD_CLOEXEC), rc = -1;
	if (ctx && fd >= 0 && seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2) == 0 &&
		seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS)) == 0 && add_rules(ctx) == 0 &&
		write_prefix(fd) == 0)
		rc = seccomp_export_bpf(ctx, fd);
	seccomp_release(ctx);
	if (rc == 0)
		return fd;
	drop_fd(&fd);
	return err_set(e, ERR_INTERNAL, "make the system call filter: %s",
		rc < -1 ? strerror(-rc) : "libseccomp refuses a rule");
}

/* What usually is in the way, and what an administrator can do about it. The last rows hold for root as well. */
static const struct {
	const char *path;
	char bad;
	bool root;
	const char *advice;
} switches[] = {
	{ "/proc/sys/kernel/unprivileged_userns_clone", '0', false,
		"run `sysctl kernel.unprivileged_userns_clone=1`, or start the daemon as root" },
	{ "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", '1', false,
		"run `sysctl kernel.apparmor_restrict_unprivileged_userns=0`, or start the daemon as root" },
	{ "/proc/sys/user/max_user_namespaces", '0', false,
		"run `sysctl user.max_user_namespaces=10000`, or start the daemon as root" },
	{ "/proc/sys/user/max_mnt_namespaces", '0', true, "run `sysctl user.max_mnt_namespaces=10000`" },
	{ "/proc/sys/user/max_pid_namespaces", '0', true, "run `sysctl user.max_pid_namespaces=10000`" },
};

/* A one-digit file of procfs. */
static bool
switch_is(const char *path, char value)
{
	char c = 0;
	int fd CLEANUP(close_fd) = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, &c, 1) == 1 && c == value;
}

/* The row that stands in the way of root, or of anyone else; SIZE_MAX if none does. */
static size_t
in_the_way(bool root)
{
	for (size_t i = 0; i < ARRAY_LEN(switches); i++)
		if ((switches[i].root || !root) && switch_is(switches[i].path, switches[i].bad))
			return i;
	return SIZE_MAX;
}

static const char *
advice(void)
{
	bool root = geteuid() == 0;
	size_t i = in_the_way(root);
	if (i != SIZE_MAX)
		return switches[i].advice;
	return root ? "a container needs CAP_SYS_ADMIN and an unmasked /proc (docker run --privileged)"
		    : "start the daemon as root, or allow user namespaces";
}

/* What will probably work, without trying: for the start-up line. */
static enum task_sandbox
expected(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct caps[2] = { { 0 }, { 0 } };
	bool admin =
		geteuid() == 0 && syscall(SYS_capget, &head, caps) == 0 && (caps[0].effective >> CAP_SYS_ADMIN & 1);
	if (in_the_way(admin) != SIZE_MAX)
		return TASK_SANDBOX_OFF;
	return admin ? TASK_SANDBOX_PRIVILEGED : TASK_SANDBOX_USER;
}

/* Tries them, best first. */
static int
try_all(struct executor *x, char *why, size_t n, struct err *e)
{
	x->sandbox = TASK_SANDBOX_OFF;
	if (x->seccomp_fd < 0 && (x->seccomp_fd = seccomp_program(e)) < 0)
		return -1;
	if (geteuid() == 0 && helper_probe(x, TASK_SANDBOX_PRIVILEGED, why, n))
		x->sandbox = TASK_SANDBOX_PRIVILEGED;
	else if (helper_probe(x, TASK_SANDBOX_USER, why, n))
		x->sandbox = TASK_SANDBOX_USER;
	return 0;
}

void
confine_settle(struct executor *x)
{
	char why[512] = "";
	struct err e;
	if (x->settled)
		return;
	x->settled = true;
	timer_stop(&x->settle_timer);
	if (try_all(x, why, sizeof why, &e) < 0)
		snprintf(why, sizeof why, "%s", e.msg);
	if (x->sandbox != TASK_SANDBOX_OFF)
		return;
	snprintf(x->why_not, sizeof x->why_not, "%.250s; %s", why, advice());
	log_warn("STEPS RUN WITHOUT A SANDBOX: they can read and write whatever the daemon can", "reason", why,
		"advice", advice(), NULL);
}

/* Nobody waited for it: until the first step the helper need not be there. */
static void
settle_at_leisure(void *arg)
{
	struct executor *x = arg;
	confine_settle(x);
	if (!x->tasks.n)
		helper_stop(x);
}

int
confine_choose(struct executor *x, struct err *e)
{
	char why[512] = "";
	x->settled = x->settings->sandbox != SANDBOX_AUTO;
	x->sandbox = TASK_SANDBOX_OFF;
	if (x->settings->sandbox == SANDBOX_AUTO) {
		/* Trying costs some milliseconds: not before the daemon answers its first request. */
		x->sandbox = expected();
		timer_start(x->loop, &x->settle_timer, loop_now(x->loop) + SETTLE_AFTER_MS * NS_PER_MS,
			settle_at_leisure, x);
	} else if (x->settings->sandbox == SANDBOX_REQUIRE) {
		if (try_all(x, why, sizeof why, e) < 0)
			return -1;
		if (x->sandbox == TASK_SANDBOX_OFF)
			return err_set(e, ERR_UNSUPPORTED,
				"`sandbox: require` is set, but none can be built here: %s; %s", why, advice());
	}
	return 0;
}
