<?xml version="1.0" encoding="UTF-8"?>
{%- comment %}One file for all phones of a model, which they fetch first: nothing that their own file says too.{% endcomment %}
<sysConf>
  <Version>2.0000000000</Version>
  <sip>
{%- include "fanvil/site.tpl" with section="sip" %}
  </sip>
  <ap>
{%- include "fanvil/site.tpl" with section="ap" %}
  </ap>
</sysConf>
