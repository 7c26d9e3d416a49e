"""``compare``: does fusing help on this table, by which fusion, by how much, and is it noise?"""

from .api import compare, resume_compare
from .sentences import left_out

__all__ = ["compare", "left_out", "resume_compare"]
