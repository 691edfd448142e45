/* SPDX-License-Identifier: Apache-2.0 */
/*
 * begun: downloads that a process before us began. What it got of item N lies in the scratch folder as begun.N, and in begun.N.note what its driver must know
 * to go on: {"boot": ID, "note": TEXT}. After a start of the machine nobody knows which bytes came to the disk: then it begins anew.
 */
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/artifact/helper/helper.h"

#define PREFIX "begun."
#define NOTE_MAX 65536

/* This run of the machine; "" if the kernel does not tell. */
static str
boot_id(struct arena *a)
{
	char text[64];
	int fd CLEANUP(close_fd) = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text);
	return n > 0 ? arena_dup(a, str_trim((str){ text, (size_t)n })) : S("");
}

static const char *
note_path(const struct begun *b)
{
	return arena_fmt(b->job->arena, "%s/%s.note", b->job->scratch_path, b->name).p;
}

/* ---- at the start of a job --------------------------------------------------------------------------------------------- */

void
begun_keep(const struct job *j)
{
	DIR *d = opendir(j->scratch_path);
	for (struct dirent *one; d && (one = readdir(d));)
		if (strncmp(one->d_name, PREFIX, strlen(PREFIX)) != 0 && strcmp(one->d_name, ".") != 0 && strcmp(one->d_name, "..") != 0)
			files_remove(arena_fmt(j->arena, "%s/%s", j->scratch_path, one->d_name).p);
	if (d)
		closedir(d);
}

/* ---- one item ---------------------------------------------------------------------------------------------------------- */

/* Before the first byte of an object: whatever was there is of another one, and goes. */
static void
keep_note(void *arg, str note)
{
	struct begun *b = arg;
	struct arena *a = b->job->arena;
	struct val_map m = { 0 };
	const char *path = note_path(b);
	(void)unlink(path);
	if (!note.n || !b->boot.n)
		return;
	val_map_add(&m, S("boot"), val_str(b->boot));
	val_map_add(&m, S("note"), val_str(note));
	struct val v = val_map_end(&m, a);
	str text = json_write(a, &v);
	int fd CLEANUP(close_fd) = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0 && write(fd, text.p, text.n) != (ssize_t)text.n)
		(void)unlink(path); /* nobody goes on then */
}

/* The last byte is asked for again: of an object that is whole there is a range left, then. */
static void
read_note(struct begun *b)
{
	struct stat st;
	str text;
	struct val v;
	struct err e;
	struct arena *a = b->job->arena;
	if (fstat(b->fd, &st) < 0 || st.st_size < 2 || files_read(note_path(b), NOTE_MAX, a, &text, &e) < 0 || json_read(a, text, &v, &e) < 0)
		return;
	if (!b->boot.n || !str_eq(val_get_str(&v, "boot"), b->boot))
		return;
	b->of.note = val_get_str(&v, "note");
	b->of.have = b->of.note.n ? (uint64_t)st.st_size - 1 : 0;
}

int
begun_open(struct job *j, struct place *p, size_t i, struct begun *b, struct err *e)
{
	*b = (struct begun){ .job = j, .place = p, .boot = boot_id(j->arena), .of = { .keep = keep_note } };
	b->of.arg = b;
	snprintf(b->name, sizeof b->name, PREFIX "%zu", i);
	b->fd = openat(j->scratch, b->name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (b->fd < 0)
		return err_errno(e, "make a file");
	read_note(b);
	if (ftruncate(b->fd, (off_t)b->of.have) < 0) {
		close_fd(&b->fd);
		return err_errno(e, "go on with a file");
	}
	p->site.begun = &b->of;
	return 0;
}

void
begun_close(struct begun *b, bool done)
{
	b->place->site.begun = NULL;
	close_fd(&b->fd);
	if (!done)
		return;
	(void)unlinkat(b->job->scratch, b->name, 0);
	(void)unlink(note_path(b));
}
