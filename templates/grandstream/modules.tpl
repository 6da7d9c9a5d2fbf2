{%- comment %}
Keys of expansion modules; "before" is how many keys stand before them. See keys.tpl.
{%- endcomment %}
{%- for key in keys %}
{%- set at = (key.overall - before) * 5 + 22995 %}
{%- if key.type == "none" %}
    <P{{ at }}>-1</P{{ at }}>
    <P{{ at + 1 }}>0</P{{ at + 1 }}>
    <P{{ at + 2 }}></P{{ at + 2 }}>
    <P{{ at + 3 }}></P{{ at + 3 }}>
{%- else %}
{%- set m = key.code|integer %}
    <P{{ at }}>{% if key.type == "line" %}31{% elif m > 9 %}{{ m - 10 }}{% else %}{{ m }}{% endif %}</P{{ at }}>
    <P{{ at + 1 }}>{{ key.line - 1 }}</P{{ at + 1 }}>
    <P{{ at + 2 }}>{{ key.label }}</P{{ at + 2 }}>
    <P{{ at + 3 }}>{{ key.value }}</P{{ at + 3 }}>
{%- endif %}
{%- endfor -%}
