"""Dictionaries: tables that mappings look values up in."""

from uuid import UUID

from reconciler.model.noun import Noun
from reconciler.model.source_file import SourceFile


class Dictionary(Noun):
    """A table with column UUIDs and record UUIDs, as a CSV file."""

    uuid: UUID
    file: SourceFile
