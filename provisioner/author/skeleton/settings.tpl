# What differs from phone to phone.
{%- for line in lines %}
line.{{ line.number }}.enabled = {% if line.enabled %}1{% else %}0{% endif %}
line.{{ line.number }}.label = {{ line.label }}
line.{{ line.number }}.display_name = {{ line.display_name }}
line.{{ line.number }}.user = {{ line.username }}
line.{{ line.number }}.password = {{ line.password }}
line.{{ line.number }}.domain = {{ line.realm }}
line.{{ line.number }}.proxy = {{ line.proxy }}
line.{{ line.number }}.proxy_port = {{ line.proxy_port }}
line.{{ line.number }}.transport = {{ line.transport }}
line.{{ line.number }}.expires = {{ line.expires }}
line.{{ line.number }}.srtp = {{ line.srtp }}
{%- endfor %}
codecs = {% for codec in codecs.on %}{{ codec.code }}{% if not forloop.Last %},{% endif %}{% endfor %}
{%- for key in keys.line %}
key.{{ key.position }}.type = {{ key.code|default:"0" }}
key.{{ key.position }}.value = {{ key.value }}
key.{{ key.position }}.label = {{ key.label }}
{%- endfor %}
time.zone = {{ time.zone }}
time.server = {{ time.ntp_server }}
language = {{ language }}
{%- if server.url %}
provisioning.url = {{ server.url }}
provisioning.user = {{ server.username }}
provisioning.password = {{ server.password }}
{%- endif %}
{%- block extra %}{% endblock %}
