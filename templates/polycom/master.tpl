<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
{%- comment %}
The master file. Of one parameter in several files the first, leftmost, counts. A phone puts its part number
before the last part of APP_FILE_PATH: images are 3111-48840-001.sip.ld and so on, beside the file named.
{%- endcomment %}
<APPLICATION
{%- if firmware.url %} APP_FILE_PATH="{{ firmware.url }}"{% endif %} CONFIG_FILES="{{ device.mac }}-settings.cfg,site.cfg"/>
