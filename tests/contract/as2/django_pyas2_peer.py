"""GLOBEX by django-pyas2: listens for messages and, for each line of JSON on its input, sends or posts MDNs.

Runs in a process of its own, with django-pyas2 and Django in a folder on its path. Arguments: that folder with keys and
database. The first line of output is where it listens; each further one is what became of a command.
"""

import json
import logging
import sys
from pathlib import Path
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from reconciler.protocols.as2.oscrypto_standin import install

install()

import django  # type: ignore[import-not-found]  # noqa: E402 - pyas2lib is imported with it, after the stand-in
from django.conf import settings  # type: ignore[import-not-found]  # noqa: E402
from django.core.management import call_command  # type: ignore[import-not-found]  # noqa: E402
from django.core.wsgi import get_wsgi_application  # type: ignore[import-not-found]  # noqa: E402
from django.urls import include, path  # type: ignore[import-not-found]  # noqa: E402

urlpatterns: list[Any] = []


class Quiet(WSGIRequestHandler):
    """Logs nothing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Log nothing; the output belongs to the answers."""


def configure(folder: Path) -> None:
    settings.configure(
        ALLOWED_HOSTS=["*"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "pyas2.sqlite")}},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "pyas2"],
        MEDIA_ROOT=str(folder / "media"),
        ROOT_URLCONF=__name__,
        SECRET_KEY="of a test",
    )
    django.setup()
    urlpatterns.append(path("pyas2/", include("pyas2.urls")))
    call_command("migrate", verbosity=0)


def introduce(folder: Path) -> None:
    """Record who GLOBEX is, and its partner ACME."""
    from pyas2 import models  # type: ignore[import-not-found]

    pair = (folder / "globex.key").read_bytes() + (folder / "globex.pem").read_bytes()
    key = models.PrivateKey.objects.create(name="globex", key=pair, key_pass="")
    models.Organization.objects.create(name="Globex", as2_name="GLOBEX", encryption_key=key, signature_key=key)
    certificate = models.PublicCertificate.objects.create(
        name="acme", certificate=(folder / "acme.pem").read_bytes(), verify_cert=False
    )
    models.Partner.objects.create(
        name="Acme", as2_name="ACME", encryption_cert=certificate, signature_cert=certificate, keep_filename=True
    )


def obey(command: dict[str, Any]) -> dict[str, Any]:
    from pyas2 import models

    if "send" not in command:
        for mdn in models.Mdn.objects.filter(status="P"):
            mdn.send_async_mdn()
        return {"posted": models.Mdn.objects.filter(status="S").count()}
    models.Partner.objects.update(**command["partner"])
    call_command("sendas2message", "GLOBEX", "ACME", command["send"])
    message = models.Message.objects.get(direction="OUT")
    mdn = models.Mdn.objects.filter(message=message).first()
    said = {"status": message.status, "detail": message.detailed_status, "signed": bool(mdn and mdn.signed)}
    message.delete()
    return said


def say(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> None:
    folder = Path(sys.argv[1])
    logging.disable()
    configure(folder)
    introduce(folder)
    with make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=Quiet) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        say({"url": f"http://127.0.0.1:{server.server_port}/pyas2/as2receive"})
        for line in sys.stdin:
            say(obey(json.loads(line)))


if __name__ == "__main__":
    main()
