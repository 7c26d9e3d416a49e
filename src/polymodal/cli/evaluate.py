"""``polymodal evaluate``: measures a model on a table; with ``--robustness``, also on corrupted and missing cells."""

from __future__ import annotations

import json
from typing import Any

import click

from .options import complete_path, json_option, model_options, out_option, overwrite_option, run_argument


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
    from .output import say, section_lines, show
    from .output import words as texts
    from .warnings import warnings_as_lines

    words = texts()
    with warnings_as_lines():
        predictor = load(run, trust=trust, device=device)
        result = predictor.evaluate(table, **settings)
    for metric, reason in result.get("undefined", {}).items():
        say(words("evaluate.undefined", metric=metric, reason=words.read(reason)))
    for facts in ("without_target", "unreadable"):
        for target, count in result.get(facts, {}).items():
            if count:
                say(words("evaluate.rows_left_out", target=target, rows=count, why=words(f"evaluate.{facts}")))
    for target, counts in result.get("unknown", {}).items():
        say(words("evaluate.unknown", target=target, line=words.read(unknown_line({"these": counts}))))
    if as_json:
        noted = ("undefined", "without_target", "unreadable", "measured", "unknown", "trained_on")
        click.echo(json.dumps(plain({key: value for key, value in result.items() if key not in noted}), ensure_ascii=False))
    else:
        show(section_lines(result.sections(words)))


def _evaluate_robustness(run: str, table: str, *, out: str | None, as_json: bool, **settings: Any) -> None:
    """Measure the robustness of a model, write the files, and print the result."""
    from ..analysis import robustness
    from .output import say, section_lines, show
    from .output import words as texts
    from .warnings import warnings_as_lines

    words = texts()
    with warnings_as_lines():
        result = robustness(run, table, out=out, **settings)
    if as_json:
        click.echo(json.dumps(result, ensure_ascii=False))
    else:
        show(section_lines(result.sections(words)))
    files = {"folder": out, "page": "robustness.html", "data": "robustness.json"}
    say(words("wrote_page", **files) if out is not None else words("page_hint"))
