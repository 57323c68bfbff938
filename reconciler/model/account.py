"""Accounts."""

from reconciler.model.noun import Noun


class Account(Noun):
    """A company. It owns mailboxes, account-wide rules, templates and dictionaries.

    While it is live as `protected`, no plan may destroy it; the same goes for mailboxes and rules.
    """

    name: str
    protected: bool = False
