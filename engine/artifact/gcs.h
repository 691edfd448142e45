/* SPDX-License-Identifier: Apache-2.0 */
/* gcs: what the files of the gcs driver share. gcs.c signs in, gets, and puts small files; gcs_upload.c sends large ones. */
#ifndef TIDEGATE_ENGINE_ARTIFACT_GCS_H
#define TIDEGATE_ENGINE_ARTIFACT_GCS_H

#include "engine/artifact/cloud.h"

#define GCS_BINARY "application/octet-stream"

/* A file on its way. */
struct gcs_upload {
	struct cloud *c;
	str key, crc; /* crc: of the whole, as Google writes it */
	int fd;
	uint64_t bytes;
};

/* What is told of the object before its bytes: JSON, in `a`. */
str gcs_description(const struct gcs_upload *u, struct arena *a);
/* Whether the object that the service has made has these bytes. */
int gcs_check_made(const struct gcs_upload *u, const struct http_answer *ans, struct arena *a, struct err *e) MUST_CHECK;

/* ---- gcs_upload.c: in chunks */
int gcs_put_chunks(const struct gcs_upload *u, struct err *e) MUST_CHECK;
/* As `abandon` of a driver. */
void gcs_abandon(void *gcs);

#endif
