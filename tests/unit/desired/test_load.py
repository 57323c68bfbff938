"""A whole configuration, as the documentation shows one, to a state."""

from pathlib import Path

import pytest

from reconciler.desired.compiler import Compiler
from reconciler.desired.listen import Listen
from reconciler.desired.load import Desired, load, load_project
from reconciler.errors import ConfigurationError
from reconciler.model.credential import Credential, CredentialKind
from reconciler.model.integration import DefaultRule, Integration
from reconciler.model.key import Key, sftp_host_key
from reconciler.model.mailbox import Mailbox
from reconciler.model.protocol import ProtocolRegistry
from reconciler.model.rule import Archive, Direction, Match, Rule
from reconciler.model.template_ref import TemplateRef
from tests.unit.desired.conftest import write_files

ROOT = """\
version: 1
state: .reconciler
gateway:
  sftp: {listen: "127.0.0.1:2222", public_host: edi.example.com}
  http: {listen: "127.0.0.1:8080", public_url: "https://edi.example.com"}
  smtp: {url: "smtp://127.0.0.1:25", from: "edi@example.com"}
"""
ACME = r"""
version: 1
accounts:
  acme:
    name: Acme Retail
    templates:
      order: {uuid: 1997a1b4-88e3-4f58-88ca-fcd2c6fb5869, version: 4a303734-a118-44a2-aedf-67df61612628, file: ../order.xml}
      invoice: {uuid: 2997a1b4-88e3-4f58-88ca-fcd2c6fb5869, version: 4a303734-a118-44a2-aedf-67df61612628, file: ../order.xml}
    dictionaries:
      partners: {uuid: a5390637-f3b5-49f3-b7f6-48132f6fe8bb, file: ../partners.csv}
    rules: {}
    mailboxes:
      orders:
        name: Acme orders
        aliases: ["GLN:4829900003227"]
        integration:
          enabled: true
          protocol: sftp
          notify_email: edi@acme.example
          default_rule: inbox
          sftp: {authorized_keys: [], allow_from: [], password_generation: 1}
        rules:
          orders-from-edifact:
            active: true
            direction: out
            match: {name: 'ORDERS.*\.edi'}
            template: order
            convert: ../orders-out.xsl
            validate: []
          invoices-to-erp:
            active: true
            direction: in
            template: invoice
            convert: ../invoice-in.xsl
            name_pattern: 'INV_{"d1":"number"}_{date yyyyMMdd}.xml'
      invoices:
        integration:
          enabled: true
          protocol: as2
          as2:
            self_id: ACME-INVOICES
            recipient: {id: GLOBEX, url: "https://globex.example/as2", certificates: [../globex.pem], email: as2@globex.example}
            encryption: aes256-cbc
"""  # noqa: E501 - the lines are as an author writes them
FILES = {
    "order.xml": "<template/>",
    "partners.csv": "record,name\n",
    "orders-out.xsl": "<out/>",
    "invoice-in.xsl": "<in/>",
    "globex.pem": "-----BEGIN CERTIFICATE-----\n",
}
HOST_KEYS = (sftp_host_key("ed25519", 1), sftp_host_key("rsa", 1))
ORDERS = Key.parse("accounts.acme.mailboxes.orders")
INVOICES = Key.parse("accounts.acme.mailboxes.invoices")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_files(tmp_path, {"reconciler.yaml": ROOT, "accounts/acme.yaml": ACME, **FILES})
    return tmp_path


@pytest.fixture
def desired(root: Path, protocols: ProtocolRegistry, compiler: Compiler) -> Desired:
    return load(root, protocols, compiler)


def test_every_object_is_in_the_state_by_its_address(desired: Desired) -> None:
    assert sorted(str(key) for key in desired.state.resources) == [
        "accounts.acme",
        "accounts.acme.dictionaries.partners",
        "accounts.acme.mailboxes.invoices",
        "accounts.acme.mailboxes.invoices.integration",
        "accounts.acme.mailboxes.invoices.integration.credentials.certificate",
        "accounts.acme.mailboxes.orders",
        "accounts.acme.mailboxes.orders.integration",
        "accounts.acme.mailboxes.orders.integration.credentials.password",
        "accounts.acme.mailboxes.orders.rules.invoices-to-erp",
        "accounts.acme.mailboxes.orders.rules.orders-from-edifact",
        "accounts.acme.templates.invoice",
        "accounts.acme.templates.order",
        "gateway.credentials.sftp-host-key-ed25519-1",
        "gateway.credentials.sftp-host-key-rsa-1",
    ]
    assert desired.warnings == ()


