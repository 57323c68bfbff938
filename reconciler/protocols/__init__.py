"""How partners connect. Each protocol is one folder behind the port in `protocol.py`."""
