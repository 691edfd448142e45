/* SPDX-License-Identifier: Apache-2.0 */
/* What a krb5.conf may say, see kerberos.h. Lines are told apart as MIT's parser does it, which reads no more than 2 KiB of one. */
#include "core/net/kerberos.h"

#define LINE_MAX_BYTES 1000u

static str
strip(str line)
{
	while (line.n && (unsigned char)line.p[0] <= ' ')
		line = str_slice(line, 1, line.n);
	while (line.n && (unsigned char)line.p[line.n - 1] <= ' ')
		line.n--;
	return line;
}

/* That are read by clients, or by none. */
static bool
is_known(str section)
{
	static const char *const known[] = { "libdefaults", "realms", "domain_realm", "capaths", "appdefaults", "logging", "login", "kdc", "kdcdefaults",
		"dbdefaults", "dbmodules" };
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (str_eq(section, str_c(known[i])))
			return true;
	return false;
}

/* The word in it that is refused; NULL: none. */
static const char *
refused(str line)
{
	static const char *const first[] = { "include", "module" }, *const anywhere[] = { "plugin_base_dir", "pkinit" };
	for (size_t i = 0; i < ARRAY_LEN(first); i++)
		if (str_starts(line, str_c(first[i])))
			return first[i];
	for (size_t i = 0; i < ARRAY_LEN(anywhere); i++)
		if (str_find(line, str_c(anywhere[i]), 0) != SIZE_MAX)
			return anywhere[i];
	return NULL;
}

static int
check_section(str line, unsigned number, struct err *e)
{
	str name = str_slice(line, 1, str_find_char(line, ']', 0));
	if (is_known(name))
		return 0;
	return err_set(e, ERR_INVALID, "krb5.conf: line %u: the section [%.*s] is not taken from a workflow", number, STR_ARG(str_slice(name, 0, 40)));
}

static int
check_line(str line, unsigned number, bool *begun, struct err *e)
{
	str text = strip(line);
	if (line.n > LINE_MAX_BYTES)
		return err_set(e, ERR_INVALID, "krb5.conf: line %u is longer than %u bytes", number, LINE_MAX_BYTES);
	if (!text.n || text.p[0] == '#' || text.p[0] == ';')
		return 0;
	const char *word = refused(text);
	if (word)
		return err_set(e, ERR_INVALID, "krb5.conf: line %u: %s is not taken from a workflow: it reads or loads files of the machine", number, word);
	if (text.p[0] == '[') {
		*begun = true;
		return check_section(text, number, e);
	}
	return *begun ? 0 : err_set(e, ERR_INVALID, "krb5.conf: line %u is in no section", number);
}

int
kerberos_check_config(str text, struct err *e)
{
	bool begun = false;
	if (text.n && memchr(text.p, 0, text.n))
		return err_set(e, ERR_INVALID, "krb5.conf is no text");
	for (unsigned number = 1; text.n; number++) {
		str line = str_cut(&text, '\n');
		if (check_line(line, number, &begun, e) < 0)
			return -1;
	}
	return 0;
}
