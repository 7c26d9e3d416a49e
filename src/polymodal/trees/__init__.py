"""Gradient-boosted trees over numbers that summarise the cells of each field. Their prediction is one more vote of a model.

``summaries`` turns cells into numbers, ``fitting`` trains trees by LightGBM (Ke et al. 2017), and ``ensemble`` contains the trees as
tensors, so that prediction needs no other library, and a bundle no other format."""

from .boosted import BoostedTrees
from .config import TreesConfig

__all__ = ["BoostedTrees", "TreesConfig"]
