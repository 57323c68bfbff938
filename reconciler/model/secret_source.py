"""Where a secret is that stands in no configuration."""

from pydantic import Field

from reconciler.model.noun import Noun


class SecretSource(Noun):
    """Names a secret; whoever needs it reads it when it is needed, so that it is in no state, plan or log."""

    secret: str = Field(
        pattern=r"^(env:[A-Za-z_][A-Za-z0-9_]*|(file|sops):[^\x00#]+(#[A-Za-z0-9_.-]+)?)$",
        description="env:NAME, a variable of the gateway's process; file:PATH, its first line; sops:PATH, what sops "
        "decrypts, or sops:PATH#KEY.KEY for one value of it. Paths are relative to reconciler.yaml.",
        examples=["env:SMTP_PASSWORD", "file:/run/secrets/smtp", "sops:secrets.yaml#smtp.password"],
    )
