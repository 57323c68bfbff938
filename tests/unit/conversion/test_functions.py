"""What maps ask and want done, told by marked messages."""

import pytest

from reconciler.conversion.functions import Lookup, Question, seed, sort_messages
from reconciler.errors import ConversionError

MARK = "urn:reconciler:conversion"


def test_messages_are_told_apart_and_a_question_counts_once() -> None:
    said = sort_messages(
        [
            "hello",
            f'{MARK}:ask:["getMailboxUuidByAlias","GLN:1"]',
            f"{MARK}:attach:u-1",
            f'{MARK}:ask:["getMailboxUuidByAlias","GLN:1"]',
            f"{MARK}:attach:u-2",
            f"{MARK}:chain:e-1",
            f"{MARK}:chain:e-1",
        ]
    )
    assert said.own == ("hello",)
    assert said.asked == ('["getMailboxUuidByAlias","GLN:1"]',)
    assert said.attachments == ("u-1", "u-2")
    assert said.chained == ("e-1",)


def test_a_question_names_a_function_and_its_arguments() -> None:
    question = Question.parse('["getValueFromDictionary", "d", "a", "v", "b"]')
    assert question == Question(Lookup.DICTIONARY_VALUE, ("d", "a", "v", "b"))


@pytest.mark.parametrize(
    "forged",
    [
        "",
        "[]",
        "1",
        "{}",
        '["rm", "x"]',
        '["getMailboxUuidByAlias"]',
        '["getMailboxUuidByAlias", 1]',
        '["getMailboxUuidByAlias", "a", "b"]',
        '[["getMailboxUuidByAlias"], "a"]',
    ],
)
def test_a_forged_question_is_refused(forged: str) -> None:
    with pytest.raises(ConversionError) as caught:
        Question.parse(forged)
    assert caught.value.code == "lookup_unknown"


def test_a_seed_is_a_uuid_but_for_its_last_group() -> None:
    assert len(seed()) == 24
    assert seed().endswith("-")
    assert seed() != seed()
