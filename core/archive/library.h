/* SPDX-License-Identifier: Apache-2.0 */
/* library: libarchive, opened by whoever needs it first, and what packing and unpacking share. */
#ifndef TIDEGATE_CORE_ARCHIVE_LIBRARY_H
#define TIDEGATE_CORE_ARCHIVE_LIBRARY_H

#include <archive.h>
#include <archive_entry.h>

#include "core/archive/archive.h"
#include "core/files.h"

#define ARCHIVE_FUNCTIONS(X)                                                                                                    \
	X(archive_read_new) X(archive_read_free) X(archive_read_support_filter_gzip) X(archive_read_support_format_tar)         \
	X(archive_read_support_filter_zstd) X(archive_read_support_format_empty)                                                \
	X(archive_read_support_format_zip_seekable) X(archive_read_open_fd) X(archive_read_next_header)                         \
	X(archive_read_data_block) X(archive_filter_bytes) X(archive_error_string) X(archive_entry_pathname)                    \
	X(archive_entry_pathname_utf8) X(archive_entry_filetype) X(archive_entry_perm) X(archive_entry_size)                    \
	X(archive_entry_size_is_set) X(archive_entry_symlink) X(archive_entry_symlink_utf8) X(archive_entry_hardlink)           \
	X(archive_entry_hardlink_utf8) X(archive_entry_mtime) X(archive_entry_mtime_nsec) X(archive_entry_mtime_is_set)         \
	X(archive_entry_is_encrypted) X(archive_write_new) X(archive_write_free) X(archive_write_close)                         \
	X(archive_write_set_format_pax_restricted) X(archive_write_set_format_zip) X(archive_write_set_format_raw) X(archive_write_add_filter_gzip)             \
	X(archive_write_set_filter_option) X(archive_write_set_format_option) X(archive_write_set_bytes_in_last_block)          \
	X(archive_write_open_fd) X(archive_write_header) X(archive_write_data) X(archive_entry_new) X(archive_entry_free)       \
	X(archive_entry_set_pathname) X(archive_entry_set_filetype) X(archive_entry_set_perm) X(archive_entry_set_size)         \
	X(archive_entry_set_symlink) X(archive_entry_set_mtime)

struct archive_lib {
#define X(name) __typeof__(&name) name;
	ARCHIVE_FUNCTIONS(X)
#undef X
};
/* The library, opened with the first call; NULL: ERR_UNAVAILABLE, it is not installed. Any thread. */
const struct archive_lib *archive_lib(struct err *e);

#endif
