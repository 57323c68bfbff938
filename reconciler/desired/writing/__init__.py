"""From resources back to YAML: what is live is written as an author would, into files that keep what else they say."""
