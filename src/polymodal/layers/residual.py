"""Residual blocks without normalisation, initialised to their shortcut (Fixup, Zhang et al. 2019, arXiv:1901.09321): docs/design/003."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from .recomputed import Recomputed


class Residual(Recomputed):
    """Two 3 x 3 convolutions with a shortcut. A stride of 2 halves the grid.

    :param before: the number of channels of the input
    :param channels: the number of channels of the output
    :param stride: 1 or 2
    """

    def __init__(self, before: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv_1 = nn.Conv2d(before, channels, 3, stride=stride, padding=1)
        self.conv_2 = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv_2.weight)
        nn.init.zeros_(self.conv_2.bias)  # type: ignore[arg-type]
        same = before == channels and stride == 1
        halve = nn.AvgPool2d(2, ceil_mode=True) if stride == 2 else nn.Identity()
        self.shortcut: nn.Module = nn.Identity() if same else nn.Sequential(halve, nn.Conv2d(before, channels, 1))

    def forward(self, grid: Tensor) -> Tensor:
        """Apply the block: (U, before, H, W) -> (U, channels, H', W')."""
        sum_UCHW: Tensor = self.shortcut(grid) + self.conv_2(functional.relu(self.conv_1(functional.relu(grid))))
        return sum_UCHW
