<?xml version="1.0" encoding="UTF-8"?>
{%- comment %}
For a phone that comes without credentials while that is allowed: where to fetch, and as whom.
{%- endcomment %}
<sysConf>
  <Version>2.0000000000</Version>
  <ap>
    <DefaultUsername>{{ server.username }}</DefaultUsername>
    <DefaultPassword>{{ server.password }}</DefaultPassword>
    <FlashServerIP>{{ server.url|slice:":-1" }}</FlashServerIP>
    <FlashFileName>$mac.cfg</FlashFileName>
    <FlashProtocol>{% if server.scheme == "https" %}5{% else %}4{% endif %}</FlashProtocol>
  </ap>
</sysConf>
