{%- comment %}
What the phone does with calls. Forwarding and do not disturb are the phone's when it has one line, and each line's own
when it has several (features.fwd_mode and dnd_mode 1: unverified). Times until no answer are rings of six seconds, at most 20.
{%- endcomment %}
{%- macro divert(line, dnd, always, busy, no_answer) %}
{%- set rings = (line.forward.timeout + 5) / 6 %}
{%- if rings > 20 %}{% set rings = 20 %}{% endif %}
{{ dnd }}.enable = {% if line.dnd %}1{% else %}0{% endif %}
{{ always }}.enable = {% if line.forward.always %}1{% else %}0{% endif %}
{{ always }}.target = {% if line.forward.always %}{{ line.forward.number }}{% else %}%NULL%{% endif %}
{{ busy }}.enable = {% if line.forward.busy %}1{% else %}0{% endif %}
{{ busy }}.target = {{ line.forward.busy_number|default:"%NULL%" }}
{{ no_answer }}.enable = {% if line.forward.no_answer %}1{% else %}0{% endif %}
{{ no_answer }}.target = {{ line.forward.no_answer_number|default:"%NULL%" }}
{{ no_answer }}.timeout = {{ rings }}
{%- endmacro %}
{%- if lines|length > 1 %}
features.dnd_mode = 1
features.fwd_mode = 1
{%- for line in lines %}
{%- set at = "account."|add:line.number %}
{{- divert(line, at|add:".dnd", at|add:".always_fwd", at|add:".busy_fwd", at|add:".timeout_fwd") }}
{%- endfor %}
{%- else %}
features.dnd_mode = 0
features.fwd_mode = 0
{%- for line in lines %}
{{- divert(line, "features.dnd", "forward.always", "forward.busy", "forward.no_answer") }}
{%- endfor %}
{%- endif %}
call_waiting.enable = {% if lines.0 and not lines.0.call_waiting %}0{% else %}1{% endif %}
features.pickup.direct_pickup_enable = {% if codes.pickup %}1{% else %}0{% endif %}
features.pickup.direct_pickup_code = {{ codes.pickup|default:"%NULL%" }}
features.pickup.group_pickup_enable = {% if codes.group_pickup %}1{% else %}0{% endif %}
features.pickup.group_pickup_code = {{ codes.group_pickup|default:"%NULL%" }}
{%- comment %}A parking key transfers the call to its value: mode 2, unverified.{% endcomment %}
features.call_park.enable = {% if codes.park %}1{% else %}0{% endif %}
features.call_park.park_mode = 2
features.call_park.park_code = {{ codes.park|default:"%NULL%" }}
features.call_park.park_retrieve_code = {{ codes.park_retrieve|default:"%NULL%" }}
{%- comment %}Which ring for which Alert-Info: the first line's texts hold for the phone.{% endcomment %}
distinctive_ring_tones.alert_info.1.text = {{ lines.0.ringtone_internal|default:"%NULL%" }}
distinctive_ring_tones.alert_info.1.ringer = 2
distinctive_ring_tones.alert_info.2.text = {{ lines.0.ringtone_external|default:"%NULL%" }}
distinctive_ring_tones.alert_info.2.ringer = 1
{%- for ringtone in assets.ringtones %}
ringtone.url = {{ ringtone.url }}
{%- endfor %}
dialplan.digitmap.enable = {% if dialplan.digitmap %}1{% else %}0{% endif %}
dialplan.digitmap.string = {{ dialplan.digitmap|default:"%NULL%" }}
dialplan.digitmap.interdigit_long_timer = {{ dialplan.timeout }}
phone_setting.inter_digit_time = {{ dialplan.timeout }}
{%- comment %}The account's users, to be searched on the phone and found by their number when they call.{% endcomment %}
features.remote_phonebook.enable = {% if phonebook.url %}1{% else %}0{% endif %}
remote_phonebook.data.1.url = {{ phonebook.url|default:"%NULL%" }}
remote_phonebook.data.1.name = {{ phonebook.name|default:"%NULL%" }}
remote_phonebook.data.1.username = {{ server.username|default:"%NULL%" }}
remote_phonebook.data.1.password = {{ server.password|default:"%NULL%" }}
