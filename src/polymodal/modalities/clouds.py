"""Files of points: PCD, PLY, LAS and LAZ, raw float32, and files of numbers. Memory is bounded by the size of a file, whatever its header
claims.

A raw file does not state how many numbers a point has. ``raw_channels`` infers it from the values of several files: with the right number,
each column has its own distribution; with another one, the channels are mixed and the columns have similar distributions.

Shapes: ``N`` numbers or points, ``C`` channels, ``R`` rows.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..errors import Fault, counted, requires
from ..flow import Cell
from .arrays import numbers_of

EXTENSIONS = (".pcd", ".ply", ".las", ".laz", ".bin")
RAW = ".bin"
_COUNTS = (4, 5, 3, 6)  # possible numbers of channels in raw files, in order of preference: KITTI, nuScenes lidar, others
_ROW = 60  # the length of a row: a multiple of all these numbers
_ROWS = 64  # the maximum number of rows of a file that are compared
_QUANTILES = np.linspace(0, 1, 17)[1:-1]
_NEARLY, _SURE = 0.8, 6.0
"""The share of the best information for which a smaller number of channels is preferred, and the minimum of the best information above
chance, in standard deviations."""
_HEADER = 2**16
_PCD_TYPES = {("F", 4): "<f4", ("F", 8): "<f8", ("U", 1): "u1", ("U", 2): "<u2", ("U", 4): "<u4", ("U", 8): "<u8",
              ("I", 1): "i1", ("I", 2): "<i2", ("I", 4): "<i4", ("I", 8): "<i8"}  # fmt: skip
_PLY_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2", "uint16": "u2", "int": "i4",
    "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4", "double": "f8", "float64": "f8",
}  # fmt: skip
_FIRST = ("x", "y", "z")


def points_of(data: bytes, cell: Cell, channels: int | None) -> np.ndarray:
    """Read the points of a file.

    :param data: the content of the file
    :param cell: the path of the file; its extension is used
    :param channels: the number of channels of a raw file; None = 4, 5, 3 or 6, the first that divides its size
    :returns: the points as float64 (N, C), with x, y and z first if the file names its channels
    :raises Fault: the file is not a file of points that can be read
    """
    name = str(cell).strip().casefold() if not isinstance(cell, (bytes, bytearray)) else ""
    try:
        if data[:4] == b"LASF":
            return _las(data)
        head = data[:_HEADER]
        if head.startswith(b"ply"):
            return _ply(data)
        if b"FIELDS" in head and b"DATA" in head:
            return _pcd(data)
        if name.endswith(RAW):
            return _raw(data, channels)
    except (Fault, MemoryError):
        raise
    except Exception as error:  # a malformed header may cause any error
        raise Fault(f"a file of points that cannot be read ({' '.join(str(error).split())[:80]})") from None
    return numbers_of(data, cell)[0]


def _raw(data: bytes, channels: int | None) -> np.ndarray:
    """Read raw float32 points."""
    for count in (channels,) if channels else _COUNTS:
        if len(data) and len(data) % (4 * count) == 0:
            return np.frombuffer(data, "<f4").reshape(-1, count).astype(np.float64)
    raise Fault(f"a raw file of {counted(len(data), 'byte')}; expected float32 of {channels or '3 to 6'} channels (fields.NAME.channels)")


def raw_channels(files: Iterable[bytes]) -> int | None:
    """Infer the number of channels of raw files, 3 to 6; None if there are no files, or if none of these numbers divides their sizes.

    Of the numbers that divide most of the files, it is the one for which the channel of a value has the most information about it.
    """
    divided, information, chance = dict.fromkeys(_COUNTS, 0), dict.fromkeys(_COUNTS, 0.0), dict.fromkeys(_COUNTS, 0.0)
    for data in files:
        if len(data) % 4:
            continue
        rows_RN = _rows(np.frombuffer(data, "<f4"))
        edges = np.unique(np.quantile(rows_RN, _QUANTILES, method="nearest")) if len(rows_RN) else np.zeros(0)
        bins_RN = np.searchsorted(edges, rows_RN, side="right")
        for count in _COUNTS:
            divided[count] += len(data) > 0 and len(data) % (4 * count) == 0
            information[count] += bins_RN.size * _information(bins_RN, count, len(edges) + 1)
            chance[count] += len(edges) * (count - 1) / 2  # by chance, information is distributed as half a chi-squared variable
    counts = [count for count in _COUNTS if divided[count] == max(divided.values()) > 0]
    if not counts:
        return None
    best = max(counts, key=lambda count: information[count])
    if information[best] <= _SURE * math.sqrt(chance[best]):
        return counts[0]
    return min(count for count in counts if information[count] >= _NEARLY * information[best])


def _rows(values_N: np.ndarray) -> np.ndarray:
    """Return evenly spaced rows (R, 60) of a file's numbers. Each starts with a point, for any number of channels. NaN becomes infinity."""
    rows = len(values_N) // _ROW
    at = np.unique(np.linspace(0, rows - 1, min(rows, _ROWS)).astype(np.int64)) if rows else np.zeros(0, np.int64)
    rows_RN: np.ndarray = np.nan_to_num(values_N[: rows * _ROW].reshape(rows, _ROW)[at], nan=np.inf, posinf=np.inf, neginf=-np.inf)
    return rows_RN


