"""``polymodal report``: writes the report of a run."""

from __future__ import annotations

from pathlib import Path

import click

from .mistakes import Menu
from .options import run_argument


@click.command()
@run_argument
@click.option("--language", type=Menu(["auto", "en", "zh"]), help="Language of the page; default: the run's report.language.")
def report(run: str, language: str | None) -> None:
    """Write the report.html of a run again.

    The report is one page that needs no other file.
    """
    from ..pages import write
    from .output import show_wrote

    show_wrote(write(Path(run), language))
