"""Clients that partners use, each a program or library of other making, behind one face."""

import asyncio
import os
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

import asyncssh

from reconciler.protocols.sftp.host_keys import load_host_keys
from tests.conftest import require_program
from tests.contract.sftp.conftest import Gateway

SSH_OPTIONS = (
    "BatchMode=no",
    "StrictHostKeyChecking=no",
    "UserKnownHostsFile=/dev/null",
    "NumberOfPasswordPrompts=1",
    "IdentityAgent=none",
    "LogLevel=ERROR",
)


class ClientError(Exception):
    """What a client says, or prints, when something is refused."""


class Client(Protocol):
    """The first partner's client; paths of its own side are relative to its folder. Each method raises ClientError."""

    def put(self, here: str, there: str) -> None: ...

    def get(self, there: str, here: str) -> None: ...

    def resume_put(self, here: str, there: str) -> None: ...

    def resume_get(self, there: str, here: str) -> None: ...

    def names(self, folder: str) -> list[str]: ...

    def rename(self, source: str, target: str) -> None: ...

    def remove(self, path: str) -> None: ...


class _Program:
    """Runs a program in a folder."""

    def __init__(self, gateway: Gateway, folder: Path) -> None:
        self.gateway = gateway
        self.folder = folder

    def run(self, *command: str, commands: str = "", **environment: str) -> str:
        ran = subprocess.run(
            command,
            input=commands,
            env={**os.environ, "HOME": str(self.folder), **environment},
            cwd=self.folder,
            # Two pipes: ssh makes that of errors non-blocking, and sftp would lose what it prints into the same one.
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if ran.returncode:
            raise ClientError(ran.stdout + ran.stderr)
        return ran.stdout


class OpenSsh(_Program):
    """OpenSSH's sftp and scp."""

    def __call__(self, *batch: str, secret: str = "first", options: tuple[str, ...] = ()) -> str:
        """Run a batch of sftp and return all that it prints. Raises ClientError at the first line that fails."""
        program = require_program("sftp", package="openssh-client")
        return self._logged_in(
            program, "-b", "-", self.remote, commands="\n".join((*batch, "")), secret=secret, options=options
        )

    def scp(self, *arguments: str) -> str:
        """Run scp over SFTP."""
        return self._logged_in(require_program("scp", package="openssh-client"), "-s", *arguments)

    @property
    def remote(self) -> str:
        return f"{self.gateway.login}@127.0.0.1"

    def _logged_in(
        self,
        program: str,
        *arguments: str,
        commands: str = "",
        secret: str = "first",
        options: tuple[str, ...] = (),
    ) -> str:
        ask = self.folder / "ask"
        ask.write_text(f"#!/bin/sh\necho '{secret}'\n")
        ask.chmod(0o700)
        chosen = [f"-o{option}" for option in (*options, *SSH_OPTIONS, f"Port={self.gateway.port}")]
        return self.run(
            program, *chosen, *arguments, commands=commands, SSH_ASKPASS=str(ask), SSH_ASKPASS_REQUIRE="force"
        )

    def put(self, here: str, there: str) -> None:
        self(f"put {here} {there}")

    def get(self, there: str, here: str) -> None:
        self(f"get {there} {here}")

    def resume_put(self, here: str, there: str) -> None:
        self(f"reput {here} {there}")

    def resume_get(self, there: str, here: str) -> None:
        self(f"reget {there} {here}")

    def names(self, folder: str) -> list[str]:
        lines = self(f"ls -1 {folder}").splitlines()
        return [line.rpartition("/")[2] for line in lines if not line.startswith("sftp>")]

    def rename(self, source: str, target: str) -> None:
        self(f"rename {source} {target}")

    def remove(self, path: str) -> None:
        self(f"rm {path}")


class Scp(OpenSsh):
    """scp where it can, and sftp beside it."""

    def put(self, here: str, there: str) -> None:
        self.scp("-p", here, f"{self.remote}:{there}")

    def get(self, there: str, here: str) -> None:
        self.scp("-p", f"{self.remote}:{there}", here)


class Psftp(_Program):
    """PuTTY's psftp, of which FileZilla's is made, and WinSCP's has come."""

    def do(self, *batch: str) -> str:
        program = require_program("psftp", package="putty-tools")
        script = self.folder / "batch"
        script.write_text("\n".join((*batch, "")))
        whom = ("-P", str(self.gateway.port), "-l", self.gateway.login, "-pw", "first", "-hostkey", self._fingerprint())
        return self.run(program, *whom, "-batch", "-b", str(script), "127.0.0.1")

    def _fingerprint(self) -> str:
        keys = load_host_keys(self.gateway.host_keys).used
        return next(str(key.fingerprint) for key in keys if key.get_name() == "ssh-ed25519")

    def put(self, here: str, there: str) -> None:
        self.do(f"put {here} {there}")

    def get(self, there: str, here: str) -> None:
        self.do(f"get {there} {here}")

    def resume_put(self, here: str, there: str) -> None:
        self.do(f"reput {here} {there}")

    def resume_get(self, there: str, here: str) -> None:
        self.do(f"reget {there} {here}")

    def names(self, folder: str) -> list[str]:
        return [line.split()[-1] for line in self.do(f"ls {folder}").splitlines() if line.startswith("-")]

    def rename(self, source: str, target: str) -> None:
        self.do(f"mv {source} {target}")

    def remove(self, path: str) -> None:
        self.do(f"rm {path}")


class Lftp(_Program):
    """lftp over OpenSSH's ssh."""

    def do(self, *commands: str) -> str:
        program = require_program("lftp", package="lftp")
        ssh = "ssh -a -x " + " ".join(f"-o{option}" for option in SSH_OPTIONS)
        site = f"open -u {self.gateway.login},first sftp://127.0.0.1:{self.gateway.port}"
        settings = (f'set sftp:connect-program "{ssh}"', "set net:max-retries 1", "set cmd:fail-exit yes", site)
        return self.run(program, "--norc", "-c", "; ".join((*settings, *commands)))

    def put(self, here: str, there: str) -> None:
        self.do(f"put {here} -o {there}")

    def get(self, there: str, here: str) -> None:
        self.do(f"get {there} -o {here}")

    def resume_put(self, here: str, there: str) -> None:
        self.do(f"put -c {here} -o {there}")

    def resume_get(self, there: str, here: str) -> None:
        self.do(f"get -c {there} -o {here}")

    def names(self, folder: str) -> list[str]:
        return self.do(f"cls -1 --basename {folder}/").split()

    def rename(self, source: str, target: str) -> None:
        self.do(f"mv {source} {target}")

    def remove(self, path: str) -> None:
        self.do(f"rm {path}")


class Rclone(_Program):
    """rclone; it resumes nothing, and sends the whole instead."""

    def do(self, *arguments: str) -> str:
        program = require_program("rclone", package="rclone")
        settings = {"TYPE": "sftp", "HOST": "127.0.0.1", "PORT": str(self.gateway.port), "USER": self.gateway.login}
        secret = self.run(program, "obscure", "first").strip()
        named = {f"RCLONE_CONFIG_THERE_{name}": value for name, value in {**settings, "PASS": secret}.items()}
        return self.run(program, "--retries=1", "--low-level-retries=1", "-q", *arguments, **named)

    def put(self, here: str, there: str) -> None:
        self.do("copyto", here, f"there:{there}")

    def get(self, there: str, here: str) -> None:
        self.do("copyto", f"there:{there}", here)

    resume_put = put
    resume_get = get

    def names(self, folder: str) -> list[str]:
        return self.do("lsf", f"there:{folder}").split()

    def rename(self, source: str, target: str) -> None:
        self.do("moveto", f"there:{source}", f"there:{target}")

    def remove(self, path: str) -> None:
        self.do("deletefile", f"there:{path}")


class Curl(_Program):
    """curl with libssh2."""

    def do(self, path: str, *options: str) -> str:
        program = require_program("curl", package="curl")
        url = f"sftp://127.0.0.1:{self.gateway.port}/{path}"
        return self.run(
            program, "-sS", "--insecure", "--max-time", "30", "-u", f"{self.gateway.login}:first", *options, url
        )

    def put(self, here: str, there: str) -> None:
        self.do(there, "-T", here)

    def get(self, there: str, here: str) -> None:
        self.do(there, "-o", here)

    def resume_put(self, here: str, there: str) -> None:
        self.do(there, "-C", "-", "-T", here)

    def resume_get(self, there: str, here: str) -> None:
        self.do(there, "-C", "-", "-o", here)

    def names(self, folder: str) -> list[str]:
        return [line.split()[-1] for line in self.do(f"{folder}/").splitlines()]

    def rename(self, source: str, target: str) -> None:
        self.do("", "-o", "/dev/null", "-Q", f"rename /{source} /{target}")

    def remove(self, path: str) -> None:
        self.do("", "-o", "/dev/null", "-Q", f"rm /{path}")


class AsyncSsh:
    """asyncssh."""

    def __init__(self, gateway: Gateway, folder: Path) -> None:
        self.gateway = gateway
        self.folder = folder

    def do(self, act: Callable[[asyncssh.SFTPClient], Awaitable[Any]]) -> Any:  # noqa: ANN401 - whatever is asked for
        """Log in, and have something done."""

        async def run() -> Any:  # noqa: ANN401 - the same
            options: dict[str, Any] = {
                "username": self.gateway.login,
                "password": "first",
                "known_hosts": None,
                "client_keys": [],
            }
            async with (
                asyncssh.connect("127.0.0.1", self.gateway.port, config=[], **options) as connection,
                connection.start_sftp_client() as client,
            ):
                return await act(client)

        try:
            return asyncio.run(run())
        except (asyncssh.Error, OSError) as error:
            raise ClientError(str(error)) from error

    def put(self, here: str, there: str) -> None:
        self.do(lambda client: client.put(str(self.folder / here), there, preserve=True))

    def get(self, there: str, here: str) -> None:
        self.do(lambda client: client.get(there, str(self.folder / here), preserve=True))

    def resume_put(self, here: str, there: str) -> None:
        async def append(client: asyncssh.SFTPClient) -> None:
            content = (self.folder / here).read_bytes()
            async with client.open(there, "ab") as file:
                await file.write(content[(await client.stat(there)).size or 0 :])

        self.do(append)

    def resume_get(self, there: str, here: str) -> None:
        async def read(client: asyncssh.SFTPClient) -> None:
            with (self.folder / here).open("ab") as kept:
                async with client.open(there, "rb") as file:
                    await file.seek(kept.tell())
                    content = await file.read()
                    assert isinstance(content, bytes)
                    kept.write(content)

        self.do(read)

    def names(self, folder: str) -> list[str]:
        return list(self.do(lambda client: client.listdir(folder)))

    def rename(self, source: str, target: str) -> None:
        self.do(lambda client: client.rename(source, target))

    def remove(self, path: str) -> None:
        self.do(lambda client: client.remove(path))
