<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
{%- comment %}The master file. Of one parameter in several files the first, leftmost, counts.{% endcomment %}
<APPLICATION CONFIG_FILES="{{ device.mac }}-settings.cfg,site.cfg"/>
