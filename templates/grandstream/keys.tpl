{%- comment %}
Keys on the screen, the multi-purpose keys of some models after them, then those of expansion modules: three groups of codes.
The modes of multi-purpose keys are the same everywhere. The first keys on the screen of GXP phones ("fixed" ones, at
lines) count from ten instead, as keys.combo does in the manifest, and a line is 0 there, 31 elsewhere. Accounts count from 0.
The code of a value follows that of its label.
{%- endcomment %}
{%- if model.keys_as_modules %}
{%- include "grandstream/modules.tpl" with keys=keys.line before=0 %}
{%- else %}
{%- set screen = model.screen_keys|default:model.line_keys|integer %}
{%- set fixed = model.fixed_keys|integer %}
{%- for key in keys.line %}
{%- set k = key.position %}
{%- if k <= screen and k < 7 %}{% set at = k * 2 + 1361 %}{% set account = at + 1 %}{% set label = at + 102 %}
{%- elif k <= screen %}{% set at = k * 4 + 23772 %}{% set account = at + 1 %}{% set label = at + 2 %}
{%- elif k < screen + 8 %}{% set at = k - screen + 322 %}{% set account = (k - screen) * 3 + 298 %}{% set label = account + 1 %}
{%- elif k < screen + 19 %}{% set at = (k - screen) * 4 + 321 %}{% set account = at + 1 %}{% set label = at + 2 %}
{%- else %}{% set at = (k - screen) * 4 + 1364 %}{% set account = at + 1 %}{% set label = at + 2 %}
{%- endif %}
{%- if key.type == "none" %}
    <P{{ at }}>-1</P{{ at }}>
    <P{{ account }}>0</P{{ account }}>
    <P{{ label }}></P{{ label }}>
    <P{{ label + 1 }}></P{{ label + 1 }}>
{%- else %}
{%- set m = key.code|integer %}
{%- if m > 9 %}{% set m = m - 10 %}{% endif %}
{%- if k <= fixed %}{% set m = m + 10 %}{% endif %}
{%- if key.type == "line" %}{% set m = 31 %}{% if k <= fixed %}{% set m = 0 %}{% endif %}{% endif %}
    <P{{ at }}>{{ m }}</P{{ at }}>
    <P{{ account }}>{{ key.line - 1 }}</P{{ account }}>
    <P{{ label }}>{{ key.label }}</P{{ label }}>
    <P{{ label + 1 }}>{{ key.value }}</P{{ label + 1 }}>
{%- endif %}
{%- endfor %}
{%- endif %}
{%- for module in keys.expansion %}
{%- include "grandstream/modules.tpl" with keys=module.keys before=model.line_keys %}
{%- endfor %}
