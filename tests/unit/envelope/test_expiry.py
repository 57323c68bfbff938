"""When the time of an envelope is up."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from reconciler.envelope.status import expires_at
from reconciler.envelope.xml import Envelope
from reconciler.model.template_ref import TemplateRef

SENT = datetime(2026, 3, 28, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expire", "end"),
    [
        (None, None),
        (2, SENT + timedelta(hours=48)),  # whatever the clocks of a country do meanwhile
        (SENT + timedelta(minutes=5), SENT + timedelta(minutes=5)),
        (999_999_999, None),
    ],
)
def test_days_are_counted_from_sending(expire: int | datetime | None, end: datetime | None) -> None:
    template = TemplateRef(uuid=UUID(int=1), version=UUID(int=2))
    assert expires_at(Envelope(template=template, expire=expire), SENT) == end
