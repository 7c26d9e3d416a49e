"""polymodal: trains and measures one model on a table whose rows contain pictures, text, sounds, series, points and numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "BundleError": "errors",
    "ConfigError": "errors",
    "Console": "training.observers",
    "DataError": "errors",
    "Experiment": "experiment",
    "JsonLines": "training.observers",
    "MissingDependency": "errors",
    "MultiModalModel": "model",
    "Observer": "training.observers",
    "PolymodalError": "errors",
    "Predictor": "predictor",
    "TensorBoard": "training.observers",
    "TrainingError": "errors",
    "UserError": "errors",
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
