<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:svrl="http://purl.oclc.org/dsdl/svrl" xmlns:o="urn:order" version="2.0">
  <xsl:param name="archiveDirParameter"/>
  <xsl:variable name="document-uri"><xsl:value-of select="document-uri(/)"/></xsl:variable>
  <xsl:output method="xml" omit-xml-declaration="no" encoding="ISO-8859-1" indent="yes"/>
  <xsl:template match="*" mode="full-path">
    <xsl:apply-templates select="parent::*" mode="full-path"/>
    <xsl:value-of select="concat('/*:', local-name(), &quot;[namespace-uri()='urn:order'][&quot;, 1 + count(preceding-sibling::*[name() = name(current())]), ']')"/>
  </xsl:template>
  <xsl:template match="/">
    <svrl:schematron-output title="Orders" schemaVersion="iso">
      <svrl:ns-prefix-in-attribute-values uri="urn:order" prefix="o"/>
      <svrl:active-pattern document="{$document-uri}" id="lines"/>
      <xsl:apply-templates select="//o:line" mode="M1"/>
    </svrl:schematron-output>
  </xsl:template>
  <xsl:template match="o:line" priority="1000" mode="M1">
    <svrl:fired-rule context="o:line"/>
    <xsl:choose>
      <xsl:when test="xs:decimal(@n) gt 0" xmlns:xs="http://www.w3.org/2001/XMLSchema"/>
      <xsl:otherwise>
        <svrl:failed-assert test="xs:decimal(@n) gt 0" id="L-1" flag="fatal">
          <xsl:attribute name="location"><xsl:apply-templates select="." mode="full-path"/></xsl:attribute>
          <svrl:text>[L-1]-The quantity
            <xsl:value-of select="@n"/> is not größer than 0.</svrl:text>
          <svrl:diagnostic-reference diagnostic="d">not shown</svrl:diagnostic-reference>
        </svrl:failed-assert>
      </xsl:otherwise>
    </xsl:choose>
    <xsl:if test="not(@unit)">
      <svrl:successful-report test="not(@unit)" role="warning">
        <xsl:attribute name="location"><xsl:apply-templates select="." mode="full-path"/></xsl:attribute>
        <svrl:text>Pieces are meant.</svrl:text>
      </svrl:successful-report>
    </xsl:if>
  </xsl:template>
</xsl:stylesheet>
