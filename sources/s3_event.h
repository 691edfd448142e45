/* SPDX-License-Identifier: Apache-2.0 */
/*
 * s3_event: records of S3 notifications, whoever sent them and whatever way they came, in the shape that the minio source gives them (spec events 1.A4).
 */
#ifndef TIDEGATE_SOURCES_S3_EVENT_H
#define TIDEGATE_SOURCES_S3_EVENT_H

#include "config/config.h"
#include "core/net/s3_list.h" /* s3_key_decode */
#include "core/val.h"

/* A record as minio-go's notification.Event is written by Go. Appends. `record` may lack members. */
void s3_record_json(struct buf *b, const struct val *record);
/* The key of a record as the object is called; in `a`. */
str s3_record_key(struct arena *a, const struct val *record);
/* A key as records have it: percent-encoded, with + for a blank. In `a`. */
str s3_key_encode(struct arena *a, str key);

/* `s3Events` of a source: its messages are S3 notifications, which become events with the data of the minio source. */
struct s3_events {
	str prefix, suffix;
	const struct val *src;
};
extern const struct schema s3_events_schema;
/*
 * The data of an event whose `body` is a notification of S3 (of AWS, MinIO, Ceph, or through SNS or EventBridge), in `a`: 1. 0: it is one, but there is nothing
 * to tell (the test event, no key with that prefix and suffix). -1: it is none.
 */
int s3_events_unwrap(const struct s3_events *s, struct arena *a, str data, str *out);

#endif
