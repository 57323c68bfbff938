"""Of what was found before, all is taken that a change does not concern; what comes out is what loading finds."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reconciler.desired import examination, load_cache
from reconciler.desired.findings import Known
from reconciler.desired.load import Desired, Loaded
from reconciler.desired.load_cache import LoadCache
from reconciler.desired.patches import Patches
from reconciler.desired.variables import Variables
from reconciler.desired.yaml_document import YamlDocument
from reconciler.desired.yaml_files import read_documents
from reconciler.errors import ConfigurationError, Problem
from reconciler.model.packed import text_of
from reconciler.model.protocol import ProtocolRegistry
from tests.unit.desired.cached_project import CachedProject

ROOT = "version: 1\nvars: {greeting: Hello}\n"
SHARED = """\
version: 1
accounts:
  shared:
    templates:
      order: {uuid: 1997a1b4-88e3-4f58-88ca-fcd2c6fb5869, file: order.xml,
        version: 4a303734-a118-44a2-aedf-67df61612628}
"""
ACME = """\
version: 1
accounts:
  acme:
    name: ${env:COMPANY:-Acme}
    rules:
      second: {direction: in, active: true, convert: maps/in.xsl, template: shared.order}
    mailboxes:
      orders:
        aliases: ["GLN:1"]
        renamed_from: former
        rules:
          in: {direction: in, active: true, convert: maps/in.xsl, template: shared.order,
            tests: [{input: sample.xml, expect: expected.xml}]}
"""
BEFORE = """\
version: 1
accounts:
  acme:
    rules:
      first: {direction: out, active: true, match: {name: .*}, convert: maps/in.xsl, template: shared.order}
"""
GLOBEX = """\
version: 1
accounts:
  globex:
    mailboxes:
      invoices:
        name: ${greeting}
        aliases: ["GLN:2"]
        integration: {enabled: true}
---
version: 1
accounts:
  globex: {name: Globex}
