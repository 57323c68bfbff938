"""One segment as XML."""

from reconciler.conversion.sources.segments import ServiceCharacters

MOST = 99
"""Elements of a segment, and components of an element: positions have two digits."""


class SegmentWriter:
    """Writes the segments of one tag; prepares what it needs once, since it is called for every segment.

    `elements` tells composite (`c`) from simple (`s`) elements; what stands behind its end is told by the data.
    """

    def __init__(self, tag: str, elements: str, characters: ServiceCharacters) -> None:
        self._tag = tag
        self._elements = elements
        self._component = characters.component
        self._repetition = characters.repetition
        self._fields: list[tuple[bool, str, str, list[tuple[str, str]]]] = []

    def write(self, elements: list[str]) -> str:
        """Return a segment, its tag the first of `elements`, as XML. Raises ValueError when it has too many parts."""
        if len(self._fields) < len(elements) - 1:
            self._prepare(len(elements) - 1)
        component, repetition = self._component, self._repetition
        out = [f"<{self._tag}>"]
        for field, element in zip(self._fields, elements[1:], strict=False):
            if not element:
                continue
            composite, begin, end, names = field
            for value in element.split(repetition) if repetition else (element,):
                if composite or component in value:
                    parts = value.split(component)
                    if len(parts) > len(names):
                        self._name(names, len(parts), begin[1:-1])
                    within = "".join(
                        [f"{name[0]}{part}{name[1]}" for name, part in zip(names, parts, strict=False) if part]
                    )
                    if within:
                        out.append(f"{begin}{within}{end}")
                elif value:
                    out.append(f"{begin}{value}{end}")
        out.append(f"</{self._tag}>")
        return "".join(out)

    def _prepare(self, count: int) -> None:
        if count > MOST:
            raise ValueError(f"at most {MOST} elements were expected, not {count}")
        for position in range(len(self._fields) + 1, count + 1):
            name = f"{self._tag}{position:02}"
            composite = self._elements[position - 1 : position] == "c"
            self._fields.append((composite, f"<{name}>", f"</{name}>", []))

    def _name(self, names: list[tuple[str, str]], count: int, element: str) -> None:
        if count > MOST:
            raise ValueError(f"at most {MOST} components in {element} were expected, not {count}")
        names.extend(
            (f"<{element}{position:02}>", f"</{element}{position:02}>") for position in range(len(names) + 1, count + 1)
        )
