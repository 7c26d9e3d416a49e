"""The trainer: model, tasks and batches in; the weights of the best epoch out (of the last, where no rows select one).

``fit`` -> ``run_epoch`` -> ``train_step`` -> ``gradient``. Between any two steps ``snapshot`` holds all that ``restore`` needs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data.loader import Loader, Step
from ..errors import TrainingError
from ..model import MultiModalModel
from ..tasks import Task, constant
from ..tasks.metrics import Metrics
from .balance import Moment, NoneConfig
from .checkpoint import Facts, Keeper, below, generators, set_generators
from .config import TrainingConfig, usual_auxiliary
from .devices import autocast, is_out_of_memory
from .objective import Objective, hide_some, share_hidden
from .observers import Observer
from .optimization import optimiser, share_of_peak
from .progress import INTERRUPTED, Best, Fitted, NotFinite, Progress, Replay, Validated
from .watch import Seen, clip, count, encoders_of, losses, report, silent

_PERFECT = 0.003  # of what ``Task.monitor`` makes small: log loss, share of wrong answers, error in spreads

_HAIR = 0.005  # gains smaller than this share are kept, but do not keep training going


class Trainer:
    """Trains one model. ``validate`` measures it: metrics by task on rows that training does not see. ``selects``: whether these metrics
    select the epoch and stop training; else it trains for all epochs and keeps the last one."""

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
        self.peaks = [group["lr"] for group in self.optimiser.param_groups]
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == torch.float16)
        self.steps = epochs * len(loader)
        self.progress = Progress(parts=loader.accumulate)
        self.fitted = Fitted()

    def fit(self) -> Fitted:
        """Train to the end, to the deadline, or until validation stops getting better; from where ``restore`` left it."""
        fitted, progress = self.fitted, self.progress
        while not fitted.stopped:
            facts = self.run_epoch(progress.epoch)
            if facts["complete"] or not fitted.weights:
                try:
                    validated = self.validate()
                except NotFinite as error:
                    self._give_up(str(error))
                    break
                metrics = validated.metrics
                monitor = self._monitor(metrics)
                better = monitor < fitted.monitor or not self.selects
                self._keep_best(validated, monitor, better or not fitted.weights)
                if monitor < progress.mark * (1 - _HAIR):
                    progress.mark, progress.marked = monitor, progress.epoch
                facts |= {"monitor": monitor, "best": better, "shown": self._shown(metrics), "metrics": metrics,
                          "fields": report(progress.fields, validated.own)}  # fmt: skip
                self.balancer.epoch(losses(progress.fields), validated.own)
                fitted.history.append(facts)
                self.observer.observe("epoch", facts)
                self._tell_of_silent()
            fitted.stopped = self._why_stop(facts["complete"])
            progress.epoch, progress.at = progress.epoch + 1, 0
            progress.loss, progress.rows, progress.seconds, progress.waited, progress.fields = 0.0, 0, 0.0, 0.0, {}
            if not fitted.stopped and self.interrupted():  # while it validated
                if self.keeper is not None:
                    self.keeper.step(progress.step, self.snapshot, now=True)
                fitted.stopped = INTERRUPTED
        self.model.load_state_dict(fitted.weights)
        self._freeze(0)
        return fitted

    def _keep_best(self, validated: Validated, monitor: float, is_best: bool) -> None:
        """Keep the weights where this epoch is the best so far, by all of the rows that select or by a half of them."""
        fitted, epoch = self.fitted, self.progress.epoch
        if not fitted.halves:
            fitted.halves = [Best() for _ in validated.halves]
        monitors = [float("-inf") if half is None else self._monitor(half) for half in validated.halves]
        better = [value < half.monitor or value == float("-inf") for half, value in zip(fitted.halves, monitors, strict=True)]
        if not is_best and not any(better):
            return
        weights = {key: value.detach().cpu().clone(memory_format=torch.contiguous_format) for key, value in self.model.state_dict().items()}
        if is_best:
            fitted.weights, fitted.epoch, fitted.monitor, fitted.metrics = weights, epoch, monitor, validated.metrics
        for half, value, is_better in zip(fitted.halves, monitors, better, strict=True):
            if is_better:
                half.weights, half.epoch, half.monitor = weights, epoch, value

    def _monitor(self, metrics: Mapping[str, Metrics]) -> float:
        return float(np.mean([task.monitor(metrics[name]) for name, task in self.tasks.items()]))

    def _tell_of_silent(self) -> None:
        """Once of each field: training goes on, and what it comes to is measured when it has ended."""
        will = "its own model, trained after this one, will tell" if self.config.baselines else "a model of it alone would tell"
        for name, other in silent(self.fitted.history, self.constant).items():
            report, fitting = self.fitted.history[-1]["fields"][name], self.fitted.history[-1]["fields"][other]
            text = (
                f"field {name!r} has learned nothing so far that holds for other rows (its own loss there {report['held_out']:.2f}, "
                f"a constant's {self.constant:.2f}), while {other!r} fits the training rows ({fitting['loss']:.2f}); it holds nothing of "
                f"the answer, or it stopped learning: {will}"
            )
            self.observer.observe("note", {"text": f"{self.name}, epoch {self.progress.epoch}: {text}"})

    def _give_up(self, what: str) -> None:
        """The weights are spoiled: training ends with those of the best epoch, or with an error where there is none."""
        place = f"{self.name}, epoch {self.progress.epoch}"
        if not self.fitted.weights:
            raise TrainingError(f"{place}: {what}; expected a model that learns; lower training.lr")
        self.fitted.stopped = f"{what} in epoch {self.progress.epoch}"
        self.observer.observe("warning", {"text": f"{place}: {what}; back to the weights of epoch {self.fitted.epoch}; lower training.lr"})

    def _why_stop(self, complete: bool) -> str:
        """Why training ends after the epoch at hand; "" = it goes on."""
        progress, patience = self.progress, self.config.patience or max(3, -(-self.epochs // 4))
        if not complete:
            return "the time limit" if self._was_time_over() else INTERRUPTED
        if self.selects and self.fitted.monitor < _PERFECT:
            return "nothing is left to learn"
        if self.selects and progress.epoch - progress.marked >= patience:
            return f"no epoch better by {_HAIR:.1%} in {patience}"
        if progress.epoch >= self.epochs:
            return "all epochs done"
        return "the time limit" if self._time_is_over() else ""

    def _was_time_over(self) -> bool:
        return self.replay.stop is not None and self.progress.step >= self.replay.stop

    def _time_is_over(self) -> bool:
        """Decided once, and written down: a resumed training stops after the same step."""
        if self.replay.stop is None and time.monotonic() > self.deadline:
            self.replay.stop = self.progress.step
            self.replay.decided(self.replay)
        return self._was_time_over()

    # -- checkpoints -----------------------------------------------------------------------------------------------

    def snapshot(self) -> tuple[dict[str, Tensor], Facts]:
        """All that ``restore`` needs to go on after the last step, to the bit."""
        tensors = {f"model.{key}": value for key, value in self.model.state_dict().items()}
        tensors |= self.fitted.tensors()
        for at, state in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{at}.{key}": value for key, value in state.items()}
        facts = {"progress": asdict(self.progress), "fitted": self.fitted.facts(), "scaler": self.scaler.state_dict(),
                 "left": self.deadline - time.monotonic(), "balance": self.balancer.facts()}  # fmt: skip
        return tensors | generators(self.device), facts

    def restore(self, tensors: Mapping[str, Tensor], facts: Facts, keep_deadline: bool = True) -> None:
        """Go on from a snapshot of a trainer that was made alike, with the time that it had left unless there is another limit now;
        ``TrainingError`` when it does not fit."""
        try:
            self.model.load_state_dict(below(tensors, "model."))
            states: dict[int, dict[str, Tensor]] = {}
            parameters = [parameter for group in self.optimiser.param_groups for parameter in group["params"]]
            for key, value in below(tensors, "optimiser.").items():
                at, _, name = key.partition(".")
                states.setdefault(int(at), {})[name] = _laid_out_as(parameters[int(at)], value)
            self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": states})
            self.scaler.load_state_dict(facts["scaler"])
            self.progress = Progress(**facts["progress"])
            self.balancer.restore(facts["balance"])
            self.fitted = Fitted.of(facts["fitted"], tensors)
            set_generators(tensors, self.device)
            if keep_deadline:
                self.deadline = time.monotonic() + facts["left"]
        except (IndexError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise TrainingError(f"{self.name}: the checkpoint is of another model ({str(error)[:300]}); train anew") from None

    # -- an epoch --------------------------------------------------------------------------------------------------

    def _shown(self, metrics: Mapping[str, Metrics]) -> dict[str, float | None]:
        shown: dict[str, float | None] = {}
        for name, task in self.tasks.items():
            prefix = f"{name}." if len(self.tasks) > 1 else ""
            for metric in dict.fromkeys([task.metric, task.metric_names[0]]):
                shown[prefix + metric] = metrics[name].get(metric)
        return shown

    def run_epoch(self, epoch: int) -> dict[str, Any]:
        """One pass over the rows, or the rest of one; ``complete`` is False when the clock or the user cut it short."""
        self.model.train()
        self._freeze(epoch)
        progress, before = self.progress, self.progress.seconds
        start = time.perf_counter()
        self.loader.accumulate = progress.parts
        steps = self.loader.epoch(epoch, progress.at)
        while not self._was_time_over():  # as it may have been before a resume
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
            self.observer.observe("step", {"name": self.name, "epoch": epoch, "epochs": self.epochs, "step": progress.at,
                                           "steps": len(self.loader), "loss": float("nan") if loss is None else loss,
                                           "rows_per_second": progress.rows / progress.seconds,
                                           "waiting": progress.waited / progress.seconds})  # fmt: skip
            stopping = self.interrupted()
            if self.keeper is not None:
                self.keeper.step(progress.step, self.snapshot, now=stopping)
            if stopping or self._time_is_over():
                break
        steps.close()
        complete = progress.at >= len(self.loader)
        return {"name": self.name, "epoch": epoch, "epochs": self.epochs, "loss": progress.loss / max(progress.rows, 1),
                "seconds": round(progress.seconds, 3), "rows_per_second": progress.rows / max(progress.seconds, 1e-9),
                "waiting": progress.waited / max(progress.seconds, 1e-9), "complete": complete}  # fmt: skip

    def _freeze(self, epoch: int) -> None:
        """Encoders whose last epoch is over learn no more; before the first one all of them do."""
        for name, last in self.config.freeze.items():
            for parameter in self.encoders[name]:
                parameter.requires_grad_(epoch <= last)

    def train_step(self, step: Step, epoch: int) -> float | None:
        """One update from one batch, however many parts it is computed in; None where it was undone."""
        progress = self.progress
        share = share_of_peak(progress.step, self.steps, self.config.warmup)
        for group, peak in zip(self.optimiser.param_groups, self.peaks, strict=True):
            group["lr"] = peak * share
        progress.parts = max(progress.parts, self.replay.parts.get(progress.step, 1))
        before = generators(self.device)
        while True:
            if step.accumulate != progress.parts:  # prepared ahead, before there was too little memory
                self.loader.accumulate = progress.parts
                step = self.loader.step(step.rows, epoch)
            try:
                seen = self.gradient(step, epoch)
                break
            except NotFinite as error:
                self._undo(str(error))
                return None
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
            self._take_smaller_parts(step)
            set_generators(before, self.device)
        held = self.balancer.step(Moment(self.seed, epoch, progress.step, seen.confidence(self.model.names)), self.encoders)
        for group in self.optimiser.param_groups:
            group["lr"] *= held.get(group["field"], 1.0)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.optimiser.zero_grad(set_to_none=True)
        count(progress.fields, seen, held)
        return seen.loss

    def gradient(self, step: Step, epoch: int) -> Seen:
        """What was seen of a batch; its gradient, clipped, is left in the parameters."""
        rng = np.random.default_rng([self.seed, 13, epoch, self.progress.step])
        done, seen = self.progress.step / max(1, self.steps), Seen()
        parts = hide_some(step.parts, share_hidden(self.config.modality_dropout, self.config.modality_dropout_schedule, done), rng)
        counts = self.objective.counts(parts)
        for part in parts:
            part = part.to(self.device)
            with autocast(self.device, self.precision):
                output = self.model(*[part.fields[name] for name in self.model.names])
                loss = self.objective.loss(output, part, counts, done, self.balancer.shares)
            seen.add(float(loss.detach()), self.objective.own(output, part))
            if not np.isfinite(seen.loss):
                raise NotFinite(f"the loss is {seen.loss}, in rows {_listed(self.objective.culprits(output, part))}")
            self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimiser)
        norm, seen.norms = clip(self.model, self.encoders, self.config.clip)
        if not np.isfinite(norm) and not self.scaler.is_enabled():  # a scaler looks after this itself
            raise NotFinite(f"the gradient is {norm}, in rows {_listed([row for part in parts for row in part.rows])}")
        return seen

    # -- when a step cannot be taken ---------------------------------------------------------------------------------

    def _undo(self, what: str) -> None:
        """Nothing of the step at hand stays. Two in a row: the weights may be at fault, and those of the best epoch come back."""
        progress = self.progress
        self.optimiser.zero_grad(set_to_none=True)
        place = f"{self.name}, epoch {progress.epoch}, step {progress.step + 1:,}"
        again = bool(progress.bad) and progress.bad[-1] == progress.step - 1
        progress.bad.append(progress.step)
        if len(progress.bad) > self.config.bad_steps:
            raise TrainingError(
                f"{place}: {what}; {len(progress.bad)} such steps, expected at most {self.config.bad_steps} (training.bad_steps); "
                f"lower training.lr, or look at those rows"
            )
        report = "undone and passed over"
        if again and self.fitted.weights:
            self.model.load_state_dict(self.fitted.weights)
            self.optimiser.state.clear()
            report = f"back to the weights of epoch {self.fitted.epoch}"
        self.observer.observe("warning", {"text": f"{place}: {what}; {report}"})

    def _take_smaller_parts(self, step: Step) -> None:
        """Half the rows at a time from here on; the effective batch stays what it was."""
        progress = self.progress
        self.optimiser.zero_grad(set_to_none=True)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        place = f"{self.name}, epoch {progress.epoch}, step {progress.step + 1:,}"
        if progress.parts >= len(step.rows):
            raise TrainingError(
                f"{place}: out of memory with a single row at a time; expected room for one; make the model or its cells smaller "
                f"(model.width, fields.NAME.size)"
            )
        progress.parts = min(2 * progress.parts, len(step.rows))
        self.replay.parts[progress.step] = progress.parts
        self.replay.decided(self.replay)
        rows = -(-len(step.rows) // progress.parts)
        text = f"{place}: out of memory; from here on a batch is computed {rows} rows at a time (training.accumulate={progress.parts})"
        self.observer.observe("warning", {"text": text})


def _listed(rows: Sequence[int]) -> str:
    return ", ".join(map(str, rows[:10])) + (f" and {len(rows) - 10:,} more" if len(rows) > 10 else "")


def _laid_out_as(parameter: Tensor, value: Tensor) -> Tensor:
    """The value in the parameter's own memory order (channels last, for a convolution): fused AdamW pairs the two as they lie in memory."""
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value) if value.shape == parameter.shape else value
