"""Every configuration that is shown to people validates as it stands."""

from pathlib import Path

import pytest

from reconciler.conversion.compiler import ContentCompiler
from reconciler.desired.load import load
from reconciler.envelope.template import parse_template
from reconciler.model.integration import Integration
from reconciler.model.rule import Rule
from reconciler.model.template import Template
from reconciler.protocols.as2.settings import As2Settings
from reconciler.protocols.sftp.settings import SftpSettings

ROOT = Path(__file__).parents[3]
CONFIGURATIONS = ["examples/quickstart", "examples/starter", "tests/cases/configuration/reference"]


@pytest.mark.parametrize("folder", CONFIGURATIONS)
def test_it_loads_without_a_word_and_its_templates_are_those_it_declares(folder: str) -> None:
    with ContentCompiler() as compiler:
        desired = load(ROOT / folder, {"sftp": SftpSettings, "as2": As2Settings}, compiler)
    assert desired.warnings == ()
    templates = [template for _, template in desired.state.of(Template)]
    assert templates
    for template in templates:
        assert parse_template(desired.files[template.file.sha256]).ref == template.ref


def test_nothing_is_switched_on_in_a_starter() -> None:
    with ContentCompiler() as compiler:
        state = load(ROOT / "examples/starter", {"sftp": SftpSettings, "as2": As2Settings}, compiler).state
    assert [integration.enabled for _, integration in state.of(Integration)] == [False]
    assert [rule.active for _, rule in state.of(Rule)] == [False]
