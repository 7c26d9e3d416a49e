"""Columns of short strings, made from a seed."""

from __future__ import annotations

import numpy as np

_LEVELS = ("Junior", "Senior", "Chief", "Deputy", "Assistant", "Acting", "Head", "Lead", "Principal", "Trainee")
_ROLES = (
    "Engineer",
    "Nurse",
    "Teacher",
    "Officer",
    "Clerk",
    "Planner",
    "Analyst",
    "Driver",
    "Librarian",
    "Inspector",
    "Mechanic",
    "Surveyor",
)


def titles(rows: int, rng: np.random.Generator) -> list[str]:
    """Job titles: three in four rows have one of twelve, the others one of 1,200 that are rare."""
    places = [f"{level} {role} {number}" for level in _LEVELS for role in _ROLES for number in range(10)]
    return [str(rng.choice(_ROLES if rng.random() < 0.75 else places)) for _ in range(rows)]


def isbns(rows: int, rng: np.random.Generator) -> list[str]:
    """ISBNs of ten signs, one in twelve of which ends in X."""
    return [f"{int(rng.integers(10**9)):09d}{'X' if at % 12 == 0 else at % 10}" for at in range(rows)]
