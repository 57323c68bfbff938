"""YAML to State: what the configuration asks for, or every mistake in it with its position."""
