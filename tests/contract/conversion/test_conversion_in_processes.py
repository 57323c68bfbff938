"""Conversions through worker processes: what they make, and that nothing hostile gets out of one."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from reconciler.conversion.converter import Converted, Converter, InConversion, Limits, OutConversion, UnfinishedError
from reconciler.errors import ConversionError
from reconciler.model.source_file import Part, SourceFile, digest
from reconciler.model.template_ref import TemplateRef

CASES = Path(__file__).parents[2] / "cases" / "conversion"
SENDER = UUID("11111111-1111-4111-8111-111111111111")
TEMPLATE = TemplateRef(
    uuid=UUID("1997a1b4-88e3-4f58-88ca-fcd2c6fb5869"), version=UUID("4a303734-a118-44a2-aedf-67df61612628")
)
XS = 'xmlns:xs="http://www.w3.org/2001/XMLSchema"'
FUNCTIONS = 'xmlns:wd="java:com.whitedoc.xslt.extensions.WdExtensions"'


class Files:
    """Contents by hash, as the store has them."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}

    def __call__(self, sha256: str) -> bytes:
        return self.contents[sha256]

    def add(self, name: str, content: str | bytes, **parts: str | bytes) -> SourceFile:
        return SourceFile(
            name=name,
            sha256=self._put(content),
            parts=tuple(Part(name=part.replace("__", "."), sha256=self._put(text)) for part, text in parts.items()),
        )

    def folder(self, folder: Path) -> SourceFile:
        parts = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.x[sm]l")}
        return self.add("map.xsl", parts.pop("map.xsl"), **parts)

    def stylesheet(self, body: str, declarations: str = "") -> SourceFile:
        return self.add(
            "map.xsl",
            f'<xsl:stylesheet version="3.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" {FUNCTIONS}'
            f' exclude-result-prefixes="#all">{declarations}<xsl:template match="/">{body}</xsl:template>'
            "</xsl:stylesheet>",
        )

    def _put(self, content: str | bytes) -> str:
        data = content.encode() if isinstance(content, str) else content
        self.contents[digest(data)] = data
        return digest(data)


class Gateway:
    """Answers lookups: one dictionary, one alias, one that is ambiguous, and one at which the gateway itself fails."""

    def dictionary_value(self, dictionary: str, column_of_value: str, value: str, column_to_find: str) -> str | None:
        return f"{dictionary}/{column_of_value}/{value}/{column_to_find}"

    def dictionary_record(self, dictionary: str, column: str, value: str) -> str | None:
        return f"{dictionary}/{column}/{value}"

    def mailbox_by_alias(self, alias: str) -> str | None:
        match alias:
            case "GLN:1":
                return "m-1"
            case "GLN:2":
                raise ConversionError("alias_ambiguous", "two mailboxes have the alias GLN:2")
            case "GLN:3":
                raise RuntimeError("the database is away")
            case _:
                return None

    def envelope_by_field(self, template: str, field: str, value: str) -> str | None:
        return f"{template}/{field}/{value}"


@pytest.fixture(scope="module")
def files() -> Files:
    return Files()


@pytest.fixture(scope="module")
def converter(files: Files) -> Iterator[Converter]:
    with Converter(files) as converter:
        yield converter


def out(converter: Converter, stylesheet: SourceFile, payload: bytes = b"<order/>", **more: object) -> Converted:
    request = OutConversion(
        payload=payload,
        file_name="order.xml",
        stylesheet=stylesheet,
        sender_mailbox=SENDER,
        template=TEMPLATE,
        **more,  # type: ignore[arg-type]
    )
    return converter.convert_out(request, Gateway())


def into(converter: Converter, stylesheet: SourceFile, envelope: bytes = b"<envelope/>", **more: object) -> Converted:
    request = InConversion(
        envelope=envelope,
        stylesheet=stylesheet,
        sender_mailbox=SENDER,
        template=TEMPLATE,
        **more,  # type: ignore[arg-type]
    )
    return converter.convert_in(request, Gateway())


