"""What the tests of the loader share: the real protocols, and a compiler that knows a little of every language."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from lxml import etree

from reconciler.desired.codes import Code
from reconciler.desired.compiler import Fault
from reconciler.model.protocol import ProtocolRegistry
from reconciler.model.source_file import ContentReader, SourceFile
from reconciler.model.template_ref import TemplateRef
from reconciler.protocols.as2.settings import As2Settings
from reconciler.protocols.sftp.settings import SftpSettings

_DOUBTS = {
    "expired": Fault("the certificate expired", code=Code.CERTIFICATE_EXPIRED, is_warning=True),
    "expires": Fault("the certificate expires", code=Code.CERTIFICATE_EXPIRES, is_warning=True),
    "weak": Fault("the key has 1024 bits", code=Code.WEAK_KEY, suggestion="ask the partner for a longer key"),
}


class WellFormed:
    """A compiler for which XML is right when it, and every part of it, is well-formed."""

    def __init__(self) -> None:
        self.compiled: list[str] = []

    def _xml(self, file: SourceFile, content: ContentReader) -> Sequence[Fault]:
        self.compiled.append(file.name)
        faults = []
        for name, sha256 in ((None, file.sha256), *((part.name, part.sha256) for part in file.parts)):
            try:
                etree.fromstring(content(sha256))
            except etree.XMLSyntaxError as error:
                line, column = error.position
                faults.append(Fault("not well-formed", line, max(column, 1), name, "close every element"))
        return faults

    stylesheet = schema = schematron = _xml

    def template(self, file: SourceFile, content: ContentReader, ref: TemplateRef) -> Sequence[Fault]:
        faults = self._xml(file, content)
        if faults:
            return faults
        uuid = etree.fromstring(content(file.sha256)).get("uuid", str(ref.uuid))
        message = f"the UUID is {uuid}, but the configuration says {ref.uuid}"
        return [] if uuid == str(ref.uuid) else [Fault(message, code=Code.TEMPLATE_IDENTITY)]

    def dictionary(self, file: SourceFile, content: ContentReader) -> Sequence[Fault]:
        self.compiled.append(file.name)
        return [] if content(file.sha256).strip() else [Fault("there is no header", 1)]

    def certificate(self, file: SourceFile, content: ContentReader) -> Sequence[Fault]:
        self.compiled.append(file.name)
        text = content(file.sha256).decode()
        if not text.startswith("-----BEGIN"):
            return [Fault("there is no certificate in it")]
        return [fault for word, fault in _DOUBTS.items() if word in text]

    def directory(self, file: SourceFile, content: ContentReader) -> Sequence[Fault]:
        lines = content(file.sha256).decode().splitlines()
        return [Fault("expected ( or a tag", number) for number, line in enumerate(lines, 1) if "?" in line]

    def name_pattern(self, pattern: str) -> Sequence[Fault]:
        left = re.sub(r"\{[^{}]*\}", "", pattern)
        return [Fault("a token is not closed", 1, 1)] if "{" in left else []

    def name_fields(self, pattern: str, template: SourceFile, content: ContentReader) -> Sequence[Fault]:
        unknown = '"nothing"'
        found = pattern.find(unknown)
        return [] if found < 0 or b"nothing" in content(template.sha256) else [Fault("no such field", 1, found + 1)]


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write texts by the names of their files, from a folder on."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def compiler() -> WellFormed:
    return WellFormed()


@pytest.fixture(scope="session")
def protocols() -> ProtocolRegistry:
    return {"sftp": SftpSettings, "as2": As2Settings}
