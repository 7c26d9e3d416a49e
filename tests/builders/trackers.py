"""What trackers have written, read from their files."""

from __future__ import annotations

import importlib
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_BLOCK, _HEAD, _FIRST, _LAST, _WHOLE = 32_768, 7, 2, 4, 1
"""The format of the log of LevelDB, which wandb uses: the bytes of a block and of a header, and the kinds of parts of a record."""


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """The curves in the event files of TensorBoard in a folder."""
    loader: Any = importlib.import_module("tensorboard.backend.event_processing.event_file_loader")

    curves: dict[str, list[tuple[int, float]]] = {}
    for file in sorted(folder.glob("events*")):
        for event in loader.EventFileLoader(str(file)).Load():
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name == "scalars":
                    number = value.tensor.float_val[0] if value.tensor.float_val else float(value.simple_value)
                    curves.setdefault(value.tag, []).append((event.step, number))
    return curves


def wandb_records(folder: Path) -> Iterator[Any]:
    """The records in the files of the runs of wandb without a server, in the order in which they were written."""
    messages: Any = importlib.import_module("wandb.proto.wandb_internal_pb2")

    for file in sorted(folder.glob("wandb/*run-*/*.wandb")):
        for body in _bodies(file.read_bytes()):
            record = messages.Record()
            record.ParseFromString(body)
            yield record


def _bodies(log: bytes) -> Iterator[bytes]:
    assert log[:4] == b":W&B"
    at, body = _HEAD, b""
    while at + _HEAD <= len(log):
        if _BLOCK - at % _BLOCK < _HEAD:
            at += _BLOCK - at % _BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", log[at : at + _HEAD])
        body = log[at + _HEAD : at + _HEAD + length] if kind in (_WHOLE, _FIRST) else body + log[at + _HEAD : at + _HEAD + length]
        if kind in (_WHOLE, _LAST):
            yield body
        at += _HEAD + length


def wandb_rows(folder: Path) -> list[dict[str, Any]]:
    """The rows of the history in the files of wandb."""
    rows = []
    for record in wandb_records(folder):
        if record.WhichOneof("record_type") == "history":
            rows.append({(one.key or ".".join(one.nested_key)): json.loads(one.value_json) for one in record.history.item})
    return rows
