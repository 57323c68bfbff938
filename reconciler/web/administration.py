"""What the admin API and the pages are made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reconciler.desired.operation import OidcGateway
from reconciler.jobs.directory import Directory
from reconciler.live.at_hand import AtHand
from reconciler.live.status import CertificateEnd
from reconciler.model.credential import Secret
from reconciler.store.database import Store
from reconciler.web.health import Health
from reconciler.web.keeper import Keeper
from reconciler.web.operations import Operations
from reconciler.web.sources import Origins
from reconciler.web.trial import TryOut


@dataclass(frozen=True, slots=True, kw_only=True)
class Administration:
    """What the admin API and the pages are made of.

    `source_url` is the template of links into git, or empty; `url` is where the pages are. Signing in by OpenID Connect
    takes `oidc`, and its client's secret if it has one.
    """

    store: Store
    directory: Directory
    operations: Operations
    keeper: Keeper
    health: Health
    try_out: TryOut
    origins: Origins
    ends: AtHand[Sequence[CertificateEnd]]
    source_url: str
    url: str
    oidc: OidcGateway | None
    oidc_secret: Secret | None
    is_stopping: Callable[[], bool]
