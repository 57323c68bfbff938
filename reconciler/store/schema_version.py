"""The version of the schema: the newest of the migrations."""

from typing import Final

HEAD: Final = "0001"
