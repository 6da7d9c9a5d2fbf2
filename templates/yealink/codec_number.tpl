{%- comment %}Opus has no number. Where it is all that is wanted, G.711 stands in: a phone needs one.{% endcomment %}
{%- if codec.code == "pcmu" and line.codecs.on|length == 1 and line.codecs.on.0.code == "opus" %}{% set enabled = 1 %}{% set priority = 1 %}{% endif %}
{%- set slot = 0 %}
{%- if codec.code == "pcmu" %}{% set slot = 1 %}{% set payload = "PCMU" %}{% set rtp = 0 %}
{%- elif codec.code == "pcma" %}{% set slot = 2 %}{% set payload = "PCMA" %}{% set rtp = 8 %}
{%- elif codec.code == "g729" %}{% set slot = 5 %}{% set payload = "G729" %}{% set rtp = 18 %}
{%- elif codec.code == "g722" %}{% set slot = 6 %}{% set payload = "G722" %}{% set rtp = 9 %}
{%- elif codec.code == "ilbc" %}{% set slot = 7 %}{% set payload = "iLBC" %}{% set rtp = 106 %}
{%- elif not model.few_codecs %}
{%- if codec.code == "g723_53" %}{% set slot = 3 %}{% set payload = "G723_53" %}{% set rtp = 4 %}
{%- elif codec.code == "g723_63" %}{% set slot = 4 %}{% set payload = "G723_63" %}{% set rtp = 4 %}
{%- elif codec.code == "g726_16" %}{% set slot = 8 %}{% set payload = "G726-16" %}{% set rtp = 103 %}
{%- elif codec.code == "g726_24" %}{% set slot = 9 %}{% set payload = "G726-24" %}{% set rtp = 104 %}
{%- elif codec.code == "g726_32" %}{% set slot = 10 %}{% set payload = "G726-32" %}{% set rtp = 102 %}
{%- elif codec.code == "g726_40" %}{% set slot = 11 %}{% set payload = "G726-40" %}{% set rtp = 105 %}
{%- endif %}
{%- endif %}
{%- if model.few_codecs and slot > 4 %}{% set slot = slot - 2 %}{% endif %}
{%- if slot %}
account.{{ n }}.codec.{{ slot }}.enable = {{ enabled }}
account.{{ n }}.codec.{{ slot }}.payload_type = {{ payload }}
account.{{ n }}.codec.{{ slot }}.priority = {{ priority }}
account.{{ n }}.codec.{{ slot }}.rtpmap = {{ rtp }}
{%- endif %}
