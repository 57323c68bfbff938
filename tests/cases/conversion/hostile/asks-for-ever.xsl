<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="3.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
                xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:wd="java:com.whitedoc.xslt.extensions.WdExtensions"
                xmlns:fn="http://www.w3.org/2005/xpath-functions" xmlns:uuid="java:java.util.UUID"
                exclude-result-prefixes="#all">
  <xsl:template name="again">
    <xsl:param name="n" select="1"/>
    <xsl:variable name="answer" select="wd:getMailboxUuidByAlias($n)"/>
    <xsl:if test="exists($answer)"><xsl:call-template name="again"><xsl:with-param name="n" select="$n + 1"/></xsl:call-template></xsl:if>
  </xsl:template>
  <xsl:template match="/">
    <envelope><xsl:call-template name="again"/></envelope>
  </xsl:template>
</xsl:stylesheet>
