"""``polymodal evaluate --robustness``: prints the metrics on corrupted and missing cells."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click
from rich.cells import cell_len, set_cell_size

from ..analysis import robustness as measured
from ..evaluation.robustness import MISSING
from ..explanation.robustness_page import name_of, number
from .commands import evaluate as as_they_are
from .warnings import warnings_as_lines


def evaluate(run: str, table: str, *, robustness: bool, against: str | None, seed: int | None, out: str | None, overwrite: bool,
             **settings: Any) -> None:  # fmt: skip
    """Evaluate a model on the cells as they are, or with ``robustness``, also on corrupted and missing cells."""
    if robustness:
        verb(run, table, against=against, seed=seed or 0, out=out, overwrite=overwrite, **settings)
        return
    given = {"--against": against is not None, "--seed": seed is not None, "--out": out is not None, "--overwrite": overwrite}
    if any(given.values()):
        raise click.UsageError(f"{next(name for name, there in given.items() if there)} without --robustness; it says what that does")
    as_they_are(run, table, **settings)


def verb(run: str, table: str, *, out: str | None, as_json: bool, **settings: Any) -> None:
    """Measure the robustness, write the files, and print the result."""
    with warnings_as_lines():
        found = measured(run, table, out=out, **settings)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
    else:
        for line in _lines(found):
            click.echo(line)
    click.echo(f"wrote {out}/robustness.html and robustness.json" if out is not None else "for a page of it: -o FOLDER", err=True)


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"{found['table']}: {found['asked']:,} of {found['with_target']:,} rows with a target, seed {found['seed']}"
    for target, facts in found["targets"].items():
        metric, curves = facts["metric"], facts["curves"]
        yield f"{target}: {metric} {number(facts['whole'][metric])} of untouched cells, {facts['rows']:,} rows"
        wide = max(5, *(cell_len(name_of(curve)) for curve in curves))
        long = max(10, *(cell_len(curve["corruption"]) for curve in curves))
        for missing in (False, True):
            shown = [curve for curve in curves if (curve["corruption"] == MISSING) == missing]
            if not shown:
                continue
            heads = [f"{level:.0%}" if missing else str(level) for level in shown[0]["levels"]]
            effective = any(curve["effective"] is not None for curve in shown)
            yield (
                "  " + set_cell_size("field", wide) + "  " + set_cell_size("corruption", long)
                + "".join(f"{head:>8}" for head in heads) + f"{'relative':>10}" + (f"{'effective':>11}" if effective else "")
            )  # fmt: skip
            for curve in shown:
                values = "".join(f"{number(one[metric]):>8}" for one in curve["metrics"])
                beyond = "-" if curve["effective"] is None else f"{curve['effective']:+.4f}"
                yield (
                    "  " + set_cell_size(name_of(curve), wide) + "  " + set_cell_size(curve["corruption"], long) + values
                    + f"{number(curve['relative']):>10}" + (f"{beyond:>11}" if effective else "")
                )  # fmt: skip
    if found["against"] is not None:
        yield f"effective: what is lost less than by {found['against']}"
