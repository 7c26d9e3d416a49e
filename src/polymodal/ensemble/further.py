"""Further folds, and further networks of the members: the use of the time that is left within a time limit.

Networks from other random weights and under other settings make different errors, and the weights of their votes, fitted on validation
rows, select among them (ensemble selection: Caruana et al. 2004).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..experiment import Experiment
from ..flow import FUSED, network
from ..training.events import NoteEvent
from ..training.progress import INTERRUPTED
from .plan import Plan
from .validation import Member

if TYPE_CHECKING:
    from .trainer import EnsembleTrainer

MOST_NETWORKS = 6
"""The maximum number of networks of a member."""
MOST_BYTES = 2**29
"""The maximum size of the weights of all networks of all members."""
_MULTIPLES: tuple[dict[str, float], ...] = (
    {"lr": 2.0},
    {"lr": 0.5, "dropout": 2.0},
    {},
    {"lr": 3.0, "weight_decay": 4.0, "dropout": 3.0},
    {"lr": 0.5},
)
"""By further network, the factors on settings of training and of the model."""
_MOST_DROPOUT = 0.5


def varied(experiment: Experiment, number: int) -> Experiment:
    """Return the experiment under which a network is trained.

    :param number: the number of the network in its member, from 1; the first has the settings of the experiment itself
    """
    if number == 1:
        return experiment
    multiples = _MULTIPLES[number - 2]
    training, model = experiment.training, experiment.model
    changed: dict[str, Any] = {name: getattr(training, name) * multiples[name] for name in ("lr", "weight_decay") if name in multiples}
    dropout = min(model.dropout * multiples.get("dropout", 1.0), max(_MOST_DROPOUT, model.dropout))
    model = model.model_copy(update={"dropout": dropout})
    return experiment.model_copy(update={"training": training.model_copy(update=changed), "model": model})


def add_folds(trainer: EnsembleTrainer, members: list[Member], plan: Plan, after: float, hidden: Sequence[frozenset[str]]) -> None:
    """Train the members of the folds that the plan left out, while the time suffices: the plan was made for the slowest case.

    :param members: the trained members, to which others are added
    :param after: the estimated seconds of all models that are trained later
    :param hidden: the sets of hidden fields for which members predict their validation rows
    """
    for fold in range(len(members), trainer.prepared.split.members):
        pace = trainer.pace(plan)
        if not _has_time(trainer, f"fold {fold}", pace * (1.1 * (plan.cost(FUSED) + plan.trees) + after)):
            return
        members.append(trainer.train_one(f"fused, fold {fold + 1}", fold, trainer.fields, plan, pace * after, hidden))


def _has_time(trainer: EnsembleTrainer, key: str, seconds: float) -> bool:
    """Return whether so much time is left within a time limit. The decision is recorded under ``key``, and repeated when resumed."""
    decided = trainer.decisions.decisions.get(key)
    if decided is None:
        enough = trainer.clock.limit is not None and trainer.budget >= seconds and not trainer.interrupted()
        decided = trainer.decisions.decide(key, enough)
    return bool(decided)


def add_networks(trainer: EnsembleTrainer, members: Sequence[Member], plan: Plan, after: float, hidden: Sequence[frozenset[str]]) -> None:
    """Train further networks, the same number for every member: those of the preset, then others while the time of a limit suffices.

    :param after: the estimated seconds of all models that are trained later
    :param hidden: the sets of hidden fields for which members predict their validation rows
    """
    for number in range(2, MOST_NETWORKS + 1):
        cost = trainer.pace(plan) * len(members) * plan.cost(FUSED)
        after_paced = trainer.pace(plan) * after
        if not _is_possible(trainer, number, members):
            return
        if number > trainer.config.networks and not _has_time(trainer, f"network {number}", 1.1 * cost + after_paced):
            if not trainer.interrupted():
                needed = f"network {number} of {len(members)} models would take about {1.1 * cost:,.0f} s"
                needed += f", and the baselines {after_paced:,.0f} s"
                trainer.observer.observe(NoteEvent(f"no further networks: {needed}; {max(0.0, trainer.budget):,.0f} s are left"))
            return
        made: list[Member] = []
        for member in members:
            if trainer.interrupted() and not trainer.checkpoints.has(trainer.unit(member.fold, trainer.fields, number)):
                return
            rest = after_paced + (len(members) - len(made) - 1) * cost / len(members)
            label = f"network {number}" if len(members) == 1 else f"network {number}, fold {member.fold + 1}"
            made.append(trainer.train_one(label, member.fold, trainer.fields, plan, rest, hidden, number))
            if made[-1].fitted.stopped == INTERRUPTED:
                return
        for member, other in zip(members, made, strict=True):
            member.add(network(number), other)
    trainer.observer.observe(NoteEvent(f"every member has {MOST_NETWORKS} networks, the maximum: the rest of the time is not used"))


def _is_possible(trainer: EnsembleTrainer, number: int, members: Sequence[Member]) -> bool:
    """Return whether every member can have a further network, and report why not if their size is the reason."""
    model = members[0].model
    if not model.takes_others or len(members) < trainer.prepared.split.members:
        return False
    if trainer.clock.limit is None and number > trainer.config.networks:
        return False
    size = sum(value.numel() * value.element_size() for value in model.state_dict().values())
    if size * len(members) * number / (number - 1) > MOST_BYTES:
        text = f"the weights of {number} networks of {len(members)} models would exceed {MOST_BYTES // 2**20:,} MiB"
        trainer.observer.observe(NoteEvent(f"{text}: the rest of the time is not used"))
        return False
    return True
