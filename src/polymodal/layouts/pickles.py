"""Pickles of arrays, numbers and texts, read without executing them.

A pickle is a program, and ``pickle.load`` runs it: a pickle from anyone can call any function. This reader never unpickles. It goes through
the opcodes (``pickletools.genops``) with a stack of its own, and keeps numbers, texts, bytes, lists, tuples and dicts. The only names that
it accepts are those by which numpy 1 and 2 write arrays, dtypes and scalars; it calls none of them, but makes the arrays from their bytes
with ``numpy.frombuffer``. Everything else is refused with a message that names the opcode or the global, and its position.

Memory is bounded by the size of the file: no array is larger than the bytes that the pickle contains.
"""

from __future__ import annotations

import io
import math
import mmap
import pickletools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError

EXPECTED = "expected a pickle of arrays, numbers and texts only"
_CORES = ("numpy.core.multiarray", "numpy._core.multiarray")
_NAMES = {
    "numpy ndarray": "ndarray",
    "numpy dtype": "dtype",
    "_codecs encode": "encode",
    "__builtin__ bytes": "bytes",
    "builtins bytes": "bytes",
    **{f"{core} _reconstruct": "array" for core in _CORES},
    **{f"{core} scalar": "scalar" for core in _CORES},
    **{f"{core.replace('multiarray', 'numeric')} _frombuffer": "frombuffer" for core in _CORES},
}
"""The accepted globals, and what the reader does instead of calling them."""
_TYPES = re.compile(r"[|<>=]?(?:b1|[iu][1248]|f[248]|[?bhilqpBHILQPefd]|[SU]\d{1,6}|O[48]?)")
_REPEATED = 100
"""The number of parts of a value for each byte of its pickle above which it is refused."""
_MARK = object()
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_VALUES = frozenset([
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING", "SHORT_BINSTRING",
    "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
])  # fmt: skip
_MEMO = frozenset(["PUT", "BINPUT", "LONG_BINPUT"])
_GET = frozenset(["GET", "BINGET", "LONG_BINGET"])
_IGNORED = frozenset(["PROTO", "FRAME"])
_KEYS = (str, int, float, bool, bytes, type(None))


class _Refused(Exception):
    """The pickle contains something else than arrays, numbers and texts."""


class _Global:
    """One of the accepted globals."""

    def __init__(self, does: str) -> None:
        self.does = does


class _DType:
    """A dtype, whose byte order follows in a later opcode."""

    def __init__(self, name: str) -> None:
        self.name, self.order = name, ""

    @property
    def value(self) -> np.dtype[Any]:
        if not _TYPES.fullmatch(self.name):
            raise _Refused(f"an array of type {self.name[:40]!r}")
        name = self.name.lstrip("|<>=")
        return np.dtype(f"{self.order}{name}" if self.order in ("<", ">") and name[0] != "O" else self.name)


class _Array:
    """An array, whose content follows in a later opcode."""

    def __init__(self) -> None:
        self.array: Any = None


def read_pickle(path: Path) -> Any:
    """Return the content of a file that contains one pickle of arrays, numbers, texts, lists, tuples and dicts.

    An array of objects is an array of such values, or that value if it has no dimension.

    :raises DataError: the file cannot be read, or the pickle contains anything else
    """
    try:
        with path.open("rb") as file:
            if not path.stat().st_size:
                raise DataError(f"{path}: an empty file; {EXPECTED}")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return loads(data, str(path))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}); {EXPECTED}") from None


def read_npy(path: Path) -> Any:
    """Return the array of a ``.npy`` file; one of objects is read as ``read_pickle`` reads it, one of records becomes a list of dicts.

    :raises DataError: the file cannot be read, or contains anything but numbers, texts and such objects
    """
    place = str(path)
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            shape, fortran, dtype = (
                np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            )(file)  # fmt: skip
            rest = path.stat().st_size - file.tell()
            if not dtype.hasobject:
                if math.prod(shape) * dtype.itemsize > rest:
                    raise DataError(f"{place}: an array of shape {shape} in {rest:,} bytes; expected a complete file")
                array = np.frombuffer(file.read(math.prod(shape) * dtype.itemsize), dtype).reshape(shape, order="F" if fortran else "C")
                return [dict(zip(dtype.names, row.tolist(), strict=True)) for row in array.ravel()] if dtype.names else array
            return loads(io.BytesIO(file.read()), place)
    except OSError as error:
        raise DataError(f"{place}: cannot be read ({error.strerror or error}); expected a .npy file") from None
    except (ValueError, TypeError, OverflowError, EOFError) as error:
        raise DataError(f"{place}: not a .npy file ({' '.join(str(error).split())[:80]}); expected an array") from None


