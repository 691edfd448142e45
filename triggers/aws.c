/* SPDX-License-Identifier: Apache-2.0 */
#include "triggers/aws.h"

#include "core/crypto.h"
#include "triggers/call.h"

int
aws_keys(struct firing *f, const struct secret_ref *access, const struct secret_ref *secret, const struct secret_ref *session,
         struct sigv4_keys *out, struct err *e)
{
	if (crypto_load(e) < 0)
		return -1;
	if (access)
		return call_secret(f, access, &out->access_key, e) < 0 || call_secret(f, secret, &out->secret_key, e) < 0 ||
		                       call_secret(f, session, &out->session_token, e) < 0
		               ? -1
		               : 0;
	if (sigv4_keys_around(out))
		return 0;
	return err_set(e, ERR_INVALID, "accessKey and secretKey are not given, nor are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
}
