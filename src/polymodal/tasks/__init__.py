"""The menu of tasks: one file a task. Adding one = its file, and its line here. And the rules by which votes become an answer, by the name
that a fusion gives."""

from ..config import kinds_of, menu
from .binary import Binary, BinaryConfig
from .evidence import Evidential
from .facts import MOSTLY, TargetFacts, facts_for
from .multiclass import Multiclass, MulticlassConfig
from .multilabel import Multilabel, MultilabelConfig, labels_of
from .regression import Regression, RegressionConfig
from .task import Reading, Task, TaskConfig, empty_target
from .voting import Learned, Mean, Rule, Uncertainty, Weighed, constant, known

CONFIGS = (BinaryConfig, MulticlassConfig, MultilabelConfig, RegressionConfig)
KINDS = kinds_of(CONFIGS)
AnyTask = menu(*CONFIGS, external=False)

RULES: dict[str, type[Rule]] = {"weighed": Weighed, "mean": Mean, "learned": Learned, "uncertainty": Uncertainty, "evidential": Evidential}

__all__ = [
    "CONFIGS",
    "KINDS",
    "MOSTLY",
    "RULES",
    "AnyTask",
    "Binary",
    "BinaryConfig",
    "Multiclass",
    "MulticlassConfig",
    "Multilabel",
    "MultilabelConfig",
    "Reading",
    "Regression",
    "RegressionConfig",
    "Rule",
    "TargetFacts",
    "Task",
    "TaskConfig",
    "constant",
    "empty_target",
    "facts_for",
    "known",
    "labels_of",
]
