{%- comment %}
Keys beside the screen come first, then those on it, page by page. A memory key's value is number, line and what it does; the
number that takes a call follows a BLF key's. What is monitored is a number: without realm.
{%- endcomment %}
{%- macro programmed(key, k) %}
      <Fkey index="{{ k }}">
{%- if key.type == "none" %}
        <Type>0</Type>
        <Value></Value>
{%- elif key.type == "line" %}
        <Type>2</Type>
        <Value>{{ key.code }}{{ key.line }}</Value>
{%- else %}
        <Type>1</Type>
        <Value>{{ key.value|split:"@"|first }}@{{ key.line }}/{{ key.code }}{{ key.pickup|split:"@"|first }}</Value>
{%- endif %}
        <Title>{{ key.label }}</Title>
      </Fkey>
{%- endmacro %}
{%- set side = model.side_keys|integer %}
{%- set side_page = model.side_page|default:"99"|integer %}
{%- set page = model.page_keys|default:"99"|integer %}
{%- if model.line_keys %}
  <dsskey>
{%- if model.line_keys > side %}
    <FuncKeyPageNum>{{ (model.line_keys - side + page - 1) / page }}</FuncKeyPageNum>
{%- endif %}
{%- if side %}
    <SideKeyPageNum>{{ (side + side_page - 1) / side_page }}</SideKeyPageNum>
{%- endif %}
{%- for key in keys.line %}
{%- if key.position <= side %}
{%- set n = (key.position - 1) % side_page %}
{%- set p = (key.position - 1) / side_page + 1 %}
{%- set group = "dssSide" %}
{%- else %}
{%- set n = (key.position - side - 1) % page %}
{%- set p = (key.position - side - 1) / page + 1 %}
{%- set group = "internal" %}
{%- endif %}
{%- if n == 0 %}
{%- if key.position > side + 1 and group == "internal" %}
    </internal>
{%- elif key.position > 1 %}
    </dssSide>
{%- endif %}
    <{{ group }} index="{{ p }}">
{%- endif %}
{{- programmed(key, n + 1) }}
{%- endfor %}
    </{% if model.line_keys > side %}internal{% else %}dssSide{% endif %}>
  </dsskey>
{%- endif %}
