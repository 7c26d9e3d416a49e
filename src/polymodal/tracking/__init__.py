"""Trackers: observers that write a run to MLflow, Weights & Biases or TensorBoard (``training.track``, ``--track``).

``tracker`` contains what they share: the settings, the curves, the final figures, the resumption of a tracked run, and the treatment of
errors. Each tracker is one subclass. ``stored_model`` is the model that MLflow stores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ..experiment import Experiment
from ..request import TrackerName
from .mlflow_runs import MLflow
from .tensorboard_curves import TensorBoard
from .tracker import TRACKING, Tracker, flat
from .wandb_runs import WandB

TRACKERS: dict[TrackerName, type[Tracker]] = {"mlflow": MLflow, "wandb": WandB, "tensorboard": TensorBoard}
"""The trackers by their names in ``training.track``."""

__all__ = ["TRACKERS", "TRACKING", "MLflow", "TensorBoard", "Tracker", "WandB", "check_installed", "flat", "trackers"]


def trackers(experiment: Experiment, folder: Path, note: Callable[[str], None]) -> list[Tracker]:
    """Return the trackers of a run.

    :param experiment: the experiment, of which ``training.track`` names the trackers
    :param folder: the folder of the run
    :param note: called with a line that states where the run is tracked
    """
    settings = flat(experiment.with_absolute_paths().tree())
    return [TRACKERS[name].of_run(folder, settings, note) for name in experiment.training.track]


def check_installed(names: Sequence[TrackerName]) -> None:
    """Raise ``MissingDependency`` if the package of a tracker is not installed."""
    for name in names:
        TRACKERS[name].check_installed()
