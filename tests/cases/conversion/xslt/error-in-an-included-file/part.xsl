<xsl:stylesheet version="2.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:template name="x">
    <xsl:value-of select="$unknown"/>
  </xsl:template>
</xsl:stylesheet>
