<?xml version="1.0" encoding="UTF-8"?>
{%- comment %}One file for all phones of a model, which they fetch first: nothing that their own file says too.{% endcomment %}
<settings>
  <phone-settings e="2">
{%- include "snom/site.tpl" %}
  </phone-settings>
</settings>
