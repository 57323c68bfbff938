"""The envelopes in what an OUT map made."""

import re
from collections.abc import Sequence

from lxml import etree

from reconciler.conversion.xml_input import parse
from reconciler.errors import ConversionError

_PROLOG = re.compile(r"\A\ufeff?\s*(<\?xml\s[^>]*\?>)?")
_PLAIN = re.compile(r"<envelope[\s>]")
_WRAPPER = "envelopes"
_DECLARATION = b"<?xml version='1.0' encoding='UTF-8'?>\n"


def envelopes(text: str, *, several: bool) -> tuple[bytes, ...]:
    """Return the envelope documents of a map's result, each in UTF-8 with its XML declaration.

    With `several` they are the result's roots, or the children of one root `envelopes`. Raises ConversionError
    `result_not_xml`, `result_empty` or `result_several`.
    """
    body = _PROLOG.sub("", text, count=1).strip()
    if not several and _is_plainly_one(body):
        return (_DECLARATION + body.encode(),)
    # Saxon writes several roots as siblings, which is no document.
    wrapped = f"<{_WRAPPER}>{body}</{_WRAPPER}>".encode()
    root = parse(wrapped, what="the result", code="result_not_xml").getroot()
    etree.strip_elements(root, etree.Comment, etree.ProcessingInstruction, with_tail=False)
    if several and len(root) == 1 and etree.QName(root[0]).localname == _WRAPPER:
        root = root[0]
    if stray := "".join([root.text or "", *(one.tail or "" for one in root)]).strip():
        raise ConversionError("result_not_xml", f"the result has text outside an envelope: {stray[:80]}")
    if not len(root):
        raise ConversionError("result_empty", "the map made no envelope")
    if len(root) > 1 and not several:
        raise ConversionError(
            "result_several",
            f"the map made {len(root)} envelopes; a rule that wants several says `multiple_envelopes: true`",
        )
    return tuple(etree.tostring(one, encoding="UTF-8", xml_declaration=True, with_tail=False) for one in root)


def _is_plainly_one(text: str) -> bool:
    """Say whether a serialised result is one envelope, as most are: what reads it next need not be asked for that."""
    return (
        _PLAIN.match(text) is not None
        and text.endswith("</envelope>")
        and text.count("<envelope") == 1
        # Where the second character is nowhere, as mostly, that is seen much sooner than that the pair is not.
        and all(mark[1] not in text or mark not in text for mark in ("<!", "<?"))
    )


def together(results: Sequence[bytes]) -> bytes:
    """Return several envelopes as one XML document, the children of `envelopes`; a single result as it is."""
    if len(results) == 1:
        return results[0]
    root = etree.Element(_WRAPPER)
    for result in results:
        root.append(parse(result, what="the result", code="result_not_xml").getroot())
        root[-1].tail = "\n"
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True) + b"\n"
