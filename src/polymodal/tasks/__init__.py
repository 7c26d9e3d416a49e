"""The menu of tasks: one file a task. Adding one = its file, and its line here."""

from ..config import kinds_of, menu
from .binary import Binary, BinaryConfig
from .multiclass import Multiclass, MulticlassConfig
from .multilabel import Multilabel, MultilabelConfig, labels_of
from .regression import Regression, RegressionConfig
from .task import Task, TaskConfig

CONFIGS = (BinaryConfig, MulticlassConfig, MultilabelConfig, RegressionConfig)
KINDS = kinds_of(CONFIGS)
AnyTask = menu(*CONFIGS, external=False)

__all__ = [
    "CONFIGS",
    "KINDS",
    "AnyTask",
    "Binary",
    "BinaryConfig",
    "Multiclass",
    "MulticlassConfig",
    "Multilabel",
    "MultilabelConfig",
    "Regression",
    "RegressionConfig",
    "Task",
    "TaskConfig",
    "labels_of",
]
