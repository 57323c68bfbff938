"""The `sftp` section, and the public keys in it."""

from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import ValidationError

from reconciler.model.credential import Credential, CredentialKind
from reconciler.model.key import Key
from reconciler.protocols.sftp.authorized_keys import AuthorizedKey
from reconciler.protocols.sftp.settings import SftpSettings

MAILBOX = Key.parse("accounts.acme.mailboxes.orders")
NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def openssh(public: Ed25519PrivateKey | rsa.RSAPrivateKey) -> str:
    return public.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


ED25519 = openssh(Ed25519PrivateKey.from_private_bytes(bytes(32)))


class TestSettings:
    def test_what_means_the_same_is_equal(self) -> None:
        one = SftpSettings(
            authorized_keys=(f"{ED25519}  me", f" {ED25519} me\n"), allow_from=("192.0.2.1", "10.0.0.0/8")
        )
        other = SftpSettings(
            authorized_keys=(f"{ED25519} me",), allow_from=("10.0.0.0/8", "192.0.2.1/32", "10.0.0.0/8")
        )
        assert one == other

    def test_the_password_is_the_one_credential(self) -> None:
        settings = SftpSettings(password_generation=3)
        assert settings.credentials(MAILBOX) == {"password": Credential(kind=CredentialKind.PASSWORD, generation=3)}

    def test_settings_survive_json(self) -> None:
        settings = SftpSettings(authorized_keys=(f'from="10.0.0.0/8,!10.1.*" {ED25519}',), allow_from=("::/0",))
        assert SftpSettings.model_validate(settings.model_dump(mode="json")) == settings

    @pytest.mark.parametrize(
        ("section", "message"),
        [
            ({"allow_from": ("10.1.2.3/8",)}, "write 10.0.0.0/8 for all of it"),
            ({"allow_from": ("somewhere",)}, "'somewhere' is no network"),
            ({"password_generation": 0}, "greater than or equal to 1"),
            ({"authorized_keys": ("hello",)}, "is no public key"),
            ({"unknown": 1}, "Extra inputs are not permitted"),
        ],
    )
    def test_a_mistake_is_named(self, section: dict[str, object], message: str) -> None:
        with pytest.raises(ValidationError, match=message):
            SftpSettings.model_validate(section)


class TestAuthorizedKey:
    @pytest.mark.parametrize(
        ("line", "message"),
        [
            (f"{ED25519}\n{ED25519}", "one public key a line"),
            (f'command="sh" {ED25519}', "the option 'command'"),
            (f"cert-authority {ED25519}", "the option 'cert-authority'"),
            (f'from="10.0.0.0/8 {ED25519}', "is no public key"),
            (f'expiry-time="20261399" {ED25519}', "no day of the calendar"),
            (f'expiry-time="tomorrow" {ED25519}', "is no time"),
            ("ssh-dss AAAAB3NzaC1kc3M=", "keys of type ssh-dss are not accepted"),
            (ED25519[:-8], "damaged"),
            (openssh(rsa.generate_private_key(65537, 1024)), "1024 bits"),
        ],
    )
    def test_what_is_no_key_for_a_login_is_refused(self, line: str, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            AuthorizedKey.parse(line)

    @pytest.mark.parametrize(
        ("options", "peer", "admitted"),
        [
            ("", "192.0.2.1", True),
            ("restrict,no-pty", "192.0.2.1", True),
            ('from="10.0.0.0/8"', "10.9.9.9", True),
            ('from="10.0.0.0/8"', "192.0.2.1", False),
            ('from="10.0.0.0/8,!10.1.*"', "10.1.2.3", False),
            ('from="192.0.2.?"', "192.0.2.7", True),
            ('from="2001:db8::/32"', "2001:db8::1", True),
            ('from="partner.example"', "192.0.2.1", False),
            ('expiry-time="20260601115959Z"', "192.0.2.1", False),
            ('expiry-time="202606011201"', "192.0.2.1", True),
            ('expiry-time="20260601"', "192.0.2.1", False),
        ],
    )
    def test_options_say_where_from_and_until_when(self, options: str, peer: str, admitted: bool) -> None:
        key = AuthorizedKey.parse(f"{options} {ED25519} somebody")
        assert key.admits(ip_address(peer), NOW) is admitted
