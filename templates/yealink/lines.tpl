{%- comment %}
SIP accounts. All requests go to the outbound proxies when there are any; the server is the SIP domain then.
The second of sip.proxy is the phone's backup, more it does not take.
{%- endcomment %}
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
{%- include "yealink/codecs.tpl" %}
{%- endfor %}
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
