"""Files that are patched say what they shall say, and keep what else they say."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from reconciler.desired.load import Loaded, load_traced
from reconciler.desired.writing.patching import Patching
from reconciler.desired.writing.yaml_text import Written, block
from reconciler.errors import ReconcilerError
from reconciler.model.key import Key
from reconciler.model.protocol import ProtocolRegistry
from reconciler.model.state import State
from tests.unit.desired.conftest import WellFormed, write_files

TEMPLATE = {"uuid": "1997a1b4-88e3-4f58-88ca-fcd2c6fb5869", "version": "4a303734-a118-44a2-aedf-67df61612628"}
HEAD = "# What stands here stays.\n"
FILES = {"maps/a.xsl": "<a/>", "maps/b.xsl": "<b/>", "more/a.xsl": "<other/>", "c.pem": "-----BEGIN"}

names = st.text("abc ${}'\"#:é", min_size=1, max_size=6).filter(lambda text: text == text.strip())
sftp = st.fixed_dictionaries(
    {"protocol": st.just("sftp")},
    optional={
        "enabled": st.booleans(),
        "sftp": st.fixed_dictionaries(
            {}, optional={"password_generation": st.integers(1, 3), "allow_from": st.just(["192.0.2.0/24"])}
        ),
        "default_rule": st.sampled_from([{"autoreject": "We take no orders"}, "inbox"]),
        "concurrency": st.sampled_from([4, 9]),
    },
)
recipient: Written = {"id": "GLOBEX", "url": "https://globex.example/as2", "certificates": ["../c.pem"]}
AS2: Written = {"protocol": "as2", "as2": {"recipient": recipient, "rotation": {"every": "90d", "overlap": "7d"}}}
rules = st.fixed_dictionaries(
    {"direction": st.just("in"), "template": st.just(TEMPLATE)},
    optional={
        "active": st.booleans(),
        "name_pattern": st.sampled_from(["a b.xml", "{envelopeUuid}.xml"]),
        "attributes": st.dictionaries(names, names, max_size=2),
    },
).flatmap(
    lambda rule: st.sampled_from(["../maps/a.xsl", "../maps/b.xsl", "../more/a.xsl"]).map(
        lambda path: {**rule, "convert": path}
    )
)
rule_books = st.dictionaries(st.sampled_from("abc"), rules, max_size=3).flatmap(
    lambda book: st.permutations(list(book.items())).map(dict)
)
mailboxes = st.fixed_dictionaries(
    {}, optional={"name": names, "protected": st.booleans(), "integration": sftp | st.just(AS2), "rules": rule_books}
)
accounts = st.fixed_dictionaries(
    {}, optional={"name": names, "mailboxes": st.dictionaries(st.sampled_from("xyz"), mailboxes), "rules": rule_books}
)
configurations = st.dictionaries(st.sampled_from(["acme", "globex"]), accounts, min_size=1)


@pytest.fixture(scope="module")
def protocols_of_module() -> ProtocolRegistry:
    from reconciler.service.wiring import PROTOCOLS

    return PROTOCOLS


class Project:
    """A configuration in a folder of its own."""

    def __init__(self, root: Path, protocols: ProtocolRegistry) -> None:
        self.root = root
        self._protocols = protocols

    def write(self, files: Mapping[str, str]) -> None:
        write_files(self.root, files)

    def loaded(self) -> Loaded:
        return load_traced(self.root, self._protocols, WellFormed())

    def patch(self, state: State, contents: Mapping[str, bytes]) -> dict[str, bytes]:
        patching = Patching(self.root, self.loaded(), self._protocols, contents.__getitem__)
        made = patching.patch(state, ["acme", "globex"] if len(state) else [])
        for name, content in made.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_bytes(content)
        return made


def yaml(written: Written) -> str:
    return HEAD + "\n".join(block({"version": 1, "accounts": written}, 0)) + "\n"


@settings(phases=[Phase.explicit, Phase.generate])
@given(configurations, configurations)
@example(
    {"acme": {"mailboxes": {"x": {"integration": {"sftp": {}}}}}}, {"acme": {"mailboxes": {"x": {"integration": AS2}}}}
)
def test_files_that_are_patched_say_what_they_shall(
    protocols_of_module: ProtocolRegistry, now: dict[str, Written], then: dict[str, Written]
) -> None:
    with TemporaryDirectory() as folder:
        project = Project(Path(folder), protocols_of_module)
        project.write({**FILES, "reconciler.yaml": "version: 1\n", "accounts/all.yaml": yaml(then)})
        wanted = project.loaded().desired
        project.write({"accounts/all.yaml": yaml(now)})
        state = wanted.state
        differs = project.loaded().desired.state != state
        made = project.patch(state, wanted.files)
        assert project.loaded().desired.state == state
        assert bool(made) == differs
        assert (project.root / "accounts/all.yaml").read_text().startswith(HEAD)
        assert project.patch(state, wanted.files) == {}


def test_a_file_that_nothing_else_needs_is_written_in_its_place(tmp_path: Path, protocols: ProtocolRegistry) -> None:
    project = Project(tmp_path, protocols)
    rule: Written = {"direction": "in", "template": TEMPLATE, "convert": "../maps/a.xsl"}
    project.write({**FILES, "reconciler.yaml": "version: 1\n"})
    project.write({"accounts/a.yaml": yaml({"acme": {"rules": {"r": rule}}})})
    before = project.loaded().desired
    project.write({"maps/a.xsl": "<new/>"})
    after = project.loaded().desired
    project.write({"maps/a.xsl": "<a/>"})
    assert project.patch(after.state, after.files) == {"maps/a.xsl": b"<new/>"}
    assert project.patch(before.state, before.files) == {"maps/a.xsl": b"<a/>"}


def test_what_a_file_includes_comes_with_it_from_above_too(tmp_path: Path, protocols: ProtocolRegistry) -> None:
    project = Project(tmp_path / "one", protocols)
    include = '<x:stylesheet xmlns:x="http://www.w3.org/1999/XSL/Transform"><x:include href="../b.xsl"/></x:stylesheet>'
    rule: Written = {"direction": "in", "template": TEMPLATE, "convert": "../maps/deep/m.xsl"}
    project.write({**FILES, "reconciler.yaml": "version: 1\n", "maps/deep/m.xsl": include})
    project.write({"accounts/a.yaml": yaml({"acme": {"rules": {"r": rule}}})})
    desired = project.loaded().desired
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    (tmp_path / "two" / "accounts" / "a.yaml").unlink()
    shutil.rmtree(tmp_path / "two" / "maps")
    other = Project(tmp_path / "two", protocols)
    made = other.patch(desired.state, desired.files)
    assert len(made) == 3
    assert other.loaded().desired.state == desired.state


def test_what_is_merged_from_an_anchor_is_not_patched(tmp_path: Path, protocols: ProtocolRegistry) -> None:
    project = Project(tmp_path, protocols)
    acme = "  acme:\n    mailboxes: &all\n      x: {name: Old}\n      y: {name: Old}\n"
    project.write({"reconciler.yaml": f"version: 1\naccounts:\n{acme}  globex:\n    mailboxes: {{<<: *all}}\n"})
    resources = dict(project.loaded().desired.state.resources)
    resources.pop(Key.of_account("globex").mailbox("x"))
    with pytest.raises(ReconcilerError, match=r"accounts\.globex\.mailboxes\.x cannot be patched"):
        project.patch(State(resources), {})
