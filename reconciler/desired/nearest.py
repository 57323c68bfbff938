"""The word that was meant by a misspelt one."""

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches

_ALIKE = 0.6


def nearest(word: str, words: Iterable[str]) -> str:
    """Return the one of `words` that is most like a misspelt one; empty when none is."""
    by_case = {candidate.lower(): candidate for candidate in words}
    return next((by_case[found] for found in get_close_matches(word.lower(), by_case, n=1, cutoff=_ALIKE)), "")


def is_like(word: str, other: str) -> bool:
    """Say whether one word can be the other, misspelt."""
    return SequenceMatcher(None, word, other).ratio() >= _ALIKE
