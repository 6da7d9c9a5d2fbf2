{%- comment %}
The time zone as a POSIX rule, so that no name has to match the vendor's table: hours west of UTC, week 5 is the last, weekday 0
Sunday. The two abbreviations mean nothing. Phones with Android take a name of the IANA database instead, the older of them the
rule itself; DECT bases have room for 32 characters.
{%- endcomment %}
{%- macro two(n) %}{% if n < 10 %}0{% endif %}{{ n }}{% endmacro %}
{%- macro west(seconds) %}
{%- set minutes = seconds / 60 %}
{%- if minutes > 0 %}-{% else %}+{% set minutes = 0 - minutes %}{% endif %}
{%- set hours = minutes / 60 %}
{{- hours }}{% if minutes % 60 %}:{{ two(minutes % 60) }}{% endif %}
{%- endmacro %}
{%- macro change(c) %}M{{ c.month }}.{{ c.week }}.{{ c.weekday % 7 }}/{% if model.short_rule %}{{ c.hour }}{% if c.minute %}:{{ c.minute }}{% endif %}{% else %}{{ two(c.hour) }}:{{ two(c.minute) }}:00{% endif %}{% endmacro %}
{%- macro rule() %}MTZ{{ west(time.offset) }}{% if time.dst %}MDT{{ west(time.offset + time.saving * 60) }},{{ change(time.start) }},{{ change(time.stop) }}{% endif %}{% endmacro %}
    <P30>{{ time.ntp_server }}</P30>
    <P144>0</P144>
    <P143>0</P143>
{%- if model.zone == "name" %}
    <P64>{{ time.zone }}</P64>
{%- elif model.zone == "rule" %}
    <P64>{{ rule() }}</P64>
{%- else %}
    <P64>customize</P64>
    <P246>{{ rule() }}</P246>
{%- endif %}
    <P122>{% if time.format_24h %}1{% else %}0{% endif %}</P122>
    <P102>{% if time.date_format == "MM/DD/YYYY" %}1{% elif time.date_format == "DD/MM/YYYY" %}2{% else %}0{% endif %}</P102>
{%- if language %}
    <P1362>{{ language }}</P1362>
{%- endif %}
