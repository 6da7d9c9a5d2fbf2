{% extends "grandstream/settings.tpl" %}
{%- comment %}Larger adapters: all ports register with one profile.{% endcomment %}
{% block registration %}
{%- include "grandstream/accounts.tpl" %}
    <P91>{% if lines.0 and not lines.0.call_waiting %}1{% else %}0{% endif %}</P91>
{%- for line in lines %}
    <P{{ line.number + 4594 }}>{% if line.enabled and line.realm == lines.0.realm %}1{% else %}0{% endif %}</P{{ line.number + 4594 }}>
{%- endfor %}
{%- for n in unused_lines %}
    <P{{ n + 4594 }}>0</P{{ n + 4594 }}>
{%- endfor %}
{%- endblock %}
{% block keys %}{% endblock %}
{% block screen %}{% endblock %}
