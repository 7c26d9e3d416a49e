"""``polymodal inspect``: describes the columns of a table."""

from __future__ import annotations

from typing import Any

import click

from .options import data_options, table_argument, target_option


@click.command()
@table_argument(required=True)
@target_option()
@data_options
def inspect(table: str, overrides: tuple[str, ...], targets: tuple[str, ...], seed: int | None, **settings: Any) -> None:
    """Describe the columns of a table.

    Reports what each column contains, and what is missing, unreadable or suspicious.
    """
    from ..inspection import inspect as inspect_table
    from .warnings import warnings_as_lines

    with warnings_as_lines():
        profile = inspect_table(table, *overrides, target=list(targets), seed=seed or 0, **settings)
    click.echo(profile.text())
