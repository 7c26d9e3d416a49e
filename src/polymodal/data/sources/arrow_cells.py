"""Convert Arrow columns to cells.

Numbers, text, bytes, decimals, dates, times and durations become Python objects; dictionaries, unions and run-end encoded columns become
their values. Lists become lists, lists of a declared length become ``FixedList``, and tensors become arrays. Structs and other nested types
are converted by ``plain``, which reads Hugging Face's layouts of files and sounds. A struct that no modality reads remains a dict, and is
reported as such.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from ...flow import Cell
from ...modalities.objects import FixedList, plain

_BROKEN = (OverflowError, ValueError, KeyError, pa.ArrowException)  # KeyError: an unknown time zone


def cells_of_column(column: pa.Array) -> list[Cell]:
    """Return the cells of a column in order; None where a cell is null."""
    kind = column.type
    if pa.types.is_dictionary(kind) and not _is_settled(kind.value_type):
        column, kind = column.dictionary_decode(), kind.value_type
    if _is_settled(kind):
        return _values(column)
    if isinstance(kind, pa.FixedShapeTensorType):
        return _tensors(column)
    if isinstance(kind, pa.BaseExtensionType):
        values = _values(column)
        return list(map(plain, values)) if _is_settled(kind.storage_type) else _again(cells_of_column(column.storage), values)
    if pa.types.is_fixed_size_list(kind) and _is_number(kind.value_type):
        return [None if cell is None else FixedList(cell) for cell in _values(column)]
    if pa.types.is_map(kind):
        return [None if cell is None else plain(dict(cell)) for cell in _values(column)]
    if pa.types.is_struct(kind) and _is_sound(kind):
        return _sounds(column)
    return list(map(plain, _values(column)))


def class_names(schema: pa.Schema) -> dict[str, list[str]]:
    """Return the names of the classes of each column that is a ``ClassLabel`` of Hugging Face's ``datasets``, by the metadata of a schema;
    none if the metadata are invalid."""
    try:
        features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"].items()
        found = {name: list(map(str, feature["names"])) for name, feature in features if feature.get("_type") == "ClassLabel"}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
    return {name: names for name, names in found.items() if name in schema.names and pa.types.is_integer(schema.field(name).type)}


def named(part: dict[str, list[Cell]], classes: dict[str, list[str]]) -> dict[str, list[Cell]]:
    """Return cells by column in which classes have their names; -1 means no class, and another unknown number stays.

    :param part: the cells
    :param classes: the names of the classes by column
    """
    for column in classes.keys() & part.keys():
        names = dict(enumerate(classes[column])) | {-1: None}
        part[column] = [names.get(cell, cell) if isinstance(cell, int) else cell for cell in part[column]]
    return part


def _again(stored: list[Cell], values: list[Cell]) -> list[Cell]:
    """Return the cells of an extension type over a nested type: the stored ones, unless the extension type converts them."""
    return [cell if isinstance(other, (list, dict, type(None))) else plain(other) for cell, other in zip(stored, values, strict=True)]


def _is_settled(kind: pa.DataType) -> bool:
    """Return whether the values of a column of this type need no further conversion."""
    nested = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind)
    if nested or pa.types.is_dictionary(kind):
        return _is_settled(kind.value_type)
    return not (pa.types.is_nested(kind) or isinstance(kind, pa.BaseExtensionType) or pa.types.is_interval(kind))


def _is_number(kind: pa.DataType) -> bool:
    result: bool = pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_decimal(kind)
    return result


def _is_sound(kind: pa.StructType) -> bool:
    """Return whether a type is that of sounds, ``struct<array: list<float>, sampling_rate: int, ...>``, whose samples are read as
    arrays."""
    names = [kind.field(at).name for at in range(kind.num_fields)]
    if not {"array", "sampling_rate"} <= set(names) <= {"array", "sampling_rate", "path", "bytes"} or len(names) != len(set(names)):
        return False
    array = kind.field("array").type
    result: bool = (pa.types.is_list(array) or pa.types.is_large_list(array)) and (pa.types.is_floating(array.value_type))
    return result


def _sounds(column: pa.StructArray) -> list[Cell]:
    """Return the cells of a column of sounds."""
    parts = {column.type.field(at).name: column.field(at) for at in range(column.type.num_fields)}
    arrays = parts.pop("array")
    others = {name: _values(part) for name, part in parts.items()}
    cells: list[Cell] = []
    for at in range(len(column)):
        if not column[at].is_valid:
            cells.append(None)
            continue
        array = arrays[at]
        samples: np.ndarray[Any, Any] | None = array.values.to_numpy(zero_copy_only=False) if array.is_valid else None
        cells.append(plain({"array": samples, **{name: values[at] for name, values in others.items()}}))
    return cells


def _tensors(column: Any) -> list[Cell]:
    """Return the cells of a column of ``fixed_shape_tensor``: arrays, or ``FixedList`` for tensors of one dimension."""
    shape, kind = column.type.shape, column.type.value_type
    if not _is_number(kind) or pa.types.is_decimal(kind):
        return list(map(plain, _values(column)))
    made: Callable[[Any], Cell] = FixedList if len(shape) == 1 else lambda cell: _shaped(cell, column.type)
    return [None if cell is None else made(cell) for cell in _values(column.storage)]


def _shaped(cell: list[Any], kind: Any) -> Cell:
    array = np.array([np.nan if value is None else value for value in cell], None if None in cell else kind.value_type.to_pandas_dtype())
    array = array.reshape(kind.shape)
    return array if kind.permutation is None else array.transpose(np.argsort(kind.permutation))


def _values(column: pa.Array) -> list[Cell]:
    """Return the values of an Arrow column; a value that Python cannot represent is an unreadable cell."""
    try:
        return column.to_pylist()  # type: ignore[no-any-return]
    except _BROKEN:  # Python cannot represent a date: only that cell cannot be read
        if pa.types.is_timestamp(column.type) and column.type.tz is not None and not _is_known_zone(column.type.tz):
            return _values(column.cast(pa.timestamp(column.type.unit, "UTC")))
        return [_value(scalar) for scalar in column]


def _is_known_zone(zone: str) -> bool:
    """Return whether Python knows a time zone."""
    try:
        pa.array([0], pa.timestamp("s", zone)).to_pylist()
    except _BROKEN:
        return False
    return True


def _value(scalar: pa.Scalar) -> Cell:
    try:
        return scalar.as_py()
    except _BROKEN:
        return f"{scalar.type} {getattr(scalar, 'value', '')}".strip()
