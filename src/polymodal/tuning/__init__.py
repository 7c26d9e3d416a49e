"""``tune``: a search for the best settings. ``space`` reads what is searched, ``study`` suggests settings and prunes trials with Optuna,
``trials`` trains them, and ``api`` leads the search."""

from .api import tune

__all__ = ["tune"]
