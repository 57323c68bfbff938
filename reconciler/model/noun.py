"""What every noun of the configuration has in common."""

from pydantic import BaseModel, ConfigDict, JsonValue

Json = JsonValue


class Noun(BaseModel):
    """A frozen value. Two nouns that mean the same are equal; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
