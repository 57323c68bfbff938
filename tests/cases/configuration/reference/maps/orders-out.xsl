<xsl:stylesheet version="3.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:wd="java:com.whitedoc.xslt.extensions.WdExtensions" exclude-result-prefixes="#all" expand-text="yes">
  <xsl:param name="SENDER_MAILBOX"/>
  <xsl:param name="TEMPLATE_UUID"/>
  <xsl:param name="TEMPLATE_VERSION"/>

  <xsl:template match="/">
    <envelope templateUuid="{$TEMPLATE_UUID}" templateVersion="{$TEMPLATE_VERSION}">
      <documents>
        <document id="d1">
          <field name="number">{(//BGM/BGM02)[1]}</field>
        </document>
      </documents>
      <flow>
        <roles>
          <role id="buyer" mailboxUuid="{$SENDER_MAILBOX}"/>
          <role id="supplier" mailboxUuid="{wd:getMailboxUuidByAlias(//NAD[NAD01 = 'SU']/NAD02/NAD0201)}"/>
        </roles>
      </flow>
    </envelope>
  </xsl:template>
</xsl:stylesheet>
