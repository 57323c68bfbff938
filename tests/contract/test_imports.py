"""What a new process imports, and so waits for, before it does anything."""

import subprocess
import sys


def printed(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout


def test_the_version_waits_for_no_library_that_it_does_not_need() -> None:
    program = (
        "import sys\n"
        "from reconciler.cli import main\n"
        "try: main(['--version'])\n"
        "finally: print(*sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    version, modules = printed(program).splitlines()
    assert version == "reconciler 0.1.0"
    assert {"pydantic", "sqlalchemy", "paramiko", "lxml", "rich"}.isdisjoint(modules.split())


def test_planning_waits_for_no_library_that_it_does_not_need() -> None:
    program = (
        "import sys\n"
        "import reconciler.cli.plan, reconciler.service.opening\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    unneeded = {"sqlalchemy", "cryptography", "ruamel", "paramiko", "starlette", "httpx", "saxonche", "rich"}
    assert unneeded.isdisjoint(printed(program).split())


def test_a_worker_of_conversions_starts_without_what_checks_configurations() -> None:
    program = "import sys\nimport reconciler.conversion.worker_process\nprint(*sys.modules)\n"
    assert {"pydantic", "sqlalchemy", "cryptography"}.isdisjoint(printed(program).split())


def test_the_as2_library_is_imported_without_oscrypto() -> None:
    program = (
        "import sys, reconciler.protocols.as2.library\n"
        "assert sys.modules['pyas2lib.cms'].symmetric is sys.modules['oscrypto.symmetric']\n"
        "print([m for m, v in sys.modules.items() if m.startswith('oscrypto') and getattr(v, '__file__', None)])"
    )
    assert printed(program).strip() == "[]"
