<?xml version="1.0" encoding="UTF-8"?>
{%- comment %}
For a phone that comes without credentials while that is allowed: where to fetch, and as whom, in the older form.
{%- endcomment %}
<VOIP_CONFIG_FILE>
  <version>2.0002</version>
  <AUTOUPDATE_CONFIG_MODULE>
    <Download_Username>{{ server.username }}</Download_Username>
    <Download_Password>{{ server.password }}</Download_Password>
    <Download_Server_IP>{{ server.url|slice:":-1" }}</Download_Server_IP>
    <Config_File_Name>$mac.cfg</Config_File_Name>
    <Download_Protocol>{% if server.scheme == "https" %}5{% else %}4{% endif %}</Download_Protocol>
    <Download_Mode>1</Download_Mode>
  </AUTOUPDATE_CONFIG_MODULE>
</VOIP_CONFIG_FILE>
