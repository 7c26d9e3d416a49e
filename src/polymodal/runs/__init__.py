"""The verbs: ``train`` leaves a run and gives a ``Predictor``, ``resume`` goes on with one, ``evaluate`` measures one."""

from .run import Interrupted
from .verbs import evaluate, resume, train

__all__ = ["Interrupted", "evaluate", "resume", "train"]
