"""The files of a fitted estimator: a bundle, and ``estimator.json`` with its parameters, columns and classes. A pickle contains the same
bytes, and is read with the same checks.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..bundle import Bundle
from ..errors import BundleError, PolymodalError, UserError
from ..predictor import Predictor
from ..storage import checksum_of, not_written, write_whole
from ..tasks.names import name_of
from . import targets

FILE = "estimator.json"
FORMAT = 1
_FILES = ("bundle.json", "states.json", "weights.safetensors", "frozen.safetensors", FILE)
"""The files that a pickle contains, if there are any."""
_STATE = {"parameters", "files"}


def save(estimator: Any, folder: Path) -> Path:
    """Write a fitted estimator into a folder: its bundle, then ``estimator.json``."""
    facts = _facts(estimator)  # before anything is written
    folder = estimator.model_.save(folder)
    facts["bundle"] = Bundle.digest(folder)
    body = json.dumps(facts | {"check": checksum_of(facts)}, ensure_ascii=False, indent=1) + "\n"
    try:
        write_whole(folder / FILE, body.encode())
    except OSError as error:
        raise BundleError(not_written(folder, error, "folder")) from None
    return folder


def restore(estimator: Any, folder: Path, trust: bool = False, device: str | None = None) -> None:
    """Give an estimator the parameters and the model of a folder that ``save`` wrote.

    :param trust: whether to allow external components, whose code is executed
    :param device: the device of predictions; None = that of the parameters
    :raises BundleError: the folder contains no estimator of this class, or was altered
    :raises ConfigError: the device is not available
    """
    path, name = folder / FILE, type(estimator).__name__
    try:
        facts = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise BundleError(f"{folder}: no {FILE}; expected a folder that {name}.save wrote; load other bundles by polymodal.load") from None
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"{path}: cannot be read ({error}); copy the folder again, whole") from None
    if not isinstance(facts, dict) or facts.get("check") != checksum_of({key: facts[key] for key in facts if key != "check"}):
        raise BundleError(f"{path}: altered since it was written; copy the folder again, whole")
    if not isinstance(facts.get("format"), int) or facts["format"] > FORMAT:
        raise BundleError(f"{path}: format {facts.get('format')}; expected {FORMAT} or less; pip install --upgrade polymodal")
    if facts.get("estimator") != name:
        raise BundleError(f"{path}: of a {facts.get('estimator')}; expected a {name}; load it by {facts.get('estimator')}.load")
    if facts.get("bundle") != Bundle.digest(folder):
        raise BundleError(f"{folder}: its bundle is not the one that {FILE} was written with; copy the folder again, whole")
    bundle = Bundle.load(folder, trust)
    try:
        _restore(estimator, facts, bundle)
    except (AttributeError, LookupError, OverflowError, PolymodalError, TypeError, ValueError) as error:
        raise BundleError(f"{path}: its parts do not fit together ({str(error)[:300]}); copy the folder again, whole") from None
    estimator.device = device or estimator.device
    estimator.model_ = Predictor(bundle, root=estimator.root or (), device=estimator.device)


def packed(estimator: Any) -> dict[str, Any]:
    """Return the state of an estimator for a pickle: plain parameters, and the content of its files if it is fitted."""
    if getattr(estimator, "model_", None) is None:
        return {"parameters": estimator.get_params(deep=False), "files": {}}
    with tempfile.TemporaryDirectory(prefix="polymodal-") as name:
        folder = save(estimator, Path(name))
        files = {name: (folder / name).read_bytes() for name in _FILES if (folder / name).is_file()}
    return {"parameters": _parameters(estimator), "files": files}


def unpack(estimator: Any, state: Any) -> None:
    """Give an estimator the state that ``packed`` returned.

    :raises BundleError: the state is another one, or its files are no valid estimator
    """
    name = type(estimator).__name__
    if not isinstance(state, dict) or set(state) != _STATE or not isinstance(state["files"], dict):
        raise BundleError(f"the pickle of a {name}: found other content; expected its parameters and files; pickle it again")
    files = state["files"]
    if not set(files) <= set(_FILES) or not all(isinstance(body, bytes) for body in files.values()):
        raise BundleError(f"the pickle of a {name}: found files that no estimator has; expected those of {name}.save; pickle it again")
    if not files:  # not fitted
        _set_parameters(estimator, state["parameters"])
        return
    with tempfile.TemporaryDirectory(prefix="polymodal-") as folder:
        for file, body in files.items():
            (Path(folder) / file).write_bytes(body)
        restore(estimator, Path(folder))


def _facts(estimator: Any) -> dict[str, Any]:
    """Return what ``estimator.json`` contains, except the digests."""
    return {
        "format": FORMAT,
        "polymodal": __version__,
        "estimator": type(estimator).__name__,
        "parameters": _parameters(estimator),
        "columns": estimator.columns_,
        "named": hasattr(estimator, "feature_names_in_"),
        "target": estimator.target_,
        "seed": estimator.seed_,
        "classes": targets.facts_of(getattr(estimator, "classes_", None)),
        "cells": getattr(estimator, "cells_", None),
    }


def _parameters(estimator: Any) -> dict[str, Any]:
    """Return the parameters of a fitted estimator as plain data. A generator of random numbers is replaced by the seed that it gave.

    :raises UserError: a parameter cannot be written as JSON
    """
    parameters = {}
    for name, value in estimator.get_params(deep=False).items():
        if name == "random_state" and value is not None:
            value = estimator.seed_
        try:
            parameters[name] = json.loads(json.dumps(value, default=_plain))
        except (TypeError, ValueError, RecursionError):
            found = type(value).__name__
            raise UserError(f"{name}: found {found}; expected texts, numbers, lists or a dict, which a file can contain") from None
    return parameters


def _plain(value: Any) -> Any:
    """Return a path or a number of NumPy as plain data."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError


