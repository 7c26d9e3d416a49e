"""CRC-32C (Castagnoli), by which TFRecord files protect their records.

A checksum is linear over bits. Long data are therefore cut into lanes of equal length, whose checksums numpy computes side by side, and
which are joined in pairs: advancing a checksum over zeros is a linear map of 32 bits, of which four tables of 256 values are kept for each
power of two.
"""

from __future__ import annotations

from functools import cache

import numpy as np

_POLYNOMIAL = 0x82F63B78
_SHORT = 512
"""Data of at most this many bytes are read one byte at a time."""


def masked_crc(data: bytes) -> int:
    """Return the masked checksum of data, as TFRecord files contain it."""
    value = crc32c(data)
    return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF


def crc32c(data: bytes) -> int:
    """Return the CRC-32C of data."""
    if len(data) <= _SHORT:
        table, state = _bytes(), 0xFFFFFFFF
        for byte in data:
            state = table[(state ^ byte) & 255] ^ (state >> 8)
        return state ^ 0xFFFFFFFF
    start, length = np.array([0xFFFFFFFF], np.uint32), len(data)
    for power in range(length.bit_length()):
        if length >> power & 1:
            start = _advanced(start, power)
    return int(start[0] ^ _joined(data)) ^ 0xFFFFFFFF


@cache
def _bytes() -> list[int]:
    """Return the checksum of each byte, from a state of zeros."""
    values = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
        values.append(byte)
    return values


@cache
def _pairs() -> np.ndarray:
    """Return the checksum of each pair of bytes, from a state of zeros."""
    one = np.array(_bytes(), np.uint32)
    pair = np.arange(65_536, dtype=np.uint32)
    first = one[pair & 255] ^ pair >> 8
    result: np.ndarray = one[first & 255] ^ first >> 8
    return result


def _joined(data: bytes) -> np.uint32:
    """Return the checksum of data from a state of zeros, before which zeros change nothing."""
    steps = 1 << max(4, (len(data).bit_length() - 1) // 2 - 2)  # of two bytes each
    power = steps.bit_length()
    lanes = 1 << max(0, (len(data) - 1 >> power).bit_length())
    padded = np.zeros(lanes << power, np.uint8)
    padded[len(padded) - len(data) :] = np.frombuffer(data, np.uint8)
    words = np.ascontiguousarray(padded.view("<u2").reshape(lanes, steps).T)
    state, table = np.zeros(lanes, np.uint32), _pairs()
    for word in words:
        state = table[(state ^ word) & 65_535] ^ state >> 16
    while len(state) > 1:
        state, power = _advanced(state[::2], power) ^ state[1::2], power + 1
    result: np.uint32 = state[0]
    return result


def _advanced(state: np.ndarray, power: int) -> np.ndarray:
    """Return the states after ``2 ** power`` further bytes of zeros."""
    tables = _advancing(power)
    result: np.ndarray = tables[0][state & 255] ^ tables[1][state >> 8 & 255] ^ tables[2][state >> 16 & 255] ^ tables[3][state >> 24]
    return result


@cache
def _advancing(power: int) -> np.ndarray:
    """Return the tables (4, 256) by which a state advances over ``2 ** power`` bytes of zeros, one for each of its bytes."""
    state = np.arange(256, dtype=np.uint32)[None] << np.arange(0, 32, 8, dtype=np.uint32)[:, None]
    if power == 0:
        one: np.ndarray = np.array(_bytes(), np.uint32)[state & 255] ^ state >> 8
        return one
    return _advanced(_advanced(state, power - 1), power - 1)
