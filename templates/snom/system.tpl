{%- comment %}
The phone itself. Firmware 10 has logins for an administrator and a user, older ones have http_user alone. A VLAN that somebody
set at the phone stays until a document speaks of provision.network: a phone can be cut off by it.
{%- endcomment %}
{%- if security.admin_password %}
    <admin_mode perm="R">off</admin_mode>
    <admin_mode_password perm="R">{{ security.admin_password }}</admin_mode_password>
    <admin_mode_password_confirm perm="R">{{ security.admin_password }}</admin_mode_password_confirm>
    <webserver_admin_name perm="R">{{ security.admin_name }}</webserver_admin_name>
    <webserver_admin_password perm="R">{{ security.admin_password }}</webserver_admin_password>
    <webserver_user_name perm="R">{{ security.user_name }}</webserver_user_name>
    <webserver_user_password perm="R">{{ security.user_password }}</webserver_user_password>
    <http_user perm="R">{{ security.admin_name }}</http_user>
    <http_pass perm="R">{{ security.admin_password }}</http_pass>
{%- endif %}
    <webserver_type perm="R">{% if web.enabled %}http_https{% else %}off{% endif %}</webserver_type>
{%- if device.provision.network %}
    <vlan_id perm="R">{% if network.vlan %}{{ network.vlan }}{% endif %}</vlan_id>
    <vlan_pc_id perm="R">{% if network.vlan_pc %}{{ network.vlan_pc }}{% endif %}</vlan_pc_id>
{%- endif %}
    <signaling_tos perm="R">{{ network.dscp_signalling * 4 }}</signaling_tos>
    <codec_tos perm="R">{{ network.dscp_audio * 4 }}</codec_tos>
    <syslog_server perm="R">{% if logs.syslog_host %}{{ logs.syslog_host }}:{{ logs.syslog_port }}{% endif %}</syslog_server>
    <log_level perm="R">{% if logs.level == "error" %}3{% elif logs.level == "warning" %}5{% elif logs.level == "info" %}7{% else %}9{% endif %}</log_level>
    <custom_bg_image_url perm="R">{{ assets.logo }}</custom_bg_image_url>
    <dkey_directory perm="R">{% if phonebook.url %}url {{ phonebook.url }}{% else %}keyevent F_ADR_BOOK{% endif %}</dkey_directory>
    <update_policy perm="R">{% if firmware.url %}auto_update{% else %}settings_only{% endif %}</update_policy>
{%- if server.url %}
    <setting_server perm="R">{{ server.url }}</setting_server>
    <http_client_user perm="R">{{ server.username }}</http_client_user>
    <http_client_pass perm="R">{{ server.password }}</http_client_pass>
{%- endif %}
{%- if not model.file %}
{%- include "snom/site.tpl" %}
{%- endif %}
