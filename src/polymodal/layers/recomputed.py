"""Blocks whose activations are computed again in the backward pass instead of being kept (Chen et al. 2016, arXiv:1604.06174)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from ..flow import Features


class Recomputed(nn.Module):
    """A block of a network. In training, ``recomputes`` keeps only its input; the random numbers of dropout are repeated, so that the
    gradient has the same bits."""

    recomputes = False
    """Whether the activations of this block are computed again."""

    def __call__(self, *inputs: Any) -> Any:
        """Apply the block, as ``nn.Module`` does.

        :param inputs: tensors and ``Features``, the arguments of ``forward``
        :returns: the result of ``forward``
        """
        if not (self.recomputes and self.training and torch.is_grad_enabled()):
            return super().__call__(*inputs)
        # Tensors are passed one by one: checkpoint keeps the random state of the devices of the tensors among its arguments.
        tensors = [tensor for one in inputs for tensor in ((one.tokens_BLD, one.mask_BL) if isinstance(one, Features) else (one,))]

        def again(*tensors: Any) -> Any:
            left = iter(tensors)
            return super(Recomputed, self).__call__(
                *(replace(one, tokens_BLD=next(left), mask_BL=next(left)) if isinstance(one, Features) else next(left) for one in inputs)
            )

        return checkpoint(again, *tensors, use_reentrant=False)


def recompute(model: nn.Module) -> int:
    """Let the blocks of a model recompute their activations, also those of pretrained networks that can, and return their number."""
    blocks = [module for module in model.modules() if isinstance(module, Recomputed)]
    for block in blocks:
        block.recomputes = True
    others = [module for module in model.modules() if getattr(module, "supports_gradient_checkpointing", False) is True]
    for module in others:
        enable: Any = getattr(module, "activation_checkpointing_enable", None) or module.gradient_checkpointing_enable  # the older name
        enable({"use_reentrant": False})
    return len(blocks) + len(others)
