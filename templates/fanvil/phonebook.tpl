<?xml version="1.0" encoding="UTF-8"?>
<FanvilIPPhoneDirectory>
  <Title>{{ phonebook.name }}</Title>
{%- for entry in phonebook.entries %}
  <DirectoryEntry>
    <Name>{{ entry.name }}</Name>
    <Telephone>{{ entry.number }}</Telephone>
  </DirectoryEntry>
{%- endfor %}
</FanvilIPPhoneDirectory>
