import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from reconciler.protocols.as2.peer import main


def test_a_new_key_is_written_for_its_owner_alone(tmp_path: Path) -> None:
    key_file, certificate_file = tmp_path / "key.pem", tmp_path / "certificate.pem"
    identity = ["--id", "GLOBEX", "--key", str(key_file), "--certificate", str(certificate_file)]
    assert main([*identity, "--new-key"]) == 0
    key = load_pem_private_key(key_file.read_bytes(), None)
    certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
    assert certificate.public_key() == key.public_key()
    assert certificate.subject.rfc4514_string() == "CN=GLOBEX"
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600


@pytest.mark.parametrize("more", [[], ["--gateway-id", "ACME"]])
def test_what_is_needed_is_said(more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--id", "GLOBEX", "--key", "k", "--certificate", "c", *more])
    assert "--gateway-certificate" in capsys.readouterr().err
