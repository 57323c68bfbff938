"""The envelopes in what an OUT map made."""

import pytest

from reconciler.conversion.results import envelopes
from reconciler.errors import ConversionError

DECLARATION = b"<?xml version='1.0' encoding='UTF-8'?>\n"


def test_one_root_is_one_envelope() -> None:
    text = '\ufeff<?xml version="1.0" encoding="utf-8"?>\n<!-- x --><e:envelope xmlns:e="urn:e">Söhne</e:envelope>\n'
    assert envelopes(text, several=False) == (DECLARATION + '<e:envelope xmlns:e="urn:e">Söhne</e:envelope>'.encode(),)


@pytest.mark.parametrize("text", ["<a/> <b/>", "<envelopes><a/>\n<b/></envelopes>"])
def test_several_envelopes_are_siblings_or_wrapped(text: str) -> None:
    assert envelopes(text, several=True) == (DECLARATION + b"<a/>", DECLARATION + b"<b/>")


@pytest.mark.parametrize(
    ("text", "several", "code"),
    [
        ("", False, "result_empty"),
        ('<?xml version="1.0"?>', True, "result_empty"),
        ("<envelopes/>", True, "result_empty"),
        ("<a/><b/>", False, "result_several"),
        ("text", False, "result_not_xml"),
        ("<a/>text", False, "result_not_xml"),
        ("<a>", False, "result_not_xml"),
        ("</envelopes><envelopes>", False, "result_not_xml"),
        ("<!DOCTYPE a><a/>", False, "result_not_xml"),
    ],
)
def test_what_is_not_as_many_envelopes_as_wanted_is_an_error(text: str, several: bool, code: str) -> None:
    with pytest.raises(ConversionError) as caught:
        envelopes(text, several=several)
    assert caught.value.code == code


@pytest.mark.parametrize("text", ['<envelope a="1">x</envelope>', '<?xml version="1.0"?>\n<envelope>\n</envelope>\n'])
def test_a_plain_envelope_is_taken_as_it_was_written(text: str) -> None:
    (result,) = envelopes(text, several=False)
    assert result == DECLARATION + text.removeprefix('<?xml version="1.0"?>').strip().encode()


def test_what_only_begins_plainly_is_looked_at() -> None:
    with pytest.raises(ConversionError, match="made 2 envelopes"):
        envelopes("<envelope></envelope><envelope></envelope>", several=False)
    assert envelopes("<envelope><envelope/></envelope>", several=False) == (
        DECLARATION + b"<envelope><envelope/></envelope>",
    )
