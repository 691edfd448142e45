/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay: main() for a fuzz target without libFuzzer. Gives it every file of the corpus, its prefixes, and some
 * thousand mutations drawn from a fixed seed: what a minute of fuzzing once found stays found, with any compiler.
 */
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#include "core/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX (1 << 20)
#define MUTATIONS 200

static uint32_t
draw(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*seed >> 33);
}

/* An allocation of exactly the size, so that ASan sees a read behind it. */
static void
give(const char *p, size_t n)
{
	uint8_t *exact = calloc(n ? n : 1, 1);
	if (!exact)
		abort();
	memcpy(exact, p, n);
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
}

static void
mutate(struct buf *b, uint64_t *seed)
{
	for (uint32_t changes = 1 + draw(seed) % 4; changes && b->n; changes--) {
		size_t at = draw(seed) % b->n, n = draw(seed) % 8;
		switch (draw(seed) % 3) {
		case 0:
			b->p[at] = (char)draw(seed);
			break;
		case 1: /* cut some out */
			n = n < b->n - at ? n : b->n - at;
			memmove(b->p + at, b->p + at + n, b->n - at - n);
			b->n -= n;
			break;
		default: /* the same once more */
			n = n < b->n - at ? n : b->n - at;
			buf_room(b, n);
			memmove(b->p + at + n, b->p + at, b->n - at);
			b->n += n;
		}
	}
}

static size_t
replay(const char *path)
{
	static char text[INPUT_MAX];
	uint64_t seed = 1;
	FILE *f = fopen(path, "rb");
	if (!f) {
		perror(path);
		exit(1);
	}
	size_t n = fread(text, 1, sizeof text, f);
	fclose(f);
	give(text, n);
	for (size_t cut = 1; cut < 64 && cut < n; cut++)
		give(text, n - cut);
	for (int i = 0; i < MUTATIONS && n < 20000; i++) {
		struct buf b CLEANUP(free_buf) = { 0 };
		buf_add(&b, (str){ text, n });
		mutate(&b, &seed);
		give(b.p ? b.p : "", b.n);
	}
	return 1;
}

/* replay FILE|DIR... */
int
main(int argc, char **argv)
{
	size_t files = 0;
	give("", 0);
	for (int i = 1; i < argc; i++) {
		struct stat st;
		if (stat(argv[i], &st) == 0 && !S_ISDIR(st.st_mode)) {
			files += replay(argv[i]);
			continue;
		}
		DIR *d = opendir(argv[i]);
		if (!d) {
			perror(argv[i]);
			return 1;
		}
		for (struct dirent *e; (e = readdir(d));) {
			char path[4096];
			if (e->d_name[0] == '.')
				continue;
			snprintf(path, sizeof path, "%s/%s", argv[i], e->d_name);
			files += replay(path);
		}
		closedir(d);
	}
	printf("%s: %zu files replayed\n", argv[0], files);
	return files ? 0 : 1;
}
