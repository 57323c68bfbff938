"""Mailboxes."""

from reconciler.model.noun import Noun


class Mailbox(Noun):
    """An address inside an account that sends and receives envelopes.

    Its UUID is not here: the live side generates it once, when the mailbox is created. `aliases` are further names,
    each `QUALIFIER:VALUE` such as `GLN:4829900003227`, sorted.
    """

    name: str
    aliases: tuple[str, ...] = ()
    protected: bool = False
