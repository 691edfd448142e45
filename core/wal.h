/* SPDX-License-Identifier: Apache-2.0 */
/* wal: the store's own VFS, which writes what a commit appends to the write-ahead log at once. */
#ifndef TIDEGATE_CORE_WAL_H
#define TIDEGATE_CORE_WAL_H

/*
 * The name of the VFS, for sqlite3_open_v2; registered by the first call, on the loop's thread. Only for a connection with
 * synchronous = FULL: what is gathered is written before an fsync, and SQLite lets others see a commit after that. NULL: there is
 * none, and SQLite's own does as well.
 */
const char *wal_vfs(void);

#endif