def test_out_makes_an_envelope_with_the_gateway_s_answers(converter: Converter, files: Files) -> None:
    stylesheet = files.stylesheet(
        "<xsl:message select=\"'converted'\"/><envelope templateUuid='{$TEMPLATE_UUID}' sender='{$SENDER_MAILBOX}'"
        " mailbox=\"{wd:getMailboxUuidByAlias('GLN:1')}\" none=\"{wd:getMailboxUuidByAlias('GLN:9')}\""
        " value=\"{wd:getValueFromDictionary('d', 'a', 1, 'b')}\""
        " record=\"{wd:getRecordUuidByValueFromDictionary('d', 'a', 1)}\""
        " found=\"{wd:findEnvelopeUuidByField('t', 'f', 'v')}\"/>",
        "<xsl:param name='TEMPLATE_UUID'/><xsl:param name='SENDER_MAILBOX'/>",
    )
    converted = out(converter, stylesheet, attributes={"kind": "order", "to": "/*/@mailbox", "sum": "xpath:1 + 1"})
    (result,) = converted.results
    for part in (
        f'templateUuid="{TEMPLATE.uuid}"',
        f'sender="{SENDER}"',
        'mailbox="m-1"',
        'none=""',
        'value="d/a/1/b"',
        'record="d/a/1"',
        'found="t/f/v"',
    ):
        assert part.encode() in result
    assert converted.messages == ("converted",)
    assert converted.attributes == {"kind": "order", "to": "m-1", "sum": "2"}
    assert converted.source_xml is None


def test_what_a_map_saw_is_kept_when_it_is_not_the_payload(converter: Converter, files: Files) -> None:
    payload = (
        b"UNB+UNOC:3+A+B+260101:1200+1'UNH+1+ORDERS:D:96A:UN'BGM+220+4711+9'DTM+137:20260101:102'UNS+S'UNT+5+1'UNZ+1+1'"
    )
    request = OutConversion(
        payload=payload,
        file_name="ORDERS.edi",
        stylesheet=files.stylesheet("<envelope><xsl:value-of select='//BGM02'/></envelope>"),
        sender_mailbox=SENDER,
        template=TEMPLATE,
    )
    converted = converter.convert_out(request, Gateway())
    assert converted.source_xml == converter.to_source_xml(payload, file_name="ORDERS.edi")
    assert b"<BGM" in (converted.source_xml or b"")
    assert b"4711" in converted.results[0]


def test_a_message_is_read_with_a_table_of_the_configuration(converter: Converter, files: Files) -> None:
    table = files.add("D96A.txt", "directory D96A\nsegments CNI=scs\nmessage IFTSTA BGM (CNI (STS RFF))")
    message = b"UNH+1+IFTSTA:D:96A:UN'BGM+23+1'CNI+1+X'STS+1+13'UNT+5+1'"
    interchange = b"UNB+UNOC:3+A+B+261121:1200+1'" + message + b"UNZ+1+1'"
    request = OutConversion(
        payload=interchange,
        file_name="status.edi",
        stylesheet=files.stylesheet("<envelope><xsl:value-of select='//GROUP_1/CNI/CNI02/CNI0201'/></envelope>"),
        validation=(files.add("order.xsd", f"<xs:schema {XS}><xs:element name='envelope'/></xs:schema>"),),
        sender_mailbox=SENDER,
        template=TEMPLATE,
        directories=(table,),
    )
    assert b">X<" in converter.convert_out(request, Gateway()).results[0]
    flat = files.stylesheet("<envelope><xsl:value-of select='//IFTSTA/CNI/CNI02'/></envelope>")
    assert b">X<" in converter.convert_out(replace(request, directories=(), stylesheet=flat), Gateway()).results[0]
    assert b"<CNI0201>" in converter.to_source_xml(interchange, file_name="status.edi", directories=[table])


def test_several_envelopes_need_the_rule_to_say_so(converter: Converter, files: Files) -> None:
    siblings = files.stylesheet("<envelope n='1'/><envelope n='2'/>")
    wrapped = files.stylesheet("<envelopes><envelope n='1'/><envelope n='2'/></envelopes>")
    for stylesheet in (siblings, wrapped):
        results = out(converter, stylesheet, multiple_envelopes=True).results
        assert [b'n="1"' in result for result in results] == [True, False]
    with pytest.raises(ConversionError, match="multiple_envelopes"):
        out(converter, siblings)


def test_attachments_and_chain_come_with_the_result(converter: Converter, files: Files) -> None:
    converted = out(
        converter,
        files.stylesheet(
            "<envelope attachment='{wd:createAttachementWithSourceFile()}'>"
            "<xsl:value-of select=\"wd:chainEnvelope(wd:findEnvelopeUuidByField('t', 'f', 'v'))\"/></envelope>"
        ),
    )
    (attachment,) = converted.attachments
    assert str(UUID(attachment)) == attachment
    assert attachment.encode() in converted.results[0]
    assert converted.chain_envelope == "t/f/v"


