"""polymodal: trains and measures one model on a table whose rows contain pictures, text, sounds, series, points and numbers."""

from __future__ import annotations

from os import environ as _environ
from typing import TYPE_CHECKING, Any

# MKL, which multiplies matrices for torch on x86, otherwise rounds the products of a row differently depending on its place in memory.
_environ.setdefault("MKL_CBWR", "AUTO,STRICT")

__version__ = "0.1.0"

_HOME = {
    "BundleError": "errors",
    "CellEvent": "training.events",
    "CheckpointEvent": "training.events",
    "ConfigError": "errors",
    "Console": "training.console",
    "DataError": "errors",
    "DeviceEvent": "training.events",
    "EndEvent": "training.events",
    "EpochEvent": "training.events",
    "Event": "training.events",
    "Experiment": "experiment",
    "JsonLines": "training.observers",
    "MemberEvent": "training.events",
    "MissingDependency": "errors",
    "ModelEvent": "training.events",
    "MultiModalModel": "model",
    "NoteEvent": "training.events",
    "Observer": "training.observers",
    "PlanEvent": "training.events",
    "PolymodalError": "errors",
    "Predictor": "predictor",
    "ResumeEvent": "training.events",
    "SearchEvent": "training.events",
    "StartEvent": "training.events",
    "StepEvent": "training.events",
    "TensorBoard": "tracking",
    "TrainingError": "errors",
    "TrialEvent": "training.events",
    "UndefinedEvent": "training.events",
    "UserError": "errors",
    "VotesEvent": "training.events",
    "WarningEvent": "training.events",
    "check": "preflight",
    "compare": "comparison",
    "evaluate": "runs",
    "explain": "analysis",
    "export": "exporting",
    "inspect": "inspection",
    "load": "predictor",
    "resume": "runs",
    "robustness": "analysis",
    "train": "runs",
    "tune": "tuning",
}

__all__ = ["__version__", *_HOME]
__all__.sort()

if TYPE_CHECKING:  # "X as X" marks an exported name for type checkers
    from .analysis import (
        explain as explain,
    )
    from .analysis import (
        robustness as robustness,
    )
    from .comparison import compare as compare
    from .errors import (
        BundleError as BundleError,
    )
    from .errors import (
        ConfigError as ConfigError,
    )
    from .errors import (
        DataError as DataError,
    )
    from .errors import (
        MissingDependency as MissingDependency,
    )
    from .errors import (
        PolymodalError as PolymodalError,
    )
    from .errors import (
        TrainingError as TrainingError,
    )
    from .errors import (
        UserError as UserError,
    )
    from .experiment import Experiment as Experiment
    from .exporting import export as export
    from .inspection import inspect as inspect
    from .model import MultiModalModel as MultiModalModel
    from .predictor import (
        Predictor as Predictor,
    )
    from .predictor import (
        load as load,
    )
    from .preflight import check as check
    from .runs import (
        evaluate as evaluate,
    )
    from .runs import (
        resume as resume,
    )
    from .runs import (
        train as train,
    )
    from .tracking import TensorBoard as TensorBoard
    from .training.console import Console as Console
    from .training.events import (
        CellEvent as CellEvent,
    )
    from .training.events import (
        CheckpointEvent as CheckpointEvent,
    )
    from .training.events import (
        DeviceEvent as DeviceEvent,
    )
    from .training.events import (
        EndEvent as EndEvent,
    )
    from .training.events import (
        EpochEvent as EpochEvent,
    )
    from .training.events import (
        Event as Event,
    )
    from .training.events import (
        MemberEvent as MemberEvent,
    )
    from .training.events import (
        ModelEvent as ModelEvent,
    )
    from .training.events import (
        NoteEvent as NoteEvent,
    )
    from .training.events import (
        PlanEvent as PlanEvent,
    )
    from .training.events import (
        ResumeEvent as ResumeEvent,
    )
    from .training.events import (
        SearchEvent as SearchEvent,
    )
    from .training.events import (
        StartEvent as StartEvent,
    )
    from .training.events import (
        StepEvent as StepEvent,
    )
    from .training.events import (
        TrialEvent as TrialEvent,
    )
    from .training.events import (
        UndefinedEvent as UndefinedEvent,
    )
    from .training.events import (
        VotesEvent as VotesEvent,
    )
    from .training.events import (
        WarningEvent as WarningEvent,
    )
    from .training.observers import (
        JsonLines as JsonLines,
    )
    from .training.observers import (
        Observer as Observer,
    )
    from .tuning import tune as tune


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'polymodal' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
