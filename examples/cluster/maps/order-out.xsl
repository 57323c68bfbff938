<?xml version="1.0" encoding="UTF-8"?>
<!-- OUT: North's order becomes an envelope of the template `order`. -->
<xsl:stylesheet version="3.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" expand-text="yes"
    xmlns:wd="java:com.whitedoc.xslt.extensions.WdExtensions" exclude-result-prefixes="#all">
  <xsl:param name="SENDER_MAILBOX" required="yes"/>
  <xsl:param name="TEMPLATE_UUID" required="yes"/>
  <xsl:param name="TEMPLATE_VERSION" required="yes"/>

  <xsl:template match="/order">
    <envelope templateUuid="{$TEMPLATE_UUID}" templateVersion="{$TEMPLATE_VERSION}">
      <info><subject>Order {@number}</subject></info>
      <documents>
        <document id="order">
          <field name="number">{@number}</field>
          <fieldgroup name="lines">
            <xsl:for-each select="line">
              <fieldset index="{position() - 1}">
                <field name="article">{@article}</field>
                <field name="quantity">{@quantity}</field>
              </fieldset>
            </xsl:for-each>
          </fieldgroup>
        </document>
      </documents>
      <flow>
        <roles>
          <role id="buyer" mailboxUuid="{$SENDER_MAILBOX}"/>
          <role id="seller" mailboxUuid="{wd:getMailboxUuidByAlias('GLN:' || @supplier)}"/>
        </roles>
      </flow>
    </envelope>
  </xsl:template>
</xsl:stylesheet>