@pytest.mark.parametrize("case", sorted((CASES / "xslt").iterdir()), ids=lambda case: case.name)
def test_errors_of_a_map_reach_the_gateway_with_file_and_line(converter: Converter, files: Files, case: Path) -> None:
    error = case / "error.txt"
    told = ""
    try:
        into(converter, files.folder(case), (case / "source.xml").read_bytes())
    except ConversionError as failure:
        told = f"{failure.code}: {failure}"
    assert told == (error.read_text().strip() if error.exists() else "")


def test_in_makes_one_file_in_the_encoding_of_the_map(converter: Converter, files: Files) -> None:
    stylesheet = files.stylesheet(
        "Söhne;<xsl:value-of select='//name'/>", "<xsl:output method='text' encoding='cp1252'/>"
    )
    converted = into(converter, stylesheet, "<envelope><name>Müller €</name></envelope>".encode())
    assert converted.results == ("Söhne;Müller €".encode("cp1252"),)
    with pytest.raises(ConversionError) as caught:
        into(converter, files.stylesheet("", "<xsl:output method='text'/>"))
    assert caught.value.code == "result_empty"


def test_a_result_that_validation_refuses_is_an_error_and_warnings_are_messages(
    converter: Converter, files: Files
) -> None:
    rules = files.add(
        "order.sch",
        '<schema xmlns="http://purl.oclc.org/dsdl/schematron" queryBinding="xslt2"><pattern><rule context="order">'
        '<assert test="@number" id="R1">An order has a number.</assert>'
        '<assert test="@date" flag="warning">An order should have a date.</assert></rule></pattern></schema>',
    )
    accepted = into(converter, files.stylesheet("<order number='1'/>"), validation=(rules,))
    assert accepted.messages == ("order.sch: /order[1]: An order should have a date.",)
    with pytest.raises(ConversionError) as caught:
        into(converter, files.stylesheet("<order/>"), validation=(rules,))
    assert caught.value.code == "validation_failed"
    assert str(caught.value) == "order.sch: /order[1]: [R1] An order has a number."


def test_a_failure_brings_what_was_made_until_then(converter: Converter, files: Files) -> None:
    rules = files.add("order.xsd", f"<xs:schema {XS}><xs:element name='order'/></xs:schema>")
    refused = files.stylesheet("<xsl:message select=\"'made'\"/><envelope/>")
    with pytest.raises(UnfinishedError) as caught:
        out(converter, refused, b"a;b\n1;2\n", validation=(rules,), source="csv")
    assert caught.value.code == "validation_failed"
    assert b"<cell" in (caught.value.made.source_xml or b"")
    assert b"<envelope/>" in caught.value.made.results[0]
    assert caught.value.made.messages == ("made",)
    failing = files.stylesheet("<xsl:message select=\"'begun'\"/><envelope a=\"{error((), 'no more')}\"/>")
    for convert in (out, into):
        with pytest.raises(UnfinishedError, match="no more") as caught:
            convert(converter, failing)
        assert (caught.value.code, caught.value.made.results) == ("map_failed", ())
        assert caught.value.made.messages == ("begun",)
    no_document = files.stylesheet("text", "<xsl:output method='text'/>")
    with pytest.raises(UnfinishedError) as caught:
        out(converter, no_document)
    assert (caught.value.code, caught.value.made.results) == ("result_not_xml", (b"text",))


def test_a_failing_lookup_fails_its_conversion_only(converter: Converter, files: Files) -> None:
    asking = "<envelope a=\"{{wd:getMailboxUuidByAlias('GLN:{}')}}\"/>"
    with pytest.raises(ConversionError, match="two mailboxes"):
        out(converter, files.stylesheet(asking.format(2)))
    with pytest.raises(RuntimeError, match="the database is away"):
        out(converter, files.stylesheet(asking.format(3)))
    assert b"m-1" in out(converter, files.stylesheet(asking.format(1))).results[0]


@pytest.mark.parametrize("case", sorted((CASES / "hostile" / "sources").iterdir()), ids=lambda case: case.name)
def test_a_hostile_source_is_refused(converter: Converter, files: Files, case: Path) -> None:
    stylesheet = files.stylesheet("<envelope><xsl:value-of select='.'/></envelope>")
    with pytest.raises(ConversionError) as caught:
        out(converter, stylesheet, case.read_bytes())
    assert caught.value.code == "xml_syntax"
    with pytest.raises(ConversionError) as caught:
        into(converter, stylesheet, case.read_bytes())
    assert caught.value.code == "envelope_xml"


