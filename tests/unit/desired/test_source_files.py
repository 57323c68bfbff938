"""Files that a configuration names, and what they include."""

import os
from pathlib import Path

import pytest
from pydantic_core import PydanticCustomError

from reconciler.desired import reading
from reconciler.desired.findings import parts_of
from reconciler.desired.source_files import SourceFiles
from reconciler.errors import BlobError
from reconciler.model.source_file import digest
from tests.unit.desired.conftest import write_files

XSL = '<xsl:stylesheet version="2.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">{}</xsl:stylesheet>'

SCH_OF_XSL = """<schema xmlns="http://purl.oclc.org/dsdl/schematron">
  <x:import xmlns:x="http://www.w3.org/1999/XSL/Transform" href="b"/>
</schema>"""


def write(root: Path, files: dict[str, str]) -> SourceFiles:
    write_files(root, files)
    return SourceFiles(root)


def test_includes_are_followed_and_named_from_the_main_file(tmp_path: Path) -> None:
    sources = write(
        tmp_path,
        {
            "maps/main.xsl": XSL.format('<xsl:import href="parts/a.xsl"/><xsl:include href="../shared.xsl"/>'),
            "maps/parts/a.xsl": XSL.format('<xsl:include href="b.xsl"/><xsl:include href="../main.xsl"/>'),
            "maps/parts/b.xsl": XSL.format('<xsl:include href="a.xsl"/>'),
            "shared.xsl": XSL.format(""),
        },
    )
    file = sources.reader("accounts")("../maps/main.xsl")
    assert file.name == "main.xsl"
    assert [part.name for part in file.parts] == ["parts/a.xsl", "parts/b.xsl", "../shared.xsl"]
    assert set(file.hashes) == {digest((tmp_path / name).read_bytes()) for name in (
        "maps/main.xsl", "maps/parts/a.xsl", "maps/parts/b.xsl", "shared.xsl",
    )}  # fmt: skip
    assert dict(parts_of("maps/main.xsl", file)) == sources.digests
    assert sources.content(file.sha256) == (tmp_path / "maps/main.xsl").read_bytes()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "a.xsd",
            '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:include schemaLocation="b"/></xs:schema>',
        ),
        ("a.xsd", '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:import schemaLocation="b"/></xs:schema>'),
        ("a.xsd", '<s:schema xmlns:s="http://www.w3.org/2001/XMLSchema"><s:redefine schemaLocation="b"/></s:schema>'),
        ("a.sch", '<schema xmlns="http://purl.oclc.org/dsdl/schematron"><include href="b"/></schema>'),
        ("a.sch", SCH_OF_XSL),
        (
            "a.sch",
            '<schema><include xmlns="http://www.w3.org/2001/XInclude" href="b"/></schema>',
        ),
        ("a.XSLT", XSL.format('<xsl:include href="b"/>')),
        ("a.xsl", XSL.format("""<xsl:variable name="codes" select="doc('b')"/>""")),
        ("a.xsl", XSL.format("""<xsl:variable name="codes" select="document('b', document(''))/codes"/>""")),
    ],
)
def test_each_language_includes_in_its_own_way(tmp_path: Path, name: str, text: str) -> None:
    sources = write(tmp_path, {name: text, "b": ""})
    assert [part.name for part in sources.reader("")(name).parts] == ["b"]


def test_what_is_included_may_include_whatever_its_own_name(tmp_path: Path) -> None:
    include = '<{0} xmlns="http://purl.oclc.org/dsdl/schematron"><include href="{1}"/></{0}>'
    sources = write(
        tmp_path, {"a.sch": include.format("schema", "b.xml"), "b.xml": include.format("pattern", "c.xml"), "c.xml": ""}
    )
    assert [part.name for part in sources.reader("")("a.sch").parts] == ["b.xml", "c.xml"]


@pytest.mark.parametrize(
    "text",
    [
        XSL.format('<xsl:include href="https://example.com/a.xsl"/>'),
        XSL.format('<xsl:include href="a.xsl">'),
        '<!DOCTYPE x [<!ENTITY e SYSTEM "a.xsl">]><x>&e;</x>',
    ],
)
def test_what_is_elsewhere_or_not_well_formed_has_no_parts(tmp_path: Path, text: str) -> None:
    assert write(tmp_path, {"m.xsl": text, "a.xsl": XSL}).reader("")("m.xsl").parts == ()


def test_a_file_is_read_once(tmp_path: Path) -> None:
    sources = write(tmp_path, {"maps/a.xsl": XSL})
    first = sources.reader("accounts")("../maps/a.xsl")
    (tmp_path / "maps/a.xsl").unlink()
    assert sources.reader("maps")("./a.xsl") is first


@pytest.mark.parametrize("path", ["../a", "/a", "b/../../a", "", "a\0b"])
def test_paths_stay_inside(tmp_path: Path, path: str) -> None:
    with pytest.raises(PydanticCustomError, match="is outside the configuration's folder"):
        write(tmp_path, {}).reader("")(path)


def test_links_that_leave_are_refused(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("secret")
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path / "outside")
    (root / "inside").write_text("text")
    (root / "good").symlink_to(root / "inside")
    sources = SourceFiles(root)
    with pytest.raises(PydanticCustomError, match="a link that leads outside"):
        sources.reader("")("link")
    assert sources.content(sources.reader("")("good").sha256) == b"text"


def test_a_pipe_is_no_file_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PydanticCustomError, match="'pipe' cannot be read: it is not a file"):
        SourceFiles(tmp_path).reader("")("pipe")


def test_size_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_SIZE", 3)
    sources = write(tmp_path, {"three": "abc", "four": "abcd"})
    assert sources.reader("")("three").name == "three"
    with pytest.raises(PydanticCustomError, match="'four' cannot be read: it is larger than"):
        sources.reader("")("four")


def test_an_unknown_content_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BlobError, match="no file of the configuration"):
        SourceFiles(tmp_path).content("0" * 64)