def test_what_is_left_out_has_its_default(desired: Desired) -> None:
    assert desired.state.get(INVOICES) == Mailbox(name="invoices")
    integration = desired.state.get(INVOICES.integration)
    assert isinstance(integration, Integration)
    assert integration.default_rule == DefaultRule(action="inbox")
    assert (integration.settings["signing"], integration.settings["compression"]) == ("sha256", False)


def test_credentials_are_what_each_protocol_generates(desired: Desired) -> None:
    assert desired.state.get(HOST_KEYS[0]) == Credential(kind=CredentialKind.SSH_HOST_KEY)
    assert desired.state.get(HOST_KEYS[1]) == Credential(kind=CredentialKind.SSH_HOST_KEY_RSA)
    assert desired.state.get(ORDERS.integration.credential("password")) == Credential(kind=CredentialKind.PASSWORD)
    assert desired.state.get(INVOICES.integration.credential("certificate")) == Credential(
        kind=CredentialKind.CERTIFICATE, subject="ACME-INVOICES"
    )


def test_rules_keep_the_order_in_which_they_stand(desired: Desired) -> None:
    rules = {key.name: rule for key, rule in desired.state.of(Rule)}
    out, into = rules["orders-from-edifact"], rules["invoices-to-erp"]
    assert (out.position, out.direction, out.match) == (0, Direction.OUT, Match(by="name", pattern=r"ORDERS.*\.edi"))
    assert (into.position, into.direction, into.match) == (1, Direction.IN, None)
    assert str(into.template) == "2997a1b4-88e3-4f58-88ca-fcd2c6fb5869/4a303734-a118-44a2-aedf-67df61612628"


def test_files_are_the_contents_of_all_that_the_state_names(desired: Desired) -> None:
    assert sorted(desired.files.values()) == sorted(text.encode() for text in FILES.values())
    assert frozenset(desired.files) == desired.state.hashes()


def test_positions_are_those_of_the_objects_names(desired: Desired) -> None:
    assert str(desired.positions[ORDERS]) == "accounts/acme.yaml:13:7"
    assert str(desired.positions[ORDERS.rule("invoices-to-erp")]) == "accounts/acme.yaml:30:11"
    assert set(desired.positions) == set(desired.state.resources) - set(HOST_KEYS)


def test_each_file_is_compiled_once(desired: Desired, compiler: Compiler) -> None:
    assert sorted(vars(compiler)["compiled"]) == sorted([*FILES, "order.xml"]), "for each of two templates"


def test_moving_yaml_between_files_changes_no_resource(
    root: Path, desired: Desired, protocols: ProtocolRegistry, compiler: Compiler
) -> None:
    (root / "accounts/acme.yaml").rename(root / "accounts/zebra.yaml")
    assert load(root, protocols, compiler).state == desired.state


def test_everything_can_stand_in_the_root_file(
    tmp_path: Path, desired: Desired, protocols: ProtocolRegistry, compiler: Compiler
) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    write_files(alone, {"reconciler.yaml": ROOT + ACME.replace("version: 1\n", "").replace("../", "./"), **FILES})
    assert load(alone, protocols, compiler).state == desired.state


def test_an_account_can_continue_in_another_file(
    tmp_path: Path, protocols: ProtocolRegistry, compiler: Compiler
) -> None:
    head = "version: 1\naccounts:\n  acme:\n"
    rule = "{direction: in, archive: {exclude: [printable]}, template: {uuid: %s, version: %s}}"
    some = rule % ("1997a1b4-88e3-4f58-88ca-fcd2c6fb5869", "4a303734-a118-44a2-aedf-67df61612628")
    write_files(
        tmp_path,
        {
            "reconciler.yaml": "version: 1\n",
            "a.yaml": f"{head}    rules: {{first: {some}}}\n---\n{head}    mailboxes: {{orders: {{}}}}\n",
            "b.yaml": f"{head}    name: Acme\n    rules: {{second: {some}}}\n    mailboxes: {{invoices: {{}}}}\n",
        },
    )
    state = load(tmp_path, protocols, compiler).state
    assert [(key.name, rule.position) for key, rule in state.of(Rule)] == [("first", 0), ("second", 1)]
    assert [key.name for key, _ in state.of(Mailbox)] == ["orders", "invoices"]
    first = state.get(Key.parse("accounts.acme.rules.first"))
    assert isinstance(first, Rule)
    assert first.archive == Archive(exclude=("printable",))
    assert isinstance(first.template, TemplateRef)


