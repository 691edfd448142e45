/* SPDX-License-Identifier: Apache-2.0 */
/* Forms: the first line is the Content-Type, the rest the body. What is found lies in it, behind a line break and before a delimiter; or there is a reason. */
#include "core/net/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str body = { (const char *)data, size }, type = str_cut(&body, '\n'), boundary, part;
	struct err e = { 0 };
	if (multipart_boundary(type, &boundary, &e) < 0 || multipart_find(body, boundary, S("file"), &part, &e) < 0) {
		assert(e.code && e.msg[0]);
		return 0;
	}
	assert(boundary.n > 0 && boundary.n <= 70);
	if (part.n) {
		assert(part.p > body.p + 2 && part.p + part.n + 4 + boundary.n <= body.p + body.n);
		assert(part.p[-1] == '\n' && memcmp(part.p + part.n, "\r\n--", 4) == 0 && memcmp(part.p + part.n + 4, boundary.p, boundary.n) == 0);
	}
	return 0;
}
