<?xml version="1.0" encoding="UTF-8"?>
{%- comment %}
Everything that differs from phone to phone, in the form that firmware has since about 2.2.10. Each section is there once.
Every rendering writes the whole state, used or not: a phone keeps what no file names.
A model's own template extends this one, block by block.
{%- endcomment %}
<sysConf>
  <Version>2.0000000000</Version>
  <sip>
{%- block registration %}
{%- include "fanvil/lines.tpl" %}
{%- endblock %}
{%- if not model.common %}
{%- include "fanvil/site.tpl" with section="sip" %}
{%- endif %}
  </sip>
  <call>
{%- block calls %}
{%- include "fanvil/calls.tpl" %}
{%- endblock %}
  </call>
  <phone>
{%- block region %}
{%- include "fanvil/region.tpl" %}
{%- endblock %}
{%- block phone %}
{%- if security.user_password %}
    <MenuPassword>{{ security.user_password }}</MenuPassword>
{%- endif %}
    <xmlContact index="1">
      <Name>{% if phonebook.url %}{{ phonebook.name }}{% endif %}</Name>
      <Addr>{{ phonebook.url }}</Addr>
    </xmlContact>
{%- endblock %}
  </phone>
{%- block keys %}
{%- include "fanvil/keys.tpl" %}
{%- endblock %}
{%- block provisioning %}
{%- include "fanvil/system.tpl" %}
{%- endblock %}
{%- block extra %}{% endblock %}
</sysConf>
