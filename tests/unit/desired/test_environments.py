"""Variables in scalars, and what an environment has otherwise."""

from pathlib import Path

import pytest

from reconciler.desired.compiler import Compiler
from reconciler.desired.load import Desired, load, load_project
from reconciler.desired.render import render_problems
from reconciler.errors import ConfigurationError, NotFoundError
from reconciler.model.integration import Integration
from reconciler.model.key import Key
from reconciler.model.mailbox import Mailbox
from reconciler.model.protocol import ProtocolRegistry
from tests.unit.desired.conftest import write_files

ROOT = """\
version: 1
vars:
  site: test
  live: false
  code: "0012"
  network: "${env:NETWORK:-10.0.0.0/8}"
gateway: {http: {public_url: "https://${site}.example"}}
"""
ACME = """\
version: 1
accounts:
  acme:
    mailboxes:
      orders:
        name: Orders of ${site}
        aliases: &aliases ["GLN:${code}"]
        integration:
          enabled: ${live}
          notify_email: ${env:MAIL:-edi@acme.example}
          sftp:
            allow_from: ["${network}"]
            password_generation: "${generation:-2}"
      copy: {name: "$${site}", aliases: ["X:1"]}
"""
PROD = """\
version: 1
vars: {site: prod, live: true}
patches:
  accounts.acme.mailboxes.orders:
    name: Orders
    integration: {notify_email: prod@acme.example, sftp: {allow_from: [192.0.2.1]}}
  gateway.sftp:
    listen: 0.0.0.0:22
"""
ORDERS = Key.of_account("acme").mailbox("orders")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_files(tmp_path, {"reconciler.yaml": ROOT, "acme.yaml": ACME, "environments/prod.yaml": PROD})
    return tmp_path


@pytest.fixture
def loaded(folder: Path, protocols: ProtocolRegistry, compiler: Compiler) -> "Loader":
    return Loader(folder, protocols, compiler)


class Loader:
    def __init__(self, folder: Path, protocols: ProtocolRegistry, compiler: Compiler) -> None:
        self.folder, self.protocols, self.compiler = folder, protocols, compiler

    def __call__(self, environment: str | None = None, **environ: str) -> Desired:
        return load(self.folder, self.protocols, self.compiler, environment=environment, environ=environ)

    def problems(self, environment: str | None = None) -> str:
        with pytest.raises(ConfigurationError) as raised:
            self(environment)
        return render_problems(raised.value.problems)


def integration(desired: Desired) -> Integration:
    found = desired.state.get(ORDERS.integration)
    assert isinstance(found, Integration)
    return found


def test_a_variable_alone_has_its_own_type_and_in_quotes_it_is_text(folder: Path, loaded: Loader) -> None:
    acme = ACME.replace('"${generation:-2}"', "${generation:-2}")
    write_files(folder, {"acme.yaml": acme})
    desired = loaded()
    assert desired.state.get(ORDERS) == Mailbox(name="Orders of test", aliases=("GLN:0012",))
    assert integration(desired).enabled is False
    assert integration(desired).settings["allow_from"] == ["10.0.0.0/8"]
    assert integration(desired).settings["password_generation"] == 2


def test_what_is_in_quotes_stays_text(loaded: Loader) -> None:
    assert "expected a whole number, got '2'" in loaded.problems()


def test_the_process_environment_is_read_where_it_is_named(folder: Path, loaded: Loader) -> None:
    write_files(folder, {"acme.yaml": ACME.replace('"${generation:-2}"', "${env:GENERATION}")})
    desired = loaded(MAIL="a@b.example", NETWORK="192.0.2.0/24", GENERATION="3")
    assert integration(desired).notify_email == "a@b.example"
    assert integration(desired).settings["allow_from"] == ["192.0.2.0/24"]
    assert integration(desired).settings["password_generation"] == 3


def test_an_environment_patches_addresses(folder: Path, loaded: Loader) -> None:
    write_files(folder, {"acme.yaml": ACME.replace('"${generation:-2}"', "7")})
    desired = loaded("prod")
    assert desired.state.get(ORDERS) == Mailbox(name="Orders", aliases=("GLN:0012",))
    assert integration(desired).enabled is True
    assert integration(desired).notify_email == "prod@acme.example"
    assert integration(desired).settings["allow_from"] == ["192.0.2.1/32"]
    assert integration(desired).settings["password_generation"] == 7
    assert str(desired.project.gateway.sftp.listen) == "0.0.0.0:22"
    assert desired.project.gateway.http.public_url == "https://prod.example"
    assert load_project(folder, environment="prod") == desired.project