def _information(bins_RN: np.ndarray, count: int, bins: int) -> float:
    """Return the mutual information in nats between the channel and the bin of a number, for points of ``count`` channels, minus its
    expectation by chance (Miller 1955)."""
    if not bins_RN.size:
        return 0.0
    channel_N = np.arange(bins_RN.shape[1]) % count
    joint = np.bincount((channel_N * bins + bins_RN).ravel(), minlength=count * bins).reshape(count, bins).astype(np.float64)
    share = joint / joint.sum()
    independent = share.sum(1, keepdims=True) * share.sum(0, keepdims=True)
    occurs = share > 0
    information = float((share[occurs] * np.log(share[occurs] / independent[occurs])).sum())
    return information - (bins - 1) * (count - 1) / (2 * float(joint.sum()))


def _columns(records: np.ndarray) -> np.ndarray:
    """Return the columns of records as float64 (N, C), with x, y and z first."""
    names = [name for name in _FIRST if name in (records.dtype.names or ())]
    names += [name for name in records.dtype.names or () if name not in names and records.dtype[name].shape == ()]
    return np.stack([records[name].astype(np.float64) for name in names], 1) if names else np.zeros((0, 0))


def _pcd(data: bytes) -> np.ndarray:
    """Read a PCD file: text, binary or compressed."""
    facts: dict[str, list[str]] = {}
    at = 0
    while "DATA" not in facts:
        end = data.find(b"\n", at, _HEADER)
        if end < 0:
            raise Fault("a PCD header without an end; expected DATA ascii, binary or binary_compressed")
        words = data[at:end].decode("ascii", "replace").split()
        at = end + 1
        if words and not words[0].startswith("#"):
            facts[words[0]] = words[1:]
    counts = [int(count) for count in facts.get("COUNT", ["1"] * len(facts["FIELDS"]))]
    kinds = [(_PCD_TYPES[kind, int(size)], count) for kind, size, count in zip(facts["TYPE"], facts["SIZE"], counts, strict=True)]
    names = [name if name not in facts["FIELDS"][:place] else f"{name}_{place}" for place, name in enumerate(facts["FIELDS"])]
    dtype = np.dtype([(name, kind) if count == 1 else (name, kind, (count,)) for name, (kind, count) in zip(names, kinds, strict=True)])
    claimed = int(facts["POINTS"][0]) if "POINTS" in facts else int(facts["WIDTH"][0]) * int(facts.get("HEIGHT", ["1"])[0])
    mode = facts["DATA"][0] if facts["DATA"] else ""
    if mode == "binary":
        _check_claim(claimed, dtype.itemsize, len(data) - at)
        return _columns(np.frombuffer(data, dtype, claimed, at))
    if mode == "binary_compressed":
        packed, size = (int(number) for number in np.frombuffer(data, "<u4", 2, at))
        if size != claimed * dtype.itemsize or size > 300 * packed + 300 or packed > len(data) - at - 8:
            raise Fault(f"a PCD file that claims {claimed:,} points in {packed:,} bytes; expected all of them")
        body = _lzf(data[at + 8 : at + 8 + packed], size)
        records, start = np.empty(claimed, dtype), 0
        for name in dtype.names or ():  # stored column by column
            part = dtype[name]
            records[name] = np.frombuffer(body, part.base, claimed * math.prod(part.shape), start).reshape(claimed, *part.shape)
            start += claimed * part.itemsize
        return _columns(records)
    if mode != "ascii":
        raise Fault(f"a PCD file of DATA {mode[:20]!r}; expected ascii, binary or binary_compressed")
    values = _text(data[at:], sum(counts), claimed)
    order = [names.index(name) for name in _FIRST if name in names]
    return values[:, order + [place for place in range(len(names)) if place not in order]] if sum(counts) == len(names) else values


