<xsl:stylesheet version="3.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:template match="/envelope">
    <invoice number="{documents/document[@id = 'd1']/field[@name = 'number']}"/>
  </xsl:template>
</xsl:stylesheet>
