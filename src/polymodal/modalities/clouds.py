"""Files of points: PCD, PLY, LAS and LAZ, raw float32, and files of numbers. Bounded by what a file holds, whatever its header claims.

A raw file does not tell how many numbers a point has. ``raw_channels`` tells it from the values of several files: with the right count each
column has a distribution of its own, with another one the channels are mixed and the columns look alike.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..errors import Fault, requires
from ..flow import Cell
from .arrays import numbers_of

ENDINGS = (".pcd", ".ply", ".las", ".laz", ".bin")
RAW = ".bin"
_COUNTS = (4, 5, 3, 6)  # numbers of a point in raw files: KITTI's, nuScenes' lidar, plain ones; what comes first is preferred
_ROW = 60  # numbers that hold whole points of any of these counts
_ROWS = 64  # such rows that are looked at in a file, evenly
_QUANTILES = np.linspace(0, 1, 17)[1:-1]
_NEARLY, _SURE = 0.8, 6.0
"""A smaller count is taken when it tells this share of what the best one does. How many standard deviations above chance that must be."""
_HEADER = 2**16
_PCD_TYPES = {("F", 4): "<f4", ("F", 8): "<f8", ("U", 1): "u1", ("U", 2): "<u2", ("U", 4): "<u4", ("U", 8): "<u8",
              ("I", 1): "i1", ("I", 2): "<i2", ("I", 4): "<i4", ("I", 8): "<i8"}  # fmt: skip
_PLY_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2", "uint16": "u2", "int": "i4",
    "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4", "double": "f8", "float64": "f8",
}  # fmt: skip
_FIRST = ("x", "y", "z")


def points_of(data: bytes, cell: Cell, channels: int | None) -> np.ndarray:
    """The points of a file as float64 (N, C), x y z first where it names them; ``channels`` of a raw file. ``Fault`` for what is none."""
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
    except Exception as error:  # what a hostile header brings about
        raise Fault(f"a file of points that cannot be read ({' '.join(str(error).split())[:80]})") from None
    return numbers_of(data, cell)[0]


def _raw(data: bytes, channels: int | None) -> np.ndarray:
    for count in (channels,) if channels else _COUNTS:
        if len(data) and len(data) % (4 * count) == 0:
            return np.frombuffer(data, "<f4").reshape(-1, count).astype(np.float64)
    raise Fault(f"a raw file of {len(data):,} bytes; expected float32 of {channels or '3 to 6'} channels (fields.NAME.channels)")


def raw_channels(files: Iterable[bytes]) -> int | None:
    """How many numbers a point has in raw files of one kind, 3 to 6; None for no files, or for sizes that none of these divides.

    Of the counts that divide most of the files, the one with which the place of a number within its point tells most about its value.
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
            chance[count] += len(edges) * (count - 1) / 2  # what is told by chance is distributed as half a chi-squared
    counts = [count for count in _COUNTS if divided[count] == max(divided.values()) > 0]
    if not counts:
        return None
    best = max(counts, key=lambda count: information[count])
    if information[best] <= _SURE * math.sqrt(chance[best]):
        return counts[0]
    return min(count for count in counts if information[count] >= _NEARLY * information[best])


def _rows(values_N: np.ndarray) -> np.ndarray:
    """Some rows (R, 60) of a file's numbers, evenly; each begins with a point, whatever the count of its numbers. NaN is largest."""
    rows = len(values_N) // _ROW
    at = np.unique(np.linspace(0, rows - 1, min(rows, _ROWS)).astype(np.int64)) if rows else np.zeros(0, np.int64)
    return np.nan_to_num(values_N[: rows * _ROW].reshape(rows, _ROW)[at], nan=np.inf, posinf=np.inf, neginf=-np.inf)


def _information(bins_RN: np.ndarray, count: int, bins: int) -> float:
    """Nats that a number's place within a point of ``count`` numbers tells about its bin (mutual information), less what it would seem to
    tell by chance (Miller 1955)."""
    if not bins_RN.size:
        return 0.0
    place_N = np.arange(bins_RN.shape[1]) % count
    joint = np.bincount((place_N * bins + bins_RN).ravel(), minlength=count * bins).reshape(count, bins).astype(np.float64)
    share = joint / joint.sum()
    alone = share.sum(1, keepdims=True) * share.sum(0, keepdims=True)
    there = share > 0
    return float((share[there] * np.log(share[there] / alone[there])).sum()) - (bins - 1) * (count - 1) / (2 * joint.sum())


def _taken(records: np.ndarray) -> np.ndarray:
    """The columns of records (N, C), x y z first."""
    names = [name for name in _FIRST if name in (records.dtype.names or ())]
    names += [name for name in records.dtype.names or () if name not in names and records.dtype[name].shape == ()]
    return np.stack([records[name].astype(np.float64) for name in names], 1) if names else np.zeros((0, 0))


