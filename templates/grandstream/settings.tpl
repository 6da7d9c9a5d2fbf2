<?xml version="1.0" encoding="UTF-8"?>
{%- comment %}
Everything that differs from phone to phone, as P codes: all models read those, the newer form by names only some. An empty
element clears a value, and every rendering writes the whole state, used or not. There is no "mac" element: the
file's name says whose it is. A family's or model's own template extends this one, block by block.
{%- endcomment %}
<gs_provision version="1">
  <config version="1">
{%- block registration %}
{%- include "grandstream/lines.tpl" %}
{%- endblock %}
{%- block keys %}
{%- include "grandstream/keys.tpl" %}
{%- endblock %}
{%- block region %}
{%- include "grandstream/region.tpl" %}
{%- endblock %}
{%- block screen %}
    <P2916>{% if assets.logo %}1{% else %}0{% endif %}</P2916>
    <P2917>{{ assets.logo }}</P2917>
{%- endblock %}
{%- block provisioning %}
{%- include "grandstream/system.tpl" %}
{%- endblock %}
{%- block extra %}{% endblock %}
  </config>
</gs_provision>
