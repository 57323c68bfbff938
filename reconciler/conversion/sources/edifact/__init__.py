"""UN/EDIFACT and EANCOM (ISO 9735) as XML: `syntax` tokenizes, `directory` nests, `interchange` writes."""
