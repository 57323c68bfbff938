"""Whatever a partner sends becomes XML that a parser accepts, or one reason; nothing else happens."""

from contextlib import suppress
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from reconciler.conversion.sources import to_xml
from reconciler.errors import ConversionError
from reconciler.model.rule import SourceFormat

EDIFACT = (
    b"UNA:+.? 'UNB+UNOC:3+A:14+B:14+261121:1200+1'UNH+1+ORDERS:D:96A:UN:EAN008'BGM+220+PO?+1+9'DTM+137:20261121:102'"
    b"NAD+BY+5412345000013::9'LIN+1++4000862141404:SRV'QTY+21:48'UNS+S'UNT+8+1'UNZ+1+1'"
)
X12 = (
    b"ISA*00*          *00*          *ZZ*A              *ZZ*B              *261121*1253*^*00501*000000001*0*T*>~"
    b"GS*SH*A*B*20261121*1253*1*X*005010~ST*856*0001~BSN*00*S-1*20261121*1253~HL*1**S~HL*2*1*O~SE*5*0001~GE*1*1~"
    b"IEA*1*000000001~"
)
CSV = b'order;quantity\n4711;"48"\n4712;1,5\n'
JSON = b'{"a": [1, 2.5e3, "x\\u0007", null, true], "b": {"c": ""}}'
SAMPLES = {
    "edifact": EDIFACT,
    "x12": X12,
    "csv": CSV,
    "json": JSON,
    "xml": b"<a b='1'>&amp;</a>",
    "spreadsheet": b"PK\x03\x04",
}
FEW = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def _holds(payload: bytes, declared: SourceFormat) -> None:
    with suppress(ConversionError):
        xml = to_xml(payload, file_name="file", declared=declared)
        assert etree.fromstring(xml) is not None


@st.composite
def _damaged(draw: st.DrawFn, sample: bytes) -> bytes:
    """Return a sample of which pieces are cut out, doubled, or replaced by what means something."""
    result = sample
    marks = st.sampled_from(
        [b"+", b":", b"'", b"?", b"*", b"~", b">", b"<", b"&", b"\0", b"\xff", b'"', b"\n", b"[" * 300]
    )
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(result)))
        end = draw(st.integers(start, min(len(result), start + 20)))
        piece = draw(st.one_of(marks, st.binary(max_size=4), st.just(result[start:end] * 2)))
        result = result[:start] + piece + result[end:]
    return result


@pytest.mark.parametrize("declared", get_args(SourceFormat))
@FEW
@given(payload=st.binary(max_size=60))
def test_any_bytes(declared: SourceFormat, payload: bytes) -> None:
    _holds(payload, declared)


@pytest.mark.parametrize("declared", get_args(SourceFormat))
@FEW
@given(data=st.data())
def test_a_damaged_file(declared: SourceFormat, data: st.DataObject) -> None:
    _holds(data.draw(_damaged(SAMPLES[declared])), declared)


@FEW
@given(values=st.lists(st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=20), max_size=5))
def test_every_value_that_is_released_arrives(values: list[str]) -> None:
    """What a sender escapes with the release character is what a map reads."""
    escaped = [value.translate({ord(char): f"?{char}" for char in "+:'?"}) for value in values]
    message = "".join(f"FTX+AAI+++{value}'" for value in escaped)
    interchange = f"UNB+UNOC:3+A+B+261121:1200+1'UNH+1+APERAK:D:96A:UN'BGM'{message}UNT+{len(values) + 3}+1'UNZ+1+1'"
    root = etree.fromstring(to_xml(interchange.encode("latin-1"), file_name="a.edi"))
    assert [segment.findtext("FTX04/FTX0401", "") for segment in root.iter("FTX")] == values
