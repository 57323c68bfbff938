"""How fast the pages answer when there is much to show."""
