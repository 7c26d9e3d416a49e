"""Suggestions and pruning by Optuna, reproducible across processes.

Optuna's own random state is lost with a process, so that each trial gets a sampler of its own, whose seed follows from the seed of the
search and the number of the trial. A suggestion then depends on the results of the trials before it only.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import requires
from ..random_streams import Stream, seed_of
from .space import Dimension
from .trials import COMPLETE, FAILED, PRUNED, Trial

_RANDOM_TRIALS = 8
"""The number of trials whose settings are random; later ones follow from the results."""
_FEWEST_TRIALS = 4
"""The number of complete trials from which on trials are pruned."""
_WARMUP = 3
"""The first epoch after which a trial is pruned."""


class Study:
    """A study of Optuna, made from the trials of the journal of a search.

    :param space: the dimensions
    :param seed: the seed of the search
    :param file: the file in Optuna's journal format that shows the study to Optuna's dashboard, which is written anew; None = none
    """

    def __init__(self, space: Sequence[Dimension], seed: int, file: Path | None) -> None:
        self._optuna = requires("optuna", "tune")
        self._optuna.logging.set_verbosity(self._optuna.logging.ERROR)
        self.space, self.seed = space, seed
        storage = None
        if file is not None:
            file.unlink(missing_ok=True)
            journal = requires("optuna.storages.journal", "tune")
            storage = self._optuna.storages.JournalStorage(journal.JournalFileBackend(str(file)))
        pruner = self._optuna.pruners.MedianPruner(n_startup_trials=_FEWEST_TRIALS, n_warmup_steps=_WARMUP)
        self._study = self._optuna.create_study(storage=storage, study_name="polymodal", direction="maximize", pruner=pruner)
        self._reported: set[int] = set()
        """The epochs of the present trial that Optuna knows."""
        self._distributions = {one.path: self._distribution(one) for one in space}

    def _distribution(self, one: Dimension) -> Any:
        """Return the distribution of a dimension. Choices are represented by their JSON text."""
        kinds = self._optuna.distributions
        if one.choices:
            return kinds.CategoricalDistribution([_text(value) for value in one.choices])
        if one.kind == "int":
            return kinds.IntDistribution(int(one.low), int(one.high), step=int(one.step or 1))
        return kinds.FloatDistribution(one.low, one.high, log=one.kind == "log", step=one.step)

    def ask(self, number: int) -> Any:
        """Return the trial of Optuna with this number."""
        seed = seed_of(Stream.TRIAL, self.seed, number, bits=32)
        self._study.sampler = self._optuna.samplers.TPESampler(seed=seed, n_startup_trials=_RANDOM_TRIALS)
        self._reported.clear()
        return self._study.ask(self._distributions)

    def settings(self, suggestion: Any) -> dict[str, Any]:
        """Return the settings of a trial of Optuna by path."""
        return {one.path: _value(one, suggestion.params[one.path]) for one in self.space}

    def tell(self, trial: Trial, suggestion: Any = None) -> None:
        """Add the result of a trial.

        :param suggestion: the trial of Optuna; None = the trial is of an earlier process, or its result is known
        """
        state = {COMPLETE: "COMPLETE", PRUNED: "PRUNED", FAILED: "FAIL"}[trial.state]
        curve = {epoch: _worth(monitor) for epoch, monitor in trial.curve.items()}
        value = {COMPLETE: trial.goodness, PRUNED: curve[max(curve)] if curve else None, FAILED: None}[trial.state]
        kinds = self._optuna.trial
        if suggestion is not None:
            for epoch in curve.keys() - self._reported:
                suggestion.report(curve[epoch], epoch)
            self._study.tell(suggestion, value if trial.state == COMPLETE else None, state=kinds.TrialState[state])
            return
        self._study.add_trial(kinds.create_trial(
            params=dict(trial.suggested), distributions=self._distributions, value=value, state=kinds.TrialState[state],
            intermediate_values=curve,
        ))  # fmt: skip

    def is_pruned(self, suggestion: Any, epoch: int, monitor: float) -> bool:
        """Report the monitored value of an epoch, smaller is better, and return whether the trial is worse than the median of others."""
        suggestion.report(_worth(monitor), epoch)
        self._reported.add(epoch)
        return bool(suggestion.should_prune())


def _worth(monitor: float) -> float:
    """Return a monitored value as a finite number of which larger values are better."""
    return -monitor if math.isfinite(monitor) else -1e300


def _text(value: Any) -> str:
    """Return a choice as text."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _value(one: Dimension, suggested: Any) -> Any:
    """Return a suggestion as the value of the setting."""
    if one.choices:
        return next(value for value in one.choices if _text(value) == suggested)
    return suggested if one.kind == "int" else one.rounded(suggested)
