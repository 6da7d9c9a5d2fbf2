<?xml version="1.0" encoding="UTF-8"?>
<AddressBook>
{%- for entry in phonebook.entries %}
  <Contact>
    <id>{{ forloop.Counter }}</id>
    <FirstName>{% if entry.first_name or entry.last_name %}{{ entry.first_name }}{% else %}{{ entry.name }}{% endif %}</FirstName>
    <LastName>{{ entry.last_name }}</LastName>
    <Phone>
      <phonenumber>{{ entry.number }}</phonenumber>
      <accountindex>0</accountindex>
    </Phone>
  </Contact>
{%- endfor %}
</AddressBook>
