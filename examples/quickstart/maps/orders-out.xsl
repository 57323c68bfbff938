<?xml version="1.0" encoding="UTF-8"?>
<!--
  OUT: an EDIFACT or EANCOM order becomes an envelope of the template `order`.

  The file arrives here as XML: a segment is an element, its data elements are numbered (DTM/DTM01/DTM0101), and groups
  nest as the directory says. A line item is GROUP_25 in D.96A and GROUP_28 in D.01B, so groups are known here by the
  segment that opens them.
-->
<xsl:stylesheet version="3.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:xs="http://www.w3.org/2001/XMLSchema"
    xmlns:wd="java:com.whitedoc.xslt.extensions.WdExtensions"
    xmlns:my="urn:acme:orders" exclude-result-prefixes="#all" expand-text="yes">

  <!-- The gateway sets these. -->
  <xsl:param name="SENDER_MAILBOX" as="xs:string" required="yes"/>
  <xsl:param name="TEMPLATE_UUID" as="xs:string" required="yes"/>
  <xsl:param name="TEMPLATE_VERSION" as="xs:string" required="yes"/>

  <xsl:output indent="yes"/>

  <xsl:template match="/">
    <xsl:apply-templates select="(EDIFACT | EANCOM)/ORDERS"/>
  </xsl:template>

  <xsl:template match="ORDERS">
    <xsl:variable name="supplier" select="my:party(., 'SU')"/>
    <envelope templateUuid="{$TEMPLATE_UUID}" templateVersion="{$TEMPLATE_VERSION}">
      <info>
        <subject><xsl:apply-templates select="." mode="subject"/></subject>
        <message/>
      </info>
      <documents>
        <document id="d1">
          <field name="number">{my:number(.)}</field>
          <field name="date">{my:date(., '137')}</field>
          <field name="delivery date">{my:date(., '2')}</field>
          <field name="buyer">{my:party(., 'BY')}</field>
          <field name="supplier" recordUuid="{wd:getRecordUuidByValueFromDictionary('partners', 'GLN', $supplier)}"
            >{$supplier}</field>
          <field name="supplier name">{wd:getValueFromDictionary('partners', 'GLN', $supplier, 'NAME')}</field>
          <field name="delivery place">{my:party(., 'DP')}</field>
          <field name="currency">{(*/CUX/CUX01/CUX0102)[1]}</field>
          <field name="total">{format-number(sum(*[LIN]/(xs:decimal(my:quantity(.)) * xs:decimal(my:price(.)))), '0.00')}</field>
          <field name="note">{string-join(FTX/FTX04/*, ' ')}</field>
          <fieldgroup name="positions">
            <xsl:apply-templates select="*[LIN]"/>
          </fieldgroup>
        </document>
      </documents>
      <flow>
        <roles>
          <role id="buyer" mailboxUuid="{$SENDER_MAILBOX}"/>
          <role id="supplier" mailboxUuid="{wd:getMailboxUuidByAlias('GLN:' || $supplier)}"/>
        </roles>
      </flow>
    </envelope>
  </xsl:template>

  <xsl:template match="ORDERS" mode="subject">Order {my:number(.)}</xsl:template>

  <xsl:template match="*[LIN]">
    <fieldset index="{position() - 1}">
      <field name="line">{LIN/LIN01}</field>
      <field name="product">{LIN/LIN03/LIN0301}</field>
      <field name="description">{(IMD/IMD03/IMD0304)[1]}</field>
      <field name="quantity">{my:quantity(.)}</field>
      <field name="price">{my:price(.)}</field>
    </fieldset>
  </xsl:template>

  <!-- The order's number: simple in D.96A (BGM02), part of a composite in D.01B (BGM0201). -->
  <xsl:function name="my:number" as="xs:string">
    <xsl:param name="order" as="element(ORDERS)"/>
    <xsl:sequence select="string(($order/BGM/BGM02/BGM0201, $order/BGM/BGM02)[1])"/>
  </xsl:function>

  <!-- The code of a party: BY buyer, SU supplier, DP delivery party. -->
  <xsl:function name="my:party" as="xs:string">
    <xsl:param name="order" as="element(ORDERS)"/>
    <xsl:param name="qualifier" as="xs:string"/>
    <xsl:sequence select="string(($order/*/NAD[NAD01 = $qualifier]/NAD02/NAD0201)[1])"/>
  </xsl:function>

  <!-- The first date with one of these qualifiers, from CCYYMMDD with or without a time behind it; nothing when it is not there. -->
  <xsl:function name="my:date" as="xs:string">
    <xsl:param name="order" as="element(ORDERS)"/>
    <xsl:param name="qualifiers" as="xs:string+"/>
    <xsl:variable name="digits" select="($order/DTM/DTM01[DTM0101 = $qualifiers]/DTM0102)[1]"/>
    <xsl:sequence select="replace($digits, '^(\d{4})(\d\d)(\d\d).*$', '$1-$2-$3')"/>
  </xsl:function>

  <!-- The ordered quantity and the net price of a line item, just as they are written. -->
  <xsl:function name="my:quantity" as="element()?">
    <xsl:param name="line" as="element()"/>
    <xsl:sequence select="($line/QTY/QTY01[QTY0101 = '21']/QTY0102)[1]"/>
  </xsl:function>

  <xsl:function name="my:price" as="element()?">
    <xsl:param name="line" as="element()"/>
    <xsl:sequence select="($line/*/PRI/PRI01[PRI0101 = 'AAA']/PRI0102)[1]"/>
  </xsl:function>
</xsl:stylesheet>
