"""polymodal: trains and measures one model on a table whose rows contain pictures, text, sounds, series, points and numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "BundleError": "errors",
    "CellEvent": "training.events",
    "CheckpointEvent": "training.events",
    "ConfigError": "errors",
    "Console": "training.observers",
    "DataError": "errors",
    "DeviceEvent": "training.events",
    "EndEvent": "training.events",
    "EpochEvent": "training.events",
    "Event": "training.events",
    "Experiment": "experiment",
    "JsonLines": "training.observers",
    "MemberEvent": "training.events",
    "MissingDependency": "errors",
    "MultiModalModel": "model",
    "NoteEvent": "training.events",
    "Observer": "training.observers",
    "PlanEvent": "training.events",
    "PolymodalError": "errors",
    "Predictor": "predictor",
    "ResumeEvent": "training.events",
    "StartEvent": "training.events",
    "StepEvent": "training.events",
    "TensorBoard": "training.observers",
    "TrainingError": "errors",
    "UndefinedEvent": "training.events",
    "UserError": "errors",
    "VotesEvent": "training.events",
    "WarningEvent": "training.events",
    "check": "preflight",
    "compare": "comparison",
    "evaluate": "runs",
    "explain": "analysis",
    "inspect": "inspection",
    "load": "predictor",
    "resume": "runs",
    "robustness": "analysis",
    "train": "runs",
}

__all__ = ["__version__", *_HOME]
__all__.sort()

if TYPE_CHECKING:
    from .analysis import explain, robustness
    from .comparison import compare
    from .errors import BundleError, ConfigError, DataError, MissingDependency, PolymodalError, TrainingError, UserError
    from .experiment import Experiment
    from .inspection import inspect
    from .model import MultiModalModel
    from .predictor import Predictor, load
    from .preflight import check
    from .runs import evaluate, resume, train
    from .training.events import (
        CellEvent,
        CheckpointEvent,
        DeviceEvent,
        EndEvent,
        EpochEvent,
        Event,
        MemberEvent,
        NoteEvent,
        PlanEvent,
        ResumeEvent,
        StartEvent,
        StepEvent,
        UndefinedEvent,
        VotesEvent,
        WarningEvent,
    )
    from .training.observers import Console, JsonLines, Observer, TensorBoard


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'polymodal' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
