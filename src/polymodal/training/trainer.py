"""The trainer of one model. Its result is the weights of the best epoch, or of the last one if no rows select the epoch.

``fit`` -> ``run_epoch`` -> ``train_step`` -> ``gradient``. Between two steps, ``snapshot`` contains all that ``restore`` needs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict

import numpy as np
import torch
from torch import Tensor

from ..data.loader import Loader, Step
from ..errors import TrainingError
from ..language import Sentence
from ..model import MultiModalModel
from ..random_streams import Stream, generator
from ..tasks import Task, constant
from ..tasks.metrics import Metrics
from ..threads import threads_for
from ..weights import below, kept
from .balance import Moment, NoneConfig
from .checkpoint import Facts, Keeper, generators, set_generators
from .config import TrainingConfig, usual_auxiliary
from .devices import autocast, is_out_of_memory
from .events import EpochEvent, NoteEvent, StepEvent, WarningEvent
from .objective import Objective, hide_some, share_hidden
from .observers import Observer
from .optimization import laid_out_as, optimiser, share_of_peak
from .progress import INTERRUPTED, TIME_LIMIT, Best, Fitted, NotFinite, Progress, Replay, Validated, listed_rows
from .watch import StepFigures, clip, count, encoders_of, losses, report, silent

_PERFECT = 0.003  # the value of ``Task.monitor`` (log loss, error rate, error in standard deviations) below which training stops

_LEAST_IMPROVEMENT = 0.005  # relative improvements below this are kept, but do not count for ``training.patience``


class Trainer:
    """Trains one model.

    :param name: the name of the model, for messages
    :param model: the model
    :param tasks: the tasks by name
    :param loader: the batches of training rows
    :param validate: a function that measures the model on rows that it is not trained on
    :param config: the settings of training
    :param epochs: the maximum number of epochs
    :param selects: whether the metrics of ``validate`` select the epoch and stop training; if not, all epochs are trained and the last one
        is kept
    :param seed: the random seed
    :param device: the device
    :param precision: the dtype of forward passes
    :param observer: the observer of events
    :param deadline: the time by ``time.monotonic`` at which training stops
    :param interrupted: a function that returns whether the user has interrupted training
    :param keeper: the writer of checkpoints; None = none are written
    :param replay: decisions of an interrupted training, which are repeated; None = there are none
    """

    def __init__(
        self,
        name: str,
        model: MultiModalModel,
        tasks: Mapping[str, Task],
        loader: Loader,
        validate: Callable[[], Validated],
        config: TrainingConfig,
        *,
        epochs: int,
        selects: bool = True,
        seed: int,
        device: torch.device,
        precision: torch.dtype,
        observer: Observer,
        deadline: float = float("inf"),
        interrupted: Callable[[], bool] = lambda: False,
        keeper: Keeper | None = None,
        replay: Replay | None = None,
    ) -> None:
        self.name, self.model, self.tasks, self.loader, self.validate = name, model, tasks, loader, validate
        self.config, self.epochs, self.selects, self.seed = config, epochs, selects, seed
        self.device, self.precision, self.observer = device, precision, observer
        self.deadline, self.interrupted, self.keeper, self.replay = deadline, interrupted, keeper, replay or Replay()
        auxiliary = config.auxiliary if config.auxiliary is not None else usual_auxiliary(len(loader.rows))
        self.objective = Objective(tasks, model.names, auxiliary, dict(zip(model.tasks, model.rules, strict=True)))
        self.constant = sum(
            task.config.weight * constant(task, loader.targets[name][loader.rows])[1] for name, task in tasks.items()
        ) / max(sum(task.config.weight for task in tasks.values()), 1e-12)
        self.balancer = (config.balance if len(model.names) > 1 else NoneConfig()).build(model.names)
        model.probing = self.objective.auxiliary == 0 and self.balancer.shares is None and model.rules[0].fused
        self.encoders = encoders_of(model)
        self.optimiser = optimiser(model, config, device)
        cost = sum(loader.store.modalities[name].cost_of_training() for name in model.names)
        self.threads = threads_for(model, cost, loader.batch_size)
        self.peaks = [group["lr"] for group in self.optimiser.param_groups]
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == torch.float16)
        self.steps = epochs * len(loader)
        self.progress = Progress(parts=loader.accumulate)
        self.fitted = Fitted()

    def fit(self) -> Fitted:
        """Train until the last epoch, the deadline, or the end of improvement, from the restored state if there is one.

        :raises TrainingError: training could not continue
        """
        fitted, progress = self.fitted, self.progress
        while not fitted.stopped:
            complete = self.run_epoch(progress.epoch)
            if complete or not fitted.weights:
                try:
                    validated = self.validate()
                except NotFinite as error:
                    self._give_up(error.args[0])
                    break
                monitor = self._monitor(validated.metrics)
                better = monitor < fitted.monitor or not self.selects
                self._keep_best(validated, monitor, better or not fitted.weights)
                if monitor < progress.mark * (1 - _LEAST_IMPROVEMENT):
                    progress.mark, progress.marked = monitor, progress.epoch
                self.balancer.epoch(losses(progress.fields), validated.own)
                fitted.history.append(self._epoch_event(validated, monitor, better, complete))
                self.observer.observe(fitted.history[-1])
                self._report_silent()
            fitted.stopped = self._why_stop(complete)
            progress.epoch, progress.at = progress.epoch + 1, 0
            progress.loss, progress.rows, progress.seconds, progress.waited, progress.fields = 0.0, 0, 0.0, 0.0, {}
            if not fitted.stopped and self.interrupted():  # interrupted during validation
                if self.keeper is not None:
                    self.keeper.step(progress.step, self.snapshot, now=True)
                fitted.stopped = INTERRUPTED
        self.model.load_state_dict(fitted.weights)
        self._freeze(0)
        return fitted

    def _keep_best(self, validated: Validated, monitor: float, is_best: bool) -> None:
        """Keep the weights if this epoch is the best so far, by all rows that select the epoch or by a half of them."""
        fitted, epoch = self.fitted, self.progress.epoch
        if not fitted.halves:
            fitted.halves = [Best() for _ in validated.halves]
        monitors = [float("-inf") if half is None else self._monitor(half) for half in validated.halves]
        better = [value < half.monitor or value == float("-inf") for half, value in zip(fitted.halves, monitors, strict=True)]
        if not is_best and not any(better):
            return
        weights = kept(self.model)
        if is_best:
            fitted.weights, fitted.epoch, fitted.monitor, fitted.metrics = weights, epoch, monitor, validated.metrics
        for half, value, is_better in zip(fitted.halves, monitors, better, strict=True):
            if is_better:
                half.weights, half.epoch, half.monitor = weights, epoch, value

    def _monitor(self, metrics: Mapping[str, Metrics]) -> float:
        return float(np.mean([task.monitor(metrics[name]) for name, task in self.tasks.items()]))

    def _report_silent(self) -> None:
        """Report each field that learns nothing once. Training continues; the effect is measured when it has ended."""
        fix = Sentence("note.silent_baseline" if self.config.baselines else "note.silent_alone")
        for name, other in silent(self.fitted.history, self.constant).items():
            figures, fitting = self.fitted.history[-1].fields[name], self.fitted.history[-1].fields[other]
            values = {"loss": figures.held_out, "constant": self.constant, "fitting": fitting.loss, "fix": fix}
            text = Sentence("note.silent", model=self.name, epoch=self.progress.epoch, field=name, other=other, **values)
            self.observer.observe(NoteEvent(text, detail=True))

    def _give_up(self, what: str) -> None:
        """End training with the weights of the best epoch, since the present ones are not finite; ``TrainingError`` if there is none."""
        place = f"{self.name}, epoch {self.progress.epoch}"
        if not self.fitted.weights:
            raise TrainingError(f"{place}: {what}; expected a model that learns; lower training.lr")
        self.fitted.stopped = f"{what} in epoch {self.progress.epoch}"
        at = Sentence("warning.at_epoch", model=self.name, epoch=self.progress.epoch)
        self.observer.observe(WarningEvent(Sentence("warning.gave_up", place=at, what=what, epoch=self.fitted.epoch)))

    def _why_stop(self, complete: bool) -> str:
        """Return the reason why training ends after this epoch, or an empty string if it continues."""
        progress, patience = self.progress, self.config.patience or max(3, -(-self.epochs // 4))
        if not complete:
            return TIME_LIMIT if self._was_time_over() else INTERRUPTED
        if self.selects and self.fitted.monitor < _PERFECT:
            return "nothing is left to learn"
        if self.selects and progress.epoch - progress.marked >= patience:
            return f"no epoch better by {_LEAST_IMPROVEMENT:.1%} in {patience}"
        if progress.epoch >= self.epochs:
            return "all epochs done"
        return TIME_LIMIT if self._time_is_over() else ""

    def _was_time_over(self) -> bool:
        return self.replay.stop is not None and self.progress.step >= self.replay.stop

    def _time_is_over(self) -> bool:
        """Return whether the time limit is reached. It is decided once and recorded, so that a resumed training stops after the same
        step."""
        if self.replay.stop is None and time.monotonic() > self.deadline:
            self.replay.stop = self.progress.step
            self.replay.decided(self.replay)
        return self._was_time_over()

    # -- checkpoints -----------------------------------------------------------------------------------------------

    def snapshot(self) -> tuple[dict[str, Tensor], Facts]:
        """Return all that ``restore`` needs to continue after the last step with identical results: tensors and facts."""
        tensors = {f"model.{key}": value for key, value in self.model.state_dict().items()}
        tensors |= self.fitted.tensors()
        for at, state in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{at}.{key}": value for key, value in state.items()}
        facts = {"progress": asdict(self.progress), "fitted": self.fitted.facts(), "scaler": self.scaler.state_dict(),
                 "left": self.deadline - time.monotonic(), "balance": self.balancer.facts()}  # fmt: skip
        return tensors | generators(self.device), facts

    def restore(self, tensors: Mapping[str, Tensor], facts: Facts, keep_deadline: bool = True) -> None:
        """Restore the state from a snapshot of a trainer with the same settings.

        :param tensors: the tensors of the snapshot
        :param facts: the facts of the snapshot
        :param keep_deadline: whether the remaining time of the snapshot replaces the deadline
        :raises TrainingError: the snapshot is of another model
        """
        try:
            self.model.load_state_dict(below(tensors, "model."))
            states: dict[int, dict[str, Tensor]] = {}
            parameters = [parameter for group in self.optimiser.param_groups for parameter in group["params"]]
            for key, value in below(tensors, "optimiser.").items():
                at, _, name = key.partition(".")
                states.setdefault(int(at), {})[name] = laid_out_as(parameters[int(at)], value)
            self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": states})
            self.scaler.load_state_dict(facts["scaler"])
            self.progress = Progress(**facts["progress"])
            self.balancer.restore(facts["balance"])
            self.fitted = Fitted.of(facts["fitted"], tensors)
            set_generators(tensors, self.device)
            if keep_deadline:
                self.deadline = time.monotonic() + facts["left"]
        except (IndexError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise TrainingError(f"{self.name}: the checkpoint is of another model ({str(error)[:300]}); train again") from None

    # -- an epoch --------------------------------------------------------------------------------------------------

    def _shown(self, metrics: Mapping[str, Metrics]) -> dict[str, float | None]:
        shown: dict[str, float | None] = {}
        for name, task in self.tasks.items():
            prefix = f"{name}." if len(self.tasks) > 1 else ""
            for metric in dict.fromkeys([task.metric, task.metric_names[0]]):
                shown[prefix + metric] = metrics[name].get(metric)
        return shown

    def _epoch_event(self, validated: Validated, monitor: float, better: bool, complete: bool) -> EpochEvent:
        """Return the event of the current epoch, after its last step."""
        progress, seconds = self.progress, max(self.progress.seconds, 1e-9)
        return EpochEvent(
            name=self.name, epoch=progress.epoch, epochs=self.epochs, loss=progress.loss / max(progress.rows, 1),
            seconds=round(progress.seconds, 3), rows_per_second=progress.rows / seconds, waiting=progress.waited / seconds,
            complete=complete, monitor=monitor, best=better, shown=self._shown(validated.metrics), metrics=validated.metrics,
            fields=report(progress.fields, validated.own),
        )  # fmt: skip

    def run_epoch(self, epoch: int) -> bool:
        """Train for one epoch, or for the rest of one, and return whether it is complete: not ended by the time limit or the user."""
        self.model.train()
        self._freeze(epoch)
        progress, before = self.progress, self.progress.seconds
        start = time.perf_counter()
        self.loader.accumulate = progress.parts
        steps = self.loader.epoch(epoch, progress.at)
        while not self._was_time_over():  # possibly already before training was resumed
            begin = time.perf_counter()
            step = next(steps, None)
            progress.waited += time.perf_counter() - begin
            if step is None:
                break
            loss = self.train_step(step, epoch)
            progress.at += 1
            progress.step += 1
            if loss is not None:
                progress.rows, progress.loss = progress.rows + len(step.rows), progress.loss + loss * len(step.rows)
            progress.seconds = before + time.perf_counter() - start
            self.observer.observe(StepEvent(
                name=self.name, epoch=epoch, epochs=self.epochs, step=progress.at, steps=len(self.loader),
                loss=float("nan") if loss is None else loss, rows_per_second=progress.rows / progress.seconds,
                waiting=progress.waited / progress.seconds,
            ))  # fmt: skip
            stopping = self.interrupted()
            if self.keeper is not None:
                self.keeper.step(progress.step, self.snapshot, now=stopping)
            if stopping or self._time_is_over():
                break
        steps.close()
        return progress.at >= len(self.loader)

    def _freeze(self, epoch: int) -> None:
        """Freeze the encoders whose last epoch (``training.freeze``) is before ``epoch``, and unfreeze the others."""
        for name, last in self.config.freeze.items():
            for parameter in self.encoders[name]:
                parameter.requires_grad_(epoch <= last)

    def train_step(self, step: Step, epoch: int) -> float | None:
        """Update the model by one batch and return its loss, or None if the step was undone. The result does not depend on the parts."""
        progress = self.progress
        share = share_of_peak(progress.step, self.steps, self.config.warmup)
        for group, peak in zip(self.optimiser.param_groups, self.peaks, strict=True):
            group["lr"] = peak * share
        progress.parts = max(progress.parts, self.replay.parts.get(progress.step, 1))
        before = generators(self.device)
        while True:
            if step.accumulate != progress.parts:  # the batch was prepared before memory was insufficient
                self.loader.accumulate = progress.parts
                step = self.loader.step(step.rows, epoch)
            try:
                figures = self.gradient(step, epoch)
                break
            except NotFinite as error:
                self._undo(error.args[0])
                return None
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
            self._take_smaller_parts(step)
            set_generators(before, self.device)
        factors = self.balancer.step(Moment(self.seed, epoch, progress.step, figures.confidence(self.model.names)), self.encoders)
        for group in self.optimiser.param_groups:
            group["lr"] *= factors.get(group["field"], 1.0)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.optimiser.zero_grad(set_to_none=True)
        count(progress.fields, figures, factors)
        return figures.loss

    def gradient(self, step: Step, epoch: int) -> StepFigures:
        """Compute the clipped gradient of a batch into the parameters, and return the figures of the step.

        :raises NotFinite: the loss or the gradient is not finite
        """
        rng = generator(Stream.HIDDEN_FIELDS, self.seed, epoch, self.progress.step)
        done, figures = self.progress.step / max(1, self.steps), StepFigures()
        parts = hide_some(step.parts, share_hidden(self.config.modality_dropout, self.config.modality_dropout_schedule, done), rng)
        counts = self.objective.counts(parts)
        for part in parts:
            part = part.to(self.device)
            with autocast(self.device, self.precision):
                output = self.model(*[part.fields[name] for name in self.model.names])
                loss = self.objective.loss(output, part, counts, done, self.balancer.shares)
            figures.add(float(loss.detach()), self.objective.own(output, part))
            if not np.isfinite(figures.loss):
                rows = listed_rows(self.objective.rows_not_finite(output, part))
                raise NotFinite(Sentence("warning.loss", value=figures.loss, rows=rows))
            self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimiser)
        norm, figures.norms = clip(self.model, self.encoders, self.config.clip)
        if not np.isfinite(norm) and not self.scaler.is_enabled():  # the scaler handles this itself
            raise NotFinite(Sentence("warning.gradient", value=float(norm), rows=listed_rows([row for part in parts for row in part.rows])))
        return figures

    # -- steps that cannot be completed ------------------------------------------------------------------------------

    def _undo(self, what: str) -> None:
        """Undo the current step. After two in a row the weights may be the cause, and those of the best epoch are restored.

        :raises TrainingError: more than ``training.bad_steps`` steps were undone
        """
        progress = self.progress
        self.optimiser.zero_grad(set_to_none=True)
        place = self._place()
        again = bool(progress.bad) and progress.bad[-1] == progress.step - 1
        progress.bad.append(progress.step)
        if len(progress.bad) > self.config.bad_steps:
            raise TrainingError(
                f"{place}: {what}; {len(progress.bad)} such steps, expected at most {self.config.bad_steps} (training.bad_steps); "
                f"lower training.lr, or check those rows"
            )
        report = Sentence("warning.step_undone")
        if again and self.fitted.weights:
            self.model.load_state_dict(self.fitted.weights)
            self.optimiser.state.clear()
            report = Sentence("warning.restored", epoch=self.fitted.epoch)
        self.observer.observe(WarningEvent(Sentence("warning.step", place=self._place(), what=what, report=report)))

    def _take_smaller_parts(self, step: Step) -> None:
        """Compute batches in twice as many parts from this step on, or raise ``TrainingError`` if a part is already a single row."""
        progress = self.progress
        self.optimiser.zero_grad(set_to_none=True)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        place = self._place()
        if progress.parts >= len(step.rows):
            raise TrainingError(
                f"{place}: out of memory with a single row at a time; expected enough memory for one; make the model or its cells smaller "
                f"(model.width, fields.NAME.size)"
            )
        progress.parts = min(2 * progress.parts, len(step.rows))
        self.replay.parts[progress.step] = progress.parts
        self.replay.decided(self.replay)
        rows = -(-len(step.rows) // progress.parts)
        self.observer.observe(WarningEvent(Sentence("warning.memory", place=place, rows=rows, parts=progress.parts)))

    def _place(self) -> Sentence:
        """Return the model, the epoch and the step, for messages."""
        return Sentence("warning.at_step", model=self.name, epoch=self.progress.epoch, step=self.progress.step + 1)
