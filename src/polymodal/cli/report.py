"""``polymodal report``: writes the report of a run."""

from __future__ import annotations

from pathlib import Path

import click

from .options import run_argument


@click.command()
@run_argument
def report(run: str) -> None:
    """Write the report.html of a run again.

    The report is one page that needs no other file.
    """
    from ..report import write

    click.echo(f"wrote {write(Path(run))}")
