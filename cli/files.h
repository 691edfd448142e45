/* SPDX-License-Identifier: Apache-2.0 */
/* files: whole files, for commands. */
#ifndef TIDEGATE_CLI_FILES_H
#define TIDEGATE_CLI_FILES_H

#include "core/base.h"

enum { FILE_MAX_BYTES = 64 << 20 };

/* All of a file, in `a`; "-" is standard input. ERR_LIMIT: more than FILE_MAX_BYTES. */
int file_read(const char *path, struct arena *a, str *out, struct err *e) MUST_CHECK;

#endif
