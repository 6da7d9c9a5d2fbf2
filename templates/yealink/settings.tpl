#!version:1.0.0.1
{%- comment %}
Everything that differs from phone to phone. An empty value keeps what the phone has, %NULL% clears it.
A model's own template extends this one, block by block.
{%- endcomment %}
{% block registration %}
{%- for line in lines %}
account.{{ line.number }}.enable = {% if line.enabled %}1{% else %}0{% endif %}
account.{{ line.number }}.label = {{ line.label|default:"%NULL%" }}
account.{{ line.number }}.display_name = {{ line.display_name|default:"%NULL%" }}
account.{{ line.number }}.user_name = {{ line.username }}
account.{{ line.number }}.auth_name = {{ line.username }}
account.{{ line.number }}.password = {{ line.password|default:"%NULL%" }}
account.{{ line.number }}.sip_server.1.address = {{ line.realm }}
account.{{ line.number }}.sip_server.1.port = {% if line.outbound %}5060{% else %}{{ line.proxy_port }}{% endif %}
account.{{ line.number }}.sip_server.1.transport_type = {{ line.transport }}
account.{{ line.number }}.sip_server.1.expires = {{ line.expires }}
{%- if line.outbound %}
account.{{ line.number }}.outbound_proxy_enable = 1
account.{{ line.number }}.outbound_proxy.1.address = {{ line.proxy }}
account.{{ line.number }}.outbound_proxy.1.port = {{ line.proxy_port }}
{%- else %}
account.{{ line.number }}.outbound_proxy_enable = 0
account.{{ line.number }}.outbound_proxy.1.address = %NULL%
{%- endif %}
account.{{ line.number }}.srtp_encryption = {% if line.srtp == "required" %}2{% elif line.srtp == "optional" %}1{% else %}0{% endif %}
{%- for codec in codecs.on %}
account.{{ line.number }}.codec.{{ codec.code }}.enable = 1
account.{{ line.number }}.codec.{{ codec.code }}.priority = {{ codec.priority }}
{%- endfor %}
{%- for codec in codecs.off %}
account.{{ line.number }}.codec.{{ codec.code }}.enable = 0
account.{{ line.number }}.codec.{{ codec.code }}.priority = 0
{%- endfor %}
{%- empty %}
account.1.enable = 0
account.1.user_name = %NULL%
account.1.auth_name = %NULL%
account.1.password = %NULL%
{%- endfor %}
{%- endblock %}
{%- block keys %}
{%- for key in keys.line %}
{%- if key.type == "none" %}
linekey.{{ key.position }}.type = 0
linekey.{{ key.position }}.line = %NULL%
linekey.{{ key.position }}.value = %NULL%
linekey.{{ key.position }}.label = %NULL%
{%- else %}
linekey.{{ key.position }}.type = {{ key.code|default:"0" }}
linekey.{{ key.position }}.line = 1
linekey.{{ key.position }}.value = {{ key.value|default:"%NULL%" }}
linekey.{{ key.position }}.label = {{ key.label|default:"%NULL%" }}
{%- endif %}
{%- endfor %}
{%- endblock %}
{% block region %}{% include "yealink/region.tpl" %}{% endblock %}
{%- block provisioning %}
{%- if not model.common %}
{% include "yealink/site.tpl" %}
{%- endif %}
{%- if server.url %}
static.auto_provision.server.url = {{ server.url }}
static.auto_provision.server.username = {{ server.username }}
static.auto_provision.server.password = {{ server.password }}
{%- endif %}
{%- endblock %}
{%- block extra %}{% endblock %}
