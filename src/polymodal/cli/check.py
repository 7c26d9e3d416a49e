"""``polymodal check``: reports what would fail, before training."""

from __future__ import annotations

import sys
from typing import Any

import click

from ..request import TrainingSettings
from .options import out_option, settings_options, table_argument


@click.command()
@table_argument(required=True, metavar="TABLE|run.yaml|RUN")
@settings_options(TrainingSettings)
@out_option("Folder that the run would be written to.", metavar="RUN")
def check(table: str, overrides: tuple[str, ...], **settings: Any) -> None:
    """Check a table or a configuration before training.

    Reports what would fail, by row; estimates the time, memory and disk space of the training; states the precision and the reason for it.
    """
    from ..preflight import check as check_training
    from ..terminal import width_of
    from .output import show, words
    from .warnings import warnings_as_lines

    with warnings_as_lines():
        result = check_training(table, *overrides, **settings)
    show([(line, "") for line in result.lines(width_of(), words())])
    sys.exit(0 if result.ok else 2)
