"""AS2: this against plain pyas2lib."""
