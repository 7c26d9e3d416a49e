"""``polymodal evaluate``: measures a model on a table; with ``--robustness``, also on corrupted and missing cells."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click

from .options import json_option, model_options, out_option, overwrite_option, run_argument


@click.command()
@run_argument
@click.argument("table")
@json_option
@model_options
@click.option("--robustness", is_flag=True, help="Also measure with cells that are corrupted, at five severities, or missing.")
@click.option("--against", metavar="RUN", help="The baseline of effective robustness: another run, such as one with late fusion.")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of the rows and corruptions that --robustness samples; default: 0.")
@out_option("Write robustness.json and robustness.html to this folder.", metavar="FOLDER")
@overwrite_option("Replace what is in FOLDER.")
def evaluate(
    run: str,
    table: str,
    *,
    as_json: bool,
    robustness: bool,
    against: str | None,
    seed: int | None,
    out: str | None,
    overwrite: bool,
    **settings: Any,
) -> None:
    """Measure a trained model on a table with targets.

    With --robustness, it is also measured with corrupted and missing cells.
    """
    if robustness:
        _evaluate_robustness(run, table, as_json=as_json, out=out, against=against, seed=seed or 0, overwrite=overwrite, **settings)
        return
    given = {"--against": against is not None, "--seed": seed is not None, "--out": out is not None, "--overwrite": overwrite}
    for name, is_given in given.items():
        if is_given:
            raise click.UsageError(f"{name} without --robustness: it has no effect; add --robustness, or leave it out")
    _evaluate(run, table, as_json=as_json, **settings)


def _evaluate(run: str, table: str, *, as_json: bool, trust: bool, device: Any, **settings: Any) -> None:
    """Evaluate a model on the cells of a table as they are, and print the metrics."""
    from ..data.class_notes import unknown_line
    from ..predictor import load
    from ..training.observers import plain
    from .metric_table import metric_lines
    from .warnings import warnings_as_lines

    with warnings_as_lines():
        result = load(run, trust=trust, device=device).evaluate(table, **settings)
    for metric, reason in result.pop("undefined", {}).items():
        click.echo(f"{metric}: undefined here ({reason})", err=True)
    for facts, of in (("without_target", "without a target"), ("unreadable", "with a target that cannot be read")):
        for target, count in result.pop(facts, {}).items():
            if count:
                click.echo(f"{target}: {count:,} row{' is' if count == 1 else 's are'} left out, {of}", err=True)
    measured = result.pop("measured", {})
    for target, counts in result.pop("unknown", {}).items():
        click.echo(f"{target}: {unknown_line({'these': counts})}; they count as answered wrongly", err=True)
    if as_json:
        click.echo(json.dumps(plain(result), ensure_ascii=False))
        return
    for target, metrics in result["tasks"].items():
        rows = [("all fields", metrics), *((f"without {field}", by_task[target]) for field, by_task in result["hidden"].items())]
        for line in metric_lines(f"{target}, {_of_rows(measured.get(target, result['rows']), result['rows'])}", list(metrics), rows):
            click.echo(line)


def _of_rows(measured: int, rows: int) -> str:
    """Return the number of rows that were measured, and that of all rows if it is another one."""
    return f"{measured:,} of {rows:,} rows" if measured != rows else f"{rows:,} rows"


def _evaluate_robustness(run: str, table: str, *, out: str | None, as_json: bool, **settings: Any) -> None:
    """Measure the robustness of a model, write the files, and print the result."""
    from ..analysis import robustness
    from .warnings import warnings_as_lines

    with warnings_as_lines():
        result = robustness(run, table, out=out, **settings)
    if as_json:
        click.echo(json.dumps(result, ensure_ascii=False))
    else:
        for line in _robustness_lines(result):
            click.echo(line)
    click.echo(f"wrote {out}/robustness.html and robustness.json" if out is not None else "for a page of it: -o FOLDER", err=True)


def _robustness_lines(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield the metrics by field, corruption and severity, as lines of text."""
    from rich.cells import cell_len, set_cell_size

    from ..evaluation.robustness import MISSING
    from .metric_table import format_number

    yield f"{result['table']}: {result['asked']:,} of {result['with_target']:,} rows with a target, seed {result['seed']}"
    for target, facts in result["targets"].items():
        metric, curves = facts["metric"], facts["curves"]
        yield f"{target}: {metric} {format_number(facts['whole'][metric])} of untouched cells, {facts['rows']:,} rows"
        name_width = max(5, *(cell_len(_name_of(curve)) for curve in curves))
        corruption_width = max(10, *(cell_len(curve["corruption"]) for curve in curves))
        for missing in (False, True):
            shown = [curve for curve in curves if (curve["corruption"] == MISSING) == missing]
            if not shown:
                continue
            heads = [f"{level:.0%}" if missing else str(level) for level in shown[0]["levels"]]
            has_effective = any(curve["effective"] is not None for curve in shown)
            yield (
                "  " + set_cell_size("field", name_width) + "  " + set_cell_size("corruption", corruption_width)
                + "".join(f"{head:>8}" for head in heads) + f"{'relative':>10}" + (f"{'effective':>11}" if has_effective else "")
            )  # fmt: skip
            for curve in shown:
                values = "".join(f"{format_number(metrics[metric]):>8}" for metrics in curve["metrics"])
                effective = "-" if curve["effective"] is None else f"{curve['effective']:+z.4f}"
                yield (
                    "  " + set_cell_size(_name_of(curve), name_width) + "  " + set_cell_size(curve["corruption"], corruption_width) + values
                    + f"{format_number(curve['relative']):>10}" + (f"{effective:>11}" if has_effective else "")
                )  # fmt: skip
    if result["against"] is not None:
        yield f"effective: how much less is lost than by {result['against']}"


def _name_of(curve: Mapping[str, Any]) -> str:
    """Return the field of a curve, or "all fields"."""
    return "all fields" if curve["field"] is None else str(curve["field"])
