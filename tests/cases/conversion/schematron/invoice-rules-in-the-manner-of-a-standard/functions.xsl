<xsl:stylesheet version="2.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:u="utils">
  <xsl:function name="u:short"><xsl:param name="text"/><xsl:sequence select="string-length($text) &lt; 3"/></xsl:function>
</xsl:stylesheet>
