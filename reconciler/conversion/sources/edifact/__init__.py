"""UN/EDIFACT and EANCOM (ISO 9735) as XML: `syntax` tokenizes, `directories` nest, `interchange` writes."""
