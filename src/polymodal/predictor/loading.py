"""Loading of the model of a run or of a bundle."""

from __future__ import annotations

import os
from pathlib import Path

from ..bundle import Bundle, find
from ..request import Folders
from ..training.devices import DeviceName
from .answers import Predictor
from .run_data import CONFIG, folders_of


def load(
    path: str | os.PathLike[str],
    *,
    trust: bool = False,
    root: Folders = (),
    device: DeviceName = "auto",
    low_latency: bool = False,
) -> Predictor:
    """Load the model of a run or a bundle.

    For a run, paths in a table in memory are relative to the folder of the training table, if that still exists. A bundle alone does not
    contain that folder.

    :param path: the folder of a run or a bundle
    :param trust: whether to allow external components, whose code is executed
    :param root: further folders in which to look for the files of cells
    :param device: the device of predictions (see ``Predictor``)
    :param low_latency: whether few rows are answered as fast as possible (see ``Predictor``)
    :raises BundleError: the folder contains no valid bundle, or it needs external code and ``trust`` is False
    :raises ConfigError: the device is not available
    """
    bundle = Bundle.load(Path(path), trust)
    run = find(Path(path)).parent
    return Predictor(
        bundle, root=root, run=run if (run / CONFIG).is_file() else None, trained_in=folders_of(run), device=device,
        low_latency=low_latency,
    )  # fmt: skip


def as_predictor(model: Predictor | str | os.PathLike[str], *, trust: bool = False, device: DeviceName = "auto") -> Predictor:
    """Return a predictor as it is, and load the model of a run or a bundle from its path (see ``load``)."""
    return model if isinstance(model, Predictor) else load(model, trust=trust, device=device)
