"""Reads the content of a report from a run's folder: metrics, log, faults, and the data stored for the report (``report.json``)."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from ..config import read_tree
from ..errors import ConfigError, UserError, nearest_folder
from ..storage import Lock, hint_of_runs

REPORT_DATA = "report.json"
"""The file of a run's folder with the data that only its report needs."""
EXAMPLES = "examples.json"
"""The file of a run's folder with rows that the page of a server offers as examples."""
ENDED, INTERRUPTED, RUNNING = "ended", "interrupted", "running"
"""The states of a run."""
_JOURNAL = "checkpoints/ledger.json"  # ``journal.JOURNAL_FILE``, a room that pages do not import
_FAULTS = 50


def read_run(run: Path, measured: bool = True) -> dict[str, Any]:
    """Return everything that ``page`` shows, as plain data.

    :param run: the folder of a run
    :param measured: whether the run must have metrics; a run that was interrupted before it measured anything has none
    :returns: the run's ``name``, ``folder``, ``state``, ``metrics`` ({} if there are none), ``config`` (the text of ``run.yaml``),
        ``fields`` (their names), ``language`` (its ``report.language``), ``log`` (events), ``faults`` (the first 50 rows of
        ``faults.csv``), ``fault_count``, and ``stored`` (the content of ``report.json``)
    :raises UserError: the folder does not exist, the run has no metrics and must have them or has ended, or one of its files cannot be
        read
    """
    content: dict[str, Any] = {"name": run.resolve().name, "folder": str(run), "log": [], "faults": [], "fault_count": 0, "stored": {}}
    content["state"] = _state(run)
    try:
        content["config"] = (run / "run.yaml").read_text(encoding="utf-8")
        path, content["metrics"] = run / "metrics.json", {}
        if measured or content["state"] == ENDED or path.exists():
            content["metrics"] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        if not run.exists():
            raise UserError(f"{run}: no such folder; expected the folder of a run{nearest_folder(run)}") from None
        if not (run / "run.yaml").exists() and (hint := hint_of_runs(run)):
            raise UserError(f"{run}: contains no run.yaml; expected the folder of a run{hint}") from None
        name = Path(str(error.filename)).name
        raise UserError(
            f"{run}: no report can be made of it ({name}: {error.strerror}); expected a run that measured something; train it to its end"
        ) from None
    except ValueError as error:
        raise UserError(f"{run}: no report can be made of it ({error}); expected a run that measured something; train it again") from None
    content |= _settings(run / "run.yaml")
    for line in _lines(run / "log.jsonl"):
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            content["log"].append(event)
    if (run / REPORT_DATA).exists():
        try:
            content["stored"] = json.loads((run / REPORT_DATA).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise UserError(f"{run}/{REPORT_DATA}: cannot be read; expected JSON; delete it to make the report without it") from None
    faults = run / "faults.csv"
    if faults.exists():
        with faults.open(encoding="utf-8", errors="replace", newline="") as file:
            rows = csv.reader(file)
            next(rows, None)
            content["faults"] = list(islice(rows, _FAULTS))
            content["fault_count"] = len(content["faults"]) + sum(1 for _ in rows)
    return content


def _state(run: Path) -> str:
    """Return whether a run has ended, was interrupted, or is being trained by another process. A run without a journal that has metrics,
    such as a copy without its checkpoints, has ended.
    """
    try:
        ended = json.loads((run / _JOURNAL).read_bytes())["ended"] is not False
    except FileNotFoundError:
        ended = (run / "metrics.json").exists()
    except (OSError, ValueError, KeyError, TypeError):
        ended = True
    return ENDED if ended else INTERRUPTED if Lock.holder(run) is None else RUNNING


def _settings(path: Path) -> dict[str, Any]:
    """Return the ``language`` of the report (``auto`` if a ``run.yaml`` lacks it or is not YAML) and the names of the ``fields``."""
    try:
        tree = read_tree(path)
    except ConfigError:
        tree = {}
    report, fields = tree.get("report"), tree.get("fields")
    return {
        "language": str(report.get("language", "auto")) if isinstance(report, Mapping) else "auto",
        "fields": list(map(str, fields)) if isinstance(fields, Mapping) else [],
    }


def _lines(path: Path) -> list[str]:
    """Return the lines of a file; none if it does not exist."""
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
