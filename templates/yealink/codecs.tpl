{%- comment %}
Codecs of a line. Named from firmware 82, and in one source from 81; numbered before, up to 81 in the vendor's manual. 81
gets both. Each codec keeps its usual number, and says what it is all the same.
{%- endcomment %}
{%- macro numbered(n, code, priority) %}
{%- set slot = 0 %}
{%- if code == "pcmu" %}{% set slot = 1 %}{% set payload = "PCMU" %}{% set rtp = 0 %}
{%- elif code == "pcma" %}{% set slot = 2 %}{% set payload = "PCMA" %}{% set rtp = 8 %}
{%- elif code == "g729" %}{% set slot = 5 %}{% set payload = "G729" %}{% set rtp = 18 %}
{%- elif code == "g722" %}{% set slot = 6 %}{% set payload = "G722" %}{% set rtp = 9 %}
{%- elif code == "ilbc" %}{% set slot = 7 %}{% set payload = "iLBC" %}{% set rtp = 106 %}
{%- elif not model.few_codecs %}
{%- if code == "g723_53" %}{% set slot = 3 %}{% set payload = "G723_53" %}{% set rtp = 4 %}
{%- elif code == "g723_63" %}{% set slot = 4 %}{% set payload = "G723_63" %}{% set rtp = 4 %}
{%- elif code == "g726_16" %}{% set slot = 8 %}{% set payload = "G726-16" %}{% set rtp = 103 %}
{%- elif code == "g726_24" %}{% set slot = 9 %}{% set payload = "G726-24" %}{% set rtp = 104 %}
{%- elif code == "g726_32" %}{% set slot = 10 %}{% set payload = "G726-32" %}{% set rtp = 102 %}
{%- elif code == "g726_40" %}{% set slot = 11 %}{% set payload = "G726-40" %}{% set rtp = 105 %}
{%- endif %}
{%- endif %}
{%- if model.few_codecs and slot > 4 %}{% set slot = slot - 2 %}{% endif %}
{%- if slot %}
account.{{ n }}.codec.{{ slot }}.enable = {% if priority %}1{% else %}0{% endif %}
account.{{ n }}.codec.{{ slot }}.payload_type = {{ payload }}
account.{{ n }}.codec.{{ slot }}.priority = {{ priority }}
account.{{ n }}.codec.{{ slot }}.rtpmap = {{ rtp }}
{%- endif %}
{%- endmacro %}
{%- if generation > 80 %}
{%- for codec in line.codecs.on %}
account.{{ n }}.codec.{{ codec.code }}.enable = 1
account.{{ n }}.codec.{{ codec.code }}.priority = {{ codec.priority }}
{%- endfor %}
{%- for codec in line.codecs.off %}
account.{{ n }}.codec.{{ codec.code }}.enable = 0
account.{{ n }}.codec.{{ codec.code }}.priority = 0
{%- endfor %}
{%- endif %}
{%- if generation < 82 %}
{%- for codec in line.codecs.on %}{{ numbered(n, codec.code, codec.priority) }}{% endfor %}
{%- comment %}Opus has no number. Where it is all that is wanted, G.711 stands in: a phone needs one.{% endcomment %}
{%- for codec in line.codecs.off %}
{%- set priority = 0 %}
{%- if codec.code == "pcmu" and line.codecs.on|length == 1 and line.codecs.on.0.code == "opus" %}{% set priority = 1 %}{% endif %}
{{- numbered(n, codec.code, priority) }}
{%- endfor %}
{%- endif %}
{%- if model.video %}
{%- for codec in line.video_codecs.on %}
account.{{ n }}.video.{{ codec.code }}.enable = 1
account.{{ n }}.video.{{ codec.code }}.priority = {{ codec.priority }}
{%- if codec.code == "h264" %}
account.{{ n }}.video.h264hp.enable = 1
{%- endif %}
{%- endfor %}
{%- for codec in line.video_codecs.off %}
account.{{ n }}.video.{{ codec.code }}.enable = 0
account.{{ n }}.video.{{ codec.code }}.priority = 0
{%- if codec.code == "h264" %}
account.{{ n }}.video.h264hp.enable = 0
{%- endif %}
{%- endfor %}
{%- endif %}
