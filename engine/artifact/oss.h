/* SPDX-License-Identifier: Apache-2.0 */
/* oss: what the files of the oss driver share. oss.c reads the place, gets, and puts small files; oss_upload.c sends large ones. */
#ifndef TIDEGATE_ENGINE_ARTIFACT_OSS_H
#define TIDEGATE_ENGINE_ARTIFACT_OSS_H

#include "engine/artifact/cloud.h"

/* With the CRC-64 that the answer says the service keeps of the object; where it says none there is nothing to compare. ERR_UNAVAILABLE: it differs. */
int oss_compare_crc(struct cloud *c, str key, int fd, uint64_t offset, uint64_t bytes, const struct http_answer *ans, struct arena *a, struct err *e) MUST_CHECK;

/* ---- oss_upload.c: in parts */
int oss_put_parts(struct cloud *c, str key, int fd, uint64_t bytes, struct err *e) MUST_CHECK;
/* As `abandon` of a driver. */
void oss_abandon(void *oss);

#endif
