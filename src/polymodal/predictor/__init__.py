"""Prediction with a trained model. The command line, the Python interface and all other interfaces use it."""

from .answers import Predictor
from .loading import as_predictor, load
from .reading import SelectedRows

__all__ = ["Predictor", "SelectedRows", "as_predictor", "load"]