"""
XSL = '<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:include href="part.xsl"/></xsl:stylesheet>'
FILES = {
    "reconciler.yaml": ROOT,
    "a.yaml": BEFORE,
    "acme.yaml": ACME,
    "globex.yaml": GLOBEX,
    "shared.yaml": SHARED,
    "order.xml": "<template/>",
    "sample.xml": "<sample/>",
    "maps/in.xsl": XSL,
    "maps/part.xsl": "<part/>",
}
OTHER = "7a303734-a118-44a2-aedf-67df61612628"


def looked_at(project: CachedProject) -> set[str]:
    """Return which files are examined now, once it is sure that the same comes out as without a cache."""
    fresh = outcome(lambda: project.loaded().desired)
    project.examined.clear()
    project.compiler.compiled.clear()
    assert outcome(project.desired) == fresh
    return set(project.examined) - {"reconciler.yaml"}


def outcome(load: Callable[[], Desired]) -> object:
    """Return all that loading says of a configuration."""
    try:
        found = load()
    except ConfigurationError as error:
        return error.problems
    resources = found.state.resources
    return (
        {key: text_of(resources, key) for key in resources},
        dict(found.positions),
        found.warnings,
        found.renames,
        found.sections,
        dict(found.files),
        found.project,
    )


@pytest.fixture
def project(tmp_path: Path, protocols: ProtocolRegistry, monkeypatch: pytest.MonkeyPatch) -> CachedProject:
    made = CachedProject(tmp_path, protocols)
    made.write(FILES)
    read = read_documents

    def noted(
        root: Path, file: str, variables: Variables, patches: Patches | None, digests: dict[str, str]
    ) -> tuple[list[YamlDocument], list[Problem]]:
        made.examined.append(file)
        return read(root, file, variables, patches, digests)

    monkeypatch.setattr(examination, "read_documents", noted)
    made.desired()
    return made


def test_only_the_file_that_changed_is_examined(project: CachedProject) -> None:
    project.write({"acme.yaml": ACME.replace("orders", "sales")})
    assert looked_at(project) == {"acme.yaml"}
    assert project.compiler.compiled == ["order.xml"], "templates are compiled again, and no map"
    assert looked_at(project) == set()


@pytest.mark.parametrize(
    ("edit", "examined"),
    [
        ({"more.yaml": "version: 1\naccounts: {initech: {}}\n"}, {"more.yaml"}),
        ({"a.yaml": BEFORE + BEFORE[BEFORE.index("      first") :].replace("first", "other")}, {"a.yaml"}),
        ({"shared.yaml": SHARED.replace("4a303734-a118-44a2-aedf-67df61612628", OTHER)}, {"shared.yaml"}),
        ({"shared.yaml": SHARED.replace("order:", "orders:")}, {"shared.yaml"}),
        ({"globex.yaml": GLOBEX.replace("GLN:2", "GLN:1")}, {"globex.yaml"}),
        ({"globex.yaml": GLOBEX.replace("name: Globex", "name: Acme").replace("globex", "acme")}, {"globex.yaml"}),
        ({"globex.yaml": GLOBEX.replace("invoices", "former").replace("globex", "acme")}, {"globex.yaml"}),
        ({"a.yaml": "version: 1\naccounts: {acme: {mailboxes: {orders: {}}}}\n"}, {"a.yaml"}),
        ({"a.yaml": BEFORE.replace("out,", "uot,")}, {"a.yaml"}),
        ({"a.yaml": "accounts: [\n"}, {"a.yaml"}),
        ({"reconciler.yaml": ROOT + "limits: {destroy: {mailbox: 5}}\n"}, set()),
        ({"expected.xml": "<expected/>"}, {"acme.yaml"}),
        ({"sample.xml": "<other/>"}, {"acme.yaml"}),
        ({"maps/part.xsl": "<other/>"}, {"a.yaml", "acme.yaml"}),
        ({"reconciler.yaml": ROOT.replace("Hello", "Hallo")}, {"a.yaml", "acme.yaml", "globex.yaml", "shared.yaml"}),
        ({"edifact/own.txt": "ORDERS D97A\n"}, {"a.yaml", "acme.yaml", "globex.yaml", "shared.yaml"}),
    ],
    ids=[
        "one more file",
        "a rule above those of another file",
        "another version of a template",
        "a template less",
        "an alias twice",
        "a name twice",
        "a former name in use",
        "a mailbox twice",
        "a mistake",
        "no YAML",
        "the root",
        "a file that was not there",
        "a sample",
        "an included file",
        "a variable of all files",
        "a table of all files",
    ],
)
def test_what_comes_out_is_what_loading_finds(project: CachedProject, edit: dict[str, str], examined: set[str]) -> None:
    project.write(edit)
    assert looked_at(project) == examined
    project.write(FILES)
    looked_at(project)


def test_a_variable_of_the_process_concerns_the_files_that_name_it(project: CachedProject) -> None:
    project.environ["COMPANY"] = "Acme Retail"
    assert looked_at(project) == {"acme.yaml"}
    project.environ["OTHER"] = "of no concern"
    assert looked_at(project) == set()
    assert b"Acme Retail" not in (next(project.cache.iterdir()).read_bytes().splitlines()[-2])


def test_a_file_of_another_name_is_examined(project: CachedProject) -> None:
    (project.root / "globex.yaml").rename(project.root / "initech.yaml")
    assert looked_at(project) == {"initech.yaml"}


def test_an_object_that_moves_to_another_file_stays_what_it_is(project: CachedProject) -> None:
    before = project.desired().state
    begin = ACME.index("    mailboxes:")
    project.write({"acme.yaml": ACME[:begin], "a.yaml": BEFORE + ACME[begin:]})
    assert looked_at(project) == {"acme.yaml", "a.yaml"}
    assert project.desired().state == before


def test_an_object_in_a_file_that_did_not_change_is_cited_where_it_is(project: CachedProject) -> None:
    project.write({"more.yaml": ACME.replace("name: ${env:COMPANY:-Acme}", "")})
    with pytest.raises(ConfigurationError) as raised:
        project.desired()
    (problem,) = (item for item in raised.value.problems if "rules.in is defined" in item.message)
    assert (str(problem.position), str(problem.also)) == ("more.yaml:12:11", "acme.yaml:12:11")


def test_after_a_mistake_the_other_files_are_still_known(project: CachedProject) -> None:
    project.write({"acme.yaml": ACME.replace("aliases", "alaises")})
    assert looked_at(project) == {"acme.yaml"}
    assert looked_at(project) == {"acme.yaml"}
    project.write({"acme.yaml": ACME.replace("orders", "sales")})
    assert looked_at(project) == {"acme.yaml"}


PROD = """\
version: 1
vars: {greeting: Hi}
patches:
  accounts.acme: {protected: true}
