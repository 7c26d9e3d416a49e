"""A trained model that answers: what the command, Python and every other way of asking use alike."""

from .answers import Predictor, load
from .reading import Chosen

__all__ = ["Chosen", "Predictor", "load"]
