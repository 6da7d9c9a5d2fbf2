<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<directory>
  <item_list>
{%- for entry in phonebook.entries %}
    <item><ln>{{ entry.last_name }}</ln><fn>{% if entry.first_name or entry.last_name %}{{ entry.first_name }}{% else %}{{ entry.name }}{% endif %}</fn><ct>{{ entry.number }}</ct></item>
{%- endfor %}
  </item_list>
</directory>