@pytest.mark.parametrize(
    "case",
    sorted((CASES / "hostile").glob("*.xsl")) + sorted((CASES / "hostile/slow").iterdir()),
    ids=lambda case: case.stem,
)
def test_a_hostile_map_reaches_nothing_from_a_worker(
    converter: Converter, files: Files, case: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.xml"
    secret.write_text('<secret x="stolen">stolen</secret>')
    stylesheet = files.add("map.xsl", case.read_text().replace("SECRET", secret.as_uri()))
    told = ""
    try:
        results = out(converter, stylesheet).results
    except ConversionError as error:
        results, told = (), str(error)
    assert results in {(), (b"<?xml version='1.0' encoding='UTF-8'?>\n<envelope/>",)}
    assert "stolen" not in told


@pytest.mark.parametrize("case", sorted((CASES / "hostile" / "killed").iterdir()), ids=lambda case: case.stem)
def test_what_exceeds_its_limits_is_ended_and_harms_no_other(files: Files, case: Path) -> None:
    good = files.stylesheet("<envelope/>")
    limits = Limits(cpu_seconds=3)
    with Converter(files, workers=2, limits=limits) as converter:
        out(converter, good)
        caught: list[str] = []

        def hostile() -> None:
            try:
                out(converter, files.add("map.xsl", case.read_text()))
            except ConversionError as error:
                caught.append(error.code)

        thread = threading.Thread(target=hostile)
        thread.start()
        others = [out(converter, good).results for _ in range(5)]
        thread.join()
        assert caught[0] in {"conversion_timeout", "conversion_killed"}
        assert len(set(others)) == 1
        assert out(converter, good).results == others[0]


def test_too_large_payloads_and_results_are_refused(files: Files) -> None:
    with Converter(files, limits=Limits(payload=1000, result=1000)) as converter:
        with pytest.raises(ConversionError) as caught:
            out(converter, files.stylesheet("<a/>"), b"<a>" + b" " * 1000 + b"</a>")
        assert caught.value.code == "payload_too_large"
        with pytest.raises(ConversionError) as caught:
            out(converter, files.stylesheet("<a><xsl:for-each select='1 to 1000'><b/></xsl:for-each></a>"))
        assert caught.value.code == "result_too_large"


def test_a_worker_is_replaced_after_its_share_of_conversions(files: Files) -> None:
    with Converter(files, limits=Limits(conversions=2)) as converter:
        results = [out(converter, files.stylesheet("<envelope/>")).results for _ in range(5)]
    assert len(set(results)) == 1


def test_a_conversion_runs_once_more_when_a_worker_dies_that_others_have_worn(files: Files) -> None:
    stylesheet = files.stylesheet("<envelope to=\"{wd:getMailboxUuidByAlias('GLN:1')}\"/>")

    class Killer(Gateway):
        """Ends the worker that asks, as many times as it is told to."""

        def __init__(self, converter: Converter, times: int) -> None:
            self.converter, self.times = converter, times

        def mailbox_by_alias(self, alias: str) -> str | None:
            if self.times:
                self.times -= 1
                (worker,) = self.converter.process_ids()
                os.kill(worker, signal.SIGKILL)
            return super().mailbox_by_alias(alias)

    with Converter(files) as converter:
        request = OutConversion(
            payload=b"<order/>", file_name="order.xml", stylesheet=stylesheet, sender_mailbox=SENDER, template=TEMPLATE
        )
        with pytest.raises(ConversionError) as caught:
            converter.convert_out(request, Killer(converter, 1))
        assert caught.value.code == "conversion_killed"
        out(converter, stylesheet)
        assert b'to="m-1"' in converter.convert_out(request, Killer(converter, 1)).results[0]
        with pytest.raises(ConversionError) as caught:
            converter.convert_out(request, Killer(converter, 2))
        assert caught.value.code == "conversion_killed"


def test_rules_as_large_as_those_of_standards_are_compiled_and_kept(files: Files) -> None:
    def schema(name: str) -> SourceFile:
        rules = "".join(
            f"<rule context='line[@n = {number}]'><assert id='{name}-{number}' test='quantity * price = total and"
            f" (not(@unit) or @unit = &quot;U{number}&quot;)'>The total of line {number} is wrong.</assert></rule>"
            for number in range(1500)
        )
        text = f'<schema xmlns="http://purl.oclc.org/dsdl/schematron" queryBinding="xslt2"><pattern>{rules}</pattern>'
        return files.add(f"{name}.sch", f"{text}</schema>")

    document = b'<order><line n="9"><quantity>2</quantity><price>3</price><total>6</total></line></order>'
    copying = files.stylesheet("<xsl:copy-of select='.'/>")
    schemas = tuple(map(schema, "ab"))
    with Converter(files) as converter:
        into(converter, copying, document)
        worker = converter.process_ids()
        for _ in range(3):
            assert into(converter, copying, document, validation=schemas).results
        with pytest.raises(ConversionError, match=r"\[b-9\] The total of line 9 is wrong"):
            into(converter, copying, document.replace(b"6", b"7"), validation=schemas[1:])
        assert converter.process_ids() == worker


def test_many_threads_share_few_workers(converter: Converter, files: Files) -> None:
    stylesheet = files.stylesheet("<envelope><xsl:value-of select='.'/></envelope>")
    results: dict[int, bytes] = {}

    def convert(number: int) -> None:
        results[number] = out(converter, stylesheet, f"<order>{number}</order>".encode()).results[0]

    threads = [threading.Thread(target=convert, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(f">{number}<".encode() in results[number] for number in range(20))


def test_who_waits_for_a_worker_gets_one_though_the_one_before_it_was_ended(files: Files) -> None:
    good = files.stylesheet("<envelope/>")
    endless = files.add("map.xsl", (CASES / "hostile" / "killed" / "endless-loop.xsl").read_text())
    ended: list[str] = []
    converter = Converter(files, limits=Limits(seconds=5))

    def convert(stylesheet: SourceFile) -> None:
        try:
            out(converter, stylesheet)
            ended.append("a result")
        except ConversionError as error:
            ended.append(error.code)

    with converter:
        out(converter, good)
        threads = [threading.Thread(target=convert, args=(one,)) for one in (endless, *[good] * 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(ended) == [*["a result"] * 5, "conversion_timeout"]


def test_close_fails_those_who_wait_for_a_worker(files: Files) -> None:
    endless = files.add("map.xsl", (CASES / "hostile" / "killed" / "endless-loop.xsl").read_text())
    caught: list[str] = []
    converter = Converter(files)

    def hostile() -> None:
        try:
            out(converter, endless)
        except ConversionError as error:
            caught.append(error.code)

    threads = [threading.Thread(target=hostile) for _ in range(3)]
    for thread in threads:
        thread.start()
    while not processor_time(*children()):
        threads[0].join(0.01)
    converter.close()
    for thread in threads:
        thread.join()
    assert caught == ["conversion_killed"] * 3


def test_after_close_nothing_is_converted(files: Files) -> None:
    converter = Converter(files)
    out(converter, files.stylesheet("<envelope/>"))
    converter.close()
    with pytest.raises(ConversionError) as caught:
        out(converter, files.stylesheet("<envelope/>"))
    assert caught.value.code == "conversion_killed"


def test_close_ends_what_still_runs(files: Files) -> None:
    converter = Converter(files)
    out(converter, files.stylesheet("<envelope/>"))
    endless = files.add("map.xsl", (CASES / "hostile" / "killed" / "endless-loop.xsl").read_text())
    caught: list[str] = []

    def hostile() -> None:
        try:
            out(converter, endless)
        except ConversionError as error:
            caught.append(error.code)

    thread = threading.Thread(target=hostile)
    thread.start()
    while not processor_time(*children()):
        thread.join(0.01)
    converter.close()
    thread.join()
    assert caught == ["conversion_killed"]


def children() -> list[Path]:
    """Return the processes that this one started, as folders of /proc."""
    found: list[Path] = []
    for task in Path(f"/proc/{os.getpid()}/task").iterdir():
        # A thread, such as a conversion's alarm, may end meanwhile.
        with suppress(FileNotFoundError, ProcessLookupError):
            found += (Path("/proc", child) for child in (task / "children").read_text().split())
    return found


def processor_time(*processes: Path) -> bool:
    """Say whether some process has used half a second of processor time, which none does that only starts."""
    ticks = [sum(map(int, (process / "stat").read_text().rpartition(")")[2].split()[11:13])) for process in processes]
    return max(ticks, default=0) > os.sysconf("SC_CLK_TCK") / 2


def test_a_worker_has_neither_the_gateway_s_environment_nor_its_network(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECONCILER_KEY", "stolen")
    before = set(children())
    with Converter(files) as converter:
        out(converter, files.stylesheet("<envelope/>"))
        (worker,) = set(children()) - before
        environment = (worker / "environ").read_bytes()
        networks = [(process / "ns" / "net").readlink() for process in (worker, Path("/proc/self"))]
    assert environment
    assert b"stolen" not in environment
    permitted = subprocess.run(["unshare", "--net", "true"], check=False, capture_output=True).returncode == 0
    assert (networks[0] != networks[1]) or not permitted
