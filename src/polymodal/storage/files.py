"""Files that are written completely or not at all, and cells of CSV files that are safe in a spreadsheet."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import UserError, spelled
from .locks import Lock


def write_whole(path: Path, body: bytes, previous: Path | None = None) -> None:
    """Write a file atomically and durably: its name never refers to a part of the content, and the file survives a power failure.

    A temporary file in the same folder is written and synced, is renamed in one step, and the folder is synced.

    :param path: the file
    :param body: its content
    :param previous: the name under which a file that exists at ``path`` is kept; at every moment one of the two names exists
    :raises OSError: the file cannot be written; everything is left as it was
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        if previous is not None and path.exists():
            _keep(path, previous)
        os.replace(temporary, path)
        sync_folder(path.parent)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_texts(folder: Path, bodies: Mapping[str, str]) -> None:
    """Write text files into a folder that the user named, each atomically. The folder is made if it does not exist.

    :param bodies: the content of each file by its name
    :raises UserError: a file cannot be written
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, body in bodies.items():
            write_whole(folder / name, body.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise UserError(not_written(folder, error, f"folder ({spelled('-o FOLDER', 'out=...')})")) from None


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``, and rename the file that is written there to ``path`` when the block ends without an error.

    :raises UserError: the file cannot be written
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise UserError(not_written(path, error, "file")) from None
    finally:
        temporary.unlink(missing_ok=True)


def not_written(path: Path, error: OSError, other: str) -> str:
    """Return the message about a file or a folder that cannot be written.

    :param other: the kind of place to choose instead, such as ``file`` or ``folder (-o RUN)``
    """
    return f"{path}: cannot be written ({error.strerror or error}); expected a place that can be; choose another {other}"


def _keep(path: Path, previous: Path) -> None:
    """Give the file a second name. If the file system does not support that (FAT, some network disks), rename the file."""
    linked = path.with_name(f".{previous.name}.link")
    linked.unlink(missing_ok=True)
    try:
        os.link(path, linked)
        os.replace(linked, previous)
    except OSError:
        linked.unlink(missing_ok=True)
        os.replace(path, previous)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable. Does nothing if the file system cannot sync folders."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sweep(folder: Path) -> None:
    """Delete the temporary files that a killed process left in a folder."""
    for path in folder.glob(".*"):
        if path.is_file() and path.name != Lock.NAME:
            path.unlink(missing_ok=True)


def checksum_of(tree: Mapping[str, Any]) -> str:
    """Return the SHA-256 of plain data, as hex digits. It does not depend on the order of keys."""
    return hashlib.sha256(json.dumps(tree, sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()


_FORMULA = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")


def no_formula(cell: Any) -> Any:
    """Return a cell for a CSV file: text that a spreadsheet would take for a formula gets an apostrophe in front (OWASP, *CSV
    Injection*)."""
    if isinstance(cell, str) and _FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        return "'" + cell
    return cell
