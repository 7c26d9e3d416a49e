"""``polymodal evaluate``: measures a model on a table; with ``--robustness``, also on corrupted and missing cells."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from .options import complete_path, json_option, model_options, out_option, overwrite_option, run_argument

if TYPE_CHECKING:
    from .output import Line


@click.command()
@run_argument
@click.argument("table", shell_complete=complete_path)
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
    from .output import say, show
    from .output import words as texts
    from .warnings import warnings_as_lines

    words = texts()
    with warnings_as_lines():
        predictor = load(run, trust=trust, device=device)
        result = predictor.evaluate(table, **settings)
    for metric, reason in result.pop("undefined", {}).items():
        say(words("evaluate.undefined", metric=metric, reason=words.read(reason)))
    for facts in ("without_target", "unreadable"):
        for target, count in result.pop(facts, {}).items():
            if count:
                say(words("evaluate.rows_left_out", target=target, rows=count, why=words(f"evaluate.{facts}")))
    measured = result.pop("measured", {})
    for target, counts in result.pop("unknown", {}).items():
        say(words("evaluate.unknown", target=target, line=words.read(unknown_line({"these": counts}))))
    if as_json:
        click.echo(json.dumps(plain(result), ensure_ascii=False))
        return
    for target, metrics in result["tasks"].items():
        task = predictor.bundle.tasks[target]
        hidden = [(words("without", field=field), by_task[target]) for field, by_task in result["hidden"].items()]
        rows = measured.get(target, result["rows"])
        of = words("evaluate.rows", rows=rows)
        if rows != result["rows"]:
            of = words("evaluate.some_rows", measured=rows, rows=result["rows"])
        smaller = [metric for metric in metrics if task.sign(metric) < 0]
        groups = [[(words("all_fields"), metrics), *hidden]]
        show(metric_lines(words, words("evaluate.title", target=target, rows=of), list(metrics), groups, smaller))


def _evaluate_robustness(run: str, table: str, *, out: str | None, as_json: bool, **settings: Any) -> None:
    """Measure the robustness of a model, write the files, and print the result."""
    from ..analysis import robustness
    from .output import say, show
    from .output import words as texts
    from .warnings import warnings_as_lines

    with warnings_as_lines():
        result = robustness(run, table, out=out, **settings)
    if as_json:
        click.echo(json.dumps(result, ensure_ascii=False))
    else:
        show(_robustness_lines(result))
    words = texts()
    files = {"folder": out, "page": "robustness.html", "data": "robustness.json"}
    say(words("wrote_page", **files) if out is not None else words("page_hint"))


def _robustness_lines(result: Mapping[str, Any]) -> list[Line]:
    """Return the metrics by field, corruption and severity, as lines of text."""
    from ..evaluation.robustness import MISSING
    from .metric_table import format_number
    from .output import Table, legend_lines, table_lines, text_lines
    from .output import words as texts

    words = texts()
    facts = {"table": result["table"], "sampled": result["asked"], "with_target": result["with_target"], "seed": result["seed"]}
    lines = text_lines(words("evaluate.sampled_seed", **facts))
    for target, found in result["targets"].items():
        metric, curves = found["metric"], found["curves"]
        value = format_number(found["whole"][metric])
        lines += [("", ""), *text_lines(words("evaluate.untouched", target=target, metric=metric, value=value, rows=found["rows"]), "bold")]
        for missing in (False, True):
            shown = [curve for curve in curves if (curve["corruption"] == MISSING) == missing]
            if not shown:
                continue
            has_effective = any(curve["effective"] is not None for curve in shown)
            levels = [f"{level:.0%}" if missing else str(level) for level in shown[0]["levels"]]
            last = [words("robustness.relative"), *([words("robustness.effective")] if has_effective else [])]
            rows = []
            for curve in shown:
                name = words("all_fields") if curve["field"] is None else str(curve["field"])
                values = [*(format_number(metrics[metric]) for metrics in curve["metrics"]), format_number(curve["relative"])]
                if has_effective:
                    values.append("-" if curve["effective"] is None else f"{curve['effective']:+z.4f}")
                rows.append([name, words.value("corruption", curve["corruption"]), *values])
            heads = [words("field"), words("robustness.corruption"), *levels, *last]
            lines += [("", ""), *table_lines(Table(heads, rows, left=2))]
    against = "" if result["against"] is None else words("evaluate.against", baseline=words.value("baseline", result["against"]))
    return [*lines, *legend_lines(words("legend.relative_only"), against)]
