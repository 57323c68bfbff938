<?xml version="1.0" encoding="UTF-8"?>
<!-- OUT: any other order, marked for a second look. All else is as in the map that it imports. -->
<xsl:stylesheet version="3.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:import href="orders-out.xsl"/>

  <xsl:template match="ORDERS" mode="subject">
    <xsl:text>To be checked: </xsl:text>
    <xsl:next-match/>
  </xsl:template>
</xsl:stylesheet>
