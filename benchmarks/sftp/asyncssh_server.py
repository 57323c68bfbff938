"""asyncssh's SFTP server over a folder: python -m benchmarks.sftp.asyncssh_server FOLDER KEY PORT."""

import asyncio
import sys
from typing import Any

import asyncssh


async def serve(folder: str, key: str, port: str) -> None:
    def files(channel: Any) -> asyncssh.SFTPServer:  # noqa: ANN401 - whatever asyncssh gives
        return asyncssh.SFTPServer(channel, chroot=folder.encode())

    await asyncssh.listen(
        "127.0.0.1",
        int(port),
        server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
        authorized_client_keys=f"{key}.pub",
        sftp_factory=files,
    )
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
