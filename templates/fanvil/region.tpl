{%- comment %}
The offset in quarters of an hour, and the rule for daylight saving time written out by week of the month: EnableDST 2, week 5
is the last, weekday 0 Sunday. There are hours, but no minutes.
{%- endcomment %}
    <date>
      <EnableSNTP>1</EnableSNTP>
      <SNTPServer>{{ time.ntp_server }}</SNTPServer>
      <TimeZone>{{ time.offset / 900 }}</TimeZone>
      <TimeZoneName>UTC{% if time.offset %}{{ time.offset_text }}{% endif %}</TimeZoneName>
{%- if time.dst %}
      <EnableDST>2</EnableDST>
      <DSTFixedType>2</DSTFixedType>
      <DSTMinOffset>{{ time.saving }}</DSTMinOffset>
      <DSTStartMon>{{ time.start.month }}</DSTStartMon>
      <DSTStartWeek>{{ time.start.week }}</DSTStartWeek>
      <DSTStartWday>{{ time.start.weekday % 7 }}</DSTStartWday>
      <DSTStartHour>{{ time.start.hour }}</DSTStartHour>
      <DSTEndMon>{{ time.stop.month }}</DSTEndMon>
      <DSTEndWeek>{{ time.stop.week }}</DSTEndWeek>
      <DSTEndWday>{{ time.stop.weekday % 7 }}</DSTEndWday>
      <DSTEndHour>{{ time.stop.hour }}</DSTEndHour>
{%- else %}
      <EnableDST>0</EnableDST>
{%- endif %}
    </date>
    <timeDisplay>
      <TimeDisplayStyle>{% if time.format_24h %}0{% else %}1{% endif %}</TimeDisplayStyle>
      <DateDisplayStyle>{% if time.date_format == "MM/DD/YYYY" %}10{% elif time.date_format == "DD/MM/YYYY" %}4{% else %}13{% endif %}</DateDisplayStyle>
    </timeDisplay>
    <display>
      <LCDTitle>{{ lines.0.label }}</LCDTitle>
{%- if language %}
      <DefaultLanguage>{{ language }}</DefaultLanguage>
{%- endif %}
    </display>
