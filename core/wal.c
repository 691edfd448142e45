/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite appends a page to its log in two writes, 24 bytes of header and the page: thirty system calls for the commit that
 * starts a step. They follow each other without a gap, so here they go into a buffer, which is written when it is full, when a
 * piece does not follow, and before anything else is done with the file: above all before the fsync that makes the commit.
 * A write that fails is seen there, as a commit that fails.
 *
 * All other files, and all that is not done with a file, are the default VFS's (sqlite.org/vfs.html).
 */
#include "core/wal.h"

#include <sqlite3.h>

#include "core/base.h"

#define GATHERED_MAX (64 << 10)

struct wal_file {
	sqlite3_file base;
	sqlite3_file *real; /* lies behind this one */
	sqlite3_int64 at;   /* where what is gathered goes */
	int n;
	char *gathered;     /* room for GATHERED_MAX */
};

static sqlite3_vfs *sqlite_own;

static struct wal_file *
wal_of(sqlite3_file *f)
{
	return CONTAINER_OF(f, struct wal_file, base);
}

/* Writes what is gathered; gives the file for what is to be done with it then. */
static int
settle(sqlite3_file *f, sqlite3_file **real)
{
	struct wal_file *w = wal_of(f);
	int n = w->n;
	*real = w->real;
	w->n = 0;
	return n ? w->real->pMethods->xWrite(w->real, w->gathered, n, w->at) : SQLITE_OK;
}

static int
wal_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	struct wal_file *w = wal_of(f);
	sqlite3_file *real;
	if (w->n && (at != w->at + w->n || n > GATHERED_MAX - w->n)) {
		int rc = settle(f, &real);
		if (rc != SQLITE_OK)
			return rc;
	}
	if (n > GATHERED_MAX)
		return w->real->pMethods->xWrite(w->real, p, n, at);
	if (!w->n)
		w->at = at;
	memcpy(w->gathered + w->n, p, (size_t)n);
	w->n += n;
	return SQLITE_OK;
}

static int
wal_close(sqlite3_file *f)
{
	sqlite3_file *real;
	int rc = settle(f, &real), closed = real->pMethods->xClose(real);
	free(wal_of(f)->gathered);
	return rc == SQLITE_OK ? closed : rc;
}

/* What the file is asked once nothing is gathered any more. */
#define SETTLED(name, params, args) \
	static int wal_##name params \
	{ \
		sqlite3_file *real; \
		int rc = settle(f, &real); \
		return rc == SQLITE_OK ? real->pMethods->x##name args : rc; \
	}
SETTLED(Read, (sqlite3_file *f, void *p, int n, sqlite3_int64 at), (real, p, n, at))
SETTLED(Truncate, (sqlite3_file *f, sqlite3_int64 size), (real, size))
SETTLED(Sync, (sqlite3_file *f, int flags), (real, flags))
SETTLED(FileSize, (sqlite3_file *f, sqlite3_int64 *size), (real, size))
SETTLED(Lock, (sqlite3_file *f, int lock), (real, lock))
SETTLED(Unlock, (sqlite3_file *f, int lock), (real, lock))
SETTLED(CheckReservedLock, (sqlite3_file *f, int *out), (real, out))
SETTLED(FileControl, (sqlite3_file *f, int op, void *arg), (real, op, arg))

static int
wal_sector_size(sqlite3_file *f)
{
	sqlite3_file *real = wal_of(f)->real;
	return real->pMethods->xSectorSize(real);
}

static int
wal_characteristics(sqlite3_file *f)
{
	sqlite3_file *real = wal_of(f)->real;
	return real->pMethods->xDeviceCharacteristics(real);
}

/* Version 1: what later ones add is for the database's file. */
static const sqlite3_io_methods wal_methods = { .iVersion = 1, .xClose = wal_close, .xRead = wal_Read, .xWrite = wal_write,
	.xTruncate = wal_Truncate, .xSync = wal_Sync, .xFileSize = wal_FileSize, .xLock = wal_Lock, .xUnlock = wal_Unlock,
	.xCheckReservedLock = wal_CheckReservedLock, .xFileControl = wal_FileControl, .xSectorSize = wal_sector_size,
	.xDeviceCharacteristics = wal_characteristics };

static int
open_file(sqlite3_vfs *vfs UNUSED, const char *name, sqlite3_file *f, int flags, int *flags_out)
{
	if (!(flags & SQLITE_OPEN_WAL))
		return sqlite_own->xOpen(sqlite_own, name, f, flags, flags_out);
	struct wal_file *w = wal_of(f);
	w->real = (sqlite3_file *)(void *)(w + 1);
	w->n = 0;
	int rc = sqlite_own->xOpen(sqlite_own, name, w->real, flags, flags_out);
	w->base.pMethods = rc == SQLITE_OK ? &wal_methods : NULL; /* NULL: it is not to be closed */
	if (rc == SQLITE_OK)
		w->gathered = mem_realloc(NULL, GATHERED_MAX, 1);
	return rc;
}

const char *
wal_vfs(void)
{
	static sqlite3_vfs ours;
	static bool registered;
	if (registered)
		return ours.zName;
	sqlite_own = sqlite3_vfs_find(NULL);
	if (!sqlite_own)
		return NULL;
	ours = *sqlite_own;
	ours.zName = "tidegate";
	ours.szOsFile += (int)sizeof(struct wal_file);
	ours.xOpen = open_file;
	registered = sqlite3_vfs_register(&ours, 0) == SQLITE_OK;
	return registered ? ours.zName : NULL;
}
