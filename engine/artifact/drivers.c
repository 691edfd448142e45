/* SPDX-License-Identifier: Apache-2.0 */
/* drivers: the table of them. A driver is one file here, one row, and the fields of its location in engine/spec/spec_args.c. */
#include "engine/artifact/driver.h"

static const struct artifact_driver *const drivers[] = { &artifact_local, &artifact_s3, &artifact_gcs, &artifact_azure, &artifact_oss, &artifact_git,
	&artifact_http, &artifact_artifactory, &artifact_hdfs };

const struct artifact_driver *
artifact_driver_named(str name)
{
	for (size_t i = 0; i < ARRAY_LEN(drivers); i++)
		if (str_eq(str_c(drivers[i]->name), name))
			return drivers[i];
	return NULL;
}
