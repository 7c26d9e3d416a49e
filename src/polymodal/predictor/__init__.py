"""Prediction with a trained model. The command line, the Python interface and all other interfaces use it."""

from .answers import Predictor, load
from .reading import SelectedRows

__all__ = ["Predictor", "SelectedRows", "load"]
