"""``compare``: does fusing help on this table, by which fusion, by how much, and is it noise?"""

from .api import compare, resume_compare

__all__ = ["compare", "resume_compare"]
