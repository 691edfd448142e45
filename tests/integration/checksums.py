# SPDX-License-Identifier: Apache-2.0
"""Checksums that storage services send, and Python has not: reflected CRCs, by a table each."""
import functools


@functools.cache
def table(polynomial):
    made = []
    for i in range(256):
        for _ in range(8):
            i = i >> 1 ^ (polynomial if i & 1 else 0)
        made.append(i)
    return made


def crc(data, polynomial, bits, before=0):
    """`before`: the sum of what comes before the data."""
    by_byte, ones = table(polynomial), (1 << bits) - 1
    now = before ^ ones
    for byte in data:
        now = now >> 8 ^ by_byte[(now ^ byte) & 255]
    return now ^ ones


def crc32c(data, before=0):
    """Castagnoli's, of iSCSI and HDFS."""
    return crc(data, 0x82F63B78, 32, before)


def crc64(data):
    """That of ECMA-182 as xz has it, and OSS."""
    return crc(data, 0xC96C5795D7870F42, 64)


def crc64nvme(data):
    """That of NVMe, which S3 takes."""
    return crc(data, 0x9A6C9329AC4BC9B5, 64)
