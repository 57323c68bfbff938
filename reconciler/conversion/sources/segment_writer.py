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
        # Beside each field what is asked of it for every segment, which is quicker to unpack than to look up.
        self._fields: list[tuple[_Field, bool, str, str, dict[int, str]]] = []

    def write(self, elements: list[str]) -> str:
        """Return a segment, its tag the first of `elements`, as XML. Raises ValueError when it has too many parts."""
        if len(self._fields) < len(elements) - 1:
            self._prepare(len(elements) - 1)
        component, repetition = self._component, self._repetition
        xml = f"<{self._tag}>"
        values = iter(elements)
        next(values)
        for (field, composite, begin, end, templates), element in zip(self._fields, values, strict=False):
            if not element:
                continue
            if repetition and repetition in element:
                xml += "".join([self._written(field, value) for value in element.split(repetition)])
            elif composite or component in element:
                parts = element.split(component)
                template = templates.get(len(parts))
                if template is None or "" in parts:
                    xml += self._written(field, element)
                else:
                    xml += template % tuple(parts)
            else:
                xml += f"{begin}{element}{end}"
        return f"{xml}</{self._tag}>"

    def _written(self, field: "_Field", value: str) -> str:
        """Return one element, or one repetition of it; nothing when it is empty."""
        if not (field.composite or self._component in value):
            return f"{field.begin}{value}{field.end}" if value else ""
        parts = value.split(self._component)
        template = field.templates.get(len(parts))
        if template is None:
            template = self._prepare_template(field, len(parts))
        if "" not in parts:
            return template % tuple(parts)
        within = "".join(
            [f"{begin}{part}{end}" for (begin, end), part in zip(field.components, parts, strict=False) if part]
        )
        return f"{field.begin}{within}{field.end}" if within else ""

    def _prepare(self, count: int) -> None:
        if count > MOST:
            raise ValueError(f"at most {MOST} elements were expected, not {count}")
        for position in range(len(self._fields) + 1, count + 1):
            name = f"{self._tag}{position:02}"
            field = _Field(name, composite=self._elements[position - 1 : position] == "c")
            self._fields.append((field, field.composite, field.begin, field.end, field.templates))

    def _prepare_template(self, field: "_Field", count: int) -> str:
        if count > MOST:
            raise ValueError(f"at most {MOST} components in {field.name} were expected, not {count}")
        for position in range(len(field.components) + 1, count + 1):
            name = f"{field.name}{position:02}"
            field.components.append((f"<{name}>", f"</{name}>"))
        within = "".join(f"{begin}%s{end}" for begin, end in field.components[:count])
        template = field.templates[count] = f"{field.begin}{within}{field.end}"
        return template


class _Field:
    """One element of a segment; `templates` are its XML by the number of components, all of them filled."""

    __slots__ = ("begin", "components", "composite", "end", "name", "templates")

    def __init__(self, name: str, *, composite: bool) -> None:
        self.name, self.composite = name, composite
        self.begin, self.end = f"<{name}>", f"</{name}>"
        self.components: list[tuple[str, str]] = []
        self.templates: dict[int, str] = {}