def loads(data: Any, place: str) -> Any:
    """Return the content of a pickle.

    :param data: a stream with ``read`` and ``readline`` that never return more than there is, such as ``io.BytesIO``
    :param place: the file, for messages
    :raises DataError: see ``read_pickle``
    """
    stack = _Stack()
    name, at = "", 0
    try:
        for opcode, argument, position in pickletools.genops(data):
            name, at = opcode.name, position or 0
            if name == "STOP":
                value = _plain(stack.pop())
                _check_size(value, at)
                return value
            stack.step(name, argument)
    except _Refused as refusal:
        raise DataError(f"{place} byte {at}: {refusal}; {EXPECTED}; nothing of it was executed") from None
    except (ValueError, TypeError, KeyError, IndexError, OverflowError, AttributeError, MemoryError, RecursionError) as error:
        reason = " ".join(str(error).split())[:80] or type(error).__name__
        raise DataError(f"{place} byte {at}: not a valid pickle ({reason}); {EXPECTED}") from None
    raise DataError(f"{place}: a pickle without an end; {EXPECTED}")


class _Stack:
    """The values that the opcodes of a pickle have made so far."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.steps: dict[str, Callable[[], object]] = {
            "EMPTY_LIST": lambda: self.values.append([]), "EMPTY_DICT": lambda: self.values.append({}),
            "EMPTY_TUPLE": lambda: self.values.append(()), "MARK": lambda: self.values.append(_MARK),
            "POP": lambda: self.pop(raw=True), "POP_MARK": lambda: self.marked(), "DUP": lambda: self.values.append(self.values[-1]),
            "LIST": lambda: self.values.append([*map(_plain, self.marked())]), "TUPLE": lambda: self.values.append(tuple(self.marked())),
            "TUPLE1": lambda: self.tuple_of(1), "TUPLE2": lambda: self.tuple_of(2), "TUPLE3": lambda: self.tuple_of(3),
            "DICT": lambda: self.values.append(self.filled({}, self.marked())), "APPEND": self.append, "APPENDS": self.appends,
            "SETITEM": self.set_item, "SETITEMS": self.set_items, "REDUCE": self.reduce, "BUILD": self.build,
            "MEMOIZE": lambda: self.put(len(self.memo)), "STACK_GLOBAL": self.stack_global,
        }  # fmt: skip

    def step(self, name: str, argument: Any) -> None:
        """Carry out one opcode."""
        if name in _VALUES:
            self.values.append(argument)
        elif name in _CONSTANTS:
            self.values.append(_CONSTANTS[name])
        elif name in _MEMO:
            self.put(int(argument))
        elif name in _GET:
            self.values.append(self.memo[int(argument)])
        elif name == "GLOBAL":
            self.global_of(argument)
        elif name in self.steps:
            self.steps[name]()
        elif name not in _IGNORED:
            raise _Refused(f"the opcode {name}")

    def pop(self, raw: bool = False) -> Any:
        """Remove and return the last value; an array instead of its beginning unless ``raw``."""
        value = self.values.pop()
        if value is _MARK and not raw:
            raise ValueError("a mark instead of a value")
        return value if raw else _done(value)

    def marked(self) -> list[Any]:
        """Remove and return the values after the last mark."""
        at = len(self.values) - 1
        while self.values[at] is not _MARK:
            at -= 1
            if at < 0:
                raise ValueError("no mark")
        values = [_done(value) for value in self.values[at + 1 :]]
        del self.values[at:]
        return values

    def tuple_of(self, count: int) -> None:
        values = [self.pop() for _ in range(count)]
        self.values.append(tuple(reversed(values)))

    def put(self, number: int) -> None:
        self.memo[number] = self.values[-1]

    def _top(self, kind: type) -> Any:
        value = self.values[-1]
        if type(value) is not kind:
            raise ValueError(f"a {type(value).__name__} instead of a {kind.__name__}")
        return value

    def append(self) -> None:
        value = self.pop()
        self._top(list).append(_plain(value))

    def appends(self) -> None:
        values = self.marked()
        self._top(list).extend(map(_plain, values))

    def set_item(self) -> None:
        value, key = self.pop(), self.pop()
        self.filled(self._top(dict), [key, value])

    def set_items(self) -> None:
        values = self.marked()
        self.filled(self._top(dict), values)

    def filled(self, mapping: dict[Any, Any], values: list[Any]) -> dict[Any, Any]:
        """Add keys and values, which alternate, to a mapping."""
        if len(values) % 2:
            raise ValueError("a key without a value")
        for key, value in zip(values[::2], values[1::2], strict=True):
            if not isinstance(key, _KEYS):  # the hash of a deeply nested tuple would exhaust the stack of the interpreter
                raise _Refused(f"a key that is a {type(key).__name__}")
            mapping[key] = _plain(value)
        return mapping

    # -- arrays ----------------------------------------------------------------------------------------------------

    def global_of(self, name: str) -> None:
        if name not in _NAMES:
            raise _Refused(f"the global {name.replace(' ', '.', 1)[:80]!r}")
        self.values.append(_Global(_NAMES[name]))

    def stack_global(self) -> None:
        name, module = self.pop(), self.pop()
        self.global_of(f"{module} {name}")

    def reduce(self) -> None:
        """Do what a call of an accepted global would do, without calling it."""
        arguments, function = self.pop(), self.pop(raw=True)
        if not isinstance(function, _Global) or type(arguments) is not tuple:
            raise _Refused(f"a call of a {type(function).__name__}")
        if function.does == "dtype":
            self.values.append(_DType(str(arguments[0])))
        elif function.does == "array":
            self.values.append(_Array())
        elif function.does == "encode":
            text, encoding = arguments
            if encoding not in ("latin1", "latin-1"):
                raise _Refused(f"a text in the encoding {str(encoding)[:20]!r}")
            self.values.append(text.encode("latin-1"))
        elif function.does == "bytes" and not arguments:  # b"", before protocol 3
            self.values.append(b"")
        elif function.does == "scalar":
            dtype, raw = arguments
            self.values.append(_array_of(raw, dtype, (), "C").item())
        elif function.does == "frombuffer":
            raw, dtype, shape, order = arguments
            self.values.append(_array_of(raw, dtype, shape, order))
        else:
            raise _Refused(f"a call of {function.does}")

    def build(self) -> None:
        """Give a dtype its byte order, or an array its content."""
        state, value = self.pop(), self.values[-1]
        if isinstance(value, _DType) and type(state) is tuple and len(state) >= 5:
            if state[2] is not None or state[3] is not None or state[4] is not None:
                raise _Refused("an array of records")
            value.order = str(state[1])
        elif isinstance(value, _Array) and type(state) is tuple and len(state) == 5:
            _, shape, dtype, fortran, raw = state
            value.array = _array_of(raw, dtype, shape, "F" if fortran else "C")
        else:
            raise _Refused(f"the state of a {type(value).__name__}")


def _check_size(value: Any, most: int) -> None:
    """Check that a value has an end, and not many more parts than its pickle has bytes.

    A value that is referenced many times is one in memory, but many for all that goes through it, prints it or copies it.

    :param most: the size of the pickle
    """
    size, open_values, stack = dict[int, int](), set[int](), [(value, False)]
    while stack:
        one, is_complete = stack.pop()
        parts = [*one.values()] if type(one) is dict else one if type(one) in (list, tuple) else ()
        if type(one) is np.ndarray and one.dtype.hasobject:
            parts = [*one.flat]
        if is_complete:
            size[id(one)] = 1 + sum(size[id(part)] for part in parts)
            open_values.discard(id(one))
            if size[id(one)] > _REPEATED * (most + 100):
                raise _Refused("values that contain the same values over and over")
        elif id(one) in open_values:
            raise _Refused("a value that contains itself")
        elif id(one) not in size:
            open_values.add(id(one))
            stack.append((one, True))
            stack += [(part, False) for part in parts]


def _done(value: Any) -> Any:
    """Return a value; an array instead of its beginning."""
    if type(value) is _Array:
        if value.array is None:
            raise ValueError("an array without content")
        return value.array
    return value


def _plain(value: Any) -> Any:
    """Return a value that is not a part of an array."""
    for one in value if type(value) is tuple else (value,):
        if isinstance(one, (_Global, _DType)):
            raise _Refused(f"a {type(one).__name__.strip('_').lower()} as a value")
    return value


def _array_of(raw: Any, dtype: Any, shape: Any, order: str) -> Any:
    """Return an array with this content: bytes, or the list of the values of an array of objects."""
    if not isinstance(dtype, _DType) or type(shape) is not tuple or len(shape) > 32 or order not in ("C", "F"):
        raise ValueError("an array without a dtype or a shape")
    if not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError(f"the shape {str(shape)[:40]}")
    kind = dtype.value
    if kind.hasobject:
        if type(raw) is not list or len(raw) != math.prod(shape):
            raise ValueError(f"objects that do not fill the shape {shape}")
        objects = np.empty(len(raw), object)
        for at, value in enumerate(raw):  # a list of lists would be taken for two dimensions
            objects[at] = value
        return objects.reshape(shape, order=order) if shape else raw[0]  # type: ignore[call-overload]
    if isinstance(raw, str):  # Python 2
        raw = raw.encode("latin-1")
    if not isinstance(raw, (bytes, bytearray)) or len(raw) != math.prod(shape) * kind.itemsize:
        raise ValueError(f"bytes that do not fill the shape {str(shape)[:40]} of {kind}")
    return np.frombuffer(bytes(raw), kind).reshape(shape, order=order)  # type: ignore[call-overload]
