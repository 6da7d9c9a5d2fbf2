{% extends "grandstream/settings.tpl" %}
{%- comment %}
DECT bases: accounts of one profile, and handsets. Handset 1 has account 1, and so on; one without an account of its own has the
first. Calls to an account beyond the handsets ring at all (101).
{%- endcomment %}
{% block registration %}
{%- include "grandstream/accounts.tpl" %}
    <P27680>{{ lines.0.voicemail_number }}</P27680>
{%- for h in model.handsets|split:"," %}
{%- set n = h|integer %}
    <P{{ n + 27079 }}>{{ n }}</P{{ n + 27079 }}>
    <P{{ n * 10 + 4290 }}>{% if n in unused_lines %}1{% else %}{{ n }}{% endif %}</P{{ n * 10 + 4290 }}>
{%- endfor %}
{%- for h in model.shared_accounts|split:"," %}
    <P{{ h|integer + 27079 }}>101</P{{ h|integer + 27079 }}>
{%- endfor %}
{%- endblock %}
{% block keys %}{% endblock %}
{% block screen %}{% endblock %}
