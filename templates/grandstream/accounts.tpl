{%- comment %}
Lists of accounts that register with the first profile, which is the first line's: user, name for authentication, password,
display name. A line of another SIP domain has no place there.
{%- endcomment %}
{%- import "grandstream/profile.tpl" profile, keepalive %}
{%- macro account(n, user, auth, password, name) %}
    <P{{ n + 4059 }}>{{ user }}</P{{ n + 4059 }}>
    <P{{ n + 4089 }}>{{ auth }}</P{{ n + 4089 }}>
    <P{{ n + 4119 }}>{{ password }}</P{{ n + 4119 }}>
    <P{{ n + 4179 }}>{{ name }}</P{{ n + 4179 }}>
    <P{{ n + 4149 }}>0</P{{ n + 4149 }}>
{%- endmacro %}
{%- if lines %}
{{- profile(lines.0, 271, 47, 48, 2333, 103, 130, 31, 32, 52, 183, 850, 57, 4200, 5046) }}
    <P99>{% if lines.0.mwi_subscribe %}1{% else %}0{% endif %}</P99>
    <P967></P967>
{{- keepalive(lines.0) }}
{%- else %}
    <P271>0</P271>
{%- endif %}
{%- for line in lines %}
{%- if line.enabled and line.realm == lines.0.realm %}
{{- account(line.number, line.username, line.auth_name, line.password, line.display_name) }}
{%- else %}
{{- account(line.number, "", "", "", "") }}
{%- endif %}
{%- endfor %}
{%- for n in unused_lines %}
{{- account(n, "", "", "", "") }}
{%- endfor %}
