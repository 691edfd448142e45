/* SPDX-License-Identifier: Apache-2.0 */
/*
 * security: what of securityContext can be honoured: who runs the command, and whether its root may be written to. A
 * container's word comes before its pod's, and both before the image's.
 */
#include <unistd.h>

#include "engine/exec/exec.h"

static const struct val *
said(const struct task_spec *spec, const struct container *c, const char *field)
{
	const struct val *v = val_get(c->security_context, str_c(field));
	return v ? v : val_get(spec->tmpl->security_context, str_c(field));
}

static int
read_id(const struct val *v, const char *what, uint32_t *out, struct err *e)
{
	int64_t id;
	if (!v)
		return 0;
	if (!val_to_i64(v, &id) || id < 0 || id >= UINT32_MAX)
		return err_set(e, ERR_INVALID, "securityContext.%s: must be a number from 0 to 4294967294", what);
	*out = (uint32_t)id;
	return 0;
}

/* Without a namespace of users, and without privilege, everybody is who the daemon is. */
static int
check_possible(const struct task *t, uint32_t uid, struct err *e)
{
	if (t->x->sandbox != TASK_SANDBOX_OFF || geteuid() == 0 || uid == geteuid())
		return 0;
	return err_set(e, ERR_UNSUPPORTED, "securityContext.runAsUser %u: without a sandbox and without privilege steps run as user %u (%s)",
		uid, geteuid(), t->x->why_not[0] ? t->x->why_not : "`sandbox: off` is set");
}

int
security_write(struct task *t, const struct task_spec *spec, const struct container *c, const struct image *image,
	struct err *e)
{
	const struct val *user = said(spec, c, "runAsUser"), *group = said(spec, c, "runAsGroup");
	bool off = t->x->sandbox == TASK_SANDBOX_OFF, given = user || group;
	uint32_t uid = off ? geteuid() : 0, gid = off ? getegid() : 0;
	if (image && image->user.n) {
		given = true;
		if (image_user(image, &uid, &gid, e) < 0)
			return -1;
	}
	if (read_id(user, "runAsUser", &uid, e) < 0 || read_id(group, "runAsGroup", &gid, e) < 0)
		return -1;
	if (val_is_true(said(spec, c, "runAsNonRoot")) && uid == 0)
		return err_set(e, ERR_INVALID, "container has runAsNonRoot and image will run as root: give it a runAsUser");
	if (user && check_possible(t, uid, e) < 0)
		return -1;
	if (geteuid() == 0 && t->x->sandbox != TASK_SANDBOX_USER && (!t->member.p || str_eq(t->member, S("main")))) {
		t->owned = uid || gid;
		t->uid = uid;
		t->gid = gid;
	}
	if (given)
		record_add(&t->records, TASK_USER, arena_fmt(t->arena, "%u:%u", uid, gid));
	if (!val_is_true(val_get(c->security_context, S("readOnlyRootFilesystem"))))
		return 0;
	if (off)
		return err_set(e, ERR_UNSUPPORTED, "securityContext.readOnlyRootFilesystem: without a sandbox there is no root of the step's own (%s)",
			t->x->why_not[0] ? t->x->why_not : "`sandbox: off` is set");
	record_add(&t->records, TASK_READ_ONLY, S(""));
	return 0;
}

int
hosts_write(struct task *t, const struct task_spec *spec, struct err *e)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	if (!spec->tmpl->host_aliases.n)
		return 0;
	if (t->x->sandbox == TASK_SANDBOX_OFF)
		return err_set(e, ERR_UNSUPPORTED, "hostAliases: without a sandbox there is no /etc/hosts of the step's own (%s)",
			t->x->why_not[0] ? t->x->why_not : "`sandbox: off` is set");
	for (size_t i = 0; i < spec->tmpl->host_aliases.n; i++) {
		const struct host_alias *a = &spec->tmpl->host_aliases.p[i];
		buf_add(&b, a->ip);
		for (size_t k = 0; k < a->hostnames.n; k++)
			buf_addf(&b, "\t%.*s", STR_ARG(a->hostnames.p[k]));
		buf_addc(&b, '\n');
	}
	record_add(&t->records, TASK_HOSTS, buf_str(&b));
	return 0;
}
