"""Addresses: the path of names by which everything in a configuration is known."""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Self

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
"""What an account, mailbox, rule, template or dictionary may be called: no dots, so that an address stays readable."""


class Kind(StrEnum):
    """The kinds of resources."""

    ACCOUNT = "account"
    TEMPLATE = "template"
    DICTIONARY = "dictionary"
    MAILBOX = "mailbox"
    INTEGRATION = "integration"
    RULE = "rule"
    CREDENTIAL = "credential"


def _kind_of(path: tuple[str, ...]) -> Kind | None:  # noqa: PLR0911 - one line for each shape of a path
    match path:
        case ("accounts", _, "mailboxes", _, "rules", _) | ("accounts", _, "rules", _):
            return Kind.RULE
        case ("accounts", _, "mailboxes", _):
            return Kind.MAILBOX
        case ("accounts", _, "mailboxes", _, "integration"):
            return Kind.INTEGRATION
        case ("accounts", _, "mailboxes", _, "integration", "credentials", _) | ("gateway", "credentials", _):
            return Kind.CREDENTIAL
        case ("accounts", _):
            return Kind.ACCOUNT
        case ("accounts", _, "templates", _):
            return Kind.TEMPLATE
        case ("accounts", _, "dictionaries", _):
            return Kind.DICTIONARY
        case _:
            return None


def _ordered(address: str) -> str:
    """Return a text that sorts as the path of an address does: before all that a name can have comes its end."""
    return address.replace(".", "\0")


class Key(str):
    """The address of one resource, such as `accounts.acme.mailboxes.orders.rules.orders-from-edifact`.

    It is its own text: very many of them are compared and looked up. They are sorted by their paths.
    """

    __slots__ = ()

    def __new__(cls, path: Iterable[str]) -> Self:
        """Return the address of a path of names."""
        return super().__new__(cls, ".".join(path))

    def __getnewargs__(self) -> tuple[Any, ...]:
        """Return what `__new__` takes, for copies."""
        return (self.path,)

    @property
    def path(self) -> tuple[str, ...]:
        """The names that lead to the resource."""
        return tuple(self.split("."))

    def __lt__(self, other: str) -> bool:
        return _ordered(self) < _ordered(other)

    def __le__(self, other: str) -> bool:
        return _ordered(self) <= _ordered(other)

    def __gt__(self, other: str) -> bool:
        return _ordered(self) > _ordered(other)

    def __ge__(self, other: str) -> bool:
        return _ordered(self) >= _ordered(other)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an address as it is printed. Raises ValueError when it is no resource's address."""
        path = tuple(text.split("."))
        if _kind_of(path) is None or not all(map(NAME.fullmatch, path)):
            raise ValueError(f"'{text}' is no address; one looks like accounts.acme.mailboxes.orders")
        return cls(path)

    @classmethod
    def known(cls, text: str) -> Self:
        """Read an address that was printed and kept; nothing is checked."""
        return str.__new__(cls, text)

    @classmethod
    def of_account(cls, account: str) -> Self:
        """Return the address of an account."""
        return cls(("accounts", account))

    def template(self, name: str) -> "Key":
        """Return the address of a template of this account."""
        return Key.known(f"{self}.templates.{name}")

    def dictionary(self, name: str) -> "Key":
        """Return the address of a dictionary of this account."""
        return Key.known(f"{self}.dictionaries.{name}")

    def mailbox(self, name: str) -> "Key":
        """Return the address of a mailbox of this account."""
        return Key.known(f"{self}.mailboxes.{name}")

    def rule(self, name: str) -> "Key":
        """Return the address of a rule of this mailbox or account."""
        return Key.known(f"{self}.rules.{name}")

    @property
    def integration(self) -> "Key":
        """The address of this mailbox's integration."""
        return Key.known(f"{self}.integration")

    def credential(self, name: str) -> "Key":
        """Return the address of a credential of this integration."""
        return Key.known(f"{self}.credentials.{name}")

    @property
    def kind(self) -> Kind:
        """The kind of resource that this address names."""
        kind = _kind_of(self.path)
        if kind is None:
            raise ValueError(f"{self} is no address of a resource")
        return kind

    @property
    def name(self) -> str:
        """The last part: the resource's own name (for an integration, the word `integration`)."""
        return self.rpartition(".")[2]

    @property
    def owner(self) -> "Key | None":
        """The resource that this one belongs to; None for an account and for what belongs to the gateway."""
        match self.kind:
            case Kind.ACCOUNT:
                return None
            case Kind.INTEGRATION:
                return Key(self.path[:-1])
            case Kind.CREDENTIAL if self.startswith("gateway."):
                return None
            case _:
                return Key(self.path[:-2])

    @property
    def account(self) -> str | None:
        """The account's key; None for what belongs to the gateway."""
        return self.path[1] if self.path[0] == "accounts" else None

    @property
    def mailbox_key(self) -> "Key | None":
        """The address of the mailbox at or above this resource; None when there is none."""
        return Key(self.path[:4]) if len(self.path) >= 4 and self.path[2] == "mailboxes" else None  # noqa: PLR2004

    def is_within(self, other: "Key") -> bool:
        """Say whether this is the address `other` or one below it."""
        return self.startswith(other) and (len(self) == len(other) or self[len(other)] == ".")

    def moved(self, old: "Key", new: "Key") -> "Key":
        """Return this address after what is at `old` got the address `new`; itself when it is not within `old`."""
        return Key.known(f"{new}{self[len(old) :]}") if self.is_within(old) else self


def sftp_host_key(kind: str, generation: int) -> Key:
    """Return the address of one of the SFTP server's host keys: `kind` is ed25519, rsa or ecdsa."""
    return Key(("gateway", "credentials", f"sftp-host-key-{kind}-{generation}"))
