"""Inspection of a table: ``inspect`` describes its content, ``init`` writes a ``run.yaml`` for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

from ..config import explain, request_of
from ..data.near_duplicates import sides
from ..data.reading import examine_targets
from ..data.sources import Source, open_source
from ..data.splits import TooFewRows
from ..errors import UserError, counted, spelled
from ..experiment import Experiment
from ..language import Sentence
from ..preparation import roots_of, split_rows
from ..request import Request, TableSettings, accepts, listed
from ..storage import check_file, not_written, write_whole
from .columns import Column, Facts, look
from .infer import encoding_in, infer
from .profile import Profile
from .suspicions import add_suspicions, read_all_targets, target_line
from .targets import target_columns


@accepts(TableSettings)
def inspect(table: Any, *overrides: str, **settings: Unpack[TableSettings]) -> Profile:
    """Inspect a table: the modality of each column, missing and unreadable cells, columns that leak the target, rare classes.

    The pictures and texts of at most 5,000 rows are read; memory use hardly grows with the number of rows.

    :param table: a file, a dataframe or a list of rows
    :param overrides: ``path=value`` settings, which take precedence over everything else
    :settings:
    :raises UserError: the table or a setting is invalid
    """
    request = request_of(Experiment, inspect, table, overrides, settings, TableSettings)
    seed = request.settings.get("seed") or 0
    lines = (*request.lines(), *overrides)
    source = open_source(table, encoding=encoding_in(lines))
    source.check_rows()
    targets = target_columns(source, request.settings.get("target"))
    facts = look(source, seed)
    base = {"data": {"root": listed(request.settings.get("root", ()))}}
    experiment, reasons, inferred = _infer(request, source, targets, lines, base, facts)
    profile = Profile(source.name, source.rows, inferred, experiment=experiment, reasons=reasons)
    side_N, content = None, None
    if targets:
        content = examine_targets(source, experiment.tasks)
        for name in targets:
            profile.targets[name] = target_line(experiment, name, content, reasons)
        try:
            part, kept = split_rows(experiment, source, content.known_N, False, content.readings)
        except TooFewRows as error:
            profile.suspicions.append(Sentence("suspicion.stops", error=str(error)))
        else:
            side_N = sides(part)
            profile.together = kept.notes
            profile.suspicions += kept.warnings
            read_all_targets(profile, source, content, part)
    add_suspicions(profile, source, facts, roots_of(source, experiment.data.root), targets, content, side_N, seed)
    return profile


@accepts(TableSettings)
def init(
    table: Any, *overrides: str, out: str | Path | None = "run.yaml", overwrite: bool = False, **settings: Unpack[TableSettings]
) -> str:
    """Return the full ``run.yaml`` for a table, with a comment for each inferred setting, and write it to a file.

    :param table: a file, a dataframe or a list of rows
    :param overrides: ``path=value`` settings, which take precedence over everything else
    :settings:
    :param out: the file to write; None = none is written
    :param overwrite: whether an existing file is replaced
    :raises UserError: the table or a setting is invalid, or the file exists, is no .yaml file, or cannot be written
    """
    request = request_of(Experiment, init, table, overrides, settings, TableSettings)
    lines = (*request.lines(), *overrides)
    source = open_source(table, encoding=encoding_in(lines))
    targets = target_columns(source, request.settings.get("target"))
    path = None if out is None else Path(out)
    if path is not None:
        check_file(path, overwrite, (".yaml", ".yml"), "-o FILE", [table] if isinstance(table, (str, Path)) else [])
    base: dict[str, Any] = {"data": {"root": [_beside(folder, path) for folder in listed(request.settings.get("root", ()))]}}
    if isinstance(table, (str, Path)):
        base["data"]["table"] = _beside(table, path)
    experiment, reasons, inferred = _infer(request, source, targets, lines, base)
    left_out = [
        f"# column {column.name!r} is not used: {column.role}, {column.why}"
        for column in inferred
        if column.role not in ("feature", "target")
    ]
    head = [f"# polymodal train {path or 'run.yaml'}", f"# {source.name}: {counted(source.rows, 'row')}", *left_out]
    text = "\n".join(head) + "\n" + explain(experiment, reasons)
    if path is not None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, text.encode())
        except OSError as error:
            raise UserError(not_written(path, error, f"file ({spelled('-o FILE', 'out=...')})")) from None
    return text


def _infer(
    request: Request, source: Source, targets: Sequence[str], lines: Sequence[str], tree: Mapping[str, Any], facts: Facts | None = None
) -> tuple[Experiment, dict[str, str], list[Column]]:
    """Return the experiment that is inferred from a table, the reasons for its settings by path, and the columns of the table.

    :param lines: the settings of the request and the overrides
    :param tree: settings that the inference starts from
    :param facts: the statistics of the table, if they are known already
    """
    settings = request.settings
    return infer(
        source, targets, lines, given=settings.get("columns"), ignore=settings.get("ignore", ()), group=settings.get("group"),
        split=settings.get("split"), tree=tree, facts=facts,
    )  # fmt: skip


def _beside(path: str | Path, written: Path | None) -> str:
    """Return a path as it is written in the file ``written``: relative to that file's folder if it is below it, otherwise absolute."""
    resolved = Path(path).resolve()
    folder = (written.parent if written is not None else Path()).resolve()
    return str(resolved.relative_to(folder)) if resolved.is_relative_to(folder) else str(resolved)
