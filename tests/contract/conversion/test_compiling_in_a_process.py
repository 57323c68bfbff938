"""What the configuration's loader is told of stylesheets and schemas, which a worker process compiles."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.conversion.compiler import ContentCompiler
from reconciler.conversion.workers import Limits
from reconciler.desired.compiler import Compiler, Fault
from reconciler.model.source_file import Part, SourceFile, digest

CASES = Path(__file__).parents[2] / "cases" / "conversion"


@pytest.fixture(scope="module")
def compiler() -> Iterator[ContentCompiler]:
    with ContentCompiler(limits=Limits(seconds=30)) as compiler:
        yield compiler


def checked(compiler: Compiler, folder: Path, main: str) -> list[Fault]:
    contents = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    by_hash = {digest(content): content for content in contents.values()}
    parts = tuple(Part(name=name, sha256=digest(content)) for name, content in contents.items() if name != main)
    file = SourceFile(name=main, sha256=digest(contents[main]), parts=parts)
    match Path(main).suffix:
        case ".xsl" | ".xslt":
            return list(compiler.stylesheet(file, by_hash.__getitem__))
        case ".sch":
            return list(compiler.schematron(file, by_hash.__getitem__))
        case _:
            return list(compiler.schema(file, by_hash.__getitem__))


@pytest.mark.parametrize("case", sorted((CASES / "xslt").iterdir()), ids=lambda case: case.name)
def test_exactly_the_maps_that_do_not_compile_have_faults(compiler: ContentCompiler, case: Path) -> None:
    error = case / "error.txt"
    broken = error.exists() and error.read_text().startswith("stylesheet_invalid")
    assert bool(checked(compiler, case, "map.xsl")) == broken


def test_a_fault_of_a_map_has_line_file_and_mend(compiler: ContentCompiler) -> None:
    (fault,) = checked(compiler, CASES / "xslt" / "braces-in-select", "map.xsl")
    assert (fault.line, fault.file) == (8, None)
    assert "without braces" in fault.suggestion
    (fault,) = checked(compiler, CASES / "xslt" / "error-in-an-included-file", "map.xsl")
    assert (fault.line, fault.file) == (3, "part.xsl")


@pytest.mark.parametrize("case", sorted((CASES / "schematron").iterdir()), ids=lambda case: case.name)
def test_exactly_the_schematron_that_does_not_compile_has_faults(compiler: ContentCompiler, case: Path) -> None:
    error = case / "error.txt"
    broken = error.exists() and error.read_text().startswith("schematron_invalid")
    (main,) = (path.name for path in case.glob("schema.*"))
    assert bool(checked(compiler, case, main)) == broken


def test_a_fault_of_a_schema_has_line_and_file(compiler: ContentCompiler, tmp_path: Path) -> None:
    (tmp_path / "a.xsd").write_text('<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">\n<xs:elemnt/></xs:schema>')
    (fault, *_) = checked(compiler, tmp_path, "a.xsd")
    assert (fault.line, fault.file) == (2, None)
    (tmp_path / "a.xsd").write_text("<xs:schema>")
    (fault,) = checked(compiler, tmp_path, "a.xsd")
    assert fault.line == 1
    (fault,) = checked(compiler, CASES / "schematron" / "error-in-an-included-pattern", "schema.sch")
    assert (fault.line, fault.file) == (3, "part.sch")


def test_a_file_that_ends_its_worker_is_a_fault_and_the_next_is_checked(tmp_path: Path) -> None:
    head = '<xsl:stylesheet version="3.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">'
    slow = "count(for $a in 1 to 1000000, $b in 1 to 1000000 return 1[$a * $b = 0])"
    endless = f'{head}<xsl:variable name="a" static="yes" select="{slow}"/></xsl:stylesheet>'
    (tmp_path / "map.xsl").write_text(endless)
    with ContentCompiler(limits=Limits(seconds=3)) as compiler:
        (fault,) = checked(compiler, tmp_path, "map.xsl")
        assert "longer than 3 s" in fault.message
        assert not checked(compiler, CASES / "xslt" / "parameters", "map.xsl")
