<xsl:stylesheet version="2.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:t="urn:t">
  <t:name of="1">one</t:name>
  <xsl:template name="named"><xsl:value-of select='doc("names.xml")//name[@of = current()/@n], document("")/*/t:name[@of = current()/@n]' xmlns:t="urn:t"/></xsl:template>
</xsl:stylesheet>