def _pcd(data: bytes) -> np.ndarray:
    facts: dict[str, list[str]] = {}
    at = 0
    while "DATA" not in facts:
        end = data.find(b"\n", at, _HEADER)
        if end < 0:
            raise Fault("a PCD header without its end; expected DATA ascii, binary or binary_compressed")
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
        _all_there(claimed, dtype.itemsize, len(data) - at)
        return _taken(np.frombuffer(data, dtype, claimed, at))
    if mode == "binary_compressed":
        packed, size = (int(number) for number in np.frombuffer(data, "<u4", 2, at))
        if size != claimed * dtype.itemsize or size > 300 * packed + 300 or packed > len(data) - at - 8:
            raise Fault(f"a PCD that claims {claimed:,} points in {packed:,} bytes; they are not all there")
        body = _lzf(data[at + 8 : at + 8 + packed], size)
        records, start = np.empty(claimed, dtype), 0
        for name in dtype.names or ():  # a column at a time
            part = dtype[name]
            records[name] = np.frombuffer(body, part.base, claimed * math.prod(part.shape), start).reshape(claimed, *part.shape)
            start += claimed * part.itemsize
        return _taken(records)
    if mode != "ascii":
        raise Fault(f"a PCD of DATA {mode[:20]!r}; expected ascii, binary or binary_compressed")
    values = _text(data[at:], sum(counts), claimed)
    order = [names.index(name) for name in _FIRST if name in names]
    return values[:, order + [place for place in range(len(names)) if place not in order]] if sum(counts) == len(names) else values


def _text(body: bytes, channels: int, claimed: int) -> np.ndarray:
    _all_there(claimed, 2 * channels, len(body) + 1)
    values = np.array(body.split()[: claimed * channels], dtype="S32").astype(np.float64)
    if len(values) < claimed * channels:
        raise Fault(f"{claimed:,} points claimed; {len(values) // max(channels, 1):,} are there")
    return values.reshape(claimed, channels)


def _all_there(claimed: int, size: int, left: int) -> None:
    if claimed < 0 or claimed * size > left:
        raise Fault(f"{claimed:,} points claimed, of {size} bytes each; {left:,} bytes are there")


def _lzf(packed: bytes, size: int) -> bytes:
    """LibLZF's packing (Marc Lehmann), which PCL uses: runs of literals, and references back."""
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
                raise Fault("a PCD whose packing points before its beginning")
            for place in range(start, start + length + 2):
                out.append(out[place])
        if len(out) > size:
            break
    if len(out) != size:
        raise Fault(f"a PCD that unpacks to {len(out):,} bytes; expected {size:,}")
    return bytes(out)


def _ply(data: bytes) -> np.ndarray:
    end = data.find(b"end_header", 0, _HEADER)
    start = data.find(b"\n", end) + 1
    if end < 0 or not start:
        raise Fault("a PLY header without its end")
    order, claimed, properties, element = "", 0, [], ""
    for line in data[:end].decode("ascii", "replace").splitlines():
        words = line.split()
        if words[:1] == ["format"]:
            order = {"ascii": "ascii", "binary_little_endian": "<", "binary_big_endian": ">"}[words[1]]
        elif words[:1] == ["element"]:
            if element == "" and words[1] != "vertex":
                raise Fault(f"a PLY that begins with {words[1][:20]!r}; expected its vertices first")
            element = words[1]
            claimed = int(words[2]) if element == "vertex" else claimed
        elif words[:1] == ["property"] and element == "vertex":
            if words[1] == "list":
                raise Fault("a PLY with lists among its vertices; expected numbers")
            properties.append((words[2], _PLY_TYPES[words[1]]))
    if order == "ascii":
        values = _text(data[start:], len(properties), claimed)
        names = [name for name, _ in properties]
        first = [names.index(name) for name in _FIRST if name in names]
        return values[:, first + [place for place in range(len(names)) if place not in first]]
    dtype = np.dtype([(name, order + kind) for name, kind in properties])
    _all_there(claimed, dtype.itemsize, len(data) - start)
    return _taken(np.frombuffer(data, dtype, claimed, start))


def _las(data: bytes) -> np.ndarray:
    laspy: Any = requires("laspy", "points")
    with laspy.open(io.BytesIO(data)) as file:
        claimed, size = int(file.header.point_count), int(file.header.point_format.size)
        if claimed * size > 50 * len(data):  # LAZ packs ten- to twentyfold
            raise Fault(f"{claimed:,} points claimed in {len(data):,} bytes; they cannot all be in it")
        points = file.read()
    return np.stack([np.asarray(points[name], np.float64) for name in ("x", "y", "z", "intensity")], 1)
