"""Which format a partner's file has, and its XML."""

from collections.abc import Mapping, Sequence
from posixpath import splitext
from types import MappingProxyType
from typing import TYPE_CHECKING, assert_never

from lxml import etree

from reconciler.conversion import xml_input
from reconciler.conversion.sources import csv_source, json_source, spreadsheet
from reconciler.conversion.sources.directory import parse_directory
from reconciler.conversion.sources.edifact import interchange as edifact
from reconciler.conversion.sources.x12 import interchange as x12
from reconciler.errors import ConversionError

if TYPE_CHECKING:  # a worker process starts without pydantic, in a third of the time
    from reconciler.model.rule import SourceFormat

MOST_BYTES = 64 * 1024 * 1024
"""The largest file that is converted."""

CONTENT_TYPES: "Mapping[str, SourceFormat]" = MappingProxyType(
    {
        "application/edifact": "edifact",
        "application/edi-x12": "x12",
        "application/x12": "x12",
        "application/json": "json",
        "application/vnd.ms-excel": "spreadsheet",
        "application/vnd.ms-excel.sheet.macroenabled.12": "spreadsheet",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "spreadsheet",
        "application/xml": "xml",
        "text/csv": "csv",
        "text/tab-separated-values": "csv",
        "text/xml": "xml",
    }
)

EXTENSIONS: "Mapping[str, SourceFormat]" = MappingProxyType(
    {
        ".csv": "csv",
        ".edifact": "edifact",
        ".json": "json",
        ".tsv": "csv",
        ".xls": "spreadsheet",
        ".xlsm": "spreadsheet",
        ".xlsx": "spreadsheet",
        ".xml": "xml",
        ".x12": "x12",
    }
)


def to_xml(
    payload: bytes,
    *,
    file_name: str,
    content_type: str = "",
    declared: "SourceFormat | None" = None,
    directories: Sequence[str] = (),
) -> bytes:
    """Return a partner's file as XML in UTF-8.

    `directories` are further EDIFACT tables, in the notation of `sources.directory`. Raises ConversionError
    `source_unknown`, `source_too_large`, `edifact_directory`, and the codes of the format.
    """
    if len(payload) > MOST_BYTES:
        raise ConversionError("source_too_large", f"{len(payload)} bytes are more than {MOST_BYTES}; split the file")
    source = declared or source_format(payload, file_name=file_name, content_type=content_type)
    match source:
        case "edifact":
            try:
                tables = tuple(parse_directory(text) for text in directories)
            except ValueError as error:
                raise ConversionError("edifact_directory", str(error)) from None
            return edifact.to_xml(payload, tables)
        case "x12":
            return x12.to_xml(payload)
        case "spreadsheet":
            return spreadsheet.to_xml(payload)
        case "csv":
            return csv_source.to_xml(payload, content_type)
        case "json":
            return json_source.to_xml(payload)
        case "xml":
            document = xml_input.parse(payload, what=file_name, code="xml_syntax")
            return etree.tostring(document, encoding="UTF-8", xml_declaration=True)
        case _:
            assert_never(source)


def source_format(payload: bytes, *, file_name: str, content_type: str = "") -> "SourceFormat":
    """Return the format of a file: told by its content type, else by its extension, else by how it begins.

    Raises ConversionError `source_unknown`.
    """
    return (
        CONTENT_TYPES.get(content_type.partition(";")[0].strip().lower())
        or EXTENSIONS.get(splitext(file_name)[1].lower())
        or _sniffed(payload)
    )


def _sniffed(payload: bytes) -> "SourceFormat":
    start = payload[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
    # What lacks its header is told from the rest, so that the error says what is missing.
    if start.startswith((b"UNA", b"UNB", b"UNG+", b"UNH+")):
        return "edifact"
    if start.startswith((b"ISA", b"GS*", b"ST*")):
        return "x12"
    if start.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return "spreadsheet"
    if start.startswith((b"{", b"[")):
        return "json"
    if start.startswith(b"<"):
        return "xml"
    if not start.strip(b"\0"):
        raise ConversionError("source_unknown", "the file is empty")
    raise ConversionError(
        "source_unknown", "the format is told by neither content type, extension nor content; say it as `source`"
    )
