"""The verbs: ``check`` looks before training, ``train`` leaves a run and gives a ``Predictor``, ``resume`` goes on with one, ``evaluate``
measures one."""

from .api import evaluate, resume, train
from .preflight import check
from .run import Interrupted

__all__ = ["Interrupted", "check", "evaluate", "resume", "train"]
