"""``tune``: a search for the best settings. ``space`` reads what is searched, ``study`` suggests settings and prunes trials with Optuna,
``trials`` trains them, ``api`` leads the search, and ``result`` shows it."""

from .api import tune
from .result import TuneResult

__all__ = ["TuneResult", "tune"]