"""


@pytest.fixture
def in_prod(project: CachedProject) -> CachedProject:
    project.environment = "prod"
    project.write({"environments/prod.yaml": PROD})
    project.desired()
    return project


def test_files_that_an_environment_patches_are_examined_each_time(in_prod: CachedProject) -> None:
    in_prod.write({"globex.yaml": GLOBEX.replace("invoices", "bills")})
    assert looked_at(in_prod) == {"a.yaml", "acme.yaml", "globex.yaml"}
    in_prod.examined.clear()
    in_prod.desired()
    assert in_prod.examined == [], "unless nothing changed"
    in_prod.write({"a.yaml": "version: 1\n"})
    assert looked_at(in_prod) == {"a.yaml", "acme.yaml"}, "now the other file has what is patched"


@pytest.mark.parametrize(
    "change", [("Hi", "Hey"), ("accounts.acme", "accounts.globex"), ("accounts.acme", "accounts.x")]
)
def test_an_environment_that_changes_concerns_all_files(in_prod: CachedProject, change: tuple[str, str]) -> None:
    in_prod.write({"environments/prod.yaml": PROD.replace(*change)})
    assert looked_at(in_prod) == {"a.yaml", "acme.yaml", "globex.yaml", "shared.yaml"}


@pytest.mark.parametrize("spoilt", ["cut off", "what is known of a file", "another program's"])
def test_what_is_not_as_it_was_written_is_not_taken(
    project: CachedProject, spoilt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file,) = project.cache.iterdir()
    content = file.read_bytes()
    match spoilt:
        case "cut off":
            file.write_bytes(content[:-300])
        case "what is known of a file":
            assert content.count(b'"second", true') == 1
            file.write_bytes(content.replace(b'"second", true', b'"second", false'))
        case _:
            monkeypatch.setattr(load_cache, "_program", lambda: "another")
    project.write({"globex.yaml": GLOBEX.replace("invoices", "bills")})
    assert looked_at(project) == {"a.yaml", "acme.yaml", "globex.yaml", "shared.yaml"}
    assert looked_at(project) == set()


def test_a_file_that_comes_while_the_others_are_read_is_not_taken_for_known(project: CachedProject) -> None:
    project.write({"globex.yaml": GLOBEX.replace("invoices", "bills")})

    def load(known: Known) -> Loaded:
        loaded = project.loaded(known)
        project.write({"more.yaml": "version: 1\naccounts: {initech: {}}\n"})
        return loaded

    LoadCache.of(project.root, None, project.environ).desired(load)
    assert looked_at(project) == {"more.yaml"}


def test_two_that_keep_at_the_same_time_leave_one_whole_cache(project: CachedProject) -> None:
    with ThreadPoolExecutor(8) as pool:
        for number in range(2):
            project.write({"globex.yaml": GLOBEX.replace("invoices", f"bills-{number}")})
            list(pool.map(lambda _: project.desired(), range(8)))
            assert looked_at(project) == set()
    assert len(list(project.cache.iterdir())) == 1
