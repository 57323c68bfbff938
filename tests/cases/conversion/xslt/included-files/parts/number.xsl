<xsl:stylesheet version="2.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:include href="../trim.xsl"/>
  <xsl:template name="number"><number><xsl:apply-templates select="/order/number" mode="trim"/></number></xsl:template>
</xsl:stylesheet>
