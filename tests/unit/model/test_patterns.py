import pytest
import re2
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.model import pattern

CHARACTERS = r"""aZ0_ .*+?\\-/,;:=@#%&~<>!'"()[]{}|^$é"""


def compiles(text: str) -> bool:
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(text, options)
    except re2.error:
        return False
    return True


@settings(max_examples=300, deadline=None)
@given(st.text(CHARACTERS, max_size=12))
@example(r"ORDERS_17_.*\.edi")
@example(r"a**")
@example(r"\_")
@example(".*?" * 90)
@example("(?=a)")
def test_a_pattern_is_refused_exactly_when_re2_refuses_it(text: str) -> None:
    if compiles(text):
        pattern.check(text)
    else:
        with pytest.raises(ValueError, match=r"."):
            pattern.check(text)
