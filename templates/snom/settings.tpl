<?xml version="1.0" encoding="UTF-8"?>
{%- comment %}
Everything that differs from phone to phone. perm="R" lets no user change a setting; RW lets him, until the phone fetches
again. Every rendering writes the whole state, used or not: a phone keeps what no file names.
A model's own template extends this one, block by block.
{%- endcomment %}
<settings>
  <phone-settings e="2">
{%- block registration %}
{%- include "snom/lines.tpl" %}
{%- endblock %}
{%- block calls %}
{%- include "snom/calls.tpl" %}
{%- endblock %}
{%- block region %}
{%- include "snom/region.tpl" %}
{%- endblock %}
{%- block provisioning %}
{%- include "snom/system.tpl" %}
{%- endblock %}
{%- block extra %}{% endblock %}
  </phone-settings>
{%- if firmware.url %}
  <firmware-settings>
    <firmware perm="R">{{ firmware.url }}</firmware>
  </firmware-settings>
{%- endif %}
{%- block keys %}
{%- include "snom/keys.tpl" %}
{%- endblock %}
</settings>
