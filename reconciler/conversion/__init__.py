"""Partner files to envelopes and back: sources, XSLT, validation, names, archives, in a sandbox."""
