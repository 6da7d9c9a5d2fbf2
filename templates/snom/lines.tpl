{%- comment %}
Identities. user_outbound is where all requests go, backups behind the first with commas; there is nothing else that says
the transport. Without one (auto) the phone asks the DNS, unless there is a port. In-band DTMF is what is left when telephone-event is no codec.
{%- endcomment %}
{%- for line in lines %}
{%- set n = line.number %}
    <user_active idx="{{ n }}" perm="R">{% if line.enabled %}on{% else %}off{% endif %}</user_active>
    <user_realname idx="{{ n }}" perm="R">{{ line.display_name }}</user_realname>
    <user_idle_text idx="{{ n }}" perm="R">{{ line.label }}</user_idle_text>
    <user_idle_number idx="{{ n }}" perm="R">{{ line.presence_id }}</user_idle_number>
    <user_name idx="{{ n }}" perm="R">{{ line.username }}</user_name>
    <user_pname idx="{{ n }}" perm="R">{{ line.auth_name }}</user_pname>
    <user_pass idx="{{ n }}" perm="R">{{ line.password }}</user_pass>
    <user_host idx="{{ n }}" perm="R">{{ line.realm }}</user_host>
    <user_outbound idx="{{ n }}" perm="R">
{%- for registrar in line.servers %}{% if not forloop.First %},{% endif %}
{{- registrar.address }}{% if registrar.transport != "auto" %};transport={{ registrar.transport }}{% endif %}
{%- endfor %}</user_outbound>
    <user_expiry idx="{{ n }}" perm="R">{{ line.expires }}</user_expiry>
    <user_srtp idx="{{ n }}" perm="R">{% if line.srtp == "off" %}off{% else %}on{% endif %}</user_srtp>
    <user_savp idx="{{ n }}" perm="R">{% if line.srtp == "required" %}mandatory{% else %}{{ line.srtp }}{% endif %}</user_savp>
    <user_dtmf_info idx="{{ n }}" perm="R">{% if line.dtmf == "info" %}sip_info_only{% else %}off{% endif %}</user_dtmf_info>
    <codec_priority_list idx="{{ n }}" perm="R">
{%- for codec in line.codecs.on %}{% if not forloop.First %},{% endif %}{{ codec.code }}{% endfor %}
{%- if line.dtmf != "inband" %},telephone-event{% endif %}</codec_priority_list>
    <user_mailbox idx="{{ n }}" perm="R">{{ line.voicemail_number }}</user_mailbox>
    <user_moh idx="{{ n }}" perm="R">{{ line.music_on_hold }}</user_moh>
    <keepalive_interval idx="{{ n }}" perm="R">{{ line.keep_alive }}</keepalive_interval>
    <user_shared_line idx="{{ n }}" perm="R">{% if line.shared %}on{% else %}off{% endif %}</user_shared_line>
    <user_auto_connect idx="{{ n }}" perm="R">{% if line.auto_answer %}on{% else %}off{% endif %}</user_auto_connect>
    <call_waiting idx="{{ n }}" perm="RW">{% if line.call_waiting %}on{% else %}off{% endif %}</call_waiting>
    <dnd_mode idx="{{ n }}" perm="RW">{% if line.dnd %}on{% else %}off{% endif %}</dnd_mode>
{%- endfor %}
{%- for n in unused_lines %}
    <user_active idx="{{ n }}" perm="R">off</user_active>
    <user_realname idx="{{ n }}" perm="R"></user_realname>
    <user_idle_text idx="{{ n }}" perm="R"></user_idle_text>
    <user_idle_number idx="{{ n }}" perm="R"></user_idle_number>
    <user_name idx="{{ n }}" perm="R"></user_name>
    <user_pname idx="{{ n }}" perm="R"></user_pname>
    <user_pass idx="{{ n }}" perm="R"></user_pass>
    <user_host idx="{{ n }}" perm="R"></user_host>
    <user_outbound idx="{{ n }}" perm="R"></user_outbound>
{%- endfor %}
