<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
{%- comment %}
Everything that differs from phone to phone. The phone reads attribute names only; elements are named
and closed as the vendor's schema wants them. A model's own template extends this one, block by block.
{%- endcomment %}
<polycomConfig>
{%- block registration %}
{%- for line in lines %}
{%- if line.enabled %}
  <reg
    reg.{{ line.number }}.address="{{ line.username }}"
    reg.{{ line.number }}.auth.userId="{{ line.username }}"
    reg.{{ line.number }}.auth.password="{{ line.password }}"
    reg.{{ line.number }}.displayName="{{ line.display_name }}"
    reg.{{ line.number }}.label="{{ line.label }}"
    reg.{{ line.number }}.server.1.address="{{ line.realm }}"
    reg.{{ line.number }}.server.1.port="{% if line.outbound %}0{% else %}{{ line.proxy_port }}{% endif %}"
    reg.{{ line.number }}.server.1.transport="{{ line.transport }}"
    reg.{{ line.number }}.server.1.expires="{{ line.expires }}"
{%- if line.outbound %}
    reg.{{ line.number }}.outboundProxy.address="{{ line.proxy }}"
    reg.{{ line.number }}.outboundProxy.port="{{ line.proxy_port }}"
    reg.{{ line.number }}.outboundProxy.transport="{{ line.transport }}"
{%- endif %}
    reg.{{ line.number }}.srtp.enable="{% if line.srtp == "off" %}0{% else %}1{% endif %}"
    reg.{{ line.number }}.srtp.offer="{% if line.srtp == "off" %}0{% else %}1{% endif %}"
    reg.{{ line.number }}.srtp.require="{% if line.srtp == "required" %}1{% else %}0{% endif %}"/>
{%- endif %}
{%- endfor %}
{%- endblock %}
{%- block keys %}
  <attendant>
    <attendant.resourceList
{%- for key in keys.line %}
{%- if key.nth %}
      attendant.resourceList.{{ key.nth }}.address="{{ key.value }}"
      attendant.resourceList.{{ key.nth }}.label="{{ key.label }}"
      attendant.resourceList.{{ key.nth }}.type="{{ key.code }}"
{%- endif %}
{%- endfor %}/>
  </attendant>
{%- if model.flexible_keys == "1" %}{# BLF keys take the resource list's entries in their order: their index is 0. #}
  <lineKey>
    <lineKey.reassignment lineKey.reassignment.enabled="1"/>
  </lineKey>
  <lineKey
{%- for key in keys.line %}
{%- if key.type == "line" %}
    lineKey.{{ key.position }}.category="Line"
    lineKey.{{ key.position }}.index="1"
{%- elif key.nth %}
    lineKey.{{ key.position }}.category="BLF"
    lineKey.{{ key.position }}.index="0"
{%- else %}
    lineKey.{{ key.position }}.category="Unassigned"
    lineKey.{{ key.position }}.index="0"
{%- endif %}
{%- endfor %}/>
{%- endif %}
{%- endblock %}
{%- block codecs %}
  <voice>
    <voice.codecPref
{%- for codec in codecs.on %}
      voice.codecPref.{{ codec.code }}="{{ codec.priority }}"
{%- endfor %}
{%- for codec in codecs.off %}
      voice.codecPref.{{ codec.code }}="0"
{%- endfor %}/>
  </voice>
{%- endblock %}
{%- block time %}
{%- comment %}
The phone counts weekdays from Sunday, and names a week by the first day of the month it can begin on.
It always adds an hour in daylight saving time, also where it is half an hour (Lord Howe Island).
{%- endcomment %}
  <tcpIpApp>
    <tcpIpApp.sntp
      tcpIpApp.sntp.address="{{ time.ntp_server }}"
      tcpIpApp.sntp.address.overrideDHCP="1"
      tcpIpApp.sntp.gmtOffset="{{ time.offset }}"
      tcpIpApp.sntp.gmtOffset.overrideDHCP="1"
{%- if time.dst %}
      tcpIpApp.sntp.daylightSavings.enable="1"
      tcpIpApp.sntp.daylightSavings.fixedDayEnable="0"
      tcpIpApp.sntp.daylightSavings.start.month="{{ time.start.month }}"
      tcpIpApp.sntp.daylightSavings.start.dayOfWeek="{{ time.start.weekday % 7 + 1 }}"
      tcpIpApp.sntp.daylightSavings.start.dayOfWeek.lastInMonth="{% if time.start.week == 5 %}1{% else %}0{% endif %}"
      tcpIpApp.sntp.daylightSavings.start.date="{% if time.start.week == 5 %}1{% else %}{{ time.start.week * 7 - 6 }}{% endif %}"
      tcpIpApp.sntp.daylightSavings.start.time="{{ time.start.hour }}"
      tcpIpApp.sntp.daylightSavings.stop.month="{{ time.stop.month }}"
      tcpIpApp.sntp.daylightSavings.stop.dayOfWeek="{{ time.stop.weekday % 7 + 1 }}"
      tcpIpApp.sntp.daylightSavings.stop.dayOfWeek.lastInMonth="{% if time.stop.week == 5 %}1{% else %}0{% endif %}"
      tcpIpApp.sntp.daylightSavings.stop.date="{% if time.stop.week == 5 %}1{% else %}{{ time.stop.week * 7 - 6 }}{% endif %}"
      tcpIpApp.sntp.daylightSavings.stop.time="{{ time.stop.hour }}"/>
{%- else %}
      tcpIpApp.sntp.daylightSavings.enable="0"/>
{%- endif %}
  </tcpIpApp>
{%- endblock %}
{%- block language %}
{%- if language %}
  <lcl>
    <lcl.ml lcl.ml.lang="{{ language }}"/>
  </lcl>
{%- endif %}
{%- endblock %}
{%- block provisioning %}
{%- if server.url %}
{%- comment %}
device.* values are kept in flash: device.set lets the file write at all, <name>.set lets it write that one.
The vendor advises to send them once. They are sent always: the same values change nothing, only a change
reboots the phone, and a phone that was set to another server by hand comes back to this one.
{%- endcomment %}
  <device
    device.set="1"
    device.prov.serverType.set="1"
    device.prov.serverType="{% if server.scheme == "https" %}3{% else %}2{% endif %}"
    device.prov.serverName.set="1"
    device.prov.serverName="{{ server.url }}"
    device.prov.user.set="1"
    device.prov.user="{{ server.username }}"
    device.prov.password.set="1"
    device.prov.password="{{ server.password }}"
    device.prov.tagSerialNo.set="1"
    device.prov.tagSerialNo="1"/>
{%- endif %}
{%- endblock %}
{%- block extra %}{% endblock %}
</polycomConfig>
