{% extends "grandstream/settings.tpl" %}
{%- comment %}Analogue adapters: a port is an account, and the second port has other codes than a phone's second account.{% endcomment %}
{% block registration %}
{%- macro port(line, server, proxy, backup, transport, user, auth, password, name, register, expires, nat, srtp, dtmf, codec, plan, dns) %}
{%- set proxied = line.outbound %}
{%- if line.servers|length > 1 %}{% set proxied = true %}{% endif %}
    <P{{ server }}>{% if proxied %}{{ line.realm }}{% else %}{{ line.servers.0.address }}{% endif %}</P{{ server }}>
    <P{{ proxy }}>{% if proxied %}{{ line.servers.0.address }}{% endif %}</P{{ proxy }}>
    <P{{ backup }}>{{ line.servers.1.address }}</P{{ backup }}>
    <P{{ dns }}>{% if line.proxy_port %}0{% else %}2{% endif %}</P{{ dns }}>
    <P{{ transport }}>{% if line.transport == "auto" %}0{% else %}{{ line.transport }}{% endif %}</P{{ transport }}>
    <P{{ user }}>{% if line.enabled %}{{ line.username }}{% endif %}</P{{ user }}>
    <P{{ auth }}>{% if line.enabled %}{{ line.auth_name }}{% endif %}</P{{ auth }}>
    <P{{ password }}>{{ line.password }}</P{{ password }}>
    <P{{ name }}>{{ line.display_name }}</P{{ name }}>
    <P{{ register }}>{% if line.enabled %}1{% else %}0{% endif %}</P{{ register }}>
    <P{{ expires }}>{% if line.expires > 3888000 %}64800{% else %}{{ (line.expires + 59) / 60 }}{% endif %}</P{{ expires }}>
    <P{{ nat }}>{% if line.keep_alive %}2{% else %}0{% endif %}</P{{ nat }}>
    <P{{ srtp }}>{% if line.srtp == "required" %}2{% elif line.srtp == "optional" %}1{% else %}0{% endif %}</P{{ srtp }}>
    <P{{ dtmf }}>{% if line.dtmf == "inband" %}100{% elif line.dtmf == "info" %}102{% else %}101{% endif %}</P{{ dtmf }}>
{%- set first = line.codecs.on.0.code %}
    <P{{ codec }}>{{ first }}</P{{ codec }}>
    <P{{ codec + 1 }}>{{ line.codecs.on.1.code|default:first }}</P{{ codec + 1 }}>
    <P{{ codec + 2 }}>{{ line.codecs.on.2.code|default:first }}</P{{ codec + 2 }}>
    <P{{ codec + 3 }}>{{ line.codecs.on.3.code|default:first }}</P{{ codec + 3 }}>
    <P{{ plan }}>{% if dialplan.digitmap %}{ {{ dialplan.digitmap|split:"."|join:"+" }} }{% else %}{ x+ | \+x+ | *x+ | *xx*x+ }{% endif %}</P{{ plan }}>
{%- endmacro %}
{%- for line in lines %}
{%- if line.number == 1 %}
{{- port(line, 47, 48, 2333, 130, 35, 36, 34, 3, 31, 32, 52, 183, 850, 57, 4200, 103) }}
    <P99>{% if line.mwi_subscribe %}1{% else %}0{% endif %}</P99>
    <P967></P967>
    <P84>{% if not line.keep_alive %}20{% elif line.keep_alive < 10 %}10{% elif line.keep_alive > 160 %}160{% else %}{{ line.keep_alive }}{% endif %}</P84>
    <P91>{% if line.call_waiting %}0{% else %}1{% endif %}</P91>
{%- else %}
{{- port(line, 747, 748, 2433, 830, 735, 736, 734, 703, 731, 732, 730, 443, 860, 757, 4201, 702) }}
{%- endif %}
{%- endfor %}
{%- for n in unused_lines %}
{%- if n == 1 %}
    <P35></P35>
    <P36></P36>
    <P34></P34>
    <P3></P3>
    <P31>0</P31>
{%- else %}
    <P735></P735>
    <P736></P736>
    <P734></P734>
    <P703></P703>
    <P731>0</P731>
{%- endif %}
{%- endfor %}
{%- endblock %}
{% block keys %}{% endblock %}
{% block screen %}{% endblock %}
