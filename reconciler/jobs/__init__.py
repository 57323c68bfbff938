"""Durable work: what was received, is to be converted, or is to be delivered."""
