<t:transform version="3.0" xmlns:t="http://www.w3.org/1999/XSL/Transform" xmlns:x="urn:own" xmlns:r="urn:own:r"
             xmlns:e="java:com.whitedoc.xslt.extensions.WdExtensions" expand-text="yes" exclude-result-prefixes="#all">
  <t:template match="/"><envelope>{e:getMailboxUuidByAlias('GLN:1')}</envelope></t:template>
</t:transform>
<!-- after the end </t:transform> -->
