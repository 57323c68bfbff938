"""The envelope's decisions, pure: its XML, its status table, which rule takes a file, what to do next."""
