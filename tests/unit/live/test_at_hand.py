"""What pages cannot wait for: found out once for each mark, beside the page when it takes long."""

from threading import Event

from reconciler.live.at_hand import AtHand


class TestAtHand:
    def test_it_is_found_out_once_for_each_mark(self) -> None:
        marks, found = [1], [0]

        def find() -> int:
            found[0] += 1
            return found[0]

        at_hand = AtHand(lambda: marks[0], find)
        assert [at_hand.now(), at_hand.now(), at_hand.within(10)] == [1, 1, 1]
        marks[0] = 2
        assert at_hand.last() == 1
        assert [at_hand.within(10), at_hand.now()] == [2, 2]

    def test_who_cannot_wait_gets_nothing_and_later_what_was_found_beside(self) -> None:
        may_end, marks = Event(), [1]
        at_hand = AtHand(lambda: marks[0], lambda: may_end.wait(60))
        assert at_hand.within(0) is None
        assert at_hand.last() is None
        may_end.set()
        assert at_hand.now() is True
        marks[0] = 2
        may_end.clear()
        assert at_hand.within(0) is None  # what was found is of another mark
        assert at_hand.last() is True
        may_end.set()
        assert at_hand.now() is True
