#!version:1.0.0.1
{%- comment %}One file for all phones of a model: what holds without knowing which phone it is.{% endcomment %}
{% include "yealink/site.tpl" %}
{%- include "yealink/region.tpl" %}
