"""What the server refuses to start with."""

from typing import cast

import paramiko
import pytest

from reconciler.desired.sftp_gateway import SftpGateway
from reconciler.protocols.sftp.server import SftpServer
from reconciler.protocols.sftp.transport import POST_QUANTUM
from tests.contract.sftp.memory_folders import MemoryFolders


def test_it_does_not_start_where_nobody_could_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in POST_QUANTUM:
        monkeypatch.delitem(cast("dict[str, object]", vars(paramiko.Transport)["_kex_info"]), name)
    settings = SftpGateway(post_quantum_only=True)
    server = SftpServer(settings=settings, folders=MemoryFolders(), host_keys=list)
    with pytest.raises(ValueError, match="too old"):
        server.start()


def test_it_does_not_start_without_a_host_key() -> None:
    with pytest.raises(ValueError, match="no host key"):
        SftpServer(settings=SftpGateway(), folders=MemoryFolders(), host_keys=list).start()
