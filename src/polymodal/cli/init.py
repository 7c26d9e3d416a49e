"""``polymodal init``: writes the configuration for a table."""

from __future__ import annotations

import shlex
from typing import Any

import click

from ..request import TableSettings
from .options import out_option, overwrite_option, settings_options, table_argument


@click.command()
@table_argument(required=True)
@settings_options(TableSettings, target_required=True)
@out_option("The file to write; - for standard output.", default="run.yaml")
@overwrite_option("Replace an existing file.")
def init(table: str, overrides: tuple[str, ...], out: str, **settings: Any) -> None:
    """Write a complete run.yaml for a table.

    The file states the reason for each choice.
    """
    from ..inspection import init as write_yaml
    from .output import show, words
    from .warnings import warnings_as_lines

    with warnings_as_lines():
        text = write_yaml(table, *overrides, out=None if out == "-" else out, **settings)
    if out == "-":
        click.echo(text)
    else:
        show([(words()("init.train", path=out, command=f"polymodal train {shlex.quote(out)}"), "")])
