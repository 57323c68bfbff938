import pytest
from pydantic import ValidationError

from reconciler.model.credential import CredentialKind
from reconciler.model.key import Key
from reconciler.model.source_file import SourceFile
from reconciler.protocols.as2.settings import As2Settings, PartnerCertificate, Recipient

MAILBOX = Key.parse("accounts.acme.mailboxes.invoices")
CERTIFICATE = SourceFile(name="globex.pem", sha256="0" * 64)


def test_own_name_defaults_to_the_mailbox_key_in_upper_case() -> None:
    assert As2Settings().completed(MAILBOX).self_id == "INVOICES"
    assert As2Settings(self_id="ACME-INVOICES").completed(MAILBOX).self_id == "ACME-INVOICES"


def test_certificate_is_generated_for_the_own_name_and_generation() -> None:
    credential = As2Settings(self_id="ACME", certificate_generation=3).credentials(MAILBOX)["certificate"]
    assert (credential.kind, credential.generation, credential.subject) == (CredentialKind.CERTIFICATE, 3, "ACME")
    assert As2Settings().credentials(MAILBOX)["certificate"].subject == "INVOICES"


def test_enabled_needs_a_recipient() -> None:
    assert set(As2Settings().missing()) == {"recipient"}
    recipient = Recipient(
        id="GLOBEX", url="https://globex.example/as2", certificates=(PartnerCertificate(file=CERTIFICATE),)
    )
    assert As2Settings(recipient=recipient).missing() == {}


@pytest.mark.parametrize("url", ["ftp://globex.example/", "globex.example/as2", "https:///as2", "https://u:p@h/as2"])
def test_recipient_is_reached_by_http(url: str) -> None:
    with pytest.raises(ValidationError, match="URL"):
        Recipient(id="GLOBEX", url=url, certificates=(PartnerCertificate(file=CERTIFICATE),))


@pytest.mark.parametrize("name", ["", " A", "A ", "Ä", "A\nB", "A" * 129])
def test_as2_names_are_printable_ascii_of_at_most_128_characters(name: str) -> None:
    with pytest.raises(ValidationError):
        As2Settings(self_id=name)


def test_weak_algorithms_are_by_name_only() -> None:
    assert (As2Settings().encryption, As2Settings().signing) == ("aes256-cbc", "sha256")
    assert As2Settings.model_validate({"encryption": "tripledes-192-cbc", "signing": "sha1"}).signing == "sha1"
    with pytest.raises(ValidationError):
        As2Settings.model_validate({"encryption": "rc2-128-cbc"})


def test_a_recipient_has_a_certificate() -> None:
    with pytest.raises(ValidationError, match="certificates"):
        Recipient(id="GLOBEX", url="https://globex.example/as2", certificates=())
