"""Partners' files as XML: EDIFACT, X12, spreadsheets, CSV, JSON and XML, all pure functions of bytes."""

from reconciler.conversion.sources.source import to_xml

__all__ = ["to_xml"]
