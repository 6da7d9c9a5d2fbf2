{%- comment %}
Function keys, from 0, those of expansion modules after the phone's own. "context" is the identity. A key that monitors
somebody names the code that takes his call behind a bar; the phone dials his number after it. Only some models have the type
orbit, which transfers the call on the line to the slot; the others dial it.
{%- endcomment %}
{%- macro programmed(keys) %}
{%- for key in keys %}
    <fkey idx="{{ key.overall - 1 }}" context="{{ key.line }}" label="{{ key.label }}" short_label="{{ key.label }}" perm="R">
{%- if key.type == "line" %}line
{%- elif key.type == "none" %}none
{%- elif key.type == "parking" and model.orbit %}orbit {{ key.value }}
{%- else %}{{ key.code }} {{ key.value }}{% if key.pickup %}|{{ codes.pickup }}{% endif %}
{%- endif %}</fkey>
{%- endfor %}
{%- endmacro %}
{%- if model.line_keys %}
  <functionKeys e="2">
{{- programmed(keys.line) }}
{%- for module in keys.expansion %}
{{- programmed(module.keys) }}
{%- endfor %}
  </functionKeys>
{%- endif %}
