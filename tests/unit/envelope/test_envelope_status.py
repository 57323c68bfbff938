"""The table of status transitions."""

from uuid import UUID

import pytest

from reconciler.envelope.status import TRANSITIONS, Event, StatusError, advance, end_turn, turn, view
from reconciler.envelope.xml import Envelope, EnvelopeState, Role, Status
from reconciler.model.template_ref import TemplateRef

ENDS = {Status.COMPLETED, Status.CANCELLED, Status.EXPIRED}
A, B, C = (UUID(int=number) for number in (1, 2, 3))


def sent(*roles: Role, status: Status = Status.SENT) -> Envelope:
    template = TemplateRef(uuid=UUID(int=8), version=UUID(int=9))
    return Envelope(template=template, state=EnvelopeState(status), roles=(Role("sender", A), *roles))


def test_the_ways_of_an_envelope() -> None:
    assert advance(Status.DRAFT, Event.SEND) is Status.SENT
    assert advance(Status.SENT, Event.COMPLETE) is Status.COMPLETED
    assert advance(Status.SENT, Event.REJECT) is Status.CANCELLED
    assert advance(Status.SENT, Event.EXPIRE) is Status.EXPIRED


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("event", Event)
def test_what_the_table_does_not_have_is_refused(status: Status, event: Event) -> None:
    if (Status.SENT if status is Status.WAITING else status, event) in TRANSITIONS:
        assert advance(status, event) in {Status.SENT, *ENDS}
    else:
        with pytest.raises(StatusError, match=f"^an envelope that is {status} cannot {event}$"):
            advance(status, event)


def test_no_way_leads_out_of_an_end_or_back_into_a_draft() -> None:
    assert not {status for status, _ in TRANSITIONS} & ENDS
    assert Status.DRAFT not in TRANSITIONS.values()


@pytest.mark.parametrize("event", [Event.COMPLETE, Event.REJECT, Event.EXPIRE])
def test_waiting_moves_on_as_sent_does(event: Event) -> None:
    assert advance(Status.WAITING, event) is advance(Status.SENT, event)


def test_the_mailbox_whose_turn_it_is_sees_waiting_and_all_others_sent() -> None:
    envelope = sent(Role("first", B), Role("second", C))
    assert [view(envelope, mailbox) for mailbox in (A, B, C)] == [Status.SENT, Status.WAITING, Status.SENT]


def test_a_completed_role_passes_the_turn_on() -> None:
    envelope = sent(Role("first", B, completed=True), Role("second", C))
    assert [view(envelope, mailbox) for mailbox in (A, B, C)] == [Status.SENT, Status.SENT, Status.WAITING]


def test_roles_marked_active_have_their_turn_together() -> None:
    envelope = sent(Role("first", B), Role("second", C, active=True), Role("third", A, active=True))
    assert [role.id for role in turn(envelope)] == ["second", "third"]


@pytest.mark.parametrize("status", [Status.DRAFT, *sorted(ENDS)])
def test_an_envelope_that_is_not_on_its_way_is_the_same_to_everybody(status: Status) -> None:
    envelope = sent(Role("first", B), status=status)
    assert {view(envelope, mailbox) for mailbox in (A, B, C)} == {status}
    assert turn(envelope) == ()


def test_a_turn_that_ends_is_the_next_one_s() -> None:
    envelope, ended = end_turn(sent(Role("first", B), Role("second", C)), B)
    assert [role.id for role in ended] == ["first"]
    assert [role.id for role in turn(envelope)] == ["second"]
    assert turn(end_turn(envelope, C)[0]) == ()


def test_who_is_active_together_ends_for_itself() -> None:
    envelope, _ = end_turn(sent(Role("first", B, active=True), Role("second", C, active=True)), B)
    assert [role.id for role in turn(envelope)] == ["second"]


def test_nobody_ends_the_turn_of_another() -> None:
    with pytest.raises(StatusError, match=r"not the turn of mailbox .*, but of first"):
        end_turn(sent(Role("first", B), Role("second", C)), C)
