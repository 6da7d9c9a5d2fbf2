<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
{%- comment %}
What the phone has as its contacts until it stores its own. Favourites are those with an sd. They stand for
speed dials only where there are no keys for them: on other phones they would take keys a second time. Those of
feature keys come after those of combo keys.
{%- endcomment %}
<directory>
  <item_list>
{%- if model.favourites == "1" %}
{%- for key in keys.combo %}
{%- if key.type == "speed_dial" %}
    <item><fn>{{ key.label }}</fn><ct>{{ key.value }}</ct><sd>{{ key.position }}</sd></item>
{%- endif %}
{%- endfor %}
{%- for key in keys.feature %}
{%- if key.type == "speed_dial" %}
    <item><fn>{{ key.label }}</fn><ct>{{ key.value }}</ct><sd>{{ key.position + 50 }}</sd></item>
{%- endif %}
{%- endfor %}
{%- endif %}
  </item_list>
</directory>
