<xsl:stylesheet version="2.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:template match="*" mode="trim"><xsl:value-of select="normalize-space()"/></xsl:template>
</xsl:stylesheet>
