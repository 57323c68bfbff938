"""Templates: what an envelope is made of."""

from uuid import UUID

from reconciler.model.noun import Noun
from reconciler.model.source_file import SourceFile
from reconciler.model.template_ref import TemplateRef


class Template(Noun):
    """A template that an account declares: its identity and the XML file with documents, fields and roles."""

    uuid: UUID
    version: UUID
    file: SourceFile

    @property
    def ref(self) -> TemplateRef:
        """The identity by which envelopes and rules name it."""
        return TemplateRef(uuid=self.uuid, version=self.version)
