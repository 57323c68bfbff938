from uuid import UUID

from reconciler.apply.steps import DropCredential, DropResource, GenerateCredential, PutFile, PutResource, steps
from reconciler.model.account import Account
from reconciler.model.credential import Credential, CredentialKind
from reconciler.model.dictionary import Dictionary
from reconciler.model.key import Key
from reconciler.model.source_file import Part, SourceFile
from reconciler.model.state import State
from reconciler.plan.plan import build

ACME = Key.of_account("acme")
INTEGRATION = ACME.mailbox("orders").integration
PASSWORD = INTEGRATION.credential("password")
FIRST = Credential(kind=CredentialKind.PASSWORD)


def test_files_come_first_and_only_those_that_are_not_there() -> None:
    file = SourceFile(name="p.csv", sha256="b" * 64, parts=(Part(name="q.csv", sha256="a" * 64),))
    partners = Dictionary(uuid=UUID(int=1), file=file)
    plan = build(State(), 0, State({ACME: Account(name="Acme"), ACME.dictionary("partners"): partners}))
    put = (PutResource(ACME, Account(name="Acme")), PutResource(ACME.dictionary("partners"), partners))
    assert steps(plan, ()) == (PutFile("a" * 64), PutFile("b" * 64), *put)
    assert steps(plan, {"a" * 64}) == (PutFile("b" * 64), *put)


def test_a_file_of_what_is_destroyed_is_not_stored() -> None:
    partners = Dictionary(uuid=UUID(int=1), file=SourceFile(name="p.csv", sha256="b" * 64))
    plan = build(State({ACME.dictionary("partners"): partners}), 0, State())
    assert steps(plan, ()) == (DropResource(ACME.dictionary("partners")),)


class TestCredentials:
    def test_a_new_one_is_generated(self) -> None:
        plan = build(State(), 0, State({PASSWORD: FIRST}))
        assert steps(plan, ()) == (PutResource(PASSWORD, FIRST), GenerateCredential(PASSWORD, FIRST))

    def test_a_raised_generation_makes_another(self) -> None:
        second = FIRST.model_copy(update={"generation": 2})
        plan = build(State({PASSWORD: FIRST}), 0, State({PASSWORD: second}))
        assert steps(plan, ()) == (PutResource(PASSWORD, second), GenerateCredential(PASSWORD, second))

    def test_a_lowered_generation_is_recorded_and_nothing_else(self) -> None:
        second = FIRST.model_copy(update={"generation": 2})
        plan = build(State({PASSWORD: second}), 0, State({PASSWORD: FIRST}))
        assert steps(plan, ()) == (PutResource(PASSWORD, FIRST),)

    def test_another_subject_keeps_the_key_that_partners_pinned(self) -> None:
        key = INTEGRATION.credential("certificate")
        old, new = (Credential(kind=CredentialKind.CERTIFICATE, subject=subject) for subject in ("A", "B"))
        plan = build(State({key: old}), 0, State({key: new}))
        assert steps(plan, ()) == (PutResource(key, new),)

    def test_another_kind_under_the_same_name_is_generated(self) -> None:
        other = Credential(kind=CredentialKind.CERTIFICATE, subject="A")
        plan = build(State({PASSWORD: FIRST}), 0, State({PASSWORD: other}))
        assert steps(plan, ())[-1] == GenerateCredential(PASSWORD, other)

    def test_one_that_is_no_longer_wanted_goes_with_its_secret(self) -> None:
        plan = build(State({PASSWORD: FIRST}), 0, State())
        assert steps(plan, ()) == (DropCredential(PASSWORD), DropResource(PASSWORD))
