#!version:1.0.0.1
{%- comment %}
Everything that differs from phone to phone. An empty value keeps what the phone has, %NULL% clears it.

Every rendering writes the whole state: each key and line that the model has, used or not, and each setting that
a document may name. So what is taken out of a document leaves the phone too. The other way would be overwrite_mode in
the boot file: it sets back what no file names, also an address or a Wi-Fi that somebody typed into the phone, and
then nothing reaches it any more.

Firmware changes its names; a phone ignores those it does not know. "generation" is the second number of the
firmware (28.83.0.120: 83). A phone that was never seen is taken to have the newest there is for its model.
A model's own template extends this one, block by block.
{%- endcomment %}
{%- set generation = phone.generation %}
{%- if not generation %}{% set generation = model.newest|default:"99"|integer %}{% endif %}
{%- set static = "static." %}
{%- if generation < 81 %}{% set static = "" %}{% endif %}
{% block registration %}
{%- include "yealink/lines.tpl" %}
{%- endblock %}
{%- block calls %}
{%- include "yealink/calls.tpl" %}
{%- endblock %}
{%- block keys %}
{%- include "yealink/keys.tpl" %}
{%- endblock %}
{%- block screen %}
{%- include "yealink/screen.tpl" %}
{%- endblock %}
{%- block region %}
{%- include "yealink/region.tpl" %}
{%- endblock %}
{%- block provisioning %}
{%- include "yealink/system.tpl" %}
{%- if generation == 80 %}{# the sources do not agree which names 80 has #}
{%- include "yealink/system.tpl" with static="static." %}
{%- endif %}
{%- if not model.common %}
{%- include "yealink/site.tpl" %}
{%- endif %}
{%- endblock %}
{%- block extra %}{% endblock %}
