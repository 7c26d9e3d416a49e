"""``polymodal card``: writes the model card of a run."""

from __future__ import annotations

import os

import click

from .mistakes import Menu
from .options import run_argument


@click.command()
@run_argument
@click.option("-o", "--out", metavar="FILE", help="The Markdown file to write; default: README.md in RUN.")
@click.option("--overwrite", is_flag=True, help="Replace the file if it exists.")
@click.option("--license", "licence", metavar="NAME", help="The identifier of the model's licence, such as apache-2.0.")
@click.option(
    "--text-language", "languages", multiple=True, metavar="CODE", help="A language of the texts that the model reads, such as en."
)
@click.option("--language", type=Menu(["auto", "en", "zh"]), help="Language of the card; default: the run's report.language.")
def card(run: str, out: str | None, overwrite: bool, licence: str | None, languages: tuple[str, ...], language: str | None) -> None:
    """Write a model card for the Hugging Face Hub.

    The card states what the model reads and predicts, its metrics on validation rows beside those of single fields, and its guarantees.
    """
    from ..runs.card import write_card
    from .output import show_wrote

    out = os.path.join(run, "README.md") if out is None else out
    show_wrote(write_card(run, out, language=language, licence=licence, languages=languages, overwrite=overwrite))
