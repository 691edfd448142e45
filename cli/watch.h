/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch: tells when manifests on disk may have changed. Directories are watched with everything below them, files through
 * their directory, because editors and Kubernetes replace files by renaming. A burst of changes is told once.
 */
#ifndef TIDEGATE_CLI_WATCH_H
#define TIDEGATE_CLI_WATCH_H

#include "core/loop.h"

struct file_watch;
/* Calls changed(arg) 200 ms after the last of a burst. `paths` are borrowed for the call only. */
struct file_watch *file_watch_new(struct loop *l, const char *const *paths, size_t n, void (*changed)(void *arg), void *arg);
/* Looks for new directories; after each change. */
void file_watch_refresh(struct file_watch *w);
/* Ends in a later turn of the loop. NULL is fine. */
void file_watch_free(struct file_watch *w);

#endif
