"""AS2 (RFC 4130): settings, endpoint, sender."""
