"""The table of a job's states."""

from reconciler.store.job_states import PENDING, TRANSITIONS, JobEvent, JobState


class TestTransitions:
    def test_every_event_has_its_transition(self) -> None:
        assert set(TRANSITIONS) == set(JobEvent)

    def test_what_is_done_stays_done(self) -> None:
        assert all(before is not JobState.DONE for before, _ in TRANSITIONS.values())

    def test_a_job_is_held_by_nothing_but_a_claim(self) -> None:
        assert [event for event, (_, after) in TRANSITIONS.items() if after is JobState.RUNNING] == [JobEvent.CLAIM]

    def test_every_pending_job_can_come_to_an_end(self) -> None:
        reached = {JobState.READY}
        while more := {after for before, after in TRANSITIONS.values() if before in reached} - reached:
            reached |= more
        assert reached == set(JobState)
        for state in PENDING:
            assert any(before is state for before, _ in TRANSITIONS.values())
