"""Trials of the models of a run: some steps of each on some rows, and some cells through each frozen backbone."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch

from ..data.reading import read_cell
from ..data.sources import Source, open_source
from ..ensemble.decisions import DecisionsInMemory
from ..ensemble.plan import Trial
from ..ensemble.trainer import EnsembleTrainer
from ..ensemble.trials import try_out
from ..errors import DataError
from ..experiment import Experiment
from ..flow import FUSED, Cell, Sample
from ..frozen import seconds_of
from ..inference import BLOCK
from ..preparation import Prepared, prepare
from ..training.checkpoint import Checkpoints
from ..training.clock import Clock
from ..training.config import usual_batch_size
from ..training.devices import pick_device
from ..training.observers import Observer
from .estimate import Reading

_MAX_ROWS = 256
_MIN_ROWS = 20
_SECONDS = 0.4
"""The approximate seconds of the training steps of one model."""


def try_models(
    experiment: Experiment, source: Source, sample: Mapping[int, Mapping[str, Cell]], reading: Reading
) -> dict[str, Trial] | None:
    """Return the trial of the model of all fields, under "", and of each single field if baselines are trained.

    The measurements of frozen backbones are added to ``reading``.

    :param sample: rows of the table by row number (``sample_rows``)
    :returns: the trials; None = there are too few rows
    :raises UserError: a model cannot be tried
    """
    rows = [dict(sample[at]) for at in list(sample)[:_MAX_ROWS]]
    if len(rows) < _MIN_ROWS:
        return None
    tried = _for_trials(experiment, source)
    table = open_source(rows, name=source.name)
    table.folder = source.folder
    with tempfile.TemporaryDirectory(prefix="polymodal-") as folder, torch.random.fork_rng(devices=[]):
        try:
            prepared = prepare(tried, table, None, Path(folder))
        except DataError:  # a fault of these few rows alone
            return None
        try:
            trainer = EnsembleTrainer(tried, prepared, Clock(None), Observer(), lambda: False, Checkpoints(None), DecisionsInMemory())
            names = [FUSED, *(trainer.fields if trainer.has_baselines else [])]
            reading.frozen = {name: _backbone_cost(name, prepared) for name in prepared.backbones}
            reading.trees = partial(trainer.trees.seconds, torch.get_num_threads())
            return {name: try_out(trainer, name, _SECONDS) for name in names}
        finally:
            prepared.close()


def _for_trials(experiment: Experiment, source: Source) -> Experiment:
    """Return the experiment with settings that suit few rows: a random split, no limit on faults, and no other tables."""
    config, data = experiment.training, experiment.data
    size = config.batch_size or usual_batch_size(source.rows)
    plain = data.split.model_copy(update={"kind": "random", "column": None, "group": None, "copies": "ignore", "valid": 0.15, "test": 0.0})
    return experiment.model_copy(
        update={
            "training": config.model_copy(update={"batch_size": size, "init": None, "time_limit": None}),
            "data": data.model_copy(update={"split": plain, "max_faults": 1.0, "on_error": "blank", "valid": None, "test": None}),
            "fields": {name: field.model_copy(update={"on_error": None}) for name, field in experiment.fields.items()},
        }
    )


def _backbone_cost(name: str, prepared: Prepared) -> tuple[float, float]:
    """Return the seconds that the frozen backbone of a field takes per cell, and the bytes of its weights."""
    backbone, modality = prepared.backbones[name], prepared.modalities[name]
    samples: list[Sample] = []
    for cell in prepared.train.source.cells(modality.config.sources):
        if modality.is_missing(cell):
            continue
        sample, fault = read_cell(modality, cell)
        if sample is not None and fault is None:
            samples.append(sample)
        if len(samples) == BLOCK:
            break
    weights = sum(value.numel() * value.element_size() for value in backbone.state_dict().values())
    return seconds_of(backbone, modality, samples, pick_device(prepared.experiment.training.device)), float(weights)
