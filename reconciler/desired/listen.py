"""Addresses to listen on."""

import re
from typing import Any

from pydantic import GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from reconciler.model.noun import Noun

_LISTEN = re.compile(r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<host>[^\s:\[\]/]+)):(?P<port>[0-9]{1,5})")
_PORTS = range(65536)


class Listen(Noun):
    """An address to listen on, written `host:port` or `[::1]:port`. Port 0 lets the system choose."""

    host: str
    port: int

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:  # noqa: ANN401 - the type is what is being found out
        if not isinstance(value, str):
            return value
        parts = _LISTEN.fullmatch(value)
        if parts is None or int(parts["port"]) not in _PORTS:
            raise ValueError(f"expected host:port, such as 127.0.0.1:2222 or [::1]:2222, got '{value}'")
        return {"host": parts["ipv6"] or parts["host"], "port": int(parts["port"])}

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe what an author writes."""
        return {"type": "string", "pattern": ":[0-9]{1,5}$", "description": "host:port; port 0 lets the system choose."}
