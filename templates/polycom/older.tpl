{%- comment %}
Names that only SIP 3.x knows, for phones that may still have it: newer firmware ignores them. The codecs had no
underscores and, on some models, a name with the model's group.
{%- endcomment %}
{%- macro priority(code, value, group) %}
{%- if code == "G711_Mu" or code == "G711_A" or code == "G729_AB" or code == "G7221_C.48kbps" %}
      voice.codecPref.{{ code|cut:"_" }}="{{ value }}"
{%- endif %}
{%- if group and code != "Opus" %}
      voice.codecPref.{{ group }}.{% if code|slice:":4" == "iLBC" %}{{ code }}{% else %}{{ code|cut:"_" }}{% endif %}="{{ value }}"
{%- endif %}
{%- endmacro %}
  <voice>
    <voice.codecPref
{%- for codec in codecs.on %}{{ priority(codec.code, codec.priority, model.codec_group) }}{% endfor %}
{%- for codec in codecs.off %}{{ priority(codec.code, 0, model.codec_group) }}{% endfor %}/>
  </voice>
{%- if lines %}
{%- set line = lines.0 %}
  <sec>
    <sec.srtp
      sec.srtp.enable="{% if line.srtp == "off" %}0{% else %}1{% endif %}"
      sec.srtp.offer="{% if line.srtp == "off" %}0{% else %}1{% endif %}"
      sec.srtp.require="{% if line.srtp == "required" %}1{% else %}0{% endif %}"/>
  </sec>
{%- endif -%}
