/* SPDX-License-Identifier: Apache-2.0 */
/*
 * laid: folders of the host that artifacts were laid at, for steps without a sandbox. A pod has its root for itself, and finds there what its image has; here the next
 * step finds what the one before was given, which is to be replaced. A folder of somebody else is not. So what was laid is remembered: a link, named after the path,
 * whose text is the folder's inode and when that was made, as numbers of inodes are used again at once; or "-" while it is being laid, since who is killed in between
 * lays it again.
 */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/crypto.h"
#include "engine/artifact/helper/helper.h"

#define INODE_TEXT_MAX 96

/* NULL: nothing can be remembered. */
static const char *
note_of(struct job *j, const char *path)
{
	unsigned char hash[CRYPTO_HASH_MAX];
	struct err e;
	if (!j->laid || crypto_load(&e) < 0)
		return NULL;
	size_t n = crypto_hash("sha256", str_c(path), hash);
	return arena_fmt(j->arena, "%s/%.*s", j->laid, STR_ARG(str_hex(j->arena, hash, n))).p;
}

/* Returns whether it has one: where the file system does not know when an inode was made, nothing is taken for ours. */
static bool
name_inode(const char *path, char out[INODE_TEXT_MAX])
{
	struct statx st;
	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME, &st) < 0 || !(st.stx_mask & STATX_BTIME))
		return false;
	snprintf(out, INODE_TEXT_MAX, "%u:%u:%llu:%lld.%09u", st.stx_dev_major, st.stx_dev_minor, (unsigned long long)st.stx_ino,
		(long long)st.stx_btime.tv_sec, st.stx_btime.tv_nsec);
	return true;
}

static bool
is_laid(struct job *j, const char *path)
{
	char noted[INODE_TEXT_MAX], is[INODE_TEXT_MAX];
	const char *note = note_of(j, path);
	ssize_t n = note ? readlink(note, noted, sizeof noted - 1) : -1;
	if (n < 0)
		return false;
	noted[n] = 0;
	return !strcmp(noted, "-") || (name_inode(path, is) && !strcmp(noted, is));
}

static int
write_note(struct job *j, const char *path, const char *text, struct err *e)
{
	const char *note = note_of(j, path);
	if (!note)
		return 0;
	if (mkdir(j->laid, 0700) < 0 && errno != EEXIST)
		return err_errno(e, "make %s", j->laid);
	if (unlink(note) < 0 && errno != ENOENT)
		return err_errno(e, "write %s", note);
	return symlink(text, note) < 0 ? err_errno(e, "write %s", note) : 0;
}

int
laid_clear(struct job *j, const char *path, struct err *e)
{
	struct stat st;
	if (lstat(path, &st) < 0)
		return write_note(j, path, "-", e);
	if (!S_ISDIR(st.st_mode))
		(void)unlink(path); /* what cannot go shows when the artifact takes its place */
	else if (is_laid(j, path))
		files_remove(path);
	else if (rmdir(path) < 0)
		return err_set(e, ERR_INVALID, "%s is a folder that lay there before, and no artifact: remove it, or let the step run in a sandbox", path);
	return write_note(j, path, "-", e);
}

int
laid_note(struct job *j, const char *path, struct err *e)
{
	char text[INODE_TEXT_MAX];
	return write_note(j, path, name_inode(path, text) ? text : "?", e);
}
