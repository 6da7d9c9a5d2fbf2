{%- comment %}
Programmable keys. Some phones have memory keys after their line keys, some count SIP lines from 0.
A key that monitors somebody takes the call that rings there: "extension" is what it dials for that, "pickup_value"
before firmware 81.
{%- endcomment %}
{%- macro programmed(at, key, shift, generation) %}
{%- if key.type == "none" %}
{{ at }}.type = 0
{{ at }}.line = %NULL%
{{ at }}.value = %NULL%
{{ at }}.label = %NULL%
{%- if generation > 79 %}
{{ at }}.extension = %NULL%
{%- else %}
{{ at }}.pickup_value = %NULL%
{%- endif %}
{%- else %}
{{ at }}.type = {{ key.code|default:"0" }}
{{ at }}.line = {{ key.line - shift }}
{{ at }}.value = {{ key.value|default:"%NULL%" }}
{{ at }}.label = {{ key.label|default:"%NULL%" }}
{%- if generation > 79 %}
{{ at }}.extension = {{ key.pickup|default:"%NULL%" }}
{%- endif %}
{%- if generation < 81 %}
{{ at }}.pickup_value = {{ key.pickup|default:"%NULL%" }}
{%- endif %}
{%- endif %}
{%- endmacro %}
{%- set shift = model.line_shift|integer %}
{%- set own = model.line_keys %}
{%- if model.memory_after %}{% set own = model.memory_after|integer %}{% endif %}
{%- set current = true %}
{%- if generation < 80 or model.memory_after %}{% set current = false %}{% endif %}
{%- for key in keys.line %}
{%- set k = key.position %}
{%- if current and key.type == "none" %}
linekey.{{ k }}.type = 0
linekey.{{ k }}.line = %NULL%
linekey.{{ k }}.value = %NULL%
linekey.{{ k }}.label = %NULL%
linekey.{{ k }}.extension = %NULL%
{%- elif k > own %}
{%- set memory = k - own %}
{%- set at = "memorykey."|add:memory %}
{{- programmed(at, key, shift, generation) }}
{%- else %}
{%- set at = "linekey."|add:k %}
{{- programmed(at, key, shift, generation) }}
{%- endif %}
{%- endfor %}
{%- comment %}
Keys of expansion modules, attached or not. Without a function a key shows nothing, so that is all that is written. On an
EXP20 key 21 turns the page.
{%- endcomment %}
{%- set page = model.page_key|default:"999"|integer %}
{%- for module in keys.expansion %}
{%- set m = module.module %}
{%- for key in module.keys %}
{%- set k = key.position %}
{%- if k >= page %}{% set k = k + 1 %}{% endif %}
{%- if key.type == "none" %}
expansion_module.{{ m }}.key.{{ k }}.type = 0
{%- else %}
{%- set at = "expansion_module."|add:m|add:".key."|add:k %}
{{- programmed(at, key, shift, generation) }}
{%- endif %}
{%- endfor %}
{%- endfor %}
