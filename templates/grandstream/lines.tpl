{%- for line in lines %}
{%- set n = line.number %}
{%- include "grandstream/account.tpl" with used=1 %}
{%- endfor %}
{%- for n in unused_lines %}
{%- include "grandstream/account.tpl" with used=0 %}
{%- endfor %}
{%- comment %}Of the phone, not of an account: what the first line's documents say.{% endcomment %}
    <P84>{% if not lines.0.keep_alive %}20{% elif lines.0.keep_alive < 10 %}10{% elif lines.0.keep_alive > 160 %}160{% else %}{{ lines.0.keep_alive }}{% endif %}</P84>
    <P91>{% if lines.0 and not lines.0.call_waiting %}1{% else %}0{% endif %}</P91>
