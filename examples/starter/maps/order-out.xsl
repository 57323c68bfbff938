<?xml version="1.0" encoding="UTF-8"?>
<!--
  A partner's file becomes an envelope. This one reads

    <order number="4711" date="2026-11-20" supplier="4000002000011"><item product="…" quantity="…"/></order>

  EDIFACT, X12, spreadsheets, CSV and JSON arrive here as XML as well.
-->
<xsl:stylesheet version="3.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:wd="java:com.whitedoc.xslt.extensions.WdExtensions" exclude-result-prefixes="#all" expand-text="yes">

  <!-- The gateway sets these. -->
  <xsl:param name="SENDER_MAILBOX"/>
  <xsl:param name="TEMPLATE_UUID"/>
  <xsl:param name="TEMPLATE_VERSION"/>

  <xsl:template match="/order">
    <envelope templateUuid="{$TEMPLATE_UUID}" templateVersion="{$TEMPLATE_VERSION}">
      <info>
        <subject>Order {@number}</subject>
      </info>
      <documents>
        <document id="d1">
          <field name="number">{@number}</field>
          <field name="date">{@date}</field>
          <fieldgroup name="positions">
            <xsl:for-each select="item">
              <fieldset index="{position() - 1}">
                <field name="product">{@product}</field>
                <field name="quantity">{@quantity}</field>
              </fieldset>
            </xsl:for-each>
          </fieldgroup>
        </document>
      </documents>
      <flow>
        <roles>
          <role id="buyer" mailboxUuid="{$SENDER_MAILBOX}"/>
          <!-- The mailbox that has this alias, of whichever account. -->
          <role id="supplier" mailboxUuid="{wd:getMailboxUuidByAlias('GLN:' || @supplier)}"/>
        </roles>
      </flow>
    </envelope>
  </xsl:template>
</xsl:stylesheet>
