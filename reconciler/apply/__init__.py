"""A plan made true: typed steps, generated credentials, one transaction."""
