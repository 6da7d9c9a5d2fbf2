<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
{%- comment %}
For a phone that comes without credentials while that is allowed: where to fetch, and as whom, in place of the master file. A phone
takes parameters there, too.
{%- endcomment %}
<polycomConfig>
  <device device.set="1">
    <device.prov
      device.prov.serverType="{% if server.scheme == "https" %}3{% else %}2{% endif %}"
      device.prov.serverName="{{ server.url }}"
      device.prov.user="{{ server.username }}"
      device.prov.password="{{ server.password }}">
      <device.prov.serverType device.prov.serverType.set="1"/>
      <device.prov.serverName device.prov.serverName.set="1"/>
      <device.prov.user device.prov.user.set="1"/>
      <device.prov.password device.prov.password.set="1"/>
    </device.prov>
  </device>
</polycomConfig>
