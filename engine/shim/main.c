/* SPDX-License-Identifier: Apache-2.0 */
/* The step helper. */
int
main(void)
{
	return 2;
}
