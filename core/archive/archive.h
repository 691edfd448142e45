/* SPDX-License-Identifier: Apache-2.0 */
/*
 * archive: files and folders into an archive (tar with gzip, zip), and out of it again, by libarchive, which is opened with the first
 * call. Nothing climbs out of where it is unpacked: each path is opened beneath it by the kernel's own rule (openat2), links are made
 * when everything else is there, and there are no devices, no setuid and no more of anything than the limits say. Blocks; any thread.
 */
#ifndef TIDEGATE_CORE_ARCHIVE_H
#define TIDEGATE_CORE_ARCHIVE_H

#include <sys/types.h>

#include "core/base.h"
#include "core/transfer_watch.h"

enum archive_format {
	ARCHIVE_AS_TAR, /* packed with gzip; when unpacking, with gzip or not at all */
	ARCHIVE_AS_ZIP,
};

/* What an archive may come to, and have in it. A member of 0: no such limit, but for names, whose limits are the kernel's. */
struct archive_limits {
	uint64_t bytes;   /* of all files together, holes counted */
	uint64_t entries; /* files, folders and links */
	unsigned ratio;   /* bytes out per byte in, once there are more than `ratio_from` */
	uint64_t ratio_from; /* bytes out; 0: ARCHIVE_RATIO_FROM. What is so small does no harm, whatever it was packed to */
	unsigned depth;   /* folders in each other */
	bool no_links;    /* symbolic links are left out, as where files become objects: they are counted, and may lead anywhere */
	const struct transfer_watch *watch; /* is told of the bytes of a tar as they are read; NULL: nobody. Not a limit, but as long-lived */
};
#define ARCHIVE_RATIO_FROM (UINT64_C(16) << 20)
#define ARCHIVE_DEPTH_MAX 256u             /* with depth: 0 */
#define ARCHIVE_NAMES_MAX (UINT64_C(64) << 20) /* bytes of paths that are remembered until the end: of folders and links */

/* What came out. */
struct archive_sum {
	uint64_t bytes, entries;
};

/*
 * Unpacks the archive in the open file `fd` (at its start; a zip must be a regular file) into the folder `dir`, which is to be empty: what
 * is in it may be replaced. Modes are kept, but for setuid, setgid and the sticky bit, and the owner can do everything with a folder;
 * files keep the time of their last change. Of two files with one name the last counts, as `tar -r` means it.
 * ERR_INVALID: it is damaged, or has an entry that is refused: one that would lie elsewhere, a link to elsewhere, a device, a name that
 * clashes; ERR_LIMIT: there is too much in it; ERR_IO. The reason names the entry. What was unpacked before that stays: remove it. `sum` may be NULL.
 */
int archive_unpack(int fd, enum archive_format format, int dir, const struct archive_limits *l, struct archive_sum *sum, struct err *e) MUST_CHECK;
/*
 * As archive_unpack, to `name` in `dir`, where nothing is yet: the one file or folder that the archive has at its top, whatever its name,
 * or, if there are several or none, a folder with them (Argo's rule, spec 2.19). Nothing is left if it fails.
 */
int archive_unpack_as(int fd, enum archive_format format, int dir, const char *name, const struct archive_limits *l, struct archive_sum *sum,
	struct err *e) MUST_CHECK;
/*
 * What the tar in the open file `fd` (at its start; as it is, or packed with gzip or zstd) would come to, without unpacking it: for who has another program do
 * that. Added to *sum, so that `bytes` and `entries` of the limits are of several archives together; `ratio` is of each. `depth` is not looked at.
 * ERR_LIMIT, ERR_INVALID: it is damaged; ERR_UNAVAILABLE.
 */
int archive_measure(int fd, const struct archive_limits *l, struct archive_sum *sum, struct err *e) MUST_CHECK;
/*
 * Packs the file, folder or link `name` in the folder `dir` into the open file `fd`, under its own name, in the order of names: the same
 * files make the same bytes. Links are not followed, and packed as they are. `level`: of gzip, 0 (stored) to 9; -1 the usual; of a zip
 * only 0 counts. ERR_INVALID: something that is none of these three, or changed meanwhile; ERR_LIMIT; ERR_NOT_FOUND.
 */
int archive_pack(int dir, const char *name, enum archive_format format, int level, int fd, const struct archive_limits *l,
	struct archive_sum *sum, struct err *e) MUST_CHECK;
/* The bytes of one open file, from its start, packed with gzip into another: the same bytes make the same. `level` as above. */
int archive_gzip(int from, int to, int level, struct err *e) MUST_CHECK;
/* Whether the file begins as a tar packed with gzip: what an artifact without `archive` is asked (spec 2.19). Its position is at its start again. */
bool archive_is_tar_gz(int fd);

#endif
