<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
{%- comment %}
Everything that differs from phone to phone. The phone reads attribute names only; elements are named, nested
and closed as the vendor's schema wants them. A parameter that is in no file has its default: what a document no
longer says is lost by not being here. Only device.* is kept in flash, so what was ever set there is always set.
A model's own template extends this one, block by block.
{%- endcomment %}
{%- comment %}
All that keys need; "own" are the phone's, of which also the free ones are said to be free. Monitored parties are taken by the
keys in the order of their list, so the index of such a key is 0; UC Software 4 has room for 48. There are 50 macros. A dollar
sign in a number would begin an action.
{%- endcomment %}
{%- macro place(keys, own) %}
{%- set flexible = model.flexible_keys == "1" %}
{%- set macros = model.efk_keys == "1" %}
{%- for key in keys %}
{%- if key.type == "none" %}
{%- if own and flexible %}
  <lineKey lineKey.{{ key.overall }}.category="Unassigned" lineKey.{{ key.overall }}.index="0"/>
{%- endif %}
{%- elif key.type == "line" %}
{%- if flexible %}
  <lineKey lineKey.{{ key.overall }}.category="Line" lineKey.{{ key.overall }}.index="{{ key.line }}"/>
{%- endif %}
{%- elif macros and key.code == "EFK" %}
{%- set nth = key.nth_of_code %}
{%- if nth <= 50 %}
  <efk>
    <efk.efklist
      efk.efklist.{{ nth }}.mname="dial{{ nth }}"
      efk.efklist.{{ nth }}.label="{{ key.label }}"
      efk.efklist.{{ nth }}.status="1"
      efk.efklist.{{ nth }}.action.string="{{ key.value|cut:"$" }}$Tinvite$"/>
  </efk>
  <lineKey lineKey.{{ key.overall }}.category="EFK" lineKey.{{ key.overall }}.index="{{ nth }}"/>
{%- endif %}
{%- else %}
{%- set nth = key.nth %}
{%- if macros %}{% set nth = key.nth_of_code %}{% endif %}
{%- if nth <= 48 or phone.generation != 4 %}
  <attendant>
    <attendant.resourceList
      attendant.resourceList.{{ nth }}.address="{{ key.value }}"
      attendant.resourceList.{{ nth }}.label="{{ key.label }}"
      attendant.resourceList.{{ nth }}.type="{% if key.type == "presence" or key.type == "speed_dial" %}normal{% else %}automata{% endif %}"/>
  </attendant>
{%- if flexible %}
  <lineKey lineKey.{{ key.overall }}.category="BLF" lineKey.{{ key.overall }}.index="0"/>
{%- endif %}
{%- endif %}
{%- endif %}
{%- endfor %}
{%- endmacro %}
{%- comment %}Numbers to dial, on the first ten soft keys of the idle screen.{% endcomment %}
{%- macro softkeys(keys) %}
{%- for key in keys %}
{%- set nth = key.nth_of_type %}
{%- if key.type == "speed_dial" and nth <= 10 %}
  <softkey
    softkey.{{ nth }}.label="{{ key.label|limit:16 }}"
    softkey.{{ nth }}.action="{{ key.value|cut:"$" }}$Tinvite$"
    softkey.{{ nth }}.enable="1"
    softkey.{{ nth }}.use.idle="1"/>
{%- endif %}
{%- endfor %}
{%- endmacro %}
<polycomConfig>
{%- block registration %}
{%- if model.line_limit == "1" %}
  <reg reg.limit="{{ model.lines }}"/>
{%- endif %}
{%- for line in lines %}
{%- if line.enabled %}
{%- comment %}With several registrars they are the servers, and the domain is told with the user.{% endcomment %}
  <reg
    reg.{{ line.number }}.address="{{ line.username }}{% if line.servers|length > 1 %}@{{ line.realm }}{% endif %}"
    reg.{{ line.number }}.auth.userId="{{ line.auth_name }}"
    reg.{{ line.number }}.auth.password="{{ line.password }}"
    reg.{{ line.number }}.displayName="{{ line.display_name }}"
    reg.{{ line.number }}.label="{{ line.label }}"
    reg.{{ line.number }}.lineKeys="{% if line.keys %}{{ line.keys }}{% else %}1{% endif %}"
    reg.{{ line.number }}.type="{% if line.shared %}shared{% else %}private{% endif %}"
    reg.{{ line.number }}.thirdPartyName="{% if line.shared %}{{ line.username }}{% endif %}"
{%- if line.servers|length > 1 %}
{%- for registrar in line.servers %}
    reg.{{ line.number }}.server.{{ registrar.nth }}.address="{{ registrar.host }}"
    reg.{{ line.number }}.server.{{ registrar.nth }}.port="{{ registrar.port }}"
    reg.{{ line.number }}.server.{{ registrar.nth }}.transport="{{ registrar.transport }}"
    reg.{{ line.number }}.server.{{ registrar.nth }}.expires="{{ line.expires }}"
    reg.{{ line.number }}.server.{{ registrar.nth }}.failOver.failBack.mode="duration"
    reg.{{ line.number }}.server.{{ registrar.nth }}.failOver.failBack.timeout="300"
    reg.{{ line.number }}.server.{{ registrar.nth }}.failOver.failRegistrationOn="1"
    reg.{{ line.number }}.server.{{ registrar.nth }}.failOver.reRegisterOn="1"
{%- endfor %}
{%- else %}
    reg.{{ line.number }}.server.1.address="{{ line.realm }}"
    reg.{{ line.number }}.server.1.port="{% if line.outbound %}0{% else %}{{ line.proxy_port }}{% endif %}"
    reg.{{ line.number }}.server.1.transport="{{ line.transport }}"
    reg.{{ line.number }}.server.1.expires="{{ line.expires }}"
{%- if line.outbound %}
    reg.{{ line.number }}.outboundProxy.address="{{ line.proxy }}"
    reg.{{ line.number }}.outboundProxy.port="{{ line.proxy_port }}"
    reg.{{ line.number }}.outboundProxy.transport="{{ line.transport }}"
{%- endif %}
{%- endif %}
    reg.{{ line.number }}.musicOnHold.uri="{{ line.music_on_hold }}"
    reg.{{ line.number }}.srtp.enable="{% if line.srtp == "off" %}0{% else %}1{% endif %}"
    reg.{{ line.number }}.srtp.offer="{% if line.srtp == "off" %}0{% else %}1{% endif %}"
    reg.{{ line.number }}.srtp.require="{% if line.srtp == "required" %}1{% else %}0{% endif %}"/>
{%- endif %}
{%- endfor %}
{%- endblock %}
{%- block calls %}
{%- for line in lines %}
{%- if line.enabled %}
{%- comment %}Without a contact nothing is forwarded; enabled leaves it to the user to enter one.{% endcomment %}
  <divert divert.{{ line.number }}.contact="{% if line.forward.always %}{{ line.forward.number }}{% endif %}">
    <divert.fwd divert.fwd.{{ line.number }}.enabled="1"/>
    <divert.busy divert.busy.{{ line.number }}.enabled="{% if line.forward.busy %}1{% else %}0{% endif %}" divert.busy.{{ line.number }}.contact="{{ line.forward.busy_number }}"/>
    <divert.noanswer divert.noanswer.{{ line.number }}.enabled="{% if line.forward.no_answer %}1{% else %}0{% endif %}" divert.noanswer.{{ line.number }}.contact="{{ line.forward.no_answer_number }}" divert.noanswer.{{ line.number }}.timeout="{{ line.forward.timeout }}"/>
    <divert.dnd divert.dnd.{{ line.number }}.enabled="{% if line.dnd %}1{% else %}0{% endif %}"/>
  </divert>
  <msg>
    <msg.mwi
      msg.mwi.{{ line.number }}.subscribe="{% if line.mwi_subscribe %}{{ line.username }}{% endif %}"
      msg.mwi.{{ line.number }}.callBackMode="{% if line.voicemail_number %}contact{% else %}disabled{% endif %}"
      msg.mwi.{{ line.number }}.callBack="{{ line.voicemail_number }}"/>
  </msg>
{%- endif %}
{%- endfor %}
{%- comment %}What the phone has only once for all lines is that of the first.{% endcomment %}
{%- if lines %}
{%- set line = lines.0 %}
  <call{% if codes.pickup %} call.directedCallPickupMethod="legacy" call.directedCallPickupString="{{ codes.pickup }}"{% endif %}>
    <call.donotdisturb call.donotdisturb.perReg="{% if lines|length > 1 %}1{% else %}0{% endif %}"/>
    <call.callWaiting call.callWaiting.enable="{% if line.call_waiting %}1{% else %}0{% endif %}"/>
    <call.autoAnswer call.autoAnswer.SIP="{% if line.auto_answer %}1{% else %}0{% endif %}"/>
  </call>
  <tone>
    <tone.dtmf tone.dtmf.viaRtp="{% if line.dtmf == "info" %}0{% else %}1{% endif %}" tone.dtmf.rfc2833Control="{% if line.dtmf == "rfc2833" %}1{% else %}0{% endif %}" tone.dtmf.rfc2833Payload="101"/>
  </tone>
  <voIpProt>
    <voIpProt.SIP>
      <voIpProt.SIP.dtmfViaSignaling voIpProt.SIP.dtmfViaSignaling.rfc2976="{% if line.dtmf == "info" %}1{% else %}0{% endif %}"/>
    </voIpProt.SIP>
  </voIpProt>
  <nat>
    <nat.keepalive nat.keepalive.interval="{{ line.keep_alive }}"/>
  </nat>
{%- endif %}
{%- endblock %}
{%- block ringing %}
{%- comment %}Which calls ring as internal and external ones; how that sounds is in site.cfg. There is room for 22, two of each line. The numbers are those that SIP 3.x has for the classes.{% endcomment %}
{%- for line in lines %}
{%- if line.number < 12 and (line.ringtone_internal or line.ringtone_external) %}
  <voIpProt>
    <voIpProt.SIP>
      <voIpProt.SIP.alertInfo
{%- if line.ringtone_internal %} voIpProt.SIP.alertInfo.{{ line.number * 2 - 1 }}.value="{{ line.ringtone_internal }}" voIpProt.SIP.alertInfo.{{ line.number * 2 - 1 }}.class="{% if model.sip3 == "1" %}5{% else %}internal{% endif %}"{% endif %}
{%- if line.ringtone_external %} voIpProt.SIP.alertInfo.{{ line.number * 2 }}.value="{{ line.ringtone_external }}" voIpProt.SIP.alertInfo.{{ line.number * 2 }}.class="{% if model.sip3 == "1" %}6{% else %}external{% endif %}"{% endif %}/>
    </voIpProt.SIP>
  </voIpProt>
{%- endif %}
{%- endfor %}
{%- comment %}Sampled audio 3 and up: 1 is the greeting, 2 the loud ring.{% endcomment %}
{%- for ringtone in assets.ringtones %}
{%- if forloop.Counter < 23 %}
  <saf saf.{{ forloop.Counter + 2 }}="{{ ringtone.url }}"/>
{%- endif %}
{%- endfor %}
{%- endblock %}
{%- block keys %}
{%- comment %}
Phones without flexible keys put the line's keys first, then these in order. A number to dial is a macro where a key
can hold one; elsewhere it is monitored as if it were a person, which dials it as well.
{%- endcomment %}
  <attendant attendant.reg="{{ lines.0.number|default:1 }}"/>
{%- if model.efk_keys == "1" %}
  <feature feature.EFKLineKey.enabled="1">
    <feature.enhancedFeatureKeys feature.enhancedFeatureKeys.enabled="1"/>
  </feature>
  <efk efk.version="2"/>
{%- endif %}
{%- if model.flexible_keys == "1" %}
  <lineKey>
    <lineKey.reassignment lineKey.reassignment.enabled="1"/>
  </lineKey>
{%- endif %}
{{- place(keys.line, true) }}
{%- for module in keys.expansion %}{{ place(module.keys, false) }}{% endfor %}
{%- if model.softkeys == "1" %}
  <feature>
    <feature.enhancedFeatureKeys feature.enhancedFeatureKeys.enabled="1"/>
  </feature>
{{- softkeys(keys.combo) }}
{{- softkeys(keys.feature) }}
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
{%- if model.video == "1" %}
  <video video.enable="{% if video_codecs.on|length > 0 %}1{% else %}0{% endif %}">
    <video.codecPref
{%- for codec in video_codecs.on %} video.codecPref.{{ codec.code }}="{{ codec.priority }}"{% endfor %}
{%- for codec in video_codecs.off %} video.codecPref.{{ codec.code }}="0"{% endfor %}/>
  </video>
{%- endif %}
{%- endblock %}
{%- block older %}
{%- if model.sip3 == "1" and phone.generation < 4 %}
{%- include "polycom/older.tpl" %}
{%- endif %}
{%- endblock %}
{%- block dialplan %}
{%- comment %}There is a timeout for each alternative of the digit map, of which the phone's own has six.{% endcomment %}
  <dialplan{% if dialplan.digitmap %} dialplan.digitmap="{{ dialplan.digitmap }}"{% endif %}>
    <dialplan.digitmap dialplan.digitmap.timeOut="{{ dialplan.timeout }}
{%- if dialplan.digitmap %}{% for c in dialplan.digitmap %}{% if c == "|" %}|{{ dialplan.timeout }}{% endif %}{% endfor %}
{%- else %}|{{ dialplan.timeout }}|{{ dialplan.timeout }}|{{ dialplan.timeout }}|{{ dialplan.timeout }}|{{ dialplan.timeout }}|{{ dialplan.timeout }}{% endif %}"/>
  </dialplan>
{%- endblock %}
{%- block time %}
{%- comment %}
The phone counts weekdays from Sunday, and names a week by the first day of the month it can begin on.
It always adds an hour in daylight saving time: where it is another time (Lord Howe Island), the phone is
given the offset of the day.
{%- endcomment %}
  <tcpIpApp>
    <tcpIpApp.sntp tcpIpApp.sntp.address="{{ time.ntp_server }}" tcpIpApp.sntp.gmtOffset="{% if time.saving == 60 %}{{ time.offset }}{% else %}{{ time.offset_now }}{% endif %}">
      <tcpIpApp.sntp.address tcpIpApp.sntp.address.overrideDHCP="1"/>
      <tcpIpApp.sntp.gmtOffset tcpIpApp.sntp.gmtOffset.overrideDHCP="1"/>
{%- if time.saving == 60 %}
      <tcpIpApp.sntp.daylightSavings tcpIpApp.sntp.daylightSavings.enable="1" tcpIpApp.sntp.daylightSavings.fixedDayEnable="0">
        <tcpIpApp.sntp.daylightSavings.start
          tcpIpApp.sntp.daylightSavings.start.month="{{ time.start.month }}"
          tcpIpApp.sntp.daylightSavings.start.date="{% if time.start.week == 5 %}1{% else %}{{ time.start.week * 7 - 6 }}{% endif %}"
          tcpIpApp.sntp.daylightSavings.start.dayOfWeek="{{ time.start.weekday % 7 + 1 }}"
          tcpIpApp.sntp.daylightSavings.start.time="{{ time.start.hour }}">
          <tcpIpApp.sntp.daylightSavings.start.dayOfWeek tcpIpApp.sntp.daylightSavings.start.dayOfWeek.lastInMonth="{% if time.start.week == 5 %}1{% else %}0{% endif %}"/>
        </tcpIpApp.sntp.daylightSavings.start>
        <tcpIpApp.sntp.daylightSavings.stop
          tcpIpApp.sntp.daylightSavings.stop.month="{{ time.stop.month }}"
          tcpIpApp.sntp.daylightSavings.stop.date="{% if time.stop.week == 5 %}1{% else %}{{ time.stop.week * 7 - 6 }}{% endif %}"
          tcpIpApp.sntp.daylightSavings.stop.dayOfWeek="{{ time.stop.weekday % 7 + 1 }}"
          tcpIpApp.sntp.daylightSavings.stop.time="{{ time.stop.hour }}">
          <tcpIpApp.sntp.daylightSavings.stop.dayOfWeek tcpIpApp.sntp.daylightSavings.stop.dayOfWeek.lastInMonth="{% if time.stop.week == 5 %}1{% else %}0{% endif %}"/>
        </tcpIpApp.sntp.daylightSavings.stop>
      </tcpIpApp.sntp.daylightSavings>
{%- else %}
      <tcpIpApp.sntp.daylightSavings tcpIpApp.sntp.daylightSavings.enable="0"/>
{%- endif %}
    </tcpIpApp.sntp>
  </tcpIpApp>
{%- endblock %}
{%- block language %}
{%- comment %}A date is the order of weekday, day and month: there is no year in it.{% endcomment %}
  <lcl>
    <lcl.ml lcl.ml.lang="{{ language }}"/>
    <lcl.datetime>
      <lcl.datetime.date lcl.datetime.date.format="{% if time.date_format == "DD/MM/YYYY" %}D,dM{% else %}D,Md{% endif %}"/>
      <lcl.datetime.time lcl.datetime.time.24HourClock="{% if time.format_24h %}1{% else %}0{% endif %}"/>
    </lcl.datetime>
  </lcl>
{%- endblock %}
{%- block media %}
  <qos>
    <qos.ip>
      <qos.ip.callControl qos.ip.callControl.dscp="{{ network.dscp_signalling }}"/>
      <qos.ip.rtp qos.ip.rtp.dscp="{{ network.dscp_audio }}"/>
    </qos.ip>
  </qos>
{%- if assets.logo and model.background == "1" %}
  <bg bg.logo="{{ assets.logo }}">
    <bg.color bg.color.selection="2,1">
      <bg.color.bm bg.color.bm.1.name="{{ assets.logo }}"/>
    </bg.color>
  </bg>
{%- elif assets.logo and model.background == "hires" %}
  <bg>
    <bg.hiRes>
      <bg.hiRes.color bg.hiRes.color.selection="3,1">
        <bg.hiRes.color.bm bg.hiRes.color.bm.1.name="{{ assets.logo }}"/>
      </bg.hiRes.color>
    </bg.hiRes>
  </bg>
{%- endif %}
{%- endblock %}
{%- block phone %}
  <httpd httpd.enabled="{% if web.enabled %}1{% else %}0{% endif %}">
    <httpd.cfg httpd.cfg.enabled="{% if web.enabled %}1{% else %}0{% endif %}" httpd.cfg.secureTunnelRequired="1"/>
  </httpd>
  <log>
    <log.render log.render.level="{% if logs.level == "error" %}4{% elif logs.level == "info" %}2{% elif logs.level == "debug" %}1{% else %}3{% endif %}"/>
  </log>
  <feature feature.logUpload.enabled="{% if logs.upload %}1{% else %}0{% endif %}"/>
{%- endblock %}
{%- block provisioning %}
{%- comment %}
device.* values are kept in flash: device.set lets the file write at all, <name>.set lets it write that one.
The vendor advises to send them once. They are sent always: the same values change nothing, only a change
reboots the phone, and a phone that was set to another server by hand comes back to this one.
The network is another matter, since it can cut the phone off: it is touched only when a document speaks of it,
and a VLAN of 0 there takes away the one that was set.
{%- endcomment %}
  <device device.set="1">
{%- if security.admin_password and security.user_password %}
    <device.auth device.auth.localAdminPassword="{{ security.admin_password }}" device.auth.localUserPassword="{{ security.user_password }}">
      <device.auth.localAdminPassword device.auth.localAdminPassword.set="1"/>
      <device.auth.localUserPassword device.auth.localUserPassword.set="1"/>
    </device.auth>
{%- endif %}
{%- if server.url %}
    <device.prov
      device.prov.serverType="{% if server.scheme == "https" %}3{% else %}2{% endif %}"
      device.prov.serverName="{{ server.url }}"
      device.prov.user="{{ server.username }}"
      device.prov.password="{{ server.password }}"
      device.prov.tagSerialNo="1">
      <device.prov.serverType device.prov.serverType.set="1"/>
      <device.prov.serverName device.prov.serverName.set="1"/>
      <device.prov.user device.prov.user.set="1"/>
      <device.prov.password device.prov.password.set="1"/>
      <device.prov.tagSerialNo device.prov.tagSerialNo.set="1"/>
    </device.prov>
{%- endif %}
{%- if "vlan" in device.provision.network %}
    <device.net device.net.vlanId="{% if network.vlan %}{{ network.vlan }}{% endif %}">
      <device.net.vlanId device.net.vlanId.set="1"/>
    </device.net>
{%- endif %}
{%- if "lldp" in device.provision.network %}
    <device.net device.net.lldpEnabled="{% if network.lldp %}1{% else %}0{% endif %}">
      <device.net.lldpEnabled device.net.lldpEnabled.set="1"/>
    </device.net>
{%- endif %}
    <device.syslog
      device.syslog.serverName="{{ logs.syslog_host }}"
      device.syslog.transport="{% if logs.syslog_host %}UDP{% else %}None{% endif %}"
      device.syslog.renderLevel="{% if logs.level == "error" %}4{% elif logs.level == "info" %}2{% elif logs.level == "debug" %}1{% else %}3{% endif %}"
      device.syslog.prependMac="1">
      <device.syslog.serverName device.syslog.serverName.set="1"/>
      <device.syslog.transport device.syslog.transport.set="1"/>
      <device.syslog.renderLevel device.syslog.renderLevel.set="1"/>
      <device.syslog.prependMac device.syslog.prependMac.set="1"/>
    </device.syslog>
  </device>
{%- endblock %}
{%- block extra %}{% endblock %}
</polycomConfig>
