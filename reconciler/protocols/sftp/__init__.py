"""SFTP: settings and server."""
