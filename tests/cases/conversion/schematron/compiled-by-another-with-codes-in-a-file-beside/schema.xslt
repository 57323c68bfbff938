<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:svrl="http://purl.oclc.org/dsdl/svrl"
  xmlns:o="urn:order" version="2.0">
  <xsl:output method="xml" omit-xml-declaration="no" standalone="yes" indent="yes"/>
  <xsl:key name="places" match="place" use="@code"/>
  <xsl:template match="/">
    <svrl:schematron-output><xsl:apply-templates select="//o:line"/></svrl:schematron-output>
  </xsl:template>
  <xsl:template match="o:line[@unit = document('codes/units.xml')//unit/@code]" priority="2"><xsl:next-match/></xsl:template>
  <xsl:template match="o:line">
    <xsl:variable name="codes" select="document('codes/units.xml')//unit/@code"/>
    <xsl:if test="not(@unit = document('codes/units.xml')//unit/@code)">
      <svrl:failed-assert id="U-1" flag="fatal" test="@unit = document('codes/units.xml')//unit/@code" location="{path()}">
        <svrl:text>[U-1] Of the unit <xsl:value-of select="@unit"/> document('codes/units.xml') says nothing; it knows <xsl:value-of select="$codes"/>.</svrl:text>
      </svrl:failed-assert>
    </xsl:if>
    <xsl:if test="@place and empty(key('places', @place, document( &quot;codes/places.xml&quot; )))">
      <svrl:failed-assert id="P-1" test="@place" location="{path()}">
        <svrl:text>[P-1] The place <xsl:value-of select="@place"/> is unknown.</svrl:text>
      </svrl:failed-assert>
    </xsl:if>
  </xsl:template>
</xsl:stylesheet>
