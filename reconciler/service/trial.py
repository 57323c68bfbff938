"""Trying a rule out with the gateway's own converter; what a map asks for is answered, and nothing is created."""

from reconciler.conversion.converter import Converter, InConversion, OutConversion, UnfinishedError
from reconciler.envelope import xml
from reconciler.envelope.check import check_envelope
from reconciler.errors import ConversionError, NotFoundError
from reconciler.jobs.directory import Directory
from reconciler.jobs.lookups import MailboxLookups
from reconciler.live.views import RuleTestRun
from reconciler.model.key import Key
from reconciler.model.rule import Direction, Rule
from reconciler.service.offline import Offline
from reconciler.service.rule_testing import run_tests
from reconciler.store.database import Store
from reconciler.web.trial import Trial


class RuleTrial:
    """Tries rules out."""

    def __init__(self, store: Store, directory: Directory, converter: Converter) -> None:
        self._store = store
        self._directory = directory
        self._converter = converter

    def tests(self, rule: Key) -> list[RuleTestRun]:
        """Run the rule's tests, offline: with the configuration alone, and each mailbox's UUID made of its address."""
        state, content = self._directory.current().state, self._directory.content
        found = state.get(rule)
        if not isinstance(found, Rule):
            raise NotFoundError(f"There is no rule {rule}.")
        return list(run_tests(rule, found, content, Offline(state, content), self._converter))

    def __call__(self, rule: Key, mailbox: Key, file_name: str, content: bytes) -> Trial:
        """Return what the rule makes of the file when the mailbox is its sender (OUT) or its recipient (IN)."""
        snapshot = self._directory.current()
        found, uuid = snapshot.state.get(rule), snapshot.uuid(mailbox)
        if not isinstance(found, Rule) or uuid is None:
            raise NotFoundError(f"There is no rule {rule} for {mailbox}.")
        if found.convert is None:
            return Trial(file_name=file_name, error="This rule delivers the envelope's archive and has no map.")
        lookups = MailboxLookups(self._store, snapshot, uuid)
        source = ""
        try:
            if found.direction is Direction.IN:
                sender = next((role.mailbox_uuid for role in xml.parse(content).roles), None)
                request = InConversion.by(found, content, sender_mailbox=sender or uuid)
                made = self._converter.convert_in(request, lookups)
                return Trial(file_name=file_name, results=[_text(made.results[0])], messages=made.messages)
            source = _text(
                self._converter.to_source_xml(
                    content, file_name=file_name, source=found.source, directories=found.directories
                )
            )
            out = OutConversion.by(found, content, file_name=file_name, sender_mailbox=uuid)
            made = self._converter.convert_out(out, lookups)
            faults = [
                fault
                for result in made.results
                for fault in check_envelope(
                    xml.parse(result),
                    template=found.template,
                    definition=snapshot.template(found.template),
                    mailbox_exists=snapshot.keys.__contains__,
                    sender=uuid,
                )
            ]
        except UnfinishedError as error:
            return Trial(
                file_name=file_name,
                source=source,
                results=[_text(result) for result in error.made.results],
                messages=error.made.messages,
                error=f"{error} ({error.code})",
            )
        except ConversionError as error:
            return Trial(file_name=file_name, source=source, error=f"{error} ({error.code})")
        return Trial(
            file_name=file_name,
            source=source,
            results=[_text(result) for result in made.results],
            messages=made.messages,
            error="; ".join(f"{fault} ({fault.code})" for fault in faults),
        )


def _text(content: bytes) -> str:
    return content.decode(errors="replace")
