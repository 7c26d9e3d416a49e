"""Initialization of the encoders' scale, the optimizer and the learning rate: AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101), linear
warm-up, and cosine decay to zero (Loshchilov and Hutter 2017, arXiv:1608.03983).
"""

from __future__ import annotations

import math

import torch
from torch import nn

from ..encoders import Encoder
from ..flow import Batch
from ..fusions import Fusion
from ..layers.pooling import mean_pool
from ..model import MultiModalModel
from .config import TrainingConfig

_PROBES = 10.0
"""The factor of the learning rate of heads that pass no gradient to their encoders, so that they follow the features quickly."""


def optimiser(model: MultiModalModel, config: TrainingConfig, device: torch.device) -> torch.optim.AdamW:
    """Return AdamW over the trainable parameters.

    Vectors (biases, normalization layers, tokens) have no weight decay; encoders and fusions have their own factors of the learning rate.
    The entry ``field`` of a parameter group is the field of its encoder, None outside encoders.
    """
    parts = [module for module in model.modules() if isinstance(module, (Encoder, Fusion))]
    scale_of = {parameter: scale for part in parts for parameter, scale in part.lr_scales()}
    if model.probing:
        scale_of |= dict.fromkeys(model.vote_heads.parameters(), _PROBES)
    field_of = {parameter: name for name, encoder in zip(model.names, model.encoders, strict=True) for parameter in encoder.parameters()}
    groups: dict[tuple[str | None, float, float], list[nn.Parameter]] = {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            field = field_of.get(parameter)
            scale = scale_of.get(parameter, 1.0) * (1.0 if field is None else config.rates.get(field, 1.0))
            key = (field, scale, config.weight_decay if parameter.dim() > 1 else 0.0)
            groups.setdefault(key, []).append(parameter)
    return torch.optim.AdamW(
        [{"params": members, "lr": config.lr * scale, "weight_decay": decay, "field": field}
         for (field, scale, decay), members in groups.items()],
        betas=(0.9, 0.99), fused=device.type in ("cpu", "cuda"),
    )  # fmt: skip


@torch.no_grad()
def standardise(model: MultiModalModel, batch: Batch) -> None:
    """Scale and shift the last layer of each encoder, so that its features of a first batch have mean 0 and standard deviation 1 in every
    dimension (as LSUV, Mishkin and Matas 2016, arXiv:1511.06422).

    Otherwise the features of a convolutional network start as a large constant plus a small signal, and products of fields do not learn,
    since their gradients are as small as the smaller signal.
    """
    was_training = model.training
    model.eval()
    for name, encoder in zip(model.names, model.encoders, strict=True):
        field = batch.fields[name]
        if not isinstance(encoder, Encoder) or not encoder.standardised or len(field.present_B) < 8:
            continue
        pooled_UD = mean_pool(model.encode(name, field)).float()
        if len(pooled_UD) < 8:
            continue
        spread_D, mean_D = pooled_UD.std(0).clamp(min=1e-3), pooled_UD.mean(0)
        if not torch.isfinite(spread_D).all():
            continue
        encoder.project.weight.div_(spread_D.unsqueeze(1))
        encoder.project.bias.sub_(mean_D).div_(spread_D)
    model.train(was_training)


def share_of_peak(step: int, steps: int, warmup: float) -> float:
    """Return the learning rate at a step as a fraction of its peak.

    :param step: the number of the step, from 0
    :param steps: the number of steps of training
    :param warmup: the fraction of steps in which the learning rate rises
    """
    rise = max(1, round(warmup * steps))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rise) / max(1, steps - rise))))


def laid_out_as(parameter: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Return a value in the memory format of a parameter (channels last for a convolution), which fused AdamW requires."""
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value) if value.shape == parameter.shape else value
