"""What mails say: templates filled with what happened, in plain text and in HTML. A project's own go first."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import jinja2
from jinja2 import BaseLoader, ChoiceLoader, FileSystemLoader, StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from reconciler.errors import ReconcilerError
from reconciler.model.noun import Json
from reconciler.store.mails import Template

BUILT_IN = Path(__file__).parent / "templates"
LONGEST_SUBJECT = 200


@dataclass(frozen=True, slots=True)
class Letter:
    """What a mail says."""

    subject: str
    text: str
    html: str


class Letters:
    """Writes mails. `own` is a folder whose templates go before the built-in ones; `url` is where the pages are.

    The first line of a text template is `Subject: …`. Raises ReconcilerError for a template that is wrong.
    """

    def __init__(self, own: Path | None, url: str) -> None:
        loaders: list[BaseLoader] = [FileSystemLoader(own)] if own is not None else []
        self._environment = ImmutableSandboxedEnvironment(
            loader=ChoiceLoader([*loaders, FileSystemLoader(BUILT_IN)]),
            autoescape=lambda name: name is not None and name.endswith(".html"),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._url = url
        if own is not None and not own.is_dir():
            raise ReconcilerError(f"gateway.notifications.templates: there is no folder {own}.")
        for name in get_args(Template):
            for form in ("txt", "html"):
                self._loaded(f"{name}.{form}")

    def write(self, template: Template, data: Mapping[str, Json]) -> Letter:
        """Return a letter. Raises ReconcilerError for a template that asks for what there is not."""
        head, _, text = self._filled(f"{template}.txt", data).partition("\n")
        subject = head.removeprefix("Subject:")
        # One line, whatever the partner called the file: a header ends at a line break.
        subject = " ".join(subject.split())[:LONGEST_SUBJECT]
        return Letter(subject, text.lstrip("\n"), self._filled(f"{template}.html", data))

    def _filled(self, name: str, data: Mapping[str, Json]) -> str:
        try:
            return self._loaded(name).render({**data, "url": self._url})
        except TemplateError as error:
            raise ReconcilerError(f"The mail template {name} cannot be filled: {error.message}") from error

    def _loaded(self, name: str) -> jinja2.Template:
        try:
            return self._environment.get_template(name)
        except TemplateSyntaxError as error:
            raise ReconcilerError(
                f"The mail template {error.filename}:{error.lineno} is wrong: {error.message}"
            ) from None
