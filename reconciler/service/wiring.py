"""Which protocols there are, by name."""

from reconciler.model.protocol import ProtocolRegistry
from reconciler.protocols.as2 import settings as as2
from reconciler.protocols.sftp import settings as sftp

PROTOCOLS: ProtocolRegistry = {sftp.NAME: sftp.SftpSettings, as2.NAME: as2.As2Settings}
"""What `protocol:` may say, and the class of its section."""
