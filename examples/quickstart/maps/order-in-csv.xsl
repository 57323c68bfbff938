<?xml version="1.0" encoding="UTF-8"?>
<!-- IN: an envelope of the template `order` becomes CSV, one line for each position. -->
<xsl:stylesheet version="3.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:output method="text" encoding="UTF-8"/>

  <xsl:template match="/envelope">
    <xsl:text>order,line,gtin,quantity,price&#10;</xsl:text>
    <xsl:variable name="order" select="documents/document[@id = 'd1']"/>
    <xsl:for-each select="$order/fieldgroup[@name = 'positions']/fieldset">
      <xsl:value-of separator="," select="$order/field[@name = 'number'],
        (for $name in ('line', 'product', 'quantity', 'price') return string(field[@name = $name]))"/>
      <xsl:text>&#10;</xsl:text>
    </xsl:for-each>
  </xsl:template>
</xsl:stylesheet>
