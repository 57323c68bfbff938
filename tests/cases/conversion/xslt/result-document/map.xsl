<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="2.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
                xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:wd="java:com.whitedoc.xslt.extensions.WdExtensions"
                xmlns:fn="http://www.w3.org/2005/xpath-functions" xmlns:uuid="java:java.util.UUID"
                exclude-result-prefixes="#all">

  <xsl:template match="/">
    <xsl:result-document href="other.xml"><a/></xsl:result-document>
  </xsl:template>
</xsl:stylesheet>
