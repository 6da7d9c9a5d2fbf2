{%- comment %}
Keys beside the screen come first, then those on it, page by page. A memory key's value is number, line and what it does; the
number that takes a call follows a BLF key's. What is monitored is a number: without realm.
{%- endcomment %}
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
{%- set n = 0 %}
{%- for key in keys.line %}
{%- set at = key.position %}
{%- set n = n + 1 %}
{%- if at == 1 or at == side + 1 or (at <= side and n > side_page) or (at > side and n > page) %}
{%- if at > side + 1 %}
    </internal>
{%- elif at > 1 %}
    </dssSide>
{%- endif %}
{%- set n = 1 %}
{%- if at <= side %}
    <dssSide index="{{ (at - 1) / side_page + 1 }}">
{%- else %}
    <internal index="{{ (at - side - 1) / page + 1 }}">
{%- endif %}
{%- endif %}
      <Fkey index="{{ n }}">
{%- if key.type == "none" %}
        <Type>0</Type>
        <Value></Value>
        <Title></Title>
{%- elif key.type == "line" %}
        <Type>2</Type>
        <Value>{{ key.code }}{{ key.line }}</Value>
        <Title>{{ key.label }}</Title>
{%- else %}
        <Type>1</Type>
        <Value>{{ key.value|split:"@"|first }}@{{ key.line }}/{{ key.code }}{{ key.pickup|split:"@"|first }}</Value>
        <Title>{{ key.label }}</Title>
{%- endif %}
      </Fkey>
{%- endfor %}
    </{% if model.line_keys > side %}internal{% else %}dssSide{% endif %}>
  </dsskey>
{%- endif %}
