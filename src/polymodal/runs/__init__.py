"""The verbs: ``train`` leaves a run and gives a ``Predictor``, ``evaluate`` measures one."""

from .run import Interrupted
from .verbs import evaluate, train

__all__ = ["Interrupted", "evaluate", "train"]
