"""The live configuration as the workers and the protocols look things up in it, one revision at a time."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from threading import Lock
from uuid import UUID

from sqlalchemy import Connection

from reconciler.conversion.dictionary import Dictionaries, Table
from reconciler.envelope.match import ordered
from reconciler.envelope.pipeline import Exchange
from reconciler.envelope.template import TemplateDefinition, parse_template
from reconciler.model.dictionary import Dictionary
from reconciler.model.integration import Integration
from reconciler.model.key import Key
from reconciler.model.mailbox import Mailbox
from reconciler.model.rule import Rule
from reconciler.model.source_file import ContentReader, SourceFile
from reconciler.model.state import State
from reconciler.model.template import Template
from reconciler.model.template_ref import TemplateRef
from reconciler.protocols.protocol import LiveCredential, Partner
from reconciler.store import configuration, credentials
from reconciler.store.credentials import StoredCredential
from reconciler.store.database import Store
from reconciler.store.destinations import Limit


class Snapshot:
    """The configuration of one revision. Immutable; what is looked up often is worked out once."""

    def __init__(
        self,
        *,
        revision: int,
        state: State,
        uuids: Mapping[Key, UUID],
        live_credentials: Mapping[Key, tuple[LiveCredential, ...]],
        content: ContentReader,
    ) -> None:
        self.revision = revision
        self.state = state
        self._uuids = uuids
        self._credentials = live_credentials
        self._content = content
        self._exchanges: dict[UUID, Exchange] = {}
        self._templates: dict[TemplateRef, TemplateDefinition] = {}
        self._dictionaries: dict[str, Dictionaries] = {}

    @cached_property
    def keys(self) -> Mapping[UUID, Key]:
        """The address of every mailbox by its UUID."""
        return {uuid: key for key, uuid in self._uuids.items()}

    def is_stale(self) -> bool:
        """Say whether a credential that was valid beside a newer one has run out since."""
        return self._stale_at is not None and self._stale_at <= datetime.now(UTC)

    @cached_property
    def _stale_at(self) -> datetime | None:
        return min(
            (old.expires for _, *others in self._credentials.values() for old in others if old.expires), default=None
        )

    @property
    def uuids(self) -> Mapping[Key, UUID]:
        """The UUID of every mailbox by its address."""
        return self._uuids

    def uuid(self, key: Key) -> UUID | None:
        """Return a mailbox's UUID by its address."""
        return self._uuids.get(key)

    def integration(self, key: Key) -> Integration | None:
        """Return the integration of the mailbox at an address."""
        found = self.state.get(key.integration)
        return found if isinstance(found, Integration) else None

    def exchange(self, mailbox: UUID) -> Exchange:
        """Return how a mailbox exchanges; one that is gone, or has no integration, does not."""
        found = self._exchanges.get(mailbox)
        if found is None:
            found = self._exchanges[mailbox] = self._exchange(mailbox)
        return found

    def _exchange(self, mailbox: UUID) -> Exchange:
        key = self.keys.get(mailbox)
        if key is None or key.owner is None:
            return Exchange()
        rules = ordered(self._rules.get(key, ()), self._rules.get(key.owner, ()))
        integration = self.integration(key)
        if integration is None:
            return Exchange(rules=rules)
        return Exchange(
            enabled=integration.enabled,
            protocol=integration.protocol,
            notify_email=integration.notify_email,
            default_rule=integration.default_rule,
            rules=rules,
        )

    def rules_of(self, owner: Key) -> Sequence[tuple[Key, Rule]]:
        """Return the rules of a mailbox or of an account, in the order in which they are tried."""
        return sorted(self._rules.get(owner, ()), key=lambda pair: pair[1].position)

    @cached_property
    def _rules(self) -> Mapping[Key, list[tuple[Key, Rule]]]:
        by_owner: dict[Key, list[tuple[Key, Rule]]] = defaultdict(list)
        for key, rule in self.state.of(Rule):
            if key.owner is not None:
                by_owner[key.owner].append((key, rule))
        return by_owner

    def is_ordered(self, mailbox: UUID) -> bool:
        """Say whether what a mailbox sends and receives keeps its order."""
        key = self.keys.get(mailbox)
        integration = None if key is None else self.integration(key)
        return integration is not None and integration.ordered

    def limit(self, mailbox: UUID) -> Limit:
        """Return how much at a time a mailbox's partner bears."""
        key = self.keys.get(mailbox)
        integration = None if key is None else self.integration(key)
        if integration is None or integration.ordered:
            return Limit(1)
        return Limit(integration.concurrency, integration.per_minute)

    def mailboxes_by_alias(self, alias: str) -> list[UUID]:
        """Return the mailboxes that an alias names; one without its qualifier can name several."""
        return self._aliases.get(alias, [])

    @cached_property
    def _aliases(self) -> Mapping[str, list[UUID]]:
        found: dict[str, list[UUID]] = defaultdict(list)
        for key, mailbox in self.state.of(Mailbox):
            uuid = self._uuids[key]
            for alias in mailbox.aliases:
                for name in {alias, alias.partition(":")[2] or alias}:
                    found[name].append(uuid)
        return found

    def template(self, ref: TemplateRef) -> TemplateDefinition | None:
        """Return what envelopes of a template are made of, or None when no account declares it."""
        file = self.template_file(ref)
        if file is None:
            return None
        if ref not in self._templates:
            self._templates[ref] = parse_template(self._content(file.sha256))
        return self._templates[ref]

    def template_file(self, ref: TemplateRef) -> SourceFile | None:
        """Return the file that says what envelopes of a template are made of, or None when no account declares it."""
        declared = self._declared_templates.get(ref)
        return None if declared is None else declared[1].file

    def template_key(self, ref: TemplateRef) -> Key | None:
        """Return the address of a template, or None when no account declares it."""
        declared = self._declared_templates.get(ref)
        return None if declared is None else declared[0]

    @cached_property
    def _declared_templates(self) -> Mapping[TemplateRef, tuple[Key, Template]]:
        return {template.ref: (key, template) for key, template in self.state.of(Template)}

    def dictionaries(self, account: str) -> Dictionaries:
        """Return the dictionaries of an account."""
        if account not in self._dictionaries:
            self._dictionaries[account] = Dictionaries(
                (dictionary.uuid, key.name, Table.parse(self._content(dictionary.file.sha256)))
                for key, dictionary in self.state.of(Dictionary)
                if key.account == account
            )
        return self._dictionaries[account]

    def credential(self, key: Key) -> LiveCredential | None:
        """Return the newest credential at an address."""
        return next(iter(self._credentials.get(key, ())), None)

    def partner(self, mailbox: UUID) -> Partner | None:
        """Return a mailbox as its protocol sees it, or None when no remote connection is possible."""
        key = self.keys.get(mailbox)
        integration = None if key is None else self.integration(key)
        if key is None or integration is None or not integration.enabled:
            return None
        return Partner(mailbox, key, integration.settings, self._valid_credentials.get(key.integration, {}))

    @cached_property
    def _valid_credentials(self) -> Mapping[Key, Mapping[str, tuple[LiveCredential, ...]]]:
        found: dict[Key, dict[str, tuple[LiveCredential, ...]]] = defaultdict(dict)
        for key, valid in self._credentials.items():
            if key.owner is not None:
                found[key.owner][key.name] = valid
        return found

    def partners(self, protocol: str) -> list[Partner]:
        """Return the mailboxes that are reached by a protocol."""
        found = []
        for key, integration in self.state.of(Integration):
            if integration.enabled and integration.protocol == protocol and key.owner is not None:
                partner = self.partner(self._uuids[key.owner])
                if partner is not None:
                    found.append(partner)
        return found


