"""The samples of a field collated once: a batch then selects rows of tensors, in place of unpacking and padding each of its samples."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ..flow import Sample
from ..modalities import Modality

MOST_BYTES = 2**26
"""The maximum size of the tensors of all fields of a store. Fields beyond it are collated batch by batch."""
_PART = 1_024


class Collated:
    """All samples of a field as tensors, padded to the largest.

    :param values: by name, a tensor whose first axis is the samples (U)
    :param geometry_UG: the padded shape of each sample (U, the number of padded axes)
    """

    def __init__(self, modality: Modality, values: dict[str, Tensor], geometry_UG: np.ndarray) -> None:
        self._modality, self._values, self._geometry_UG = modality, values, geometry_UG

    @classmethod
    def of(cls, modality: Modality, count: int, sample: Callable[[int], Sample], most: int) -> Collated | None:
        """Collate samples.

        :param count: the number of samples, U
        :param sample: a function that returns a sample by its number
        :param most: the maximum number of bytes
        :returns: the tensors, or None if they would be larger than ``most``, or if padding cannot be removed from them
        """
        blank = modality.blank()
        smallest = modality.geometry(blank)
        if not count or count * _bytes(modality, blank, smallest) > most or (smallest and not modality.pads_with_zeros):
            return None
        geometry_UG = np.zeros((count, len(smallest)), np.int64)
        if smallest:
            largest = smallest
            for number in range(count):
                geometry_UG[number] = modality.geometry(sample(number))
                largest = tuple(max(sizes) for sizes in zip(largest, geometry_UG[number].tolist(), strict=True))
                if count * _bytes(modality, blank, largest) > most:
                    return None
        else:
            largest = ()
        parts = [
            modality.collate([sample(number) for number in range(start, min(start + _PART, count))], largest)
            for start in range(0, count, _PART)
        ]
        return cls(modality, {name: torch.cat([part[name] for part in parts]) for name in parts[0]}, geometry_UG)

    @property
    def nbytes(self) -> int:
        """The size of the tensors in bytes."""
        return sum(value.nbytes for value in self._values.values())

    def select(self, numbers_K: np.ndarray) -> dict[str, Tensor]:
        """Return the values of some samples, exactly as ``collate`` returns them for the largest of their geometries.

        :param numbers_K: the numbers of the samples, at least one
        """
        geometry = tuple(self._geometry_UG[numbers_K].max(0).tolist())
        at_K = torch.from_numpy(numbers_K)
        return {name: value.index_select(0, at_K) for name, value in self._modality.narrowed(self._values, geometry).items()}


def _bytes(modality: Modality, sample: Sample, geometry: tuple[int, ...]) -> int:
    """Return the size of the tensors of one sample."""
    return sum(value.nbytes for value in modality.collate([sample], geometry).values())
