"""Vectors that stand for text: the same text gives the same vector, and that is all they can do."""

from __future__ import annotations

import hashlib
import math
import random


def embedding(text: str, dimensions: int) -> list[float]:
    """A unit vector that depends on nothing but `text`."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")
    generator = random.Random(seed)  # noqa: S311 - repeatable on purpose
    values = [generator.gauss(0, 1) for _ in range(dimensions)]
    length = math.hypot(*values)
    return [value / length for value in values]


def texts(value: object) -> list[str]:
    """The texts of an `input` that may be one or several."""
    return [str(text) for text in value] if isinstance(value, list) else [str(value)]
