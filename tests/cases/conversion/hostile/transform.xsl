<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="3.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
                xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:wd="java:com.whitedoc.xslt.extensions.WdExtensions"
                xmlns:fn="http://www.w3.org/2005/xpath-functions" xmlns:uuid="java:java.util.UUID"
                exclude-result-prefixes="#all">

  <xsl:template match="/">
    <envelope><xsl:copy-of select="transform(map { 'stylesheet-location': 'SECRET', 'source-node': / })?output"/></envelope>
  </xsl:template>
</xsl:stylesheet>
