{%- comment %}
Codecs of a line. Named from firmware 82, and in one source from 81; numbered before, up to 81 in the vendor's manual. 81
gets both. Each codec keeps its usual number, and says what it is all the same.
{%- endcomment %}
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
{%- for codec in line.codecs.on %}
{%- include "yealink/codec_number.tpl" with enabled=1 priority=codec.priority %}
{%- endfor %}
{%- for codec in line.codecs.off %}
{%- include "yealink/codec_number.tpl" with enabled=0 priority=0 %}
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