def _set_parameters(estimator: Any, parameters: Any) -> None:
    """Set all parameters of an estimator.

    :raises BundleError: they are not those of its class
    """
    if not isinstance(parameters, Mapping) or set(parameters) != set(estimator._get_param_names()):
        raise BundleError(f"{type(estimator).__name__}: other parameters than those of this version; fit it again")
    for name, value in parameters.items():
        setattr(estimator, name, tuple(value) if isinstance(value, list) else value)


def _restore(estimator: Any, facts: Mapping[str, Any], bundle: Bundle) -> None:
    """Set the parameters and the attributes of a fitted estimator.

    :raises ValueError: the facts do not fit the bundle
    """
    columns, target = facts["columns"], facts["target"]
    if not isinstance(columns, list) or not columns or not all(isinstance(name, str) for name in columns):
        raise ValueError("columns that are no texts")
    task = next(iter(bundle.tasks.values()))
    if len(bundle.tasks) != 1 or task.config.column != target or task.config.kind not in estimator._kinds:
        raise ValueError("a target of another estimator")
    if not set(bundle.experiment.columns()) <= set(columns):
        raise ValueError("a bundle of other columns")
    _set_parameters(estimator, facts["parameters"])
    if task.has_classes:
        cells = facts["cells"]
        estimator.classes_ = targets.classes_of_facts(facts["classes"])
        if not isinstance(cells, list) or len(cells) != len(estimator.classes_):
            raise ValueError("another number of classes")
        if not set(task.state["classes"]) <= {name_of(cell) for cell in cells}:
            raise ValueError("a bundle of other classes")
        estimator.cells_ = cells
    estimator.columns_, estimator.target_, estimator.seed_ = columns, target, int(facts["seed"])
    estimator.n_features_in_ = len(columns)
    if facts["named"]:
        estimator.feature_names_in_ = np.array(columns, object)
