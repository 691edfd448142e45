/* SPDX-License-Identifier: Apache-2.0 */
/* kerberos: what a krb5.conf of a stranger may say, and logins that fail before anybody is asked. The KDC is in tests/integration. */
#include "core/base.h"

#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "core/net/kerberos.h"

static void
what_says_who_is_asked_is_taken(void **state UNUSED)
{
	static const char *const good[] = { "", "# nothing\n; here\n\n",
		"[libdefaults]\n  default_realm = A.B\r\n[realms]\n\tA.B = {\n\t\tkdc = 10.0.0.1:88\n\t}\n[domain_realm]\n .a.b = A.B\n[capaths]\n[logging]\n default = STDERR\n" };
	struct err e;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(kerberos_check_config(str_c(good[i]), &e), 0);
}

static void
what_loads_or_includes_is_refused(void **state UNUSED)
{
	static const struct { const char *text, *why; } bad[] = {
		{ "[libdefaults]\n[plugins]\n", "krb5.conf: line 2: the section [plugins] is not taken from a workflow" },
		{ " \t[plugins", "krb5.conf: line 1: the section [plugins] is not taken from a workflow" },
		{ "[ libdefaults]", "krb5.conf: line 1: the section [ libdefaults] is not taken from a workflow" },
		{ "\xEF\xBB\xBF[plugins]\n", "krb5.conf: line 1 is in no section" },
		{ "a = b\n[libdefaults]\n", "krb5.conf: line 1 is in no section" },
		{ "include /etc/x\n", "krb5.conf: line 1: include is not taken from a workflow: it reads or loads files of the machine" },
		{ "[realms]\n\v\fincludedir /etc\n", "krb5.conf: line 2: include is not taken from a workflow: it reads or loads files of the machine" },
		{ "module /tmp/x.so:y\n", "krb5.conf: line 1: module is not taken from a workflow: it reads or loads files of the machine" },
		{ "[libdefaults]\nplugin_base_dir=/tmp\n", "krb5.conf: line 2: plugin_base_dir is not taken from a workflow: it reads or loads files of the machine" },
		{ "[realms]\nA = {\n pkinit_identities = PKCS11:/tmp/x.so\n}\n", "krb5.conf: line 3: pkinit is not taken from a workflow: it reads or loads files of the machine" },
	};
	struct err e;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(kerberos_check_config(str_c(bad[i].text), &e), -1);
		assert_string_equal(e.msg, bad[i].why);
		assert_int_equal(e.code, ERR_INVALID);
	}
	assert_int_equal(kerberos_check_config(S("[realms]\n\0[plugins]"), &e), -1);
	/* MIT's parser takes what is behind 2 KiB for another line */
	struct buf b CLEANUP(free_buf) = { 0 };
	buf_addc(&b, '#');
	while (b.n < 2047)
		buf_addc(&b, ' ');
	buf_add(&b, S("[plugins]\n"));
	assert_int_equal(kerberos_check_config(buf_str(&b), &e), -1);
	assert_string_equal(e.msg, "krb5.conf: line 1 is longer than 1000 bytes");
}

static void
what_is_no_key_table_is_refused(void **state UNUSED)
{
	const struct kerberos_keys keys = { .config = S("[libdefaults]\ndefault_realm = A.B\n[realms]\nA.B = {\nkdc = 127.0.0.1:1\n}\n"), .keytab = S("no table"),
		.principal = S("ann@A.B") };
	struct kerberos *k;
	struct err e;
	assert_int_equal(kerberos_login(&keys, &k, &e), -1);
	assert_null(k);
	assert_true(str_starts(str_c(e.msg), S("kerberos: ann@A.B: ")));
	assert_null(getenv("KRB5_CONFIG"));
	assert_null(getenv("KRB5CCNAME"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_says_who_is_asked_is_taken),
		cmocka_unit_test(what_loads_or_includes_is_refused),
		cmocka_unit_test(what_is_no_key_table_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
