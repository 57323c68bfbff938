"""pyas2lib, imported over the stand-in for oscrypto. The only module that imports it."""

from reconciler.protocols.as2.oscrypto_standin import install

install()

from pyas2lib import Mdn, Message, Organization, Partner  # noqa: E402 - the stand-in comes first

__all__ = ["Mdn", "Message", "Organization", "Partner"]
