"""Following a configuration folder and reconciling when it changes."""
