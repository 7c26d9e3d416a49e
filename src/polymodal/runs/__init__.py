"""Runs: ``train`` trains a model and leaves a run, ``resume`` continues an interrupted run, ``evaluate`` measures a model on a table."""

from .api import evaluate, resume, train
from .run import Interrupted

__all__ = ["Interrupted", "evaluate", "resume", "train"]
