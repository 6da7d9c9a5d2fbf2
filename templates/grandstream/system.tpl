{%- comment %}
The phone itself. Paths are without scheme, which is a code of its own. A VLAN that somebody set at the phone stays until a
document speaks of provision.network: a phone can be cut off by it.
{%- endcomment %}
{%- if security.admin_password %}
    <P2>{{ security.admin_password }}</P2>
    <P196>{{ security.user_password }}</P196>
{%- endif %}
{%- if not model.adapter %}
    <P1650>{% if web.enabled %}0{% else %}2{% endif %}</P1650>
    <P1558>{{ network.dscp_signalling }}</P1558>
    <P1559>{{ network.dscp_audio }}</P1559>
{%- if device.provision.network %}
    <P22174>{% if network.vlan %}1{% else %}0{% endif %}</P22174>
    <P51>{{ network.vlan }}</P51>
    <P229>{{ network.vlan_pc }}</P229>
    <P1684>{% if network.lldp %}1{% else %}0{% endif %}</P1684>
{%- endif %}
{%- set book = phonebook.url|cut:"/phonebook.xml"|split:"://" %}
    <P330>{% if not phonebook.url %}0{% elif book|first == "https" %}3{% else %}1{% endif %}</P330>
    <P331>{% if phonebook.url %}{{ book|last }}{% endif %}</P331>
    <P332>720</P332>
{%- endif %}
    <P207>{% if logs.syslog_host %}{{ logs.syslog_host }}:{{ logs.syslog_port }}{% endif %}</P207>
    <P208>{% if not logs.syslog_host %}0{% elif logs.level == "debug" %}1{% elif logs.level == "info" %}2{% elif logs.level == "warning" %}3{% else %}4{% endif %}</P208>
    <P1387>{% if logs.syslog_host and logs.level == "debug" %}1{% else %}0{% endif %}</P1387>
{%- set folder = firmware.url|split:"://" %}
    <P238>{% if firmware.url %}0{% else %}2{% endif %}</P238>
    <P6767>{% if folder|first == "https" %}2{% else %}1{% endif %}</P6767>
    <P192>{% if firmware.url %}{{ folder|last }}{% endif %}</P192>
{%- comment %}The phone answers a NOTIFY with a challenge for the account's own password.{% endcomment %}
    <P4428>0</P4428>
{%- if server.url %}
{%- set where = server.url|slice:":-1"|split:"://" %}
    <P212>{% if where|first == "https" %}2{% else %}1{% endif %}</P212>
    <P237>{{ where|last }}</P237>
    <P1360>{{ server.username }}</P1360>
    <P1361>{{ server.password }}</P1361>
{%- endif %}
{%- if not model.common %}
{%- include "grandstream/site.tpl" %}
{%- endif %}
