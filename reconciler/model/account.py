"""Accounts."""

from reconciler.model.noun import Noun


class Account(Noun):
    """A company. It owns mailboxes, account-wide rules, templates and dictionaries."""

    name: str
