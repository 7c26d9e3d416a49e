"""``polymodal explain``: prints the contribution of each field to the predictions of a model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from .options import complete_path, json_option, model_options, out_option, overwrite_option, rows_option, run_argument

if TYPE_CHECKING:
    from ..language import Words
    from .output import Line


@click.command()
@run_argument
@click.argument("table", shell_complete=complete_path)
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
    from .output import say, show
    from .output import words as texts
    from .warnings import warnings_as_lines

    with warnings_as_lines():
        result = explain_model(run, table, rows=rows, out=out, **settings)
    if as_json:
        click.echo(json.dumps(result, ensure_ascii=False))
        return
    show(_model_lines(result) if rows is None else _row_lines(result))
    words = texts()
    files = {"folder": out, "page": "explain.html", "data": "explain.json"}
    say(words("wrote_page", **files) if out is not None else words("page_hint"))


def _model_lines(result: Mapping[str, Any]) -> list[Line]:
    """Return the contributions of the fields to the metric of each target, as lines of text."""
    from .metric_table import format_number
    from .output import Table, legend_lines, table_lines, text_lines
    from .output import words as texts

    words = texts()
    lines = text_lines(words("evaluate.sampled", table=result["table"], sampled=result["asked"], with_target=result["with_target"]))
    keys = ("explain.share", "explain.shapley", "explain.alone", "explain.without", "explain.permuted", "explain.perceptual")
    for target, facts in result["targets"].items():
        metric, whole, nothing = facts["metric"], format_number(facts["whole"]), format_number(facts["nothing"])
        title = words("explain.whole_line", target=target, metric=metric, whole=whole, nothing=nothing, rows=facts["rows"])
        rows = []
        for field, values in facts["fields"].items():
            share = "-" if values["share"] is None else f"{values['share']:.1%}"
            permuted = values["permuted"]
            others = map(format_number, (values["alone"], values["without"][metric], permuted["mean"]))
            score = _with_error(permuted["score"], permuted["spread"])
            rows.append([field, share, _with_error(values["shapley"], values["error"]), *others, score])
        lines += [("", ""), *text_lines(title, "bold"), *table_lines(Table([words("field"), *map(words, keys)], rows))]
        if facts["additive"] is not None:
            additive = facts["additive"]
            value = _with_error(additive["metric"], additive["error"])
            whole = format_number(additive["whole"])
            lines += text_lines(
                words("explain.nearest_sum", rows=additive["rows"], metric=metric, value=value, whole=whole), "", "  ", "  "
            )
        if facts["orders"]:
            lines += text_lines(words("explain.orders", orders=facts["orders"]), "dim", "  ", "  ")
    return [*lines, *legend_lines(words("legend.explain"))]


def _with_error(value: float | None, error: float | None) -> str:
    """Return a number, with its standard error if there is one."""
    from .metric_table import format_number

    return format_number(value) + ("" if error is None else f" ± {format_number(error)}")


def _row_lines(result: Mapping[str, Any]) -> list[Line]:
    """Return the contributions of the fields, and of the strongest parts of their cells, to the prediction of each row."""
    from .output import Table, legend_lines, table_lines, text_lines
    from .output import words as texts

    words = texts()
    lines: list[Line] = []
    for row in result["explained"]:
        key = "explain.row_faults" if row["faults"] else "explain.row_title"
        title = words(key, row=row["row"], faults=row["faults"])
        lines += text_lines(words("explain.row_skipped", row=title) if row["skipped"] else title, "bold")
        for target, facts in row.get("targets", {}).items():
            values = {"whole": f"{facts['whole']:+z.4f}", "nothing": f"{facts['nothing']:+z.4f}"}
            unit = words.value("unit", facts["unit"])
            line = words("explain.row_prediction", target=target, prediction=_prediction(words, facts), unit=unit, **values)
            lines += text_lines(line, "", "  ", "    ")
            rows = []
            for field, value in facts["fields"].items():
                error = "" if value["error"] is None else f" ± {value['error']:z.4f}"
                parts = row["cells"][field]["parts"]
                strongest = [] if parts is None else _strongest(parts["names"], value["parts"])
                named = words("list_separator").join(f"{name} {part:+z.4f}" for name, part in strongest)
                rows.append([field, f"{value['shapley']:+z.4f}{error}", named])
            heads = [words("field"), words("explain.contribution"), words("explain.strongest")]
            lines += table_lines(Table(heads, rows, rest=True), "    ")
    return [*lines, *legend_lines(words("explain.parts_legend"))]


def _prediction(words: Words, facts: Mapping[str, Any]) -> str:
    """Return the prediction of a target, with the probability of its class if it has one."""
    from .metric_table import format_number

    shown = format_number(facts["answer"]) if isinstance(facts["answer"], float) else str(facts["answer"])
    if facts["label"] is None:
        return shown
    key = "explain.row_probability" if facts["label"] == facts["answer"] else "explain.row_label"
    return words(key, prediction=shown, label=facts["label"], score=facts["score"])


def _strongest(names: Sequence[str], values: Sequence[float], most: int = 3) -> list[tuple[str, float]]:
    """Return the parts with the largest absolute values."""
    order = sorted(range(len(names)), key=lambda at: (-abs(values[at]), at))
    return [(names[at], values[at]) for at in order[:most]]