class Directory:
    """Keeps the snapshot of the newest revision."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self._snapshot: Snapshot | None = None

    def current(self) -> Snapshot:
        """Return the newest revision's snapshot; costs one small query while nothing was applied."""
        with self._store.read() as connection:
            return self.seen_by(connection)()

    def seen_by(self, connection: Connection) -> Callable[[], Snapshot]:
        """Return what returns the snapshot of the revision that a connection sees as the newest."""
        newest = configuration.newest_revision(connection)

        def snapshot() -> Snapshot:
            with self._lock:
                if self._snapshot is None or self._snapshot.revision != newest() or self._snapshot.is_stale():
                    self._snapshot = self._load()
                return self._snapshot

        return snapshot

    def known(self) -> Snapshot:
        """Return the newest snapshot that was asked for; costs nothing, and is as new as the gateway's last look."""
        return self._snapshot or self.current()

    def content(self, sha256: str) -> bytes:
        """Return the content of a file that the configuration names. Raises BlobError."""
        with self._store.read() as connection:
            return self._store.blobs.read(connection, sha256)

    def _load(self) -> Snapshot:
        with self._store.read() as connection:
            return Snapshot(
                revision=configuration.current_revision(connection),
                state=configuration.read_state(connection),
                uuids=configuration.mailbox_uuids(connection),
                live_credentials=self._credentials(connection),
                content=self.content,
            )

    def _credentials(self, connection: Connection) -> Mapping[Key, tuple[LiveCredential, ...]]:
        found: dict[Key, list[LiveCredential]] = defaultdict(list)
        now = datetime.now(UTC)
        for stored in credentials.all_of(connection):
            # The newest stays, expired or not: what it is for says what then happens.
            if stored.expires_at is None or now < stored.expires_at or stored.key not in found:
                found[stored.key].append(self._live(stored))
        return {key: tuple(newest_first) for key, newest_first in found.items()}

    def _live(self, stored: StoredCredential) -> LiveCredential:
        return LiveCredential(
            fingerprint=stored.fingerprint,
            reveal=lambda: self._store.keyring.decrypt(stored.ciphertext),
            verifier=stored.verifier,
            public=stored.public,
            expires=stored.expires_at,
        )
