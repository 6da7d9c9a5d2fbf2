{%- comment %}
The phone forwards in one way at a time by redirect_event; firmware that knows the three switches can do all at once. It is
the phone that forwards, not the line: the first line's documents say where to.
{%- endcomment %}
{%- set line = lines.0 %}
    <redirect_event perm="RW">{% if line.forward.always %}all{% elif line.forward.busy %}busy{% elif line.forward.no_answer %}time{% else %}none{% endif %}</redirect_event>
    <redirect_allways perm="RW">{% if line.forward.always %}on{% else %}off{% endif %}</redirect_allways>
    <redirect_number perm="RW">{% if line.forward.always %}{{ line.forward.number }}{% endif %}</redirect_number>
    <redirect_on_busy perm="RW">{% if line.forward.busy %}on{% else %}off{% endif %}</redirect_on_busy>
    <redirect_busy_number perm="RW">{{ line.forward.busy_number }}</redirect_busy_number>
    <redirect_on_timeout perm="RW">{% if line.forward.no_answer %}on{% else %}off{% endif %}</redirect_on_timeout>
    <redirect_time_number perm="RW">{{ line.forward.no_answer_number }}</redirect_time_number>
    <redirect_time perm="RW">{% if line.forward.no_answer %}{{ line.forward.timeout }}{% endif %}</redirect_time>
    <dnd_on_code perm="R">{{ codes.dnd_on }}</dnd_on_code>
    <dnd_off_code perm="R">{{ codes.dnd_off }}</dnd_off_code>
    <alert_internal_ring_text perm="R">{{ line.ringtone_internal }}</alert_internal_ring_text>
    <alert_internal_ring_sound perm="RW">Ringer2</alert_internal_ring_sound>
    <alert_external_ring_text perm="R">{{ line.ringtone_external }}</alert_external_ring_text>
    <alert_external_ring_sound perm="RW">Ringer1</alert_external_ring_sound>
    <custom_melody_url perm="R">{{ assets.ringtones.0.url }}</custom_melody_url>
