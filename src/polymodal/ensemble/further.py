"""Further folds, and further networks of the members: the use of the time that is left within a time limit.

Networks from other random weights and under other settings make different errors, and the weights of their votes, fitted on validation
rows, select among them (ensemble selection: Caruana et al. 2004).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..experiment import Experiment
from ..flow import FUSED, network
from ..language import Sentence
from ..training.events import NoteEvent
from ..training.progress import INTERRUPTED
from ..weights import stored
from .plan import Plan, fewest_epochs
from .validation import Member

if TYPE_CHECKING:
    from .trainer import EnsembleTrainer

MOST_NETWORKS = 6
"""The maximum number of networks of a member."""
MOST_BYTES = 2**29
"""The maximum size of the weights of all networks of all members in a bundle."""
_MULTIPLES: tuple[dict[str, float], ...] = (
    {"lr": 2.0},
    {"lr": 0.5, "dropout": 2.0},
    {},
    {"lr": 3.0, "weight_decay": 4.0, "dropout": 3.0},
    {"lr": 0.5},
)
"""By further network, the factors on settings of training and of the model."""
_MOST_DROPOUT = 0.5
_MARGIN = 1.1
"""The factor on the estimated seconds of a model, for which there must be time when its training begins."""


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
    folds = trainer.prepared.split.members
    for fold in range(len(members), folds):
        later = trainer.pace.network * after
        trees = trainer.pace_trees.epoch * plan.trees
        epochs = _epochs(trainer, f"epochs of fold {fold}", plan, FUSED, 1, later, trees)
        if not epochs:
            _report_end(trainer, {"fold": fold + 1, "folds": folds}, plan, 1, later, trees)
            return
        shortened = replace(plan, epochs=epochs)
        members.append(trainer.train_one(f"fused, fold {fold + 1}", fold, trainer.fields, shortened, later, hidden))


def add_folds_alone(trainer: EnsembleTrainer, name: str, members: list[Member], plan: Plan, most: int) -> None:
    """Train the models of a single field on folds that the plan left out, while the time suffices for those of all later fields too.

    They have all epochs, since they are compared with the models of all fields.

    :param members: the trained members of the field, to which others are added
    :param most: the maximum number of folds
    """
    later = trainer.later(name)
    for fold in range(len(members), most):
        seconds = plan.reserved(later, fold + 1, trainer.pace_alone.network)
        if _epochs(trainer, f"epochs of {name}, fold {fold}", plan, name, 1, _MARGIN * seconds) < plan.epochs:
            return
        members.append(trainer.train_one(f"only {name}, fold {fold + 1}", fold, [name], plan, seconds))


def _epochs(trainer: EnsembleTrainer, key: str, plan: Plan, name: str, models: int, later: float, trees: float = 0.0, most: int = 0) -> int:
    """Return for how many epochs further models can be trained in the time that is left within a time limit, 0 = too few.

    The decision is recorded, and repeated when resumed.

    :param key: the key of the decision
    :param name: a single field, or "" for all fields
    :param models: the number of models
    :param later: the estimated seconds of all models that are trained later
    :param trees: the estimated seconds of the boosted trees of these models
    :param most: the maximum number of epochs, if it is larger than that of the plan
    """
    decided = trainer.decisions.decisions.get(key)
    if decided is not None:
        return int(decided)
    if trainer.clock.limit is None or trainer.interrupted():
        return 0  # not recorded: a resumed run decides
    pace = trainer.pace if name == FUSED else trainer.pace_alone
    left = trainer.budget - later - _MARGIN * trees
    fitting = int(max(0.0, left) / max(_MARGIN * models * pace.epoch * plan.share.get(name, 1.0), 1e-9))
    if left >= _MARGIN * models * pace.network * plan.cost(name):
        epochs = max(plan.epochs, min(fitting, most))
    else:
        epochs = min(fitting, plan.epochs) if fitting >= fewest_epochs(plan.epochs) else 0
    return int(trainer.decisions.decide(key, epochs))


def add_networks(trainer: EnsembleTrainer, members: Sequence[Member], plan: Plan, after: float, hidden: Sequence[frozenset[str]]) -> None:
    """Train further networks, the same number for every member: those of the preset, then others while the time of a limit suffices.

    :param after: the estimated seconds of all models that are trained later
    :param hidden: the sets of hidden fields for which members predict their validation rows
    """
    for number in range(2, MOST_NETWORKS + 1):
        cost = trainer.pace.network * len(members) * plan.cost(FUSED)
        later = trainer.pace.network * after
        if not _is_possible(trainer, number, members):
            return
        shortened = plan
        if number > trainer.config.networks:
            most = trainer.usual_epochs()  # more than those of a plan that a short time limit has cut
            epochs = _epochs(trainer, f"epochs of network {number}", plan, FUSED, len(members), later, most=most)
            if not epochs:
                _report_end(trainer, {"number": number, "models": len(members)}, plan, len(members), later)
                return
            shortened = replace(plan, epochs=epochs)
        made: list[Member] = []
        for member in members:
            if trainer.interrupted() and not trainer.checkpoints.has(trainer.unit(member.fold, trainer.fields, number)):
                return
            rest = later + (len(members) - len(made) - 1) * cost / len(members)
            label = f"network {number}" if len(members) == 1 else f"network {number}, fold {member.fold + 1}"
            made.append(trainer.train_one(label, member.fold, trainer.fields, shortened, rest, hidden, number))
            if made[-1].fitted.stopped == INTERRUPTED:
                return
        for member, other in zip(members, made, strict=True):
            member.add(network(number), other)
    trainer.observer.observe(NoteEvent(Sentence("note.most_networks", networks=MOST_NETWORKS)))


def _report_end(trainer: EnsembleTrainer, what: Mapping[str, int], plan: Plan, models: int, later: float, trees: float = 0.0) -> None:
    """Report that no further models are trained because the time does not suffice.

    :param what: the numbers of the fold, or of the network, that is not trained
    """
    if trainer.clock.limit is None or trainer.interrupted():
        return
    seconds = _MARGIN * (models * trainer.pace.network * plan.cost(FUSED) + trees)
    key = "note.no_further_folds" if "fold" in what else "note.no_further_networks"
    baselines = Sentence("note.and_baselines", seconds=later) if later else ""
    values = {"seconds": seconds, "baselines": baselines, "left": max(0.0, trainer.budget)}
    trainer.observer.observe(NoteEvent(Sentence(key, **what, **values)))


def _is_possible(trainer: EnsembleTrainer, number: int, members: Sequence[Member]) -> bool:
    """Return whether every member can have a further network, and report why not if their size is the reason."""
    model = members[0].model
    if not model.takes_others or len(members) < trainer.prepared.split.members:
        return False
    if trainer.clock.limit is None and number > trainer.config.networks:
        return False
    size = sum(value.numel() * value.element_size() for value in map(stored, model.state_dict().values()))
    if size * len(members) * number / (number - 1) > MOST_BYTES:
        values = {"networks": number, "models": len(members), "most": MOST_BYTES // 2**20}
        trainer.observer.observe(NoteEvent(Sentence("note.too_large", **values)))
        return False
    return True
