<?xml version="1.0" encoding="UTF-8"?>
{%- comment %}One file for all phones of a model, which they fetch after their own: nothing that theirs says too.{% endcomment %}
<gs_provision version="1">
  <config version="1">
{%- include "grandstream/site.tpl" %}
  </config>
</gs_provision>
