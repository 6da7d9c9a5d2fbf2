{% extends "grandstream/settings.tpl" %}
{%- comment %}Small adapters: each port has an account of its own, the second one with other codes than a phone's second account.{% endcomment %}
{% block registration %}
{%- import "grandstream/profile.tpl" profile, keepalive %}
{%- macro account(line, user, auth, password, name) %}
    <P{{ user }}>{% if line.enabled %}{{ line.username }}{% endif %}</P{{ user }}>
    <P{{ auth }}>{% if line.enabled %}{{ line.auth_name }}{% endif %}</P{{ auth }}>
    <P{{ password }}>{{ line.password }}</P{{ password }}>
    <P{{ name }}>{{ line.display_name }}</P{{ name }}>
{%- endmacro %}
{%- for line in lines %}
{%- if line.number == 1 %}
{{- profile(line, 271, 47, 48, 2333, 103, 130, 31, 32, 52, 183, 850, 57, 4200, 5046) }}
{{- account(line, 35, 36, 34, 3) }}
    <P99>{% if line.mwi_subscribe %}1{% else %}0{% endif %}</P99>
    <P967></P967>
{{- keepalive(line) }}
    <P91>{% if line.call_waiting %}0{% else %}1{% endif %}</P91>
{%- else %}
{{- profile(line, 401, 747, 748, 2433, 702, 830, 731, 732, 730, 443, 860, 757, 4201, 5047) }}
{{- account(line, 735, 736, 734, 703) }}
{%- endif %}
{%- endfor %}
{%- for n in unused_lines %}
{%- if n == 1 %}
    <P271>0</P271>
    <P35></P35>
    <P36></P36>
    <P34></P34>
    <P3></P3>
    <P31>0</P31>
{%- else %}
    <P401>0</P401>
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
