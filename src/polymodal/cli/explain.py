"""``polymodal explain``: prints the contribution of each field to the predictions of a model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from .options import json_option, model_options, out_option, overwrite_option, rows_option, run_argument


@click.command()
@run_argument
@click.argument("table")
@rows_option
@out_option("Write explain.json and explain.html to this folder.", metavar="FOLDER")
@json_option
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the rows that are sampled, and of the permutations."
)
@model_options
@overwrite_option("Replace what is in FOLDER.")
def explain(run: str, table: str, *, rows: Sequence[int] | None, out: str | None, as_json: bool, **settings: Any) -> None:
    """Report what each field contributes to a model's predictions.

    With --rows, the predictions of these rows are explained, by fields and by parts of their cells.
    """
    from ..analysis import explain as explain_model
    from .warnings import warnings_as_lines

    with warnings_as_lines():
        result = explain_model(run, table, rows=rows, out=out, **settings)
    if as_json:
        click.echo(json.dumps(result, ensure_ascii=False))
        return
    for line in _model_lines(result) if rows is None else _row_lines(result):
        click.echo(line)
    click.echo(f"wrote {out}/explain.html and explain.json" if out is not None else "for a page of it: -o FOLDER", err=True)


def _model_lines(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield the contributions of the fields to the metric of each target, as lines of text."""
    from rich.cells import cell_len, set_cell_size

    from .metric_table import format_number

    yield f"{result['table']}: {result['asked']:,} of {result['with_target']:,} rows with a target"
    for target, facts in result["targets"].items():
        metric, whole, nothing = facts["metric"], format_number(facts["whole"]), format_number(facts["nothing"])
        yield f"{target}: {metric} {whole} with all fields, {nothing} with none, {facts['rows']:,} rows"
        width = max(5, *map(cell_len, facts["fields"]))
        yield "  " + " " * width + f"{'share':>9}{'shapley':>18}{'alone':>9}{'without':>9}{'permuted':>9}{'perceptual score':>20}"
        for field, values in facts["fields"].items():
            share = "-" if values["share"] is None else f"{values['share']:.1%}"
            error = "" if values["error"] is None else f" ± {values['error']:z.4f}"
            permuted = values["permuted"]
            score = f"{format_number(permuted['score'])} ± {format_number(permuted['spread'])}"
            yield (
                f"  {set_cell_size(field, width)}{share:>9}{format_number(values['shapley']) + error:>18}"
                f"{format_number(values['alone']):>9}{format_number(values['without'][metric]):>9}"
                f"{format_number(permuted['mean']):>9}{score:>20}"
            )
        if facts["additive"] is not None:
            additive = facts["additive"]
            error = "" if additive["error"] is None else f" ± {format_number(additive['error'])}"
            yield (
                f"  the nearest sum of the contributions of single fields (EMAP, {additive['rows']:,} rows): {metric} "
                f"{format_number(additive['metric'])}{error}, of {format_number(additive['whole'])} with interaction"
            )


def _row_lines(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield the contributions of the fields, and of the strongest parts of their cells, to the prediction of each row."""
    from rich.cells import cell_len, set_cell_size

    from .metric_table import format_number

    for row in result["explained"]:
        yield f"row {row['row']}" + (f" ({row['faults']})" if row["faults"] else "") + (": skipped" if row["skipped"] else "")
        for target, facts in row.get("targets", {}).items():
            label = "" if facts["label"] == facts["answer"] else f"{facts['label']}: "
            score = "" if facts["label"] is None else f" ({label}probability {facts['score']:z.4f})"
            shown = format_number(facts["answer"]) if isinstance(facts["answer"], float) else facts["answer"]
            yield f"  {target}: {shown}{score}; {facts['unit']} {facts['whole']:+z.4f}, without any field {facts['nothing']:+z.4f}"
            width = max(map(cell_len, facts["fields"]), default=0)
            for field, values in facts["fields"].items():
                error = "" if values["error"] is None else f" ± {values['error']:z.4f}"
                parts = row["cells"][field]["parts"]
                strongest = [] if parts is None else _strongest(parts["names"], values["parts"])
                named = ", ".join(f"{name} {value:+z.4f}" for name, value in strongest)
                yield f"    {set_cell_size(field, width)} {values['shapley']:+z.4f}{error}" + (f"   {named}" if named else "")


def _strongest(names: Sequence[str], values: Sequence[float], most: int = 3) -> list[tuple[str, float]]:
    """Return the parts with the largest absolute values."""
    order = sorted(range(len(names)), key=lambda at: (-abs(values[at]), at))
    return [(names[at], values[at]) for at in order[:most]]
