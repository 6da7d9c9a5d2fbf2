#!version:1.0.0.1
{%- comment %}Names the files to fetch, in this order; of one parameter in several files the last counts.{% endcomment %}
{%- if model.common %}
include:config "y{{ model.common }}.cfg"
{%- endif %}
include:config "{{ device.mac }}.cfg"
# Parameters that no file names keep their values.
overwrite_mode = 0
