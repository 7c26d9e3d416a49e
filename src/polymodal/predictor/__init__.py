"""Prediction with a trained model. The command line, the Python interface and all other interfaces use it."""

from .answers import Predictor
from .loading import as_predictor, load
from .reading import SelectedRows
from .repeated import RowPredictor, SampledRows, read_rows, read_targets_of, rows_with_target, sample_of

__all__ = [
    "Predictor",
    "RowPredictor",
    "SampledRows",
    "SelectedRows",
    "as_predictor",
    "load",
    "read_rows",
    "read_targets_of",
    "rows_with_target",
    "sample_of",
]
