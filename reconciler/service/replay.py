"""Replaying inputs through the rules before and after a plan. Nothing is recorded, sent or delivered."""

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from difflib import unified_diff
from typing import assert_never

from lxml import etree

from reconciler.conversion.converter import Converter
from reconciler.envelope.match import PartnerFile
from reconciler.envelope.pipeline import (
    AwaitCompletion,
    Convert,
    CopyToPartner,
    Exchange,
    Keep,
    NoRule,
    Notify,
    Reject,
    SendAsIs,
    on_arrival,
    on_file,
)
from reconciler.errors import BlobError, ConversionError
from reconciler.jobs.directory import Directory, Snapshot
from reconciler.jobs.partner_file import PartnerFileMaker
from reconciler.jobs.sending import Sending
from reconciler.model.key import Key
from reconciler.model.source_file import ContentReader
from reconciler.plan.impact import Noun, Replayed, Way
from reconciler.service.replay_inputs import EnvelopeInput, FileInput, ReplayInput
from reconciler.store.database import Store

_OFF = Way("failed", detail="the integration is off")


@dataclass(frozen=True, slots=True)
class _Taken:
    """The way of an input, the rule that converts it if one does, and what that makes of it if it was asked to."""

    way: Way
    convert: Convert | None = None
    made: tuple[bytes, ...] = ()


class Replay:
    """The rules before and after a plan, side by side. `broad`: dictionaries, templates or mailboxes change too."""

    def __init__(self, store: Store, before: Snapshot, after: Snapshot, content: ContentReader, *, broad: bool) -> None:
        self._store = store
        self._before = before
        self._after = after
        self._content = content
        self._broad = broad

    def run(self, inputs: Iterable[ReplayInput], *, convert: bool) -> Iterator[Replayed]:
        """Yield each input with its two ways; with `convert`, also what the maps would make otherwise."""
        with Converter(self._content, workers=1) if convert else nullcontext() as converter:
            for item in inputs:
                key = self._after.keys.get(item.mailbox) or self._before.keys.get(item.mailbox)
                if key is not None:
                    yield self._replayed(item, key, converter)

    def _replayed(self, item: ReplayInput, key: Key, converter: Converter | None) -> Replayed:
        before, after = _taken(item, self._before), _taken(item, self._after)
        if converter is not None and (_untested(before.convert) != _untested(after.convert) or self._broad):
            before, after = (
                self._converted(item, taken, side, converter)
                for taken, side in ((before, self._before), (after, self._after))
            )
        noun: Noun = "file" if isinstance(item, FileInput) else "envelope"
        diff = _diff(item.name, before.made, after.made) if before.made and after.made else ""
        return Replayed(key, noun, item.name, before.way, after.way, diff)

    def _converted(self, item: ReplayInput, taken: _Taken, side: Snapshot, converter: Converter) -> _Taken:
        if taken.convert is None:
            return taken
        try:
            made = self._made(item, taken.convert, side, converter)
        except (BlobError, ConversionError) as error:
            return _Taken(Way("failed", taken.convert.key, str(error)), taken.convert)
        return _Taken(taken.way, taken.convert, made)

    def _made(self, item: ReplayInput, convert: Convert, side: Snapshot, converter: Converter) -> tuple[bytes, ...]:
        match item:
            case FileInput():
                outcome = Sending(self._store, Directory(self._store), converter).outcome(item.receipt, side, item.read)
                if outcome.error is not None:
                    raise outcome.error
                return tuple(outcome.converted.results) if outcome.converted else ()
            case EnvelopeInput():
                maker = PartnerFileMaker(self._store, converter)
                return (maker.make(item.row, item.read(), item.mailbox, side, convert.rule).content,)
            case _:
                assert_never(item)


def _untested(convert: Convert | None) -> Convert | None:
    """Return what converts without its rule's tests, which make nothing otherwise."""
    if convert is None or not convert.rule.tests:
        return convert
    return replace(convert, rule=convert.rule.model_copy(update={"tests": {}}))


def _taken(item: ReplayInput, side: Snapshot) -> _Taken:
    if item.mailbox not in side.keys:
        return _Taken(Way("failed", detail="the mailbox is not there"))
    exchange = side.exchange(item.mailbox)
    match item:
        case FileInput():
            return _file_taken(item, exchange)
        case EnvelopeInput():
            return _envelope_taken(item, exchange)
        case _:
            assert_never(item)


def _file_taken(item: FileInput, exchange: Exchange) -> _Taken:
    if not exchange.enabled:
        return _Taken(_OFF)
    file = PartnerFile(item.receipt.name, item.read, item.receipt.attributes)
    try:
        decision = on_file(file, native=item.receipt.native, rules=exchange.rules)
    except BlobError as error:
        return _Taken(Way("failed", detail=str(error)))
    match decision:
        case NoRule():
            return _Taken(Way("failed", detail="no rule takes it"))
        case SendAsIs():
            return _Taken(Way("sent"))
        case Convert(key, _):
            return _Taken(Way("converted", key), decision)
        case _:
            assert_never(decision)


def _envelope_taken(item: EnvelopeInput, exchange: Exchange) -> _Taken:
    decision = on_arrival(item.row.template, exchange)
    match decision:
        case Convert(key, _):
            return _Taken(Way("converted", key), decision)
        case AwaitCompletion():
            return _Taken(Way("archived"))
        case CopyToPartner():
            return _Taken(Way("copied", detail=exchange.protocol))
        case Notify(email):
            return _Taken(Way("mailed", detail=email))
        case Reject():
            return _Taken(Way("rejected"))
        case Keep():
            return _Taken(Way("kept"))
        case _:
            assert_never(decision)


def _diff(name: str, before: tuple[bytes, ...], after: tuple[bytes, ...]) -> str:
    """Return the difference between two results as a unified diff of canonical XML, or of text; empty for none."""
    old, new = ([line for made in side for line in _lines(made)] for side in (before, after))
    return "\n".join(unified_diff(old, new, f"before/{name}", f"after/{name}", lineterm=""))


def _lines(made: bytes) -> list[str]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_blank_text=True)
    try:
        root = etree.fromstring(made, parser)
    except etree.XMLSyntaxError:
        return made.decode(errors="replace").splitlines()
    etree.indent(root)
    return etree.tostring(root, method="c14n2").decode().splitlines()
