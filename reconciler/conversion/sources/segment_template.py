"""One segment as XML: a format, made once for all segments of a tag and a shape, into which their pieces go."""

from functools import lru_cache

MOST = 99
"""Elements of a segment, and components of an element: positions have two digits."""
_LONGEST_KEPT = 200
_NOTHING = "%.0s"
"""Takes a piece and writes nothing."""


def segment_template(tag: str, elements: str, shape: str) -> str:
    """Return the format that writes the pieces of a segment, the first of which is its tag.

    `elements` tells composite (`c`) from simple (`s`) elements; what stands behind its end is told by the data, whose
    `shape` is as in `Segments`. Raises ValueError when the segment has too many parts.
    """
    # Only a hostile file has longer ones; keeping those would fill the memory.
    return _kept(tag, elements, shape) if len(shape) <= _LONGEST_KEPT else _template(tag, elements, shape)


def _template(tag: str, elements: str, shape: str) -> str:
    first, *fields = shape.split("+")
    if len(fields) > MOST:
        raise ValueError(f"at most {MOST} elements were expected, not {len(fields)}")
    template = f"<{tag}>" + _NOTHING * (1 + first.count(":") + first.count("*"))
    for position, field in enumerate(fields, 1):
        name, composite = f"{tag}{position:02}", elements[position - 1 : position] == "c"
        template += "".join(_element(name, value.split(":"), composite=composite) for value in field.split("*"))
    return f"{template}</{tag}>"


_kept = lru_cache(maxsize=2048)(_template)


def _element(name: str, parts: list[str], *, composite: bool) -> str:
    """Return the format of one element, or of one repetition of it; an empty one is left out."""
    if len(parts) > MOST:
        raise ValueError(f"at most {MOST} components in {name} were expected, not {len(parts)}")
    if not any(parts):
        return _NOTHING * len(parts)
    within = "%s"
    if composite or len(parts) > 1:
        within = "".join(
            f"<{name}{number:02}>%s</{name}{number:02}>" if part else _NOTHING for number, part in enumerate(parts, 1)
        )
    return f"<{name}>{within}</{name}>"
