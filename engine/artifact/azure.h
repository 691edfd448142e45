/* SPDX-License-Identifier: Apache-2.0 */
/* azure: what the files of the azure driver share. azure.c reads the place, gets, and puts small files; azure_upload.c sends large ones. */
#ifndef TIDEGATE_ENGINE_ARTIFACT_AZURE_H
#define TIDEGATE_ENGINE_ARTIFACT_AZURE_H

#include "core/net/azure_storage.h"
#include "engine/artifact/cloud.h"

struct azure {
	struct cloud cloud; /* first */
	struct azure_account account;
};

/* ---- azure_upload.c: in blocks */
int azure_put_blocks(struct azure *z, str key, int fd, uint64_t bytes, struct err *e) MUST_CHECK;
/* As `abandon` of a driver. */
void azure_abandon(void *azure);

#endif
