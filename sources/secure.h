/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secure: what proves that a request comes from whom it says.
 */
#ifndef TIDEGATE_SOURCES_SECURE_H
#define TIDEGATE_SOURCES_SECURE_H

#include "core/base.h"

/*
 * A signature as GitHub sends it, "sha256=<hex>" of `body`. Messages are go-github's (messages.go, ValidateSignature), as they
 * are what a sender gets to read: "missing signature", "payload signature check failed", ...
 */
int secure_check_github(str signature, str key, str body, struct err *e) MUST_CHECK;

#endif
