"""Variables in scalars: `${name}` and `${env:NAME}`, each with a default after `:-`; `$${` is `${` itself."""

import re
from collections.abc import Mapping

from reconciler.desired.yaml_document import Scalar

_REFERENCE = re.compile(
    r"\$(?P<escaped>\$\{)|\$\{(?P<env>env:)?(?P<name>[A-Za-z_][A-Za-z0-9_-]*)(?::-(?P<default>[^}]*))?\}|\$\{"
)


class VariableError(ValueError):
    """A scalar names a variable that has no value, or names it wrongly; `name` is empty for the latter."""

    def __init__(self, message: str, name: str = "") -> None:
        self.name = name
        super().__init__(message)


class Variables:
    """The values of an environment. `asked` are the environment's variables that were looked at, with their values."""

    def __init__(
        self,
        values: Mapping[str, Scalar] | None = None,
        environ: Mapping[str, str] | None = None,
        asked: dict[str, str | None] | None = None,
    ) -> None:
        self.values = dict(values or {})
        self._environ = environ or {}
        self.asked = {} if asked is None else asked

    def anew(self) -> "Variables":
        """Return the same variables of which none was looked at."""
        return Variables(self.values, self._environ)

    def expanded(self, text: str) -> tuple[Scalar, bool]:
        """Return a scalar with its variables replaced, and whether it is the value of one variable and nothing else.

        Raises VariableError.
        """
        whole = _REFERENCE.fullmatch(text)
        if whole is not None and whole["name"] and not whole["env"] and whole["name"] in self.values:
            return self.values[whole["name"]], True
        return _REFERENCE.sub(self._value, text), False

    def _value(self, reference: re.Match[str]) -> str:
        if reference["escaped"]:
            return "${"
        name, default = reference["name"], reference["default"]
        if name is None:
            raise VariableError("a variable is written ${name}, ${name:-default} or ${env:NAME}; ${ itself is $${")
        if reference["env"]:
            value = self.asked[name] = self._environ.get(name)
            if not value and default is None:
                raise VariableError(f"the environment variable {name} is not set, and there is no default", name)
            return value or default or ""
        if name not in self.values and default is None:
            raise VariableError(f"the variable '{name}' is not defined, and there is no default", name)
        return as_text(self.values.get(name, default))


def as_text(value: Scalar) -> str:
    """Return a scalar as it is written in YAML."""
    return str(value).lower() if isinstance(value, bool) else str(value)
