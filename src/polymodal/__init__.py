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
    from .training.observers import (
        Console as Console,
    )
    from .training.observers import (
        JsonLines as JsonLines,
    )
    from .training.observers import (
        Observer as Observer,
    )
    from .training.observers import (
        TensorBoard as TensorBoard,
    )


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'polymodal' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
