"""The trainer: model, tasks and batches in; the weights of the best epoch out.

``fit`` -> ``run_epoch`` -> ``train_step`` -> ``losses``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data.loader import Loader, Step
from ..errors import TrainingError
from ..flow import FUSED, Batch, Output
from ..model import MultiModalModel
from ..tasks import Task
from ..tasks.metrics import Metrics
from .config import TrainingConfig, usual_auxiliary
from .devices import autocast
from .observers import Observer
from .optimization import optimiser, share_of_peak

_PERFECT = 0.003  # of what ``Task.monitor`` makes small: log loss, share of wrong answers, error in spreads

_HAIR = 0.005  # gains smaller than this share are kept, but do not keep training going


@dataclass
class Fitted:
    """What ``fit`` leaves: the best epoch's weights, when it was, what it measured, and every epoch's facts."""

    weights: dict[str, Tensor] = field(default_factory=dict)
    epoch: int = 0
    monitor: float = float("inf")
    metrics: Mapping[str, Metrics] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    stopped: str = "all epochs done"


class Trainer:
    """Trains one model. ``validate`` measures it: metrics by task on rows that training does not see."""

    def __init__(
        self,
        name: str,
        model: MultiModalModel,
        tasks: Mapping[str, Task],
        loader: Loader,
        validate: Callable[[], Mapping[str, Metrics]],
        config: TrainingConfig,
        *,
        epochs: int,
        seed: int,
        device: torch.device,
        precision: torch.dtype,
        observer: Observer,
        deadline: float = float("inf"),
        interrupted: Callable[[], bool] = lambda: False,
    ) -> None:
        self.name, self.model, self.tasks, self.loader, self.validate = name, model, tasks, loader, validate
        self.config, self.epochs, self.seed = config, epochs, seed
        self.device, self.precision, self.observer = device, precision, observer
        self.deadline, self.interrupted = deadline, interrupted
        self.optimiser = optimiser(model, config, device)
        self.peaks = [group["lr"] for group in self.optimiser.param_groups]
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == torch.float16)
        self.auxiliary = config.auxiliary if config.auxiliary is not None else usual_auxiliary(len(loader.rows))
        self.steps = epochs * len(loader)
        self.step = 0

    def fit(self) -> Fitted:
        """Train to the end, to the deadline, or until validation stops getting better."""
        fitted = Fitted()
        mark, marked = float("inf"), 0  # the last result that was better by more than a hair, and its epoch
        patience = self.config.patience or max(3, -(-self.epochs // 4))
        for epoch in range(1, self.epochs + 1):
            facts = self.run_epoch(epoch)
            if facts["complete"] or not fitted.weights:
                metrics = self.validate()
                monitor = float(np.mean([task.monitor(metrics[name]) for name, task in self.tasks.items()]))
                better = monitor < fitted.monitor
                if better or not fitted.weights:
                    fitted.weights = {
                        key: value.detach().cpu().clone(memory_format=torch.contiguous_format)
                        for key, value in self.model.state_dict().items()
                    }
                    fitted.epoch, fitted.monitor, fitted.metrics = epoch, monitor, metrics
                if monitor < mark * (1 - _HAIR):
                    mark, marked = monitor, epoch
                facts |= {"monitor": monitor, "best": better, "shown": self._shown(metrics), "metrics": metrics}
                fitted.history.append(facts)
                self.observer.observe("epoch", facts)
            if self.interrupted() or time.monotonic() > self.deadline:
                fitted.stopped = "interrupted" if self.interrupted() else "the time limit"
                break
            if fitted.monitor < _PERFECT:
                fitted.stopped = "nothing is left to learn"
                break
            if epoch - marked >= patience:
                fitted.stopped = f"no epoch better by {_HAIR:.1%} in {patience}"
                break
        self.model.load_state_dict(fitted.weights)
        return fitted

    def _shown(self, metrics: Mapping[str, Metrics]) -> dict[str, float | None]:
        shown: dict[str, float | None] = {}
        for name, task in self.tasks.items():
            prefix = f"{name}." if len(self.tasks) > 1 else ""
            for metric in dict.fromkeys([task.metric, task.metric_names[0]]):
                shown[prefix + metric] = metrics[name].get(metric)
        return shown

    def run_epoch(self, epoch: int) -> dict[str, Any]:
        """One pass over the rows; ``complete`` is False when the clock or the user cut it short."""
        self.model.train()
        start, waited, total, rows, complete = time.perf_counter(), 0.0, 0.0, 0, True
        steps = self.loader.epoch(epoch)
        at = 0
        while True:
            begin = time.perf_counter()
            step = next(steps, None)
            waited += time.perf_counter() - begin
            if step is None:
                break
            loss = self.train_step(step, epoch)
            at, rows, total = at + 1, rows + len(step.rows), total + loss * len(step.rows)
            spent = time.perf_counter() - start
            self.observer.observe("step", {"name": self.name, "epoch": epoch, "epochs": self.epochs, "step": at, "steps": len(self.loader),
                                           "loss": loss, "rows_per_second": rows / spent, "waiting": waited / spent})  # fmt: skip
            if time.monotonic() > self.deadline or self.interrupted():
                complete = at == len(self.loader)
                steps.close()
                break
        spent = time.perf_counter() - start
        return {"name": self.name, "epoch": epoch, "epochs": self.epochs, "loss": total / max(rows, 1), "seconds": round(spent, 3),
                "rows_per_second": rows / spent, "waiting": waited / spent, "complete": complete}  # fmt: skip

    def train_step(self, step: Step, epoch: int) -> float:
        """One update from one batch, however many parts it is computed in."""
        share = share_of_peak(self.step, self.steps, self.config.warmup)
        for group, peak in zip(self.optimiser.param_groups, self.peaks, strict=True):
            group["lr"] = peak * share
        rng = np.random.default_rng([self.seed, 13, epoch, self.step])
        parts = [hide_some(part, self.config.modality_dropout, rng) for part in step.parts]
        counts = self._weights(parts)
        total = 0.0
        for part in parts:
            part = part.to(self.device)
            with autocast(self.device, self.precision):
                output = self.model(*[part.fields[name] for name in self.model.names])
                loss = self.losses(output, part, counts)
            total += float(loss.detach())
            if not np.isfinite(total):
                raise TrainingError(
                    f"{self.name}, epoch {epoch}, step {self.step + 1}: the loss is {total}; rows {min(part.rows)} to {max(part.rows)}; "
                    f"lower training.lr, or look at those rows"
                )
            self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimiser)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.optimiser.zero_grad(set_to_none=True)
        self.step += 1
        return total

    def _weights(self, parts: Sequence[Batch]) -> dict[tuple[str, str], float]:
        """What the weighted losses of a whole batch are divided by, for each task and voter."""
        totals: dict[tuple[str, str], float] = {}
        for part in parts:
            for name in self.tasks:
                known_B = _known(part, name)
                voters = {FUSED: known_B, **{field: known_B * part.fields[field].present_B for field in self.model.names}}
                for voter, weights_B in voters.items():
                    totals[name, voter] = totals.get((name, voter), 0.0) + float(weights_B.sum())
        return totals

    def losses(self, output: Output, part: Batch, counts: Mapping[tuple[str, str], float]) -> Tensor:
        """The fused loss of every task, and, at a smaller weight, the losses of single-field votes."""
        total = torch.zeros((), device=self.device)
        for name, task in self.tasks.items():
            target, known_B = part.targets[name], _known(part, name)
            votes = output.votes.get(name) or {FUSED: output.logits[name]}
            for voter, logits in votes.items():
                if counts[name, voter] <= 0:
                    continue
                weights_B = known_B if voter == FUSED else known_B * part.fields[voter].present_B
                mean = (task.losses(logits.float(), target) * weights_B).sum() / counts[name, voter]
                share = 1.0 if voter == FUSED else self.auxiliary
                total = total + task.config.weight * share * mean
        return total


def _known(part: Batch, task: str) -> Tensor:
    """The weight of each row (B,) in a task's loss: 0 where it has no target."""
    known_B = (~part.targets[task].isnan().any(1)).float()
    return known_B if part.weights_B is None else known_B * part.weights_B


def hide_some(batch: Batch, share: float, rng: np.random.Generator) -> Batch:
    """Modality dropout (Neverova et al. 2015, arXiv:1501.00102): hide each field of each row with probability ``share``; a
    row that would lose all it has keeps all."""
    if not share or len(batch.fields) < 2:
        return batch
    names = list(batch.fields)
    present_FB = torch.stack([batch.fields[name].present_B for name in names])
    hidden_FB = torch.from_numpy(rng.random(tuple(present_FB.shape)) < share)
    nothing_B = ~(present_FB & ~hidden_FB).any(0)
    hidden_FB = hidden_FB & ~nothing_B
    return replace(batch, fields={name: batch.fields[name].hide(hidden_B) for name, hidden_B in zip(names, hidden_FB, strict=True)})
