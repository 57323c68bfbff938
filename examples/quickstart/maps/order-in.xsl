<?xml version="1.0" encoding="UTF-8"?>
<!-- IN: an envelope of the template `order` becomes the XML that Globex's ERP reads; schemas/erp-order.xsd describes it. -->
<xsl:stylesheet version="3.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" expand-text="yes">
  <xsl:output indent="yes"/>

  <xsl:template match="/envelope">
    <xsl:variable name="order" select="documents/document[@id = 'd1']"/>
    <order number="{$order/field[@name = 'number']}" ordered="{$order/field[@name = 'date']}"
        deliver="{$order/field[@name = 'delivery date']}" subject="{info/subject}">
      <customer gln="{$order/field[@name = 'buyer']}"/>
      <place gln="{$order/field[@name = 'delivery place']}"/>
      <xsl:for-each select="$order/fieldgroup[@name = 'positions']/fieldset">
        <item line="{field[@name = 'line']}" gtin="{field[@name = 'product']}" quantity="{field[@name = 'quantity']}">
          <xsl:value-of select="field[@name = 'description']"/>
        </item>
      </xsl:for-each>
    </order>
  </xsl:template>
</xsl:stylesheet>