def test_mail_without_a_server_is_a_warning(root: Path, protocols: ProtocolRegistry, compiler: Compiler) -> None:
    (root / "reconciler.yaml").write_text("version: 1\n")
    (warning,) = load(root, protocols, compiler).warnings
    assert (warning.code, str(warning.position)) == ("no-mail", "accounts/acme.yaml:19:11")
    assert warning.path == "accounts.acme.mailboxes.orders.integration.notify_email"


def test_a_mistake_says_the_address_of_what_is_wrong(
    root: Path, protocols: ProtocolRegistry, compiler: Compiler
) -> None:
    (root / "accounts/acme.yaml").write_text(ACME.replace("ORDERS.*", "ORDERS.*(", 1))
    with pytest.raises(ConfigurationError) as raised:
        load(root, protocols, compiler)
    (problem,) = raised.value.problems
    assert problem.path == "accounts.acme.mailboxes.orders.rules.orders-from-edifact.match.name"


def test_the_project_is_read_without_the_accounts(root: Path) -> None:
    (root / "accounts/acme.yaml").write_text("nonsense: [")
    project = load_project(root)
    assert (project.root, project.state) == (root, ".reconciler")
    assert project.gateway.sftp.public_host == "edi.example.com"
    assert project.gateway.http.public_url == "https://edi.example.com"
    assert project.gateway.smtp is not None
    assert (project.gateway.smtp.url, project.gateway.smtp.sender) == ("smtp://127.0.0.1:25", "edi@example.com")


def test_a_gateway_that_says_nothing_serves_its_own_machine(tmp_path: Path) -> None:
    (tmp_path / "reconciler.yaml").write_text("version: 1\naccounts: {whatever: 1}\n")
    gateway = load_project(tmp_path).gateway
    assert (str(gateway.sftp.listen), str(gateway.http.listen)) == ("127.0.0.1:2222", "127.0.0.1:8080")
    assert gateway.smtp is None


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("0.0.0.0:0", "0.0.0.0", 0), ("[::1]:2222", "::1", 2222), ("edi.example.com:65535", "edi.example.com", 65535)],
)
def test_addresses_to_listen_on_are_printed_as_they_are_written(text: str, host: str, port: int) -> None:
    listen = Listen.model_validate(text)
    assert (listen.host, listen.port, str(listen)) == (host, port, text)


@pytest.mark.parametrize("text", ["version: 2\n", "", "version: 1\ngateway: {stfp: {}}\n", "version: [\n"])
def test_a_wrong_project_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "reconciler.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=r"^reconciler\.yaml:"):
        load_project(tmp_path)


@pytest.mark.parametrize(
    "url", ["smtp://edi:hidden", "smtp://edi:hidden@[mail", "smtp://edi:hid\u2100den@mail", "mail"]
)
def test_a_wrong_mail_server_is_refused_without_its_password(tmp_path: Path, url: str) -> None:
    (tmp_path / "reconciler.yaml").write_text(
        f'version: 1\ngateway:\n  smtp:\n    from: edi@example.com\n    url: "{url}"\n'
    )
    with pytest.raises(ConfigurationError) as raised:
        load_project(tmp_path)
    assert str(raised.value).startswith("reconciler.yaml:5:10: expected a URL such as smtp://127.0.0.1:25")
    assert "hidden" not in str(raised.value)


def test_passwords_in_urls_are_in_no_repr(tmp_path: Path) -> None:
    (tmp_path / "reconciler.yaml").write_text(
        "version: 1\nstate: postgresql://edi:hidden@db/edi\n"
        "gateway: {smtp: {url: 'smtp://edi:hidden@mail', from: edi@example.com}}\n"
    )
    project = load_project(tmp_path)
    assert "hidden" in project.state
    assert "hidden" not in repr(project)


def test_rules_that_may_read_edifact_have_the_configuration_s_own_tables(
    root: Path, protocols: ProtocolRegistry, compiler: Compiler
) -> None:
    write_files(root, {"edifact/D97A.txt": "directory D97A", "edifact/notes.md": "", "edifact/.D99B.txt": ""})
    desired = load(root, protocols, compiler)
    tables = {key.name: [file.name for file in rule.directories] for key, rule in desired.state.of(Rule)}
    assert tables == {"orders-from-edifact": ["D97A.txt"], "invoices-to-erp": []}
    assert b"directory D97A" in desired.files.values()
