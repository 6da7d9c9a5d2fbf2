{%- comment %}Of the phone, not of a line: what the first line's documents say.{% endcomment %}
    <port index="1">
      <CallWaiting>{% if lines.0 and not lines.0.call_waiting %}0{% else %}1{% endif %}</CallWaiting>
    </port>
    <basic>
      <DialbyTimeout>1</DialbyTimeout>
      <DialTimeoutvalue>{{ dialplan.timeout }}</DialTimeoutvalue>
    </basic>
    <alertInfo index="1">
      <Text>{{ lines.0.ringtone_internal }}</Text>
      <Line>-1</Line>
      <RingType>Type 2</RingType>
    </alertInfo>
    <alertInfo index="2">
      <Text>{{ lines.0.ringtone_external }}</Text>
      <Line>-1</Line>
      <RingType>Type 1</RingType>
    </alertInfo>
