"""What this process counts of its SFTP server."""

from prometheus_client import Counter

LOGINS = Counter("reconciler_sftp_logins", "Tries to log in, by result.", ["result"])
DELAYED = Counter("reconciler_sftp_delayed", "Connections of strangers that had to wait for their turn.")
SESSIONS = Counter("reconciler_sftp_sessions", "SFTP sessions that were begun.")
