{%- comment %}
Time zone and language. The rule for daylight saving time is written out, so that no zone name has to
match the table in the firmware. Firmware 82 to 84 reads static.lang, the others lang.
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
{%- if language %}
lang.gui = {{ language }}
lang.wui = {{ language }}
static.lang.gui = {{ language }}
static.lang.wui = {{ language }}
{%- endif %}
