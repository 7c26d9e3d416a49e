"""Boosted trees of a member: trained on the rows that its network is trained on, after the network."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from ..cells import is_empty
from ..data.sources import cells_of
from ..data.store import Store
from ..language import Sentence
from ..modalities.sequences import evenly
from ..model import MultiModalModel
from ..preparation import Prepared
from ..tasks import RULES
from ..trees import BoostedTrees, TreesConfig
from ..trees.fitting import FEWEST_ROWS, MOST_OUTPUTS, FieldCells, fit, is_available, summarised
from ..trees.jobs import Chosen, Labels
from ..trees.summaries import SUMMARIES

_PROBE = 256
"""The number of rows whose cells are examined to decide whether rows are private."""
_SECONDS = 7e-6
"""The seconds of all rounds of one booster for each row and each number of it, on one core: about 300 rounds."""


class TreeTraining:
    """Decides whether the members of an ensemble have boosted trees, and trains them.

    :param prepared: the experiment and its data
    """

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        states = {name: modality.state for name, modality in prepared.modalities.items()}
        self.forms = prepared.experiment.forms(states)
        self.fields = summarised(self.forms)
        self.refusal = self._refusal()

    @property
    def config(self) -> TreesConfig | None:
        """The settings of the trees; None = no trees."""
        return self.prepared.experiment.model.trees

    @property
    def wanted(self) -> bool:
        """Whether the members have trees."""
        return not self.refusal

    @property
    def is_missed(self) -> bool:
        """Whether there are no trees although the table has fields that they could read, under settings that allow them."""
        return bool(self.refusal and self.fields and self.config is not None)

    def _refusal(self) -> str:
        """Return the reason why there are no trees, "" if there are some."""
        model, rows = self.prepared.experiment.model, len(self.prepared.member(0)[0])
        if model.trees is None:
            return Sentence("no_trees.none")
        voting = getattr(model.fusion, "voting", None)
        if voting not in RULES or not RULES[voting].takes_others or not model.votes:
            return Sentence("no_trees.rule", fusion=model.fusion.kind)
        if not self.fields:
            return Sentence("no_trees.no_field")
        for name, task in self.prepared.tasks.items():
            if task.boosting is None or task.outputs > MOST_OUTPUTS:
                return Sentence("no_trees.outputs", target=name, kind=task.config.kind, outputs=task.outputs, most=MOST_OUTPUTS)
        if rows < FEWEST_ROWS:
            return Sentence("no_trees.few_rows", rows=rows, least=FEWEST_ROWS)
        return "" if is_available() else Sentence("no_trees.package")

    def seconds(self, workers: int, rows: int | None = None) -> float:
        """Return the estimated seconds of the trees of one member; 0 without trees.

        :param workers: the number of boosters that are trained at a time
        :param rows: the number of training rows; None = those of the first member
        """
        if self.config is None or self.refusal:
            return 0.0
        rows = min(len(self.prepared.member(0)[0]) if rows is None else rows, self.config.max_rows)
        numbers = sum(SUMMARIES[self.forms[name]].expected(self.prepared.modalities[name].state) for name in self.fields)
        boosters = (2 * self.config.bags + 2 * self.config.boosters + 2) * sum(task.target_width for task in self.prepared.tasks.values())
        return 1.0 + _SECONDS * rows * numbers * -(-boosters // workers)

    def train(
        self, model: MultiModalModel, fold: int, seed: int, workers: int, chosen: Sequence[Chosen] | None, deadline: float
    ) -> tuple[BoostedTrees, list[Chosen]]:
        """Return the trees of the member of a fold, and what was chosen for them.

        :param model: the network of the member, whose fields the trees are numbered by
        :param seed: the seed of the member
        :param workers: the number of boosters that are trained at a time
        :param chosen: what an earlier process that is repeated has chosen; None = losses out of fold decide
        :param deadline: the time (``time.monotonic``) at which training ends
        """
        prepared, config = self.prepared, self.config
        assert config is not None
        rows, _ = prepared.member(fold)
        table = prepared.train
        known_N = np.logical_or.reduce([task.known(table.targets[name][rows]) for name, task in prepared.tasks.items()])
        rows = rows[known_N]
        rows = rows[:: -(-len(rows) // config.max_rows)]
        fields = {name: _cells(table.store, name, self.forms[name], prepared, rows) for name in self.fields}
        labels = []
        for name, task in prepared.tasks.items():
            assert task.boosting is not None
            target_NT = table.targets[name][rows].astype(np.float64)
            target_NT[~task.known(target_NT)] = np.nan
            weights_N = None if table.weights_N is None else table.weights_N[rows].astype(np.float64)
            importance_N = task.importance(target_NT)
            if importance_N is not None:
                weights_N = importance_N if weights_N is None else weights_N * importance_N
            labels.append(Labels(task.boosting, target_NT, task.outputs, weights_N))
        unit_N = None if prepared.unit_N is None else prepared.unit_N[rows]
        places = [model.names.index(name) for name in fields]
        repeats = config.repeats and prepared.experiment.data.split.group is None and not self.is_private
        return fit(config, fields, places, labels, unit_N, seed, workers, chosen, deadline, repeats)

    @cached_property
    def is_private(self) -> bool:
        """Whether the rows are private: by the settings, or because some cells are, such as medical pictures."""
        if self.prepared.experiment.data.private:
            return True
        source, fields = self.prepared.train.source, self.prepared.experiment.fields
        rows = np.array(evenly(source.rows, _PROBE), np.int64)
        columns = dict.fromkeys(column for field in fields.values() for column in field.sources)
        parts = list(source.at(list(columns), rows))  # one pass over the table for all fields
        return any(
            modality.is_private([cell for part in parts for cell in cells_of(part, fields[name].sources) if not is_empty(cell)])
            for name, modality in self.prepared.modalities.items()
        )


def _cells(store: Store, name: str, form: str, prepared: Prepared, rows: np.ndarray) -> FieldCells:
    """Return the cells of one field in some rows."""
    numbers, index_N = store.distinct(name, rows)
    compact = SUMMARIES[form].compact
    samples = [compact(store.sample(name, int(number))) for number in numbers]
    if not samples:  # no row has the field
        samples = [compact(store.modalities[name].blank())]
    return FieldCells(form, prepared.modalities[name].state, samples, index_N)
