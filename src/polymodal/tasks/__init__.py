"""The menu of tasks: each task has its own module; to add a task, add its module, its import, and its place in ``CONFIGS``. Also the rules
by which the votes of fields become a prediction, by the name that a fusion gives."""

from ..config import kinds_of, menu
from .answers import Answers, AnswersConfig
from .binary import Binary, BinaryConfig
from .classification import ClassTask
from .evidence import Evidential
from .facts import TargetFacts, facts_for
from .multiclass import Multiclass, MulticlassConfig
from .multilabel import Multilabel, MultilabelConfig, labels_of
from .numeric import NumberTask
from .reading import Reading, empty_target
from .regression import Regression, RegressionConfig
from .task import Task, TaskConfig
from .voting import Learned, Mean, Rule, Uncertainty, Weighed, constant

CONFIGS = (
    BinaryConfig,
    MulticlassConfig,
    AnswersConfig,
    MultilabelConfig,
    RegressionConfig,
)
KINDS = kinds_of(CONFIGS)
TASKS = tuple(config.task() for config in CONFIGS)
AnyTask = menu(*CONFIGS, external=False)

RULES: dict[str, type[Rule]] = {"weighed": Weighed, "mean": Mean, "learned": Learned, "uncertainty": Uncertainty, "evidential": Evidential}


def class_of(kind: object) -> type[Task]:
    """Return the class of the tasks of a kind; ``Task`` itself for an unknown kind, which the config refuses later."""
    return TASKS[KINDS.index(kind)] if isinstance(kind, str) and kind in KINDS else Task


__all__ = [
    "CONFIGS",
    "KINDS",
    "RULES",
    "TASKS",
    "Answers",
    "AnswersConfig",
    "AnyTask",
    "Binary",
    "BinaryConfig",
    "ClassTask",
    "Multiclass",
    "MulticlassConfig",
    "Multilabel",
    "MultilabelConfig",
    "NumberTask",
    "Reading",
    "Regression",
    "RegressionConfig",
    "Rule",
    "TargetFacts",
    "Task",
    "TaskConfig",
    "class_of",
    "constant",
    "empty_target",
    "facts_for",
    "labels_of",
]
