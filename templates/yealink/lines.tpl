{%- comment %}
SIP accounts. All requests go to the outbound proxies when there are any; the server is the SIP domain then.
The second of sip.proxy is the phone's backup, more it does not take.

Codecs are named from firmware 82, and in one source from 81; numbered before, up to 81 in the vendor's manual. 81
gets both. Each codec keeps its usual number, and says what it is all the same.
{%- endcomment %}
{%- macro numbered(n, code, priority) %}
{%- set slot = 0 %}
{%- if code == "pcmu" %}{% set slot = 1 %}{% set payload = "PCMU" %}{% set rtp = 0 %}
{%- elif code == "pcma" %}{% set slot = 2 %}{% set payload = "PCMA" %}{% set rtp = 8 %}
{%- elif code == "g729" %}{% set slot = 5 %}{% set payload = "G729" %}{% set rtp = 18 %}
{%- elif code == "g722" %}{% set slot = 6 %}{% set payload = "G722" %}{% set rtp = 9 %}
{%- elif code == "ilbc" %}{% set slot = 7 %}{% set payload = "iLBC" %}{% set rtp = 106 %}
{%- elif not model.few_codecs %}
{%- if code == "g723_53" %}{% set slot = 3 %}{% set payload = "G723_53" %}{% set rtp = 4 %}
{%- elif code == "g723_63" %}{% set slot = 4 %}{% set payload = "G723_63" %}{% set rtp = 4 %}
{%- elif code == "g726_16" %}{% set slot = 8 %}{% set payload = "G726-16" %}{% set rtp = 103 %}
{%- elif code == "g726_24" %}{% set slot = 9 %}{% set payload = "G726-24" %}{% set rtp = 104 %}
{%- elif code == "g726_32" %}{% set slot = 10 %}{% set payload = "G726-32" %}{% set rtp = 102 %}
{%- elif code == "g726_40" %}{% set slot = 11 %}{% set payload = "G726-40" %}{% set rtp = 105 %}
{%- endif %}
{%- endif %}
{%- if model.few_codecs and slot > 4 %}{% set slot = slot - 2 %}{% endif %}
{%- if slot %}
account.{{ n }}.codec.{{ slot }}.enable = {% if priority %}1{% else %}0{% endif %}
account.{{ n }}.codec.{{ slot }}.payload_type = {{ payload }}
account.{{ n }}.codec.{{ slot }}.priority = {{ priority }}
account.{{ n }}.codec.{{ slot }}.rtpmap = {{ rtp }}
{%- endif %}
{%- endmacro %}
{%- for line in lines %}
{%- set n = line.number %}
{%- set proxied = line.outbound %}
{%- if line.servers|length > 1 %}{% set proxied = true %}{% endif %}
account.{{ n }}.enable = {% if line.enabled %}1{% else %}0{% endif %}
account.{{ n }}.label = {{ line.label|default:"%NULL%" }}
account.{{ n }}.display_name = {{ line.display_name|default:"%NULL%" }}
account.{{ n }}.user_name = {{ line.username }}
account.{{ n }}.auth_name = {{ line.auth_name }}
account.{{ n }}.password = {{ line.password|default:"%NULL%" }}
account.{{ n }}.outbound_proxy_enable = {% if proxied %}1{% else %}0{% endif %}
{%- if generation > 72 %}
account.{{ n }}.sip_server.1.address = {{ line.realm }}
account.{{ n }}.sip_server.1.port = {% if proxied %}5060{% else %}{{ line.proxy_port }}{% endif %}
account.{{ n }}.sip_server.1.transport_type = {{ line.transport }}
account.{{ n }}.sip_server.1.expires = {{ line.expires }}
account.{{ n }}.outbound_proxy.1.address = {% if proxied %}{{ line.servers.0.host }}{% else %}%NULL%{% endif %}
account.{{ n }}.outbound_proxy.1.port = {% if proxied %}{{ line.servers.0.port }}{% else %}5060{% endif %}
account.{{ n }}.outbound_proxy.2.address = {{ line.servers.1.host|default:"%NULL%" }}
account.{{ n }}.outbound_proxy.2.port = {% if line.servers.1 %}{{ line.servers.1.port }}{% else %}5060{% endif %}
{%- comment %}One registration after the other, not both at once: unverified, and without a backup it means nothing.{% endcomment %}
account.{{ n }}.fallback.redundancy_type = 1
{%- if model.server_templates %}
{%- comment %}The same again for managers of several bases, whose lines name one of ten sets of servers. Names of the second server and of the outbound proxies are from one list: unverified.{%- endcomment %}
{%- set t = line.profile %}
{%- if line.profile_first and t < 11 %}
template.{{ t }}.name = {{ line.realm }}
template.{{ t }}.sip_server.1.address = {{ line.realm }}
template.{{ t }}.sip_server.1.port = {% if proxied %}5060{% else %}{{ line.proxy_port }}{% endif %}
template.{{ t }}.sip_server.1.transport_type = {{ line.transport }}
template.{{ t }}.sip_server.1.expires = {{ line.expires }}
template.{{ t }}.outbound.enable = {% if proxied %}1{% else %}0{% endif %}
template.{{ t }}.outbound.1.address = {% if proxied %}{{ line.servers.0.host }}{% else %}%NULL%{% endif %}
template.{{ t }}.outbound.1.port = {% if proxied %}{{ line.servers.0.port }}{% else %}5060{% endif %}
template.{{ t }}.outbound.2.address = {{ line.servers.1.host|default:"%NULL%" }}
template.{{ t }}.outbound.2.port = {% if line.servers.1 %}{{ line.servers.1.port }}{% else %}5060{% endif %}
{%- endif %}
account.{{ n }}.sip_server.template = {% if t < 11 %}{{ t }}{% else %}%NULL%{% endif %}
{%- endif %}
{%- endif %}
{%- if generation < 73 %}
account.{{ n }}.sip_server_host = {{ line.realm }}
account.{{ n }}.sip_server_port = {% if proxied %}5060{% else %}{{ line.proxy_port }}{% endif %}
account.{{ n }}.expires = {{ line.expires }}
account.{{ n }}.outbound_host = {% if proxied %}{{ line.servers.0.host }}{% else %}%NULL%{% endif %}
account.{{ n }}.outbound_port = {% if proxied %}{{ line.servers.0.port }}{% else %}5060{% endif %}
account.{{ n }}.backup_outbound_host = {{ line.servers.1.host|default:"%NULL%" }}
account.{{ n }}.backup_outbound_port = {% if line.servers.1 %}{{ line.servers.1.port }}{% else %}5060{% endif %}
{%- endif %}
{%- if generation < 80 %}{# also 73 to 79: one source has the other name from 73, one from 80 #}
account.{{ n }}.transport = {{ line.transport }}
{%- endif %}
account.{{ n }}.nat.udp_update_enable = {% if line.keep_alive %}1{% else %}0{% endif %}
account.{{ n }}.nat.udp_update_time = {% if line.keep_alive > 15 %}{{ line.keep_alive }}{% else %}15{% endif %}
account.{{ n }}.srtp_encryption = {% if line.srtp == "required" %}2{% elif line.srtp == "optional" %}1{% else %}0{% endif %}
account.{{ n }}.dtmf.type = {% if line.dtmf == "inband" %}0{% elif line.dtmf == "info" %}2{% else %}1{% endif %}
account.{{ n }}.auto_answer = {% if line.auto_answer %}1{% else %}0{% endif %}
account.{{ n }}.shared_line = {% if line.shared %}1{% else %}0{% endif %}
account.{{ n }}.subscribe_mwi = {% if line.mwi_subscribe %}1{% else %}0{% endif %}
voice_mail.number.{{ n }} = {{ line.voicemail_number|default:"%NULL%" }}
account.{{ n }}.music_server_uri = {{ line.music_on_hold|default:"%NULL%" }}
account.{{ n }}.alert_info_url_enable = 1
account.{{ n }}.direct_pickup_code = {{ codes.pickup|default:"%NULL%" }}
account.{{ n }}.group_pickup_code = {{ codes.group_pickup|default:"%NULL%" }}
{%- if generation > 80 %}
{%- for codec in line.codecs.on %}
account.{{ n }}.codec.{{ codec.code }}.enable = 1
account.{{ n }}.codec.{{ codec.code }}.priority = {{ codec.priority }}
{%- endfor %}
{%- for codec in line.codecs.off %}
account.{{ n }}.codec.{{ codec.code }}.enable = 0
account.{{ n }}.codec.{{ codec.code }}.priority = 0
{%- endfor %}
{%- endif %}
{%- if generation < 82 %}
{%- for codec in line.codecs.on %}{{ numbered(n, codec.code, codec.priority) }}{% endfor %}
{%- comment %}Opus has no number. Where it is all that is wanted, G.711 stands in: a phone needs one.{% endcomment %}
{%- for codec in line.codecs.off %}
{%- set priority = 0 %}
{%- if codec.code == "pcmu" and line.codecs.on|length == 1 and line.codecs.on.0.code == "opus" %}{% set priority = 1 %}{% endif %}
{{- numbered(n, codec.code, priority) }}
{%- endfor %}
{%- endif %}
{%- if model.video %}
{%- for codec in line.video_codecs.on %}
account.{{ n }}.video.{{ codec.code }}.enable = 1
account.{{ n }}.video.{{ codec.code }}.priority = {{ codec.priority }}
{%- if codec.code == "h264" %}
account.{{ n }}.video.h264hp.enable = 1
{%- endif %}
{%- endfor %}
{%- for codec in line.video_codecs.off %}
account.{{ n }}.video.{{ codec.code }}.enable = 0
account.{{ n }}.video.{{ codec.code }}.priority = 0
{%- if codec.code == "h264" %}
account.{{ n }}.video.h264hp.enable = 0
{%- endif %}
{%- endfor %}
{%- endif %}
{% endfor %}
{%- for n in unused_lines %}
account.{{ n }}.enable = 0
account.{{ n }}.user_name = %NULL%
account.{{ n }}.auth_name = %NULL%
account.{{ n }}.password = %NULL%
{%- if model.server_templates %}
account.{{ n }}.sip_server.template = %NULL%
{%- endif %}
{%- endfor %}
{%- if model.handsets %}
{%- comment %}
DECT: each handset has a line of its own; those beyond the lines share the first one.
{%- endcomment %}
{%- for h in model.handsets|split:"," %}
{%- set own = h %}
{%- if h|integer in unused_lines %}{% set own = 1 %}{% endif %}
handset.{{ h }}.incoming_lines = {{ own }}
handset.{{ h }}.dial_out_lines = {{ own }}
handset.{{ h }}.dial_out_default_line = {{ own }}
{%- endfor %}
{%- endif %}
