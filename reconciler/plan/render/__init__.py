"""Three renderings of one plan: for a terminal, for programs, for a pull request."""
