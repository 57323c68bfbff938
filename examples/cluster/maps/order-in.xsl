<?xml version="1.0" encoding="UTF-8"?>
<!-- IN: an envelope of the template `order` becomes CSV, one line for each position. -->
<xsl:stylesheet version="3.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:output method="text" encoding="UTF-8"/>

  <xsl:template match="/envelope">
    <xsl:text>order,article,quantity&#10;</xsl:text>
    <xsl:for-each select="documents/document/fieldgroup/fieldset">
      <xsl:value-of separator="," select="../../field[@name = 'number'], field[@name = 'article'], field[@name = 'quantity']"/>
      <xsl:text>&#10;</xsl:text>
    </xsl:for-each>
  </xsl:template>
</xsl:stylesheet>
