"""What crosses between a gateway and those who reconcile with it from afar, as JSON. Nothing of it is secret."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from pydantic import BaseModel, JsonValue

from reconciler.live.history import Drift
from reconciler.live.status import Listening, Status, Waiting
from reconciler.live.views import LogRecord
from reconciler.model.key import Key
from reconciler.model.noun import Json
from reconciler.model.state import State, from_json, to_json
from reconciler.plan.change import FieldChange
from reconciler.plan.live_side import LiveSide, Suspension
from reconciler.store.conditions import Condition, ConditionType
from reconciler.store.configuration import Revision
from reconciler.store.leases import Lease


class SuspensionDocument(BaseModel):
    """What is held out of reconciling, until when (null: until it is resumed), why and by whom."""

    address: str
    until: datetime | None
    reason: str
    actor: str

    @classmethod
    def of(cls, suspension: Suspension) -> "SuspensionDocument":
        """Return a suspension as a document."""
        return cls(
            address=str(suspension.key), until=suspension.until, reason=suspension.reason, actor=suspension.actor
        )

    def value(self) -> Suspension:
        """Return the suspension."""
        return Suspension(Key.parse(self.address), self.until, self.reason, self.actor)


class StateDocument(BaseModel):
    """What is live at a revision: the resources by address, and what planning has to know besides."""

    revision: int
    resources: dict[str, dict[str, JsonValue]]
    by_hand: list[str] = []
    generated_at: dict[str, datetime] = {}
    suspensions: list[SuspensionDocument] = []

    @classmethod
    def of(cls, live: LiveSide) -> "StateDocument":
        """Return a live side as a document."""
        return cls(
            revision=live.revision,
            resources=resources(live.state),
            by_hand=sorted(map(str, live.by_hand)),
            generated_at={str(key): at for key, at in live.generated_at.items()},
            suspensions=[SuspensionDocument.of(item) for item in live.suspensions],
        )

    def value(self) -> LiveSide:
        """Return the live side."""
        return LiveSide(
            state=state(self.resources),
            revision=self.revision,
            by_hand=frozenset(map(Key.parse, self.by_hand)),
            generated_at={Key.parse(address): at for address, at in self.generated_at.items()},
            suspensions=tuple(item.value() for item in self.suspensions),
        )


def resources(live: State) -> dict[str, dict[str, Json]]:
    """Return the resources of a state as JSON, by address."""
    return {str(key): to_json(resource) for key, resource in live.resources.items()}


def state(documents: Mapping[str, Mapping[str, Json]]) -> State:
    """Read what `resources` made. Raises ValueError."""
    keys = {Key.parse(address): document for address, document in documents.items()}
    return State(MappingProxyType({key: from_json(key.kind, document) for key, document in keys.items()}))


class RevisionDocument(BaseModel):
    """One applied plan, or a change by hand for a reason (`by_hand`); `plan` is there when one is asked for."""

    number: int
    applied_at: datetime
    actor: str
    by_hand: str = ""
    config_hash: str = ""
    commit: str = ""
    digest: str = ""
    summary: dict[str, JsonValue] = {}
    plan: dict[str, JsonValue] = {}

    @classmethod
    def of(cls, revision: Revision) -> "RevisionDocument":
        """Return a revision as a document."""
        return cls(
            number=revision.number,
            applied_at=revision.applied_at,
            actor=revision.actor,
            by_hand=revision.by_hand,
            config_hash=revision.config_hash,
            commit=revision.commit,
            digest=revision.digest,
            summary=dict(revision.summary),
            plan=dict(revision.plan),
        )

    def value(self) -> Revision:
        """Return the revision."""
        return Revision(
            number=self.number,
            applied_at=self.applied_at,
            actor=self.actor,
            plan=self.plan,
            by_hand=self.by_hand,
            config_hash=self.config_hash,
            commit=self.commit,
            digest=self.digest,
            summary=self.summary,
        )


class FieldDocument(BaseModel):
    """A field that differs: the configured value and the live one."""

    name: str
    old: JsonValue
    new: JsonValue


class DriftDocument(BaseModel):
    """Where one live resource is not as it was configured: `what` is changed, destroyed or made."""

    address: str
    what: str
    fields: list[FieldDocument]
    actor: str | None
    at: datetime | None
    reason: str

    @classmethod
    def of(cls, drift: Drift) -> "DriftDocument":
        """Return a drift as a document."""
        fields = [FieldDocument(name=field.name, old=field.old, new=field.new) for field in drift.fields]
        return cls(
            address=str(drift.key), what=drift.what, fields=fields, actor=drift.actor, at=drift.at, reason=drift.reason
        )

    def value(self) -> Drift:
        """Return the drift."""
        match self.what:
            case "changed" | "destroyed" | "made":
                fields = tuple(FieldChange(field.name, field.old, field.new) for field in self.fields)
                return Drift(Key.parse(self.address), self.what, fields, self.actor, self.at, self.reason)
            case _:
                raise ValueError(f"'{self.what}' is no kind of drift")


class ConditionDocument(BaseModel):
    """Whether something holds for an account, or (empty scope) for all of the configuration."""

    scope: str
    type: ConditionType
    status: bool
    commit: str
    message: str
    changed_at: datetime

    @classmethod
    def of(cls, condition: Condition) -> "ConditionDocument":
        """Return a condition as a document."""
        return cls(
            scope=condition.scope,
            type=condition.type,
            status=condition.status,
            commit=condition.commit,
            message=condition.message,
            changed_at=condition.changed_at,
        )

    def value(self) -> Condition:
        """Return the condition."""
        return Condition(self.scope, self.type, self.status, self.commit, self.message, self.changed_at)


class LeaseDocument(BaseModel):
    """Who alone may do something now; the holder's proof is not told."""

    name: str
    owner: str
    acquired_at: datetime
    expires_at: datetime


class StatusDocument(BaseModel):
    """How a gateway is: listeners, queue, what is applied, what the watcher says, who is at work, what failed last."""

    revision: RevisionDocument | None
    conditions: list[ConditionDocument]
    suspensions: list[SuspensionDocument]
    leases: list[LeaseDocument]
    queue: list[Waiting]
    listeners: list[Listening]
    failures: list[LogRecord]

    @classmethod
    def of(cls, status: Status) -> "StatusDocument":
        """Return a status as a document."""
        return cls(
            revision=RevisionDocument.of(status.revision) if status.revision else None,
            conditions=[ConditionDocument.of(item) for item in status.conditions],
            suspensions=[SuspensionDocument.of(item) for item in status.suspensions],
            leases=[
                LeaseDocument(
                    name=item.name, owner=item.owner, acquired_at=item.acquired_at, expires_at=item.expires_at
                )
                for item in status.leases
            ],
            queue=list(status.queue),
            listeners=list(status.listeners),
            failures=list(status.failures),
        )

    def value(self) -> Status:
        """Return the status."""
        return Status(
            revision=self.revision.value() if self.revision else None,
            conditions=tuple(item.value() for item in self.conditions),
            suspensions=tuple(item.value() for item in self.suspensions),
            leases=tuple(Lease(item.name, item.owner, "", item.acquired_at, item.expires_at) for item in self.leases),
            queue=tuple(self.queue),
            listeners=self.listeners,
            failures=self.failures,
        )
