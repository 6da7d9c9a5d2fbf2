<?xml version="1.0" encoding="UTF-8"?>
{%- comment %}
For a phone that comes without credentials while that is allowed: where to fetch, and as whom.
{%- endcomment %}
<settings>
  <phone-settings e="2">
    <setting_server perm="R">{{ server.url }}</setting_server>
    <http_client_user perm="R">{{ server.username }}</http_client_user>
    <http_client_pass perm="R">{{ server.password }}</http_client_pass>
  </phone-settings>
</settings>
