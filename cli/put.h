/* SPDX-License-Identifier: Apache-2.0 */
/* put: the objects of one kind in files, sent to the daemon one after the other, as create and update do. */
#ifndef TIDEGATE_CLI_PUT_H
#define TIDEGATE_CLI_PUT_H

#include "cli/client.h"
#include "config/config.h"

struct put_files {
	const char *kind; /* others are an error */
	str ns;           /* of those that name none */
	bool strict;      /* a warning is an error, and nothing is sent */
	int (*send)(void *arg, const struct object *o, struct err *e);
	void *arg;
};
/* Says what is wrong with the files and with what was sent. The exit code, the worst of them. */
int put_files(const struct put_files *p, char **files, int n);

#endif
