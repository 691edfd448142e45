/* SPDX-License-Identifier: Apache-2.0 */
/* put: a file from outside, which is open, becomes an object; of the body of a form one of its files. */
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/net/multipart.h"
#include "engine/artifact/helper/helper.h"

/* The file of a form, in a file of its own: drivers take whole ones. The body is nobody's but ours, and does not change. */
static int
take_part(struct job *j, const struct val *item, str boundary, struct err *e)
{
	struct stat st;
	str part;
	if (fstat(PUT_FILE, &st) < 0)
		return err_errno(e, "read the form");
	char *body = st.st_size ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, PUT_FILE, 0) : NULL;
	if (body == MAP_FAILED)
		return err_errno(e, "read the form");
	int to = multipart_find((str){ body, (size_t)st.st_size }, boundary, val_get_str(item, "field"), &part, e) < 0 ? -1 : scratch_file(j, e);
	if (to >= 0 && files_write(to, part) < 0) {
		(void)err_errno(e, "take the file out of the form");
		close(to);
		to = -1;
	}
	if (body)
		munmap(body, (size_t)st.st_size);
	return to;
}

static int
put_file(struct job *j, const struct val *item, int fd, struct err *e)
{
	struct place p;
	int rc = place_open(j, item, &p, e);
	if (rc == 0 && !p.driver->put)
		rc = err_set(e, ERR_UNSUPPORTED, "nothing can be saved in %s", p.driver->name);
	if (rc == 0)
		rc = place_put(j, &p, p.key, fd, e);
	place_close(&p);
	return rc;
}

int
put_item(struct job *j, const struct val *item, struct err *e)
{
	str boundary = val_get_str(item, "boundary");
	if (!boundary.p)
		return put_file(j, item, PUT_FILE, e);
	int fd CLEANUP(close_fd) = take_part(j, item, boundary, e);
	return fd < 0 ? -1 : put_file(j, item, fd, e);
}
