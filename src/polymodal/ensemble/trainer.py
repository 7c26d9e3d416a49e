"""Training of the members of an ensemble: one model for each fold, or one model; and the models of single fields in the same way."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch

from ..allocator import keep_freed_memory
from ..bundle import Bundle
from ..collection import Collected
from ..data.loader import Loader
from ..data.order import epoch_order
from ..errors import TrainingError
from ..experiment import Experiment
from ..flow import FUSED
from ..language import Sentence
from ..layers.recomputed import recompute
from ..model import MultiModalModel, build
from ..preparation import Prepared
from ..random_streams import Stream, seed_of
from ..threads import using
from ..training.checkpoint import Checkpoints, Keeper
from ..training.clock import Clock
from ..training.config import usual_batch_size, usual_epochs
from ..training.devices import pick_device, pick_precision
from ..training.events import MemberEvent, ModelEvent, NoteEvent, PlanEvent, WarningEvent
from ..training.observers import Observer
from ..training.optimization import standardise
from ..training.progress import INTERRUPTED, Fitted, Replay
from ..training.trainer import Trainer
from ..trees.jobs import Chosen
from ..weights import below
from .boosting import TreeTraining
from .decisions import Decisions
from .further import add_folds, add_folds_alone, add_networks, varied
from .plan import LEAST_SECONDS, RESERVE, Pace, Plan, make_plan, plan_note, usual_plan, usual_seconds
from .trials import seconds_of_an_epoch
from .validation import Member, Validation
from .warm_start import start_from

_STANDARDISED_ON = 256
"""The number of rows on which the last layers of a new model are standardised."""


class EnsembleTrainer:
    """Plans and trains the members of an ensemble, and those of each single field; resumes from their checkpoints.

    :param clock: the time limit of the whole command
    :param interrupted: returns whether training is to stop as soon as possible
    :param checkpoints: where models in training and trained members are saved
    :param decisions: the record of what the clock decides, so that resumed training decides the same
    """

    def __init__(
        self,
        experiment: Experiment,
        prepared: Prepared,
        clock: Clock,
        observer: Observer,
        interrupted: Callable[[], bool],
        checkpoints: Checkpoints,
        decisions: Decisions,
    ) -> None:
        self.experiment, self.prepared, self.clock, self.observer, self.interrupted = experiment, prepared, clock, observer, interrupted
        self.checkpoints, self.decisions = checkpoints, decisions
        self.config = experiment.training
        self.device = pick_device(self.config.device)
        self.precision = pick_precision(self.config.precision, self.device)
        keep_freed_memory()  # a step frees the activations and gradients that the next step needs again
        self.fields = list(prepared.modalities)
        self.validation = Validation(prepared, self.device, observer)
        self.trees = TreeTraining(prepared)
        self.pace, self.pace_alone, self.pace_trees = Pace(), Pace(), Pace()
        """The pace of networks of all fields, of networks of single fields, and of boosted trees, in this process."""
        self.seconds = defaultdict[str, float](float)
        """The seconds of the models of all fields (``FUSED``) and of each single field: the sums of those of ``MemberEvent``."""

    @property
    def has_baselines(self) -> bool:
        """Whether a model of each single field is trained."""
        return self.config.baselines and len(self.fields) > 1 and self.config.preset != "fast"

    @cached_property
    def init(self) -> Bundle | None:
        """The bundle of an earlier run from whose weights training starts (``training.init``); None = from random weights."""
        return Bundle.load(self.config.init) if self.config.init is not None else None

    # -- planning --------------------------------------------------------------------------------------------------

    def plan(self) -> Plan:
        """Return the plan, and record it; the recorded plan if there is one.

        Under a time limit the plan follows from a short trial of each model, otherwise from the costs of the modalities.
        """
        members = self.prepared.split.members
        rows, _ = self.prepared.member(0)
        shared_by, distinct = self._distinct()
        epochs = self.usual_epochs()
        baselines = self.has_baselines
        trees = self.trees.seconds(torch.get_num_threads())
        costs = {name: self.prepared.train.store.modalities[name].cost_of_training() for name in self.fields}
        if shared_by is not None:
            costs[shared_by] *= distinct / len(rows)
        decided = self.decisions.decisions.get("plan")
        if decided is not None:
            plan = Plan(**decided)
        elif self.clock.limit is None:
            plan = usual_plan(members, epochs, baselines, len(rows), costs, trees, self.config.preset != "best")
        else:
            names = [FUSED, *(self.fields if baselines else [])]
            seconds = {name: seconds_of_an_epoch(self, name) for name in names}
            plan = make_plan(members, epochs, baselines, seconds, self.budget, trees)
        self.decisions.decide("plan", plan.facts())
        work = plan.share or usual_seconds(len(rows), costs if plan.baseline_members else {FUSED: sum(costs.values())})
        self.observer.observe(PlanEvent(**plan.facts(), networks=self.config.networks, work=work))
        self.observer.observe(NoteEvent(plan_note(plan, members, len(rows))))
        if self.trees.is_missed:
            self.observer.observe(NoteEvent(Sentence("no_trees", why=self.trees.refusal)))
        return plan

    def usual_epochs(self) -> int:
        """Return the configured maximum number of epochs, or else one that follows from the number of training rows.

        If rows share costly cells, the number of distinct cells counts instead of the number of rows.
        """
        return self.config.epochs or usual_epochs(self._distinct()[1])

    def _distinct(self) -> tuple[str | None, int]:
        """Return the field whose costly cells rows share (None = no field), and how many distinct cells the first member trains on."""
        rows, _ = self.prepared.member(0)
        shared_by = self._loader(rows, self.fields).shared_by
        return shared_by, len(rows if shared_by is None else np.unique(self.prepared.train.store.index[shared_by][rows]))

    @property
    def budget(self) -> float:
        """The seconds that are left for training."""
        return self.clock.left - RESERVE * (self.clock.limit or 0.0)

    # -- training --------------------------------------------------------------------------------------------------

    def train(self, plan: Plan, hidden: Sequence[frozenset[str]] = (frozenset(),)) -> list[Member]:
        """Return the members of all fields, trained, with their predictions for each set of hidden fields.

        There is at least one member. There are fewer than planned if the time is over or training is interrupted.
        """
        after = plan.reserved(self.fields, plan.baseline_members) if plan.baseline_members else 0.0
        members: list[Member] = []
        for fold in range(plan.members):
            if members and self._ends_before("folds", fold, self.fields):
                break
            rest = after + (plan.members - fold - 1) * (plan.cost(FUSED) + plan.trees)
            label = "fused" if plan.members == 1 else f"fused, fold {fold + 1}"
            members.append(self.train_one(label, fold, self.fields, plan, rest, hidden))
        add_folds(self, members, plan, after, hidden)
        add_networks(self, members, plan, after, hidden)
        return members

    def train_alone(self, plan: Plan, name: str, most: int = 0) -> list[Member]:
        """Return the members of a single field, trained on the same rows.

        :param most: the number of folds up to which the time that is left within a time limit is used
        """
        members: list[Member] = []
        later = self.later(name)
        for fold in range(plan.baseline_members):
            if members and self._ends_before(f"folds of {name}", fold, [name]):
                break
            rest = plan.reserved(later, plan.baseline_members) + (plan.baseline_members - fold - 1) * plan.cost(name)
            label = f"only {name}" if plan.baseline_members == 1 else f"only {name}, fold {fold + 1}"
            members.append(self.train_one(label, fold, [name], plan, rest))
        add_folds_alone(self, name, members, plan, most)
        return members

    def later(self, name: str) -> list[str]:
        """Return the fields of which a model is trained after those of a field."""
        return self.fields[self.fields.index(name) + 1 :]

    def _ends_before(self, key: str, fold: int, names: Sequence[str]) -> bool:
        """Return whether the models of this fold and of later ones are not trained, and record under ``key`` that the time was over."""
        unit = self.unit(fold, names)
        if self.interrupted() and not self.checkpoints.has(unit):
            return True
        decided = self.decisions.decisions.get(key)
        if decided is None and unit not in self.began and self.budget < 0:
            decided = self.decisions.decide(key, fold)
        return decided is not None and fold >= decided

    @property
    def began(self) -> list[str]:
        """The models whose training began, in this process or before it."""
        return list(self.decisions.decisions.get("began", []))

    def has_begun(self, name: str) -> bool:
        """Return whether training of the first model of a single field began."""
        return self.unit(0, [name]) in self.began

    def unit(self, fold: int, names: Sequence[str], number: int = 1) -> str:
        """Return the name of a model in checkpoints and decisions."""
        if number > 1:
            return f"fold_{fold}_network_{number}"
        return f"fold_{fold}" if len(names) == len(self.fields) else f"only_{self.fields.index(names[0])}_fold_{fold}"

    def train_one(
        self, label: str, fold: int, names: Sequence[str], plan: Plan, rest: float, hidden: Sequence[frozenset[str]] = (frozenset(),),
        number: int = 1,
    ) -> Member:  # fmt: skip
        """Train one model, or continue its training, or load it if it is trained.

        :param rest: the estimated seconds of all later models
        :param number: the number of the network in its member
        """
        unit = self.unit(fold, names, number)
        done, fused = self.checkpoints.read(unit), len(names) == len(self.fields)
        field = FUSED if fused else names[0]
        self.observer.observe(ModelEvent(label, field, plan.epochs, done is not None))
        if done is not None:
            member = self._trained(fold, names, hidden, *done)
            self.seconds[field] += member.fitted.seconds
            return member
        if unit not in self.began:
            self.decisions.decide("began", [*self.began, unit])
        begin = time.monotonic()
        trees = plan.trees if fused and number == 1 else 0.0
        later = (self.fields if plan.baseline_members else []) if fused else self.later(names[0])
        deadline = self._deadline(plan.cost(field), rest + trees, later)
        often = self.config.checkpoint_steps, self.config.checkpoint_minutes
        keeper = Keeper(self.checkpoints, unit, label, *often, self.observer, lambda: self.clock.spent)
        latest = self.checkpoints.latest(unit)
        trainer = self.trainer_of(
            label, fold, names, plan.epochs, self.observer, deadline, keeper, self._replay(unit), latest is None, number
        )
        if latest is not None:
            trainer.restore(*latest, keep_deadline=not self.decisions.limit_changed)
            values = {"epoch": trainer.progress.epoch, "step": trainer.progress.step}
            self.observer.observe(NoteEvent(Sentence("note.continues", model=label, **values)))
        before = sum(event.seconds for event in trainer.fitted.history)
        with using(trainer.threads):
            fitted = trainer.fit()
        if latest is None:
            pace, share = self.pace if fused else self.pace_alone, plan.share.get(field, 1.0)
            pace.add(time.monotonic() - begin, len(fitted.history), plan.epochs, share)
        if fused and number == 1 and self.trees.wanted and fitted.stopped != INTERRUPTED:
            self._attach_trees(trainer.model, fold, unit, self._deadline(trees, rest, later))
        fitted.seconds = round(before + time.monotonic() - begin, 3)
        self.seconds[field] += fitted.seconds
        self.observer.observe(MemberEvent(label, fitted.epoch, fitted.monitor, fitted.stopped, fitted.seconds))
        answers = self.validation.answers(trainer.model.eval(), fitted, fold, names, hidden)
        member = Member(fold, trainer.model.to("cpu"), replace(fitted, halves=[]), answers)
        if fitted.stopped != INTERRUPTED:
            self._save(unit, label, member, bool(fitted.halves))
        return member

    def _deadline(self, cost: float, rest: float, later: Sequence[str]) -> float:
        """Return the time (``time.monotonic``) by which a step of this cost ends, if steps of the cost ``rest`` follow it.

        If there is less time than all of them need, each gets its part, and enough is left to start the fields ``later``, if half of the
        time suffices for it.
        """
        if self.clock.limit is None:
            return float("inf")
        budget = self.budget
        seconds = min(budget * cost / max(cost + rest, 1e-9), max(budget / 2, budget - 2 * LEAST_SECONDS * len(later)))
        return time.monotonic() + max(0.0, seconds)

    def _attach_trees(self, model: MultiModalModel, fold: int, unit: str, deadline: float) -> None:
        """Train the boosted trees of a member and add them to its network; under a time limit, record what was chosen for them."""
        key, begin = f"trees {unit}", time.monotonic()
        before = self.decisions.decisions.get(key)
        chosen = None if before is None else [Chosen(**one) for one in before]
        seed = seed_of(Stream.MODEL, self.experiment.seed, fold, 0)
        trees, chosen = self.trees.train(model, fold, seed, torch.get_num_threads(), chosen, deadline)
        if self.clock.limit is not None:
            self.decisions.decide(key, [asdict(one) for one in chosen])
        model.attach(trees.to(self.device))
        seconds = time.monotonic() - begin
        self.pace_trees.add(seconds, 1, 1, self.trees.seconds(torch.get_num_threads()))
        self.observer.observe(
            NoteEvent(Sentence("note.trees", rounds=sum(sum(one.best) + sum(one.random) for one in chosen), seconds=seconds), detail=True)
        )

    def _save(self, unit: str, label: str, member: Member, has_halves: bool) -> None:
        """Write the checkpoint of a trained member, with its predictions if they are from weights that are not saved."""
        try:
            tensors = {f"model.{key}": value for key, value in member.model.state_dict().items()}
            answers, names = member.answers.plain() if has_halves else ({}, None)
            self.checkpoints.write(unit, tensors | answers, {"fitted": member.fitted.facts(), "answers": names})
        except OSError as error:
            why = str(error.strerror or error)
            self.observer.observe(WarningEvent(Sentence("warning.member_checkpoint", model=label, why=why)))

    def _trained(
        self,
        fold: int,
        names: Sequence[str],
        hidden: Sequence[frozenset[str]],
        tensors: Mapping[str, torch.Tensor],
        facts: Mapping[str, Any],
    ) -> Member:
        """Return a member that was trained by an earlier process, from its checkpoint."""
        model = self._model(names)
        try:
            states = {name: self.prepared.modalities[name].state for name in names}
            model.restore(below(tensors, "model."), self.trees.forms, states, partial(self._model, names))
            fitted, answer_names = replace(Fitted.of(facts["fitted"], {}), halves=[]), facts["answers"]
            model.eval().to(self.device)
            if answer_names is None:
                answers = self.validation.answers(model, fitted, fold, names, hidden)
            else:
                answers = Collected.of_plain(tensors, answer_names)
            return Member(fold, model.to("cpu"), fitted, answers)
        except (RuntimeError, KeyError, TypeError, ValueError) as error:
            raise TrainingError(f"fold {fold + 1}: the checkpoint is of another model ({str(error)[:300]}); train anew") from None

    def _replay(self, unit: str) -> Replay:
        """Return the decisions of a model's earlier training, which also records the decisions that follow."""
        return Replay.of(self.decisions.decisions.get(unit), lambda replay: self.decisions.decide(unit, replay.facts()))

    def _model(self, names: Sequence[str], experiment: Experiment | None = None) -> MultiModalModel:
        """Return a new model of these fields; ``experiment`` None = under the settings of the experiment itself."""
        states = {name: self.prepared.modalities[name].state for name in names}
        return build((experiment or self.experiment).model, states, self.prepared.tasks)

    def trainer_of(
        self,
        label: str,
        fold: int,
        names: Sequence[str],
        epochs: int,
        observer: Observer,
        deadline: float,
        keeper: Keeper | None = None,
        replay: Replay | None = None,
        fresh: bool = True,
        number: int = 1,
    ) -> Trainer:
        """Return a trainer before its first step. If not ``fresh``, the caller restores its weights from a checkpoint."""
        rows, _ = self.prepared.member(fold)
        donor = self.init if fresh else None  # loaded before the random generator is seeded, since building its models uses the generator
        stream = 0 if len(names) > 1 else 1 + self.fields.index(names[0])
        seed = seed_of(Stream.MODEL, self.experiment.seed, fold, stream, *([number] if number > 1 else []))
        experiment = varied(self.experiment, number)
        torch.manual_seed(seed)
        model = self._model(names, experiment)
        if fresh:
            model.start()
        if donor is not None:
            count = start_from(donor.members[fold % len(donor.members)], model)
            values = {"count": count, "tensors": len(model.state_dict()), "weights": str(self.config.init)}
            observer.observe(NoteEvent(Sentence("note.init", **values)))
        elif fresh:
            order = epoch_order(rows, None, seed, 0)[:_STANDARDISED_ON]
            standardise(model, self._loader(rows, names, augment=False).batch(order, 0))
        if self.config.checkpoint_activations:
            recompute(model)
        model.to(self.device)
        config = experiment.training if len(names) == len(self.fields) else self.config.alone(names[0])
        loader = self._loader(rows, names, seed=seed)
        return Trainer(
            label, model, self.prepared.tasks, loader, lambda: self.validation.validate(model, fold, names), config, epochs=epochs,
            selects=self.prepared.selects, seed=seed, device=self.device, precision=self.precision, observer=observer, deadline=deadline,
            interrupted=self.interrupted, keeper=keeper, replay=replay,
        )  # fmt: skip

    def _loader(self, rows: np.ndarray, names: Sequence[str], seed: int = 0, augment: bool | None = None) -> Loader:
        """Return the batches of these training rows; ``augment`` None = as configured."""
        table = self.prepared.train
        return Loader(
            table.store, rows, table.targets, table.weights_N, fields=names, seed=seed, accumulate=self.config.accumulate,
            batch_size=self.config.batch_size or usual_batch_size(len(rows)), ahead=self.config.workers,
            augment=self.config.augment if augment is None else augment,
        )  # fmt: skip
