"""``polymodal inspect``: describes the columns of a table."""

from __future__ import annotations

from typing import Any

import click

from ..request import TableSettings
from .options import settings_options, table_argument


@click.command()
@table_argument(required=True)
@settings_options(TableSettings)
def inspect(table: str, overrides: tuple[str, ...], **settings: Any) -> None:
    """Describe the columns of a table.

    Reports what each column contains, and what is missing, unreadable or suspicious.
    """
    from ..inspection import inspect as inspect_table
    from ..terminal import width_of
    from .output import show, words
    from .warnings import warnings_as_lines

    with warnings_as_lines():
        profile = inspect_table(table, *overrides, **settings)
    show([(line, "") for line in profile.lines(width_of(), words())])
