"""The nouns of the domain: frozen, pure, the same for what is desired and for what is live."""
