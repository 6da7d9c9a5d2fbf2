#!version:1.0.0.1
{%- comment %}One file for all phones of a model: what holds without knowing which phone it is.{% endcomment %}
{%- set generation = phone.generation %}
{%- if not generation %}{% set generation = model.newest|default:"99"|integer %}{% endif %}
{%- set static = "static." %}
{%- if generation < 81 %}{% set static = "" %}{% endif %}
{%- include "yealink/site.tpl" %}
{%- include "yealink/region.tpl" %}
