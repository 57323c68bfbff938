"""B2B integrations as code: YAML reconciled with a gateway that speaks SFTP and AS2."""

__version__ = "0.1.0"
