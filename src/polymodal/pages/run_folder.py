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

REPORT_DATA = "report.json"
"""The file of a run's folder with the data that only its report needs."""
EXAMPLES = "examples.json"
"""The file of a run's folder with rows that the page of a server offers as examples."""
_FAULTS = 50


def read_run(run: Path) -> dict[str, Any]:
    """Return everything that ``page`` shows, as plain data.

    :param run: the folder of a finished run
    :returns: the run's ``name``, ``metrics``, ``config`` (the text of ``run.yaml``), ``language`` (its ``report.language``), ``log``
        (events), ``faults`` (the first 50 rows of ``faults.csv``), ``fault_count``, and ``stored`` (the content of ``report.json``)
    :raises UserError: the folder does not exist, the run has not finished, or one of its files cannot be read
    """
    content: dict[str, Any] = {"name": run.resolve().name, "log": [], "faults": [], "fault_count": 0, "stored": {}}
    try:
        content["metrics"] = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
        content["config"] = (run / "run.yaml").read_text(encoding="utf-8")
    except OSError as error:
        if not run.exists():
            raise UserError(f"{run}: no such folder; expected the folder of a run{nearest_folder(run)}") from None
        name = Path(str(error.filename)).name
        raise UserError(
            f"{run}: no report can be made of it ({name}: {error.strerror}); expected a run that measured something; train it to its end"
        ) from None
    except ValueError as error:
        raise UserError(f"{run}: no report can be made of it ({error}); expected a run that measured something; train it again") from None
    content["language"] = _language(run / "run.yaml")
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


def _language(path: Path) -> str:
    """Return ``report.language`` of a ``run.yaml``; ``auto`` if the file lacks the setting or is not YAML."""
    try:
        settings = read_tree(path).get("report")
    except ConfigError:
        return "auto"
    return str(settings.get("language", "auto")) if isinstance(settings, Mapping) else "auto"


def _lines(path: Path) -> list[str]:
    """Return the lines of a file; none if it does not exist."""
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
