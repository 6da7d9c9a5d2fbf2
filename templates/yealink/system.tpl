{%- comment %}
The phone itself: who may change it, its network, logs and software, and where it fetches and stores files.
A name with a colon in it would break the lines with the passwords.
{%- endcomment %}
{%- set admin = security.admin_name|cut:":"|default:"admin" %}
{%- set user = security.user_name|cut:":"|default:"user" %}
{%- if security.admin_password %}
{{ static }}security.user_name.admin = {{ admin }}
{{ static }}security.user_name.user = {{ user }}
{{ static }}security.user_password = {{ admin }}:{{ security.admin_password }}
{{ static }}security.user_password = {{ user }}:{{ security.user_password }}
{%- endif %}
{{ static }}wui.http_enable = {% if web.enabled %}1{% else %}0{% endif %}
{{ static }}wui.https_enable = {% if web.enabled %}1{% else %}0{% endif %}
{%- comment %}
A phone can be cut off by these, so a VLAN that somebody set at the phone stays until a document speaks of provision.network.
{%- endcomment %}
{%- if device.provision.network %}
{{ static }}network.vlan.internet_port_enable = {% if network.vlan %}1{% else %}0{% endif %}
{{ static }}network.vlan.internet_port_vid = {{ network.vlan|default:1 }}
{{ static }}network.vlan.pc_port_enable = {% if network.vlan_pc %}1{% else %}0{% endif %}
{{ static }}network.vlan.pc_port_vid = {{ network.vlan_pc|default:1 }}
{{ static }}network.lldp.enable = {% if network.lldp %}1{% else %}0{% endif %}
{%- endif %}
{{ static }}network.qos.signaltos = {{ network.dscp_signalling }}
{{ static }}network.qos.rtptos = {{ network.dscp_audio }}
{{ static }}firmware.url = {{ firmware.url|default:"%NULL%" }}
{{ static }}auto_provision.custom.protect = 1
{%- if server.url %}
{{ static }}auto_provision.server.url = {{ server.url }}
{{ static }}auto_provision.server.username = {{ server.username }}
{{ static }}auto_provision.server.password = {{ server.password }}
{%- endif %}
{%- if static %}
static.network.qos.audiotos = {{ network.dscp_audio }}
static.syslog.enable = {% if logs.syslog_host %}1{% else %}0{% endif %}
static.syslog.server = {{ logs.syslog_host|default:"%NULL%" }}
static.syslog.server_port = {{ logs.syslog_port }}
static.syslog.level = {% if logs.level == "error" %}3{% elif logs.level == "warning" %}4{% elif logs.level == "info" %}5{% else %}6{% endif %}
static.local_log.enable = 1
static.local_log.level = {% if logs.level == "error" %}3{% elif logs.level == "warning" %}4{% elif logs.level == "info" %}5{% else %}6{% endif %}
static.auto_provision.local_log.backup.enable = {% if logs.upload %}1{% else %}0{% endif %}
static.auto_provision.local_log.backup.path = {% if logs.upload %}{{ server.uploads|default:"%NULL%" }}{% else %}%NULL%{% endif %}
{%- comment %}
What is changed on the phone stays, in a file of its own that the phone stores here by PUT: it beats these settings until it is
deleted. Its contacts and calls are kept too, so that a new phone in its place has them.
{%- endcomment %}
static.auto_provision.custom.sync = {% if server.uploads %}1{% else %}0{% endif %}
static.auto_provision.custom.sync.path = {{ server.uploads|default:"%NULL%" }}
static.auto_provision.custom.upload_method = 0
static.auto_provision.local_contact.backup.enable = {% if server.uploads %}1{% else %}0{% endif %}
static.auto_provision.local_contact.backup.path = {{ server.uploads|default:"%NULL%" }}
static.auto_provision.local_calllog.backup.enable = {% if server.uploads %}1{% else %}0{% endif %}
static.auto_provision.local_calllog.backup.path = {{ server.uploads|default:"%NULL%" }}
{%- else %}
syslog.mode = {% if logs.syslog_host %}1{% else %}0{% endif %}
syslog.server = {{ logs.syslog_host|default:"%NULL%" }}
syslog.log_level = {% if logs.level == "error" %}3{% elif logs.level == "warning" %}4{% elif logs.level == "info" %}5{% else %}6{% endif %}
{%- endif %}
