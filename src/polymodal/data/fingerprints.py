"""Fingerprints: a number for the content of each cell that fields read, by which rows are compared before training.

Shapes: ``N`` rows of the table.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import BinaryIO, Literal

import numpy as np

from ..cells import is_empty, is_missing_word
from ..errors import Fault
from ..flow import Cell
from ..modalities import FieldConfig, Roots
from .sources import Source
from .sources.source import body_of

Role = Literal["cell", "text", "file"]
_EMPTY, _SHORT, _NUMBER, _PHRASE, _LONG = 0, 1, 2, 3, 4
_NOTHING = (0, _EMPTY)
LONG_TEXT, LONG_WORDS, LONG_WIDE = 60, 10, 25
"""A text is long if it has ``LONG_TEXT`` characters and ``LONG_WORDS`` words, or ``LONG_WIDE`` characters of scripts without spaces."""
_PHRASE_TEXT, _PHRASE_WORDS, _PHRASE_WIDE = 15, 3, 6
_FIRST_WIDE = "\u0e00"  # Thai; later code points include Lao, Tibetan, Burmese, Khmer, Chinese, Japanese and Korean
_MOST_FILES = 20_000
"""The maximum number of distinct paths whose files are compared by content; if there are more, paths are compared instead."""
_PIECE, _LARGE_PIECE, _PIECES = 4_096, 65_536, 8
_MOST_COMPARED = 2**30  # the maximum number of bytes read from files of equal size with equal first samples
_MOST_KEPT = 64  # the maximum number of columns of numbers and categories whose fingerprints are kept by cell
_SCALARS = frozenset({str, int, float, bool, type(None), np.bool_, np.int32, np.int64, np.float32, np.float64})
_MOST_CACHED, _LONGEST_CACHED = 10_000, 64  # texts of a column whose fingerprints are cached, and the length below which they are


@dataclass
class Fingerprints:
    """The fingerprints of one column.

    :param column: the column
    :param role: ``text``, ``file`` (the path or the content of a file), or ``cell`` for any other cell
    :param hash_N: uint64 (N,): equal for cells of equal content, 0 = empty
    :param kind_N: uint8 (N,): the amount of information in a cell, see the properties
    :param known: the fingerprints of paths, and of texts that may recur
    """

    column: str
    role: Role
    hash_N: np.ndarray
    kind_N: np.ndarray
    known: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def value_N(self) -> np.ndarray:
        """The number in each cell, float64 (N,); NaN where a cell is not a number."""
        value_N = np.full(len(self.hash_N), np.nan)
        number_N = self.kind_N == _NUMBER
        value_N[number_N] = self.hash_N[number_N].view(np.float64) + 0.0
        return value_N

    @property
    def is_long(self) -> np.ndarray:
        """Whether each cell is a long text, the content of a file, an array or a list of numbers; bool (N,)."""
        result: np.ndarray = self.kind_N == _LONG
        return result

    @property
    def is_phrase(self) -> np.ndarray:
        """Whether each cell is a phrase or has more content than a phrase, and is not a number; bool (N,)."""
        return self.kind_N >= _PHRASE

    def add(self, start: int, cells: Sequence[Cell]) -> None:
        """Add the cells of the rows from ``start`` on."""
        here = slice(start, start + len(cells))
        if self.role == "cell" and (values := _numbers(cells)) is not None:
            self.hash_N[here], self.kind_N[here] = _bits(values), np.where(np.isnan(values), _EMPTY, _NUMBER)
            return
        pairs = [self._of(cell) for cell in cells]
        self.hash_N[here] = np.fromiter((hashed for hashed, _ in pairs), np.uint64, len(pairs))
        self.kind_N[here] = np.fromiter((kind for _, kind in pairs), np.uint8, len(pairs))

    def _of(self, cell: Cell) -> tuple[int, int]:
        """Return the hash and the kind of content of a cell; results for recurring texts are cached."""
        if isinstance(cell, os.PathLike):
            cell = str(os.fspath(cell))
        if not isinstance(cell, str):
            return _of_object(cell, self.role)
        if (pair := self.known.get(cell)) is None:
            pair = _of_text(cell.strip(), self.role)
            if _is_path(cell, self.role) or (len(self.known) < _MOST_CACHED and len(cell) < _LONGEST_CACHED):
                self.known[cell] = pair
        return pair


@dataclass
class Rows:
    """The fingerprints of the rows of a table.

    :param columns: the fingerprints of all columns of texts and files, and of at most 64 others
    :param whole_N: uint64 (N,): equal for rows whose cells are equal in every column, 0 = all cells are empty
    """

    columns: list[Fingerprints]
    whole_N: np.ndarray


def salted(hash_N: np.ndarray, column: str) -> np.ndarray:
    """Return the contribution of a column to ``whole_N``, which is the sum over all columns."""
    return np.where(hash_N == 0, np.uint64(0), mixed(hash_N ^ np.uint64(_of_bytes(column.encode("utf-8", "surrogatepass")))))


def fingerprints(source: Source, fields: Mapping[str, FieldConfig], roots: Roots) -> Rows:
    """Compute the fingerprints of all columns that fields read. The table is read once.

    Paths of files with the same content have the same fingerprint, if there are at most 20,000 different paths. Files of the same size are
    compared by their bytes, large ones by eight samples of 64 KiB.

    :param source: the table
    :param fields: the fields
    :param roots: the folders of files
    """
    roles: dict[str, Role] = {}
    for config in fields.values():
        kind = config.modality()
        for at, column in enumerate(config.sources):
            roles.setdefault(column, "text" if kind.near_duplicates == "words" else "file" if kind.of_files and at == 0 else "cell")
    others = [column for column, role in roles.items() if role == "cell"][_MOST_KEPT:]
    kept = {
        column: Fingerprints(column, role, np.zeros(source.rows, np.uint64), np.zeros(source.rows, np.uint8))
        for column, role in roles.items()
        if column not in set(others)
    }
    known: dict[str, dict[str, tuple[int, int]]] = {column: {} for column in others}
    whole_N = np.zeros(source.rows, np.uint64)
    start = 0
    for part in source.slices(list(roles)) if roles else ():
        for column, cells in part.items():
            if column in kept:
                kept[column].add(start, cells)
            else:
                one = Fingerprints(column, "cell", np.zeros(len(cells), np.uint64), np.zeros(len(cells), np.uint8), known[column])
                one.add(0, cells)
                whole_N[start : start + len(cells)] += salted(one.hash_N, column)
        start += len(next(iter(part.values())))
    for one in kept.values():
        _by_content(one, roots)
        whole_N += salted(one.hash_N, one.column)
    return Rows(list(kept.values()), whole_N)


def _numbers(cells: Sequence[Cell]) -> np.ndarray | None:
    """Return the cells as numbers, NaN for empty ones; None if any cell is not a number."""
    kinds = set(map(type, cells))
    if not kinds <= _SCALARS:
        return None
    try:
        return np.array([math.nan if cell == "" else cell for cell in cells] if str in kinds else cells, np.float64)
    except (ValueError, OverflowError):
        return None


def _bits(values: np.ndarray) -> np.ndarray:
    """Return the bits of numbers. Zero has the bits of -0.0, since 0 means an empty cell."""
    return np.where(np.isnan(values), np.uint64(0), np.where(values == 0, -0.0, values).view(np.uint64))


def mixed(hash_N: np.ndarray) -> np.ndarray:
    """Mix hashes, so that every bit depends on all bits (the finalizer of SplitMix64, Steele, Lea and Flood 2014)."""
    hash_N = (hash_N ^ (hash_N >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hash_N = (hash_N ^ (hash_N >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    result: np.ndarray = hash_N ^ (hash_N >> np.uint64(31))
    return result


def _is_path(cell: str, role: Role) -> bool:
    return role == "file" and not cell.startswith("data:")


def _of_text(text: str, role: Role) -> tuple[int, int]:
    """Return the hash of a text and the amount of its information."""
    if not text or (role == "cell" and is_missing_word(text)):
        return _NOTHING
    if role == "cell":
        with contextlib.suppress(ValueError):
            return _of_number(float(text))
    return _of_bytes(text.encode("utf-8", "surrogatepass")), _LONG if role == "file" else _SHORT if role == "cell" else _kind_of(text)


def _of_object(cell: Cell, role: Role) -> tuple[int, int]:
    """Return the hash and the kind of content of a cell that is not text."""
    if is_empty(cell):
        return _NOTHING
    if isinstance(cell, (bytes, bytearray)):
        return _of_bytes(bytes(cell)), _LONG if role == "file" or len(cell) >= LONG_TEXT else _SHORT
    if isinstance(cell, (list, tuple, np.ndarray)):
        return _of_list(cell, role)
    if role == "cell":
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            return _of_number(float(cell))
    return _of_bytes(body_of(cell)), _SHORT


def _of_number(value: float) -> tuple[int, int]:
    return _NOTHING if value != value else (int(_bits(np.array([value]))[0]), _NUMBER)


def _of_list(cell: Sequence[Cell] | np.ndarray, role: Role) -> tuple[int, int]:
    """Return the hash and the amount of information of a list: little if it has at most two different numbers, as a one-hot vector has."""
    try:
        values = np.asarray(cell, np.float64)
    except (TypeError, ValueError, OverflowError):
        return _of_bytes(body_of(cell)), _LONG if role == "file" else _SHORT
    is_plain = role != "file" and len(np.unique(values.ravel()[:64])) <= 2
    body = str(values.shape).encode() + np.ascontiguousarray(values + 0.0).tobytes()
    return _of_bytes(body), _SHORT if is_plain else _LONG


def _of_bytes(body: bytes) -> int:
    return int.from_bytes(blake2b(body, digest_size=8).digest(), "little") | 1


def _kind_of(text: str) -> int:
    """Return the amount of information of a text."""
    wide = 0 if text.isascii() else sum(sign >= _FIRST_WIDE for sign in text[:1_000])
    words = len(text[:10_000].split())
    if wide >= LONG_WIDE or (len(text) >= LONG_TEXT and words >= LONG_WORDS):
        return _LONG
    return _PHRASE if wide >= _PHRASE_WIDE or (len(text) >= _PHRASE_TEXT and words >= _PHRASE_WORDS) else _SHORT


# -- paths whose files have the same content ------------------------------------------------------------------------------


def _by_content(one: Fingerprints, roots: Roots) -> None:
    """Give paths of files with the same content the same hash, in place."""
    paths = {path: hashed for path, (hashed, _) in one.known.items() if _is_path(path, one.role)}
    one.known = {}
    if not 2 <= len(paths) <= _MOST_FILES:
        return
    sizes: dict[int, list[str]] = {}
    for path in paths:
        with contextlib.suppress(Fault, OSError), roots.opened(path) as file:
            sizes.setdefault(file.seek(0, os.SEEK_END), []).append(path)
    spent = 0
    changed: dict[int, int] = {}
    for size, same_size in sizes.items():
        for some in _same_content(same_size, roots, size, _PIECE, 3) if size and len(same_size) > 1 else ():
            spent += len(some) * min(size, _LARGE_PIECE * _PIECES)
            for same in _same_content(some, roots, size, _LARGE_PIECE, _PIECES) if spent <= _MOST_COMPARED else ():
                changed |= {paths[path]: paths[same[0]] for path in same[1:]}
    if changed:
        before = np.array(sorted(changed), np.uint64)
        after = np.array([changed[int(hashed)] for hashed in before], np.uint64)
        at = np.searchsorted(before, one.hash_N).clip(max=len(before) - 1)
        one.hash_N[:] = np.where(before[at] == one.hash_N, after[at], one.hash_N)


def _same_content(paths: Iterable[str], roots: Roots, size: int, piece: int, count: int) -> list[list[str]]:
    """Group paths of files of one size by their content. Files that differ from all others are left out."""
    by_digest: dict[bytes, list[str]] = {}
    for path in paths:
        with contextlib.suppress(Fault, OSError), roots.opened(path) as file:
            by_digest.setdefault(_pieces(file, size, piece, count), []).append(path)
    return [same for same in by_digest.values() if len(same) > 1]


def _pieces(file: BinaryIO, size: int, piece: int, count: int) -> bytes:
    """Return a digest of a small file, or of evenly spaced pieces of a large one."""
    digest = blake2b(digest_size=16)
    if size <= piece * count:
        digest.update(file.read(piece * count))
    else:
        for offset in np.linspace(0, size - piece, count).astype(np.int64):
            file.seek(int(offset))
            digest.update(file.read(piece))
    return digest.digest()
