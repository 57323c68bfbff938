"""Pages of a list: offset and limit in, the next offset out."""

from collections.abc import Sequence
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from fastapi import Path, Query
from pydantic import BaseModel, Field

Item = TypeVar("Item")

Offset = Annotated[int, Query(ge=0, le=10**9, description="How many of the newest, or first, are left out.")]
Limit = Annotated[int, Query(ge=1, le=1000, description="How many are returned at most.")]


Address = Annotated[
    str,
    Path(
        max_length=500,
        description="An address, as `reconciler show` prints it.",
        examples=["accounts.acme.mailboxes.orders"],
    ),
]
Uuid = Annotated[UUID, Path(description="The UUID, as the list has it.")]
Account = Annotated[str | None, Query(max_length=100, description="Only those of this account.", examples=["acme"])]
OfMailbox = Annotated[
    str | None,
    Query(max_length=500, description="Only those of this mailbox.", examples=["accounts.acme.mailboxes.orders"]),
]


class Page(BaseModel, Generic[Item]):
    """Some items of a list, and where the next ones begin, if there are any."""

    items: list[Item]
    next_offset: int | None = Field(description="The offset of the next page; null at the end of the list.")


def page(found: Sequence[Item], offset: int, limit: int) -> Page[Item]:
    """Return a page of what was found, one item more than the limit having been asked for."""
    return Page(items=list(found[:limit]), next_offset=offset + limit if len(found) > limit else None)
