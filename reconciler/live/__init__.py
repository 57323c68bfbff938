"""The live side to State, behind one port."""
