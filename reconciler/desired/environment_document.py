"""The language of `environments/NAME.yaml`, and of `vars`, which `reconciler.yaml` can have too."""

from typing import Annotated, Literal

from pydantic import Field

from reconciler.model.noun import Json, Noun

VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$", max_length=63)]
VariableValue = str | int | float | bool
VariableValues = Annotated[
    dict[VariableName, VariableValue],
    Field(
        description="Values of ${name} in all files; they can be made of ${env:NAME}. Those of an environment win.",
        examples=[{"partner_url": "https://as2.partner.example/as2", "live": True}],
    ),
]


class EnvironmentDocument(Noun):
    """What one environment has otherwise; it is chosen with `--env NAME`."""

    version: Literal[1] = Field(description="The version of this language.")
    vars: VariableValues = Field(default_factory=dict)
    patches: dict[str, dict[str, Json]] = Field(
        default_factory=dict,
        description="An address, such as accounts.acme.mailboxes.orders.integration, to what is otherwise there: "
        "mappings are merged, everything else is replaced.",
        examples=[{"accounts.acme.mailboxes.orders.integration": {"enabled": True}}],
    )
