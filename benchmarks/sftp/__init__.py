"""The SFTP server beside OpenSSH's, driven by the same OpenSSH client."""
