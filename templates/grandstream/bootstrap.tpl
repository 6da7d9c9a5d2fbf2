<?xml version="1.0" encoding="UTF-8"?>
{%- comment %}
For a phone that comes without credentials while that is allowed: where to fetch, and as whom.
{%- endcomment %}
{%- set where = server.url|slice:":-1"|split:"://" %}
<gs_provision version="1">
  <config version="1">
    <P212>{% if where|first == "https" %}2{% else %}1{% endif %}</P212>
    <P237>{{ where|last }}</P237>
    <P1360>{{ server.username }}</P1360>
    <P1361>{{ server.password }}</P1361>
  </config>
</gs_provision>
