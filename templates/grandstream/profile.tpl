{%- comment %}
Where an adapter's ports or a DECT base's accounts register: a profile. The codes of the two profiles are unlike; those of
choices of codecs follow each other, and a choice beyond the line's codecs repeats the first.
{%- endcomment %}
{%- macro profile(line, active, server, proxy, backup, dns, transport, register, expires, nat, srtp, dtmf, codec, plan, dscp) export %}
{%- set proxied = line.outbound %}
{%- if line.servers|length > 1 %}{% set proxied = true %}{% endif %}
    <P{{ active }}>1</P{{ active }}>
    <P{{ server }}>{% if proxied %}{{ line.realm }}{% else %}{{ line.servers.0.address }}{% endif %}</P{{ server }}>
    <P{{ proxy }}>{% if proxied %}{{ line.servers.0.address }}{% endif %}</P{{ proxy }}>
    <P{{ backup }}>{{ line.servers.1.address }}</P{{ backup }}>
    <P{{ dns }}>{% if line.proxy_port %}0{% else %}2{% endif %}</P{{ dns }}>
    <P{{ transport }}>{% if line.transport == "auto" %}0{% else %}{{ line.transport }}{% endif %}</P{{ transport }}>
    <P{{ register }}>{% if line.enabled %}1{% else %}0{% endif %}</P{{ register }}>
    <P{{ expires }}>{% if line.expires > 3888000 %}64800{% else %}{{ (line.expires + 59) / 60 }}{% endif %}</P{{ expires }}>
    <P{{ nat }}>{% if line.keep_alive %}2{% else %}0{% endif %}</P{{ nat }}>
    <P{{ srtp }}>{% if line.srtp == "required" %}2{% elif line.srtp == "optional" %}1{% else %}0{% endif %}</P{{ srtp }}>
    <P{{ dtmf }}>{% if line.dtmf == "inband" %}100{% elif line.dtmf == "info" %}102{% else %}101{% endif %}</P{{ dtmf }}>
{%- set first = line.codecs.on.0.code %}
    <P{{ codec }}>{{ first }}</P{{ codec }}>
    <P{{ codec + 1 }}>{{ line.codecs.on.1.code|default:first }}</P{{ codec + 1 }}>
    <P{{ codec + 2 }}>{{ line.codecs.on.2.code|default:first }}</P{{ codec + 2 }}>
    <P{{ codec + 3 }}>{{ line.codecs.on.3.code|default:first }}</P{{ codec + 3 }}>
    <P{{ plan }}>{% if dialplan.digitmap %}{ {{ dialplan.digitmap|split:"."|join:"+" }} }{% else %}{ x+ | \+x+ | *x+ | *xx*x+ }{% endif %}</P{{ plan }}>
    <P{{ dscp }}>{{ network.dscp_signalling }}</P{{ dscp }}>
    <P{{ dscp + 4 }}>{{ network.dscp_audio }}</P{{ dscp + 4 }}>
{%- endmacro %}
{%- macro keepalive(line) export %}
    <P84>{% if not line.keep_alive %}20{% elif line.keep_alive < 10 %}10{% elif line.keep_alive > 160 %}160{% else %}{{ line.keep_alive }}{% endif %}</P84>
{%- endmacro %}