def test_escaped_braces_are_text(loaded: Loader, folder: Path) -> None:
    write_files(folder, {"acme.yaml": ACME.replace('"${generation:-2}"', "1")})
    copy = loaded().state.get(Key.of_account("acme").mailbox("copy"))
    assert isinstance(copy, Mailbox)
    assert copy.name == "${site}"


def test_a_variable_without_a_value_is_a_mistake_at_its_place(folder: Path, loaded: Loader) -> None:
    write_files(
        folder, {"acme.yaml": ACME.replace("of ${site}", "of ${sitte}").replace('"${generation:-2}"', "${env:NO}")}
    )
    assert loaded.problems() == (
        "acme.yaml:6:15: error: the variable 'sitte' is not defined, and there is no default\n"
        "  |\n"
        "6 |         name: Orders of ${sitte}\n"
        "  |               ^\n"
        "  | did you mean 'site'?\n"
        "\n"
        "acme.yaml:13:34: error: the environment variable NO is not set, and there is no default\n"
        "   |\n"
        "13 |             password_generation: ${env:NO}\n"
        "   |                                  ^\n"
        "\n"
        "2 errors.\n"
    )


def test_a_mistake_in_a_patch_is_shown_in_the_environment(folder: Path, loaded: Loader) -> None:
    write_files(folder, {"acme.yaml": ACME.replace('"${generation:-2}"', "1")})
    patches = "patches:\n  accounts.acme.mailboxes.orders: {alias: x}\n  accounts.acme.mailboxes.order: {name: x}\n"
    write_files(folder, {"environments/prod.yaml": f"version: 1\n{patches}"})
    assert loaded.problems("prod") == (
        "environments/prod.yaml:3:36: error: unknown key 'alias'\n"
        "  |\n"
        "3 |   accounts.acme.mailboxes.orders: {alias: x}\n"
        "  |                                    ^\n"
        "\n"
        "environments/prod.yaml:4:3: error: nothing stands at 'accounts.acme.mailboxes.order' that could be patched\n"
        "  |\n"
        "4 |   accounts.acme.mailboxes.order: {name: x}\n"
        "  |   ^\n"
        "  | did you mean 'accounts.acme.mailboxes.orders'?\n"
        "\n"
        "2 errors.\n"
    )


def test_a_patch_of_an_anchored_part_leaves_its_other_places_alone(folder: Path, loaded: Loader) -> None:
    shared = "version: 1\naccounts:\n  a: {mailboxes: {m: &m {integration: {enabled: false}}, n: *m}}\n"
    patch = "version: 1\npatches: {accounts.a.mailboxes.m.integration: {enabled: true}}\n"
    write_files(folder, {"acme.yaml": shared, "environments/prod.yaml": patch})
    desired = loaded("prod")
    found = {str(key): resource.enabled for key, resource in desired.state.of(Integration)}
    assert found == {"accounts.a.mailboxes.m.integration": True, "accounts.a.mailboxes.n.integration": False}


def test_mistakes_of_the_environment_itself_are_found(folder: Path, loaded: Loader) -> None:
    write_files(folder, {"acme.yaml": "version: 1\n", "environments/prod.yaml": "version: 1\nvar: {a: '${b}'}\n"})
    assert "environments/prod.yaml:2:1: error: unknown key 'var'" in loaded.problems("prod")
    write_files(folder, {"environments/prod.yaml": "version: 1\nvars: {a: '${b}'}\n"})
    assert "a variable is made of ${env:NAME} alone" in loaded.problems("prod")
    write_files(folder, {"environments/prod.yaml": ""})
    assert "environments/prod.yaml:1:1: error: the key 'version' is missing" in loaded.problems("prod")


def test_an_unknown_environment_is_refused_by_name(loaded: Loader) -> None:
    with pytest.raises(NotFoundError, match="did you mean prod"):
        loaded("prd")
    with pytest.raises(NotFoundError, match="no environment"):
        loaded("../prod")
