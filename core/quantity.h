/* SPDX-License-Identifier: Apache-2.0 */
/* quantity: amounts as Kubernetes writes them (apimachinery, pkg/api/resource/quantity.go): "64Mi", "1.5", "1e6", "500m". */
#ifndef TIDEGATE_CORE_QUANTITY_H
#define TIDEGATE_CORE_QUANTITY_H

#include "core/base.h"

/* In ones, rounded up. ERR_INVALID for what is none, is negative, or is more than 4 Ei. */
int quantity_bytes(str text, int64_t *out, struct err *e) MUST_CHECK;
/* CPUs in thousandths, rounded up. ERR_INVALID likewise, or for more than a million of them. */
int quantity_milli(str text, int64_t *out, struct err *e) MUST_CHECK;

#endif
