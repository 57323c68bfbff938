"""What a partner is written about a connection."""

from reconciler.cli.credentials import letter
from reconciler.model.credential import Secret

PEM = "-----BEGIN CERTIFICATE-----\nMIID\n-----END CERTIFICATE-----\n"


def test_certificates_stand_as_files_have_them_and_secrets_do_not_stand_there() -> None:
    values: dict[str, str | Secret] = {
        "self_id": "ACME",
        "self_certificate": PEM,
        "password": Secret("hush"),
        "mdn": "sync",
    }
    lines = letter("accounts.acme.mailboxes.orders", values).splitlines()
    begin = lines.index("-----BEGIN CERTIFICATE-----")
    assert lines[begin - 2 : begin + 3] == ["Self certificate:", "", *PEM.splitlines()]
    assert [line.split() for line in lines if line.startswith(("self id", "mdn"))] == [
        ["self", "id:", "ACME"],
        ["mdn:", "sync"],
    ]
    assert "hush" not in "".join(lines)
    assert lines[-1] == "You get apart from this text: password."
