<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:my="urn:my" exclude-result-prefixes="my">
  <xsl:include href="parts/names.xsl"/>
  <my:units><my:unit code="KGM">kg</my:unit><my:unit code="PCE">pieces</my:unit></my:units>
  <xsl:variable name="units" select="document('')/*/my:units/my:unit"/>
  <!-- document('nowhere.xml') in a comment is none -->
  <xsl:template match="/order">
    <envelope note="document('')"><xsl:for-each select="line">
      <line unit="{$units[@code = current()/@unit]}" place="{document('places.xml', document(''))/places/place[@code = current()/@place]}">
        <xsl:call-template name="named"/>
      </line>
    </xsl:for-each><xsl:if test="doc-available('places.xml') and not(doc-available(&quot;nowhere.xml&quot;))">all places</xsl:if></envelope>
  </xsl:template>
</xsl:stylesheet>
