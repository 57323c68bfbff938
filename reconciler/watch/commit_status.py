"""Telling the git host how applying a commit went."""

import logging
import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, urlsplit

import httpx

from reconciler.model.credential import Secret

Host = Literal["github", "gitlab"]

CONTEXT = "reconciler"
_LONGEST = 140
"""Characters of a description; GitHub's documented bound."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CommitStatus:
    """Posts to one repository. `api` is the host's API, such as https://api.github.com."""

    host: Host
    api: str
    repository: str
    token: Secret

    @classmethod
    def of(cls, url: str, token: Secret, *, api: str | None = None) -> "CommitStatus | None":
        """Return where the statuses of a repository go, told from its URL; None for one on no such host."""
        found = re.fullmatch(r"(?:ssh://)?git@(?P<host>[^:/]+)[:/](?P<path>.+?)(?:\.git)?/?", url)
        if found:
            name, path = found["host"], found["path"]
        else:
            parts = urlsplit(url)
            name, path = parts.hostname or "", parts.path.strip("/").removesuffix(".git")
        if not path or (not name and api is None):
            return None
        if "gitlab" in (api or name):
            return cls("gitlab", api or f"https://{name}/api/v4", path, token)
        default = "https://api.github.com" if name == "github.com" else f"https://{name}/api/v3"
        return cls("github", api or default, path, token)

    def post(self, sha: str, *, ok: bool, message: str) -> bool:
        """Say whether a commit is applied; a host that does not take it is logged, and watching goes on."""
        description = message if len(message) <= _LONGEST else f"{message[: _LONGEST - 1]}…"
        if self.host == "github":
            url = f"{self.api}/repos/{quote(self.repository)}/statuses/{sha}"
            headers = {"Authorization": f"Bearer {self.token.reveal()}", "Accept": "application/vnd.github+json"}
            state = "success" if ok else "failure"
        else:
            url = f"{self.api}/projects/{quote(self.repository, safe='')}/statuses/{sha}"
            headers = {"PRIVATE-TOKEN": self.token.reveal()}
            state = "success" if ok else "failed"
        body = {"state": state, "context": CONTEXT, "name": CONTEXT, "description": description}
        try:
            httpx.post(url, json=body, headers=headers, timeout=10).raise_for_status()
        except httpx.HTTPStatusError as error:
            _log.warning("the commit's status was not taken: %s answered %d", self.api, error.response.status_code)
            return False
        except httpx.HTTPError as error:
            _log.warning("the commit's status was not posted: %s", type(error).__name__)
            return False
        return True
