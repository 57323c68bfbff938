"""What loading found is taken from the cache exactly as long as loading would find the same."""

from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.errors import BlobError, ConfigurationError
from reconciler.model.key import Key
from reconciler.model.protocol import ProtocolRegistry
from tests.unit.desired.cached_project import CachedProject

ROOT = "version: 1\n"
ACME = """\
version: 1
accounts:
  acme:
    name: ${env:COMPANY:-Acme}
    mailboxes:
      orders:
        renamed_from: former
        rules:
          in: {direction: in, active: true, convert: maps/in.xsl, template: {uuid: 1997a1b4-88e3-4f58-88ca-fcd2c6fb5869,
            version: 4a303734-a118-44a2-aedf-67df61612628}}
"""
XSL = '<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:include href="part.xsl"/></xsl:stylesheet>'


@pytest.fixture
def project(tmp_path: Path, protocols: ProtocolRegistry) -> CachedProject:
    made = CachedProject(tmp_path, protocols)
    made.write({"reconciler.yaml": ROOT, "acme.yaml": ACME, "maps/in.xsl": XSL, "maps/part.xsl": "<part/>"})
    return made


def test_the_second_time_the_same_is_found_without_loading(project: CachedProject) -> None:
    first, second = project.desired(), project.desired()
    assert project.times == 1
    assert second.state == first.state
    assert dict(second.files) == dict(first.files)
    assert (second.project, second.renames, second.sections) == (first.project, first.renames, first.sections)
    assert second.warnings == first.warnings != ()
    assert second.positions == first.positions
    assert project.times == 2, "positions are found by loading again"


@pytest.mark.parametrize(
    "change",
    [
        lambda project: project.write({"acme.yaml": ACME.replace("orders", "invoices")}),
        lambda project: project.write({"more/globex.yaml": "version: 1\n"}),
        lambda project: project.write({"maps/part.xsl": "<other/>"}),
        lambda project: project.write({"edifact/own.txt": "ORDERS D97A\n"}),
        lambda project: project.environ.update(COMPANY="Acme Retail"),
        lambda project: (project.root / "acme.yaml").unlink(),
    ],
    ids=["a file", "one more file", "an included file", "a table", "a variable", "a file less"],
)
def test_what_changed_is_loaded(project: CachedProject, change: Callable[[CachedProject], None]) -> None:
    project.desired()
    change(project)
    found = project.desired()
    assert project.times == 2
    assert found.state == project.loaded().desired.state


def test_a_mistake_is_found_again_each_time(project: CachedProject) -> None:
    project.write({"acme.yaml": ACME + "  globex: {nmae: Globex}\n"})
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="nmae"):
            project.desired()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{}\n", b'{"format": 1}\n'])
def test_a_cache_that_is_broken_is_as_good_as_none(project: CachedProject, content: bytes) -> None:
    expected = project.desired()
    (file,) = project.cache.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_bytes(content)
    assert project.desired().state == expected.state
    assert project.times == 2


@pytest.mark.parametrize("broken", ["cut off", "header", "body"])
def test_one_that_is_not_as_it_was_written_is_not_used(
    project: CachedProject, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    expected = project.desired()
    (file,) = project.cache.iterdir()
    content = file.read_bytes()
    first, _, body = content.partition(b"\n")
    spoilt = {
        "cut off": content[:-20],
        "header": first.replace(b'"named": [', b'"named": ["0", ') + b"\n" + body,
        "body": first + b"\n" + body.replace(b'"name":"Acme"', b'"name":"Evil"'),
    }[broken]
    assert spoilt != content
    file.write_bytes(spoilt)
    with caplog.at_level("DEBUG"):
        assert project.desired().state == expected.state
    assert project.times == 2
    assert "is not used" in caplog.text


def test_one_that_others_can_write_is_not_used(project: CachedProject) -> None:
    expected = project.desired()
    (file,) = project.cache.iterdir()
    file.chmod(0o622)
    assert project.desired().state == expected.state
    assert project.times == 2
    assert file.stat().st_mode & 0o777 == 0o600


def test_without_a_place_for_it_nothing_is_kept(project: CachedProject) -> None:
    for folder in ("", "/proc/no/such/place"):
        project.environ["RECONCILER_CACHE"] = folder
        project.times = 0
        assert Key.of_account("acme") in project.desired().state
        assert Key.of_account("acme") in project.desired().state
        assert project.times == 2


def test_a_file_that_changes_while_it_is_in_use_is_not_taken_for_the_one_before(project: CachedProject) -> None:
    project.desired()
    desired = project.desired()
    project.write({"maps/in.xsl": "<other/>"})
    with pytest.raises(BlobError, match=r"in\.xsl changed"):
        [desired.files[sha256] for sha256 in desired.state.hashes()]
