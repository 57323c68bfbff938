"""Mail to people, alerts to operators."""
