{%- comment %}
Time zone and language. The rule for daylight saving time is written out, so that no zone name has to
match the table in the firmware. Firmware 82 to 84 has static.lang, the others lang. A phone whose language this brand
has no word for keeps its own.
{%- endcomment %}
local_time.dhcp_time = 0
local_time.ntp_server1 = {{ time.ntp_server }}
local_time.time_zone = {{ time.offset_text }}
{%- if time.dst %}
local_time.summer_time = 1
local_time.dst_time_type = 1
local_time.start_time = {{ time.start.month }}/{{ time.start.week }}/{{ time.start.weekday }}/{{ time.start.hour }}
local_time.end_time = {{ time.stop.month }}/{{ time.stop.week }}/{{ time.stop.weekday }}/{{ time.stop.hour }}
local_time.offset_time = {{ time.saving }}
{%- else %}
local_time.summer_time = 0
{%- endif %}
local_time.time_format = {% if time.format_24h %}1{% else %}0{% endif %}
local_time.date_format = {% if time.date_format == "DD/MM/YYYY" %}3{% elif time.date_format == "MM/DD/YYYY" %}4{% else %}2{% endif %}
{%- if language %}
{%- if generation > 81 and generation < 85 %}
static.lang.gui = {{ language }}
static.lang.wui = {{ language }}
{%- else %}
lang.gui = {{ language }}
lang.wui = {{ language }}
{%- endif %}
{%- endif %}
{%- if model.dect %}
{{ static }}auto_provision.handset_configured.enable = 1
{%- if language == "English" %}
custom.handset.language = 0
{%- elif language == "French" %}
custom.handset.language = 1
{%- elif language == "German" %}
custom.handset.language = 2
{%- elif language == "Italian" %}
custom.handset.language = 3
{%- elif language == "Spanish" %}
custom.handset.language = 6
{%- endif %}
{%- endif %}