def _text(body: bytes, channels: int, claimed: int) -> np.ndarray:
    """Read points (N, C) from text."""
    _check_claim(claimed, 2 * channels, len(body) + 1)
    values = np.array(body.split()[: claimed * channels], dtype="S32").astype(np.float64)
    if len(values) < claimed * channels:
        raise Fault(f"a header that claims {claimed:,} points, before {len(values) // max(channels, 1):,} points; expected all of them")
    return values.reshape(claimed, channels)


def _check_claim(claimed: int, size: int, left: int) -> None:
    """Check that so many points, of at least ``size`` bytes each, fit into the bytes that are left of a file."""
    if claimed < 0 or claimed * size > left:
        raise Fault(f"a header that claims {claimed:,} points of {size} bytes each, before {left:,} bytes; expected all of them")


def _lzf(packed: bytes, size: int) -> bytes:
    """Decompress LibLZF (Marc Lehmann), which PCL uses: runs of literals, and references to earlier bytes."""
    out, at = bytearray(), 0
    while at < len(packed):
        control = packed[at]
        at += 1
        if control < 32:
            out += packed[at : at + control + 1]
            at += control + 1
        else:
            length = control >> 5
            if length == 7:
                length += packed[at]
                at += 1
            start = len(out) - ((control & 31) << 8) - packed[at] - 1
            at += 1
            if start < 0:
                raise Fault("a compressed PCD file that refers to bytes before its start")
            for place in range(start, start + length + 2):
                out.append(out[place])
        if len(out) > size:
            break
    if len(out) != size:
        raise Fault(f"a compressed PCD file that expands to {len(out):,} bytes; expected {size:,}")
    return bytes(out)


def _ply(data: bytes) -> np.ndarray:
    """Read the vertices of a PLY file: text or binary."""
    end = data.find(b"end_header", 0, _HEADER)
    start = data.find(b"\n", end) + 1
    if end < 0 or not start:
        raise Fault("a PLY header without an end; expected end_header")
    order, claimed, properties, element = "", 0, [], ""
    for line in data[:end].decode("ascii", "replace").splitlines():
        words = line.split()
        if words[:1] == ["format"]:
            order = {"ascii": "ascii", "binary_little_endian": "<", "binary_big_endian": ">"}[words[1]]
        elif words[:1] == ["element"]:
            if element == "" and words[1] != "vertex":
                raise Fault(f"a PLY file that begins with {words[1][:20]!r}; expected its vertices first")
            element = words[1]
            claimed = int(words[2]) if element == "vertex" else claimed
        elif words[:1] == ["property"] and element == "vertex":
            if words[1] == "list":
                raise Fault("a PLY file with lists in its vertices; expected numbers")
            properties.append((words[2], _PLY_TYPES[words[1]]))
    if order == "ascii":
        values = _text(data[start:], len(properties), claimed)
        names = [name for name, _ in properties]
        first = [names.index(name) for name in _FIRST if name in names]
        return values[:, first + [place for place in range(len(names)) if place not in first]]
    dtype = np.dtype([(name, order + kind) for name, kind in properties])
    _check_claim(claimed, dtype.itemsize, len(data) - start)
    return _columns(np.frombuffer(data, dtype, claimed, start))


def _las(data: bytes) -> np.ndarray:
    """Read x, y, z and the intensity of the points of a LAS or LAZ file."""
    laspy: Any = requires("laspy", "points")
    with laspy.open(io.BytesIO(data)) as file:
        claimed, size = int(file.header.point_count), int(file.header.point_format.size)
        if claimed * size > 50 * len(data):  # the compression ratio of LAZ is 10 to 20
            raise Fault(f"a LAS file that claims {claimed:,} points in {len(data):,} bytes; expected all of them")
        points = file.read()
    return np.stack([np.asarray(points[name], np.float64) for name in ("x", "y", "z", "intensity")], 1)
