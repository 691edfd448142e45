/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the daemon and its jq helper say to each other over a socket pair (descriptor 3 of the helper). One request, one answer, in turn; both on
 * one machine, so numbers are as they lie in memory. The helper knows a program by its text: it keeps the last ones compiled.
 */
#ifndef TIDEGATE_SENSORS_JQ_PROTOCOL_H
#define TIDEGATE_SENSORS_JQ_PROTOCOL_H

#include <stdint.h>

enum { JQ_FD = 3 };
#define JQ_PROGRAM_MAX (256u << 10)
#define JQ_DATA_MAX (64u << 20)
#define JQ_ANSWER_MAX (16u << 20)

struct jq_request {
	uint32_t program, data; /* bytes that follow, in this order; data 0: only compile, and answer {} */
};
enum jq_status { JQ_OK, JQ_FAILED };
struct jq_reply {
	uint32_t status; /* enum jq_status */
	uint32_t n;      /* bytes that follow: the object as JSON, or what is wrong */
};

#endif
