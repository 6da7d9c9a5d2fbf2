{%- comment %}
Keys on the screen, the multi-purpose keys of some models after them, then those of expansion modules: three groups of codes.
The modes of multi-purpose keys are the same everywhere. The first keys on the screen of GXP phones ("fixed" ones, at
lines) count from ten instead, as keys.combo does in the manifest, and a line is 0 there, 31 elsewhere. Accounts count from 0.
{%- endcomment %}
{%- macro programmed(key, fixed, at, account, label, value) %}
{%- set m = key.code|integer %}
{%- if m > 9 %}{% set m = m - 10 %}{% endif %}
{%- if fixed %}{% set m = m + 10 %}{% endif %}
{%- if key.type == "line" %}{% set m = 31 %}{% if fixed %}{% set m = 0 %}{% endif %}{% endif %}
{%- if key.type == "none" %}{% set m = -1 %}{% endif %}
    <P{{ at }}>{{ m }}</P{{ at }}>
    <P{{ account }}>{{ key.line - 1 }}</P{{ account }}>
    <P{{ label }}>{{ key.label }}</P{{ label }}>
    <P{{ value }}>{{ key.value }}</P{{ value }}>
{%- endmacro %}
{%- set screen = model.line_keys %}
{%- if model.screen_keys %}{% set screen = model.screen_keys|integer %}{% endif %}
{%- set fixed = model.fixed_keys|integer %}
{%- for key in keys.line %}
{%- set k = key.position %}
{%- set ten = false %}
{%- if k <= fixed %}{% set ten = true %}{% endif %}
{%- if model.keys_as_modules %}
{%- set at = k * 5 + 22995 %}
{{- programmed(key, false, at, at + 1, at + 2, at + 3) }}
{%- elif k > screen %}
{%- set m = k - screen %}
{%- if m < 8 %}
{{- programmed(key, false, m + 322, m * 3 + 298, m * 3 + 299, m * 3 + 300) }}
{%- else %}
{%- set at = m * 4 + 321 %}
{%- if m > 18 %}{% set at = m * 4 + 1364 %}{% endif %}
{{- programmed(key, false, at, at + 1, at + 2, at + 3) }}
{%- endif %}
{%- elif k < 7 %}
{%- set at = k * 2 + 1361 %}
{{- programmed(key, ten, at, at + 1, at + 102, at + 103) }}
{%- else %}
{%- set at = k * 4 + 23772 %}
{{- programmed(key, ten, at, at + 1, at + 2, at + 3) }}
{%- endif %}
{%- endfor %}
{%- for module in keys.expansion %}
{%- for key in module.keys %}
{%- set e = key.overall - model.line_keys %}
{%- set at = e * 5 + 22995 %}
{{- programmed(key, false, at, at + 1, at + 2, at + 3) }}
{%- endfor %}
{%- endfor %}
