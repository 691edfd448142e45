/* SPDX-License-Identifier: Apache-2.0 */
/* The program: daemon and command line in one. */
#include "core/base.h"

int
main(void)
{
	fputs("tidegate: no command\n", stderr);
	return 2;
}
