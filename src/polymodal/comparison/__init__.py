"""``compare``: does fusing help on this table, by which fusion, by how much, and is it noise?"""

from .verb import compare, resume_compare
from .wording import left_out

__all__ = ["compare", "left_out", "resume_compare"]
