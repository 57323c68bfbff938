"""ASC X12 as XML."""
