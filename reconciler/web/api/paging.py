"""Pages of a list: offset and limit in, the next offset out."""

from collections.abc import Sequence
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

Item = TypeVar("Item")

Offset = Annotated[int, Query(ge=0, le=10**9, description="How many of the newest, or first, are left out.")]
Limit = Annotated[int, Query(ge=1, le=1000, description="How many are returned at most.")]


class Page(BaseModel, Generic[Item]):
    """Some items of a list, and where the next ones begin, if there are any."""

    items: list[Item]
    next_offset: int | None = Field(description="The offset of the next page; null at the end of the list.")


def page(found: Sequence[Item], offset: int, limit: int) -> Page[Item]:
    """Return a page of what was found, one item more than the limit having been asked for."""
    return Page(items=list(found[:limit]), next_offset=offset + limit if len(found) > limit else None)
