"""What the gateway remembers: tables, payloads and secrets, on SQLite or PostgreSQL."""
