{%- comment %}
Programmable keys. Some phones have memory keys after their line keys, some count SIP lines from 0 in keys that monitor
somebody. Such a key takes the call that rings there: "extension" is what it dials for that, "pickup_value" before firmware 81.
{%- endcomment %}
{%- macro programmed(at, key) %}
{{ at }}.type = {{ key.code|default:"0" }}
{%- if key.type == "none" %}
{{ at }}.line = %NULL%
{%- elif key.user and model.line_shift %}
{{ at }}.line = {{ key.line - 1 }}
{%- else %}
{{ at }}.line = {{ key.line }}
{%- endif %}
{{ at }}.value = {{ key.value|default:"%NULL%" }}
{{ at }}.label = {{ key.label|default:"%NULL%" }}
{%- if generation > 79 %}
{{ at }}.extension = {{ key.pickup|default:"%NULL%" }}
{%- endif %}
{%- if generation < 80 or generation == 80 and key.type != "none" %}
{{ at }}.pickup_value = {{ key.pickup|default:"%NULL%" }}
{%- endif %}
{%- endmacro %}
{%- set own = model.line_keys %}
{%- if model.memory_after %}{% set own = model.memory_after|integer %}{% endif %}
{%- for key in keys.line %}
{%- set k = key.position %}
{%- if k > own %}
{%- set memory = k - own %}
{%- set at = "memorykey."|add:memory %}
{{- programmed(at, key) }}
{%- elif key.type != "none" or generation < 81 %}
{%- set at = "linekey."|add:k %}
{{- programmed(at, key) }}
{%- else %}
linekey.{{ k }}.type = 0
linekey.{{ k }}.line = %NULL%
linekey.{{ k }}.value = %NULL%
linekey.{{ k }}.label = %NULL%
linekey.{{ k }}.extension = %NULL%
{%- endif %}
{%- endfor %}
{%- comment %}
Keys of expansion modules, attached or not. Without a function a key shows nothing, so that is all that is written. On an
EXP20 key 21 turns the page.
{%- endcomment %}
{%- set page = model.page_key|default:"0"|integer %}
{%- for module in keys.expansion %}
{%- set keys_of_module = "expansion_module."|add:module.module|add:".key." %}
{%- for key in module.keys %}
{%- set k = key.position %}
{%- if page and k >= page %}{% set k = k + 1 %}{% endif %}
{%- if key.type == "none" %}
{{ keys_of_module }}{{ k }}.type = 0
{%- else %}
{%- set at = keys_of_module|add:k %}
{{- programmed(at, key) }}
{%- endif %}
{%- endfor %}
{%- endfor %}
