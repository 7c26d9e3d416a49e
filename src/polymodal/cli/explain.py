"""``polymodal explain``: prints the contribution of each field to the predictions of a model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from .options import complete_path, json_option, model_options, out_option, overwrite_option, rows_option, run_argument


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
    from .output import say, section_lines, show
    from .output import words as texts
    from .warnings import warnings_as_lines

    with warnings_as_lines():
        result = explain_model(run, table, rows=rows, out=out, **settings)
    if as_json:
        click.echo(json.dumps(result, ensure_ascii=False))
        return
    words = texts()
    show(section_lines(result.sections(words)))
    files = {"folder": out, "page": "explain.html", "data": "explain.json"}
    say(words("wrote_page", **files) if out is not None else words("page_hint"))
