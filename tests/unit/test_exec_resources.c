/* SPDX-License-Identifier: Apache-2.0 */
/* What steps use, and what they may use. */
#include "exec_world.h"

/* ---- what was used --------------------------------------------------------------------------------------------- */

/* By its children too, by those that nobody waits for, and by a step that fails. */
static void
the_kernel_counts_what_a_step_uses(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct step_of s;
	step_init(&s, "child",
		"python3 -c 'import time\nx = bytearray(64 << 20)\nwhile time.process_time() < 0.3: pass'; exit 1");
	const struct ended *e = run(w, &s);
	assert_int_equal(e->phase, PHASE_FAILED);
	assert_true(e->usage.cpu >= 300 && e->usage.cpu < 20000);
	assert_true(e->usage.memory >= 190); /* 0.3 s of 64Mi, in thousandths of seconds of 100Mi */

	step_init(&s, "orphan",
		"(setsid sh -c 'python3 -c \"import time\nwhile time.process_time() < 0.3: pass\"; touch done' &)\n"
		"until test -e done; do sleep 0.05; done");
	e = run(w, &s);
	assert_succeeded(e);
	assert_true(e->usage.cpu >= 300);
	world_free(w);
}

int
main(int argc, char **argv)
{
	static const struct exec_test tests[] = {
		TEST(the_kernel_counts_what_a_step_uses),
	};
	return exec_main("exec_resources", tests, ARRAY_LEN(tests), argc, argv);
}
