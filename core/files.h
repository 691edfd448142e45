/* SPDX-License-Identifier: Apache-2.0 */
/* files: what several parts do with files and folders. Any thread. */
#ifndef TIDEGATE_CORE_FILES_H
#define TIDEGATE_CORE_FILES_H

#include <fcntl.h>

#include "core/base.h"
#include "core/transfer_watch.h"

/*
 * Removes the file or the folder with all that is in it, however deep; links are not followed, and nothing that is mounted is entered. What cannot go, stays.
 * Fine if there is nothing.
 */
int files_remove_all(const char *path, struct err *e) MUST_CHECK;
void files_remove(const char *path);
/* The whole of a regular file of at most `max` bytes, in `a`. ERR_INVALID if it is another kind of file or larger; else as the kernel says. */
int files_read(const char *path, size_t max, struct arena *a, str *out, struct err *e) MUST_CHECK;
/* All of the text goes to where the open file stands. -1: as errno says, and part of it may be there. */
int files_write(int fd, str text) MUST_CHECK;

/*
 * All that there is in the open file `from`, from its start where it has one, goes to where `to` stands; by the kernel, which may share the blocks, where it
 * can. ERR_LIMIT: it is more than `most` bytes. `n`: how many went.
 */
int files_copy(int from, int to, uint64_t most, uint64_t *n, struct err *e) MUST_CHECK;
/* The same; `watch` is told as it goes on. May be NULL. */
int files_copy_watched(int from, int to, uint64_t most, const struct transfer_watch *watch, uint64_t *n, struct err *e) MUST_CHECK;

/* openat2 beneath `dir`: no link is followed, wherever in the path, and nothing leads out of it. */
int open_beneath(int dir, const char *path, int flags, mode_t mode);
/* The same, following links, to look at where they lead and no more (O_PATH). EXDEV: out of `dir`. */
int look_beneath(int dir, const char *path);
/*
 * Whether a link at the relative `path` leads to somewhere beneath the folder that the path begins in, by its text alone. It may yet lead out by way of
 * another link, which look_beneath shows.
 */
bool link_stays(str path, str target);

#endif
