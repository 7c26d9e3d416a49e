"""Inspection of a table: ``inspect`` describes its content, ``init`` writes a ``run.yaml`` for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..config import explain
from ..data.near_duplicates import sides
from ..data.reading import examine_targets
from ..data.sources import open_source
from ..errors import UserError
from ..flow import Folders, Names, listed
from ..preparation import roots_of, split_rows
from ..storage import write_whole
from .columns import look
from .infer import encoding_in, infer
from .profile import Profile
from .suspicions import add_suspicions, read_all_targets, target_line
from .targets import target_columns


def inspect(
    table: Any,
    *overrides: str,
    target: Any = (),
    columns: Mapping[str, str] | None = None,
    ignore: Names = (),
    group: str | None = None,
    split: str | None = None,
    root: Folders = (),
    seed: int = 0,
    time_limit: str | None = None,
    encoding: str | None = None,
) -> Profile:
    """Inspect a table: the modality of each column, missing and unreadable cells, columns that leak the target, rare classes.

    The arguments are those of ``train``. The pictures and texts of at most 5,000 rows are read; memory use hardly grows with the number of
    rows.

    :param table: a file, a dataframe or a list of rows
    :param overrides: settings as ``path=value``
    :param target: one target column, or several
    :param encoding: the encoding of a CSV or JSON file; None = detected
    :raises UserError: the table or a setting is invalid
    """
    overrides = (*overrides, *([f"data.encoding={encoding}"] if encoding is not None else []))
    source = open_source(table, encoding=encoding_in(overrides))
    source.check_rows()
    targets = target_columns(source, target)
    facts = look(source, seed)
    base = {"data": {"root": listed(root)}}
    overrides = (*overrides, f"seed={seed}", *([f"training.time_limit={time_limit}"] if time_limit else []))
    experiment, reasons, inferred = infer(
        source, targets, overrides, given=columns, ignore=ignore, group=group, split=split, tree=base, facts=facts
    )
    profile = Profile(source.name, source.rows, inferred, experiment=experiment, reasons=reasons)
    side_N, content = None, None
    if targets:
        content = examine_targets(source, experiment.tasks)
        for name in targets:
            profile.targets[name] = target_line(experiment, name, content, reasons)
        part, kept = split_rows(experiment, source, content.known_N, False, content.readings)
        side_N = sides(part)
        profile.together = kept.notes
        profile.suspicions += kept.warnings
        read_all_targets(profile, source, content, part)
    add_suspicions(profile, source, facts, roots_of(source, experiment.data.root), targets, content, side_N, seed)
    return profile


def init(
    table: Any,
    *overrides: str,
    target: Any,
    out: str | Path | None = "run.yaml",
    overwrite: bool = False,
    columns: Mapping[str, str] | None = None,
    ignore: Names = (),
    group: str | None = None,
    split: str | None = None,
    root: Folders = (),
    seed: int | None = None,
    time_limit: str | None = None,
    encoding: str | None = None,
) -> str:
    """Return the full ``run.yaml`` for a table, with a comment for each inferred setting, and write it to a file.

    :param table: a file, a dataframe or a list of rows
    :param target: one target column, or several
    :param out: the file to write; None = none is written
    :param overwrite: whether an existing file is replaced
    :param encoding: the encoding of a CSV or JSON file; None = detected
    :raises UserError: the table or a setting is invalid, or the file exists or cannot be written
    """
    overrides = (*overrides, *([f"data.encoding={encoding}"] if encoding is not None else []))
    source = open_source(table, encoding=encoding_in(overrides))
    targets = target_columns(source, target)
    path = None if out is None else Path(out)
    if path is not None and path.exists() and not overwrite:
        raise UserError(f"{path}: already there; choose another file (-o FILE), or replace it: --overwrite")
    base: dict[str, Any] = {"data": {"root": [_beside(folder, path) for folder in listed(root)]}}
    if isinstance(table, (str, Path)):
        base["data"]["table"] = _beside(table, path)
    overrides = (
        *overrides,
        *([f"seed={seed}"] if seed is not None else []),
        *([f"training.time_limit={time_limit}"] if time_limit else []),
    )
    experiment, reasons, inferred = infer(source, targets, overrides, given=columns, ignore=ignore, group=group, split=split, tree=base)
    left_out = [
        f"# column {column.name!r} is not used: {column.role}, {column.why}"
        for column in inferred
        if column.role not in ("feature", "target")
    ]
    head = [f"# polymodal train {path or 'run.yaml'}", f"# {source.name}: {source.rows:,} rows", *left_out]
    text = "\n".join(head) + "\n" + explain(experiment, reasons)
    if path is not None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, text.encode())
        except OSError as error:
            raise UserError(f"{path}: cannot be written ({error.strerror or error}); choose another file") from None
    return text


def _beside(path: str | Path, written: Path | None) -> str:
    """Return a path as it is written in the file ``written``: relative to that file's folder if it is below it, otherwise absolute."""
    resolved = Path(path).resolve()
    folder = (written.parent if written is not None else Path()).resolve()
    return str(resolved.relative_to(folder)) if resolved.is_relative_to(folder) else str(resolved)
