"""``polymodal schema``: prints the JSON schema of ``run.yaml``."""

from __future__ import annotations

import json

import click


@click.command()
def schema() -> None:
    """Print the JSON schema of run.yaml, for editors."""
    from ..experiment import Experiment

    click.echo(json.dumps(Experiment.model_json_schema(), indent=1, ensure_ascii=False))
