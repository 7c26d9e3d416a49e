"""``polymodal predict``: writes the predictions of a model for a table, or prints those for one row."""

from __future__ import annotations

import json
from typing import Any

import click

from .options import complete_path, model_options, out_option, overwrite_option, run_argument


@click.command()
@run_argument
@click.argument("table", required=False, shell_complete=complete_path)
@click.option("--row", metavar="JSON", help="One row as JSON, instead of a table.")
@out_option("The file to write: .csv, .parquet or .jsonl; - prints CSV.", metavar="OUT")
@model_options
@overwrite_option("Replace OUT.")
@click.option(
    "--coverage", type=float, metavar="SHARE", help="Add sets, or intervals, that contain the truth for this share of rows, such as 0.9."
)
@click.option(
    "--abstain-below",
    type=click.FloatRange(0, 1),
    metavar="P",
    help="Leave the prediction empty if no class has at least this probability.",
)
def predict(
    run: str,
    table: str | None,
    *,
    row: str | None,
    out: str | None,
    root: tuple[str, ...],
    encoding: str | None,
    on_error: Any,
    strict: bool,
    trust: bool,
    device: Any,
    overwrite: bool,
    coverage: float | None,
    abstain_below: float | None,
) -> None:
    """Predict the rows of a table, or one row given as JSON."""
    if (table is None) == (row is None):
        raise click.UsageError("expected a trained run and a table, polymodal predict RUN TABLE -o OUT; or one row: RUN --row JSON")
    if table is not None and out is None:
        raise click.UsageError("missing -o OUT: the file to write (.csv, .parquet or .jsonl), or - to print CSV")
    from ..outputs import PredictionTable, check_path, csv_lines, json_line
    from ..predictor import load
    from .output import say, words
    from .warnings import warnings_as_lines

    file = None if out == "-" else out
    with warnings_as_lines():
        predictor = load(run, trust=trust, device=device)
    outputs = PredictionTable(predictor, coverage=coverage, abstain_below=abstain_below)
    if file is not None:
        check_path(file, overwrite=overwrite, inputs=[] if table is None else [table])
    with warnings_as_lines():
        if row is not None:
            rows = []
            for record in outputs.predict([_parse_row(row)], on_error=on_error, strict=strict, root=[*root, "."]):
                click.echo(json_line(record))
                rows.append(record)
            if file is not None:
                outputs.write(file, rows, overwrite=overwrite)
            return
        predictions = outputs.predict(table, on_error=on_error, strict=strict, root=root, encoding=encoding)
        if file is None:
            for line in csv_lines(outputs.columns, predictions):
                click.echo(line, nl=False)
            return
        count = outputs.write(file, predictions, overwrite=overwrite)
    say(words()("predict.wrote", path=file, rows=count))


def _parse_row(text: str) -> dict[str, Any]:
    """Return the row that ``--row`` gives as JSON."""
    from ..errors import DataError

    try:
        row = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f'--row: not valid JSON ({error}); expected an object such as \'{{"title": "..."}}\'') from None
    if not isinstance(row, dict):
        raise DataError(f"--row: found {type(row).__name__}; expected an object of column: value")
    return row
