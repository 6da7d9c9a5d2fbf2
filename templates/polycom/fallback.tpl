<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
{%- comment %}The master file of a phone that has none of its own: it asks again every day.{% endcomment %}
<APPLICATION CONFIG_FILES="site.cfg"/>
