{%- comment %}
A name in "timezone" would bring the vendor's own rule for daylight saving time, and there is not one for every zone. Empty,
the phone takes utc_offset (seconds) and dst: seconds saved, then month.week.weekday and time of either change; week 05 is the
last, weekday 07 Sunday.
{%- endcomment %}
{%- macro two(n) %}{% if n < 10 %}0{% endif %}{{ n }}{% endmacro %}
{%- macro change(c) %}{{ two(c.month) }}.{{ two(c.week) }}.{{ two(c.weekday) }} {{ two(c.hour) }}:{{ two(c.minute) }}:00{% endmacro %}
    <timezone perm="R"></timezone>
    <utc_offset perm="R">{% if time.offset >= 0 %}+{% endif %}{{ time.offset }}</utc_offset>
    <dst perm="R">{% if time.dst %}{{ time.saving * 60 }} {{ change(time.start) }} {{ change(time.stop) }}{% endif %}</dst>
    <ntp_server perm="R">{{ time.ntp_server }}</ntp_server>
    <time_24_format perm="RW">{% if time.format_24h %}on{% else %}off{% endif %}</time_24_format>
    <date_us_format perm="RW">{% if time.date_format == "MM/DD/YYYY" %}on{% else %}off{% endif %}</date_us_format>
{%- if language %}
    <language perm="RW">{{ language }}</language>
    <web_language perm="RW">{{ language }}</web_language>
{%- endif %}
