{%- comment %}
Accounts. The first one has codes of its own, those of the second to the fourth begin with 4 to 6, of the fifth and sixth
with 17 and 18 (GRP260x: 7 and 8), of the seventh with 506, and so on; a third kind grows by 100 with each account, and is known of six.
{%- endcomment %}
{%- for line in lines %}
{%- set n = line.number %}
{%- set h = (n - 1) * 100 %}
{%- if n == 1 %}
{%- set active = 271 %}{% set label = 270 %}{% set server = 47 %}{% set proxy = 48 %}{% set user = 35 %}{% set auth = 36 %}{% set password = 34 %}{% set name = 3 %}
{%- else %}
{%- set base = (n + 2) * 100 %}
{%- if n > 6 %}{% set base = (n + 499) * 100 %}{% elif n > 4 and not model.low_accounts %}{% set base = (n + 12) * 100 %}{% endif %}
{%- set active = base + 1 %}{% set label = base + 17 %}{% set server = base + 2 %}{% set proxy = base + 3 %}{% set user = base + 4 %}{% set auth = base + 5 %}{% set password = base + 6 %}{% set name = base + 7 %}
{%- endif %}
{%- if n == 1 %}
{%- set mailbox = 33 %}{% set dns = 103 %}{% set nat = 52 %}{% set register = 31 %}{% set expires = 32 %}{% set mwi = 99 %}
{%- set transport = 130 %}{% set srtp = 183 %}{% set plan = 290 %}{% set wait = 85 %}{% set features = 191 %}{% set intercom = 298 %}{% set answer = 90 %}
{%- set pickup = 1347 %}{% set noanswer = 139 %}{% set codec = 57 %}{% set codec7 = 46 %}{% set codec8 = 98 %}
{%- else %}
{%- set mailbox = base + 26 %}{% set dns = base + 8 %}{% set nat = base + 14 %}{% set register = base + 10 %}{% set expires = base + 12 %}{% set mwi = base + 15 %}
{%- set transport = base + 48 %}{% set srtp = base + 43 %}{% set plan = base + 59 %}{% set wait = base + 91 %}{% set features = base + 20 %}{% set intercom = base + 38 %}{% set answer = base + 25 %}
{%- set pickup = base + 81 %}{% set noanswer = base + 70 %}{% set codec = base + 51 %}{% set codec7 = base + 57 %}{% set codec8 = base + 58 %}
{%- endif %}
{%- set proxied = line.outbound %}
{%- if line.servers|length > 1 %}{% set proxied = true %}{% endif %}
    <P{{ active }}>{% if line.enabled %}1{% else %}0{% endif %}</P{{ active }}>
    <P{{ label }}>{{ line.label }}</P{{ label }}>
    <P{{ server }}>{% if proxied %}{{ line.realm }}{% else %}{{ line.servers.0.address }}{% endif %}</P{{ server }}>
    <P{{ proxy }}>{% if proxied %}{{ line.servers.0.address }}{% endif %}</P{{ proxy }}>
    <P{{ user }}>{{ line.username }}</P{{ user }}>
    <P{{ auth }}>{{ line.auth_name }}</P{{ auth }}>
    <P{{ password }}>{{ line.password }}</P{{ password }}>
    <P{{ name }}>{{ line.display_name }}</P{{ name }}>
    <P{{ mailbox }}>{{ line.voicemail_number }}</P{{ mailbox }}>
    <P{{ dns }}>{% if line.proxy_port %}0{% else %}2{% endif %}</P{{ dns }}>
    <P{{ transport }}>{% if line.transport == "auto" %}0{% else %}{{ line.transport }}{% endif %}</P{{ transport }}>
    <P{{ nat }}>{% if line.keep_alive %}2{% else %}0{% endif %}</P{{ nat }}>
    <P{{ register }}>1</P{{ register }}>
{%- comment %}Minutes, rounded up, 45 days at most.{% endcomment %}
    <P{{ expires }}>{% if line.expires > 3888000 %}64800{% else %}{{ (line.expires + 59) / 60 }}{% endif %}</P{{ expires }}>
    <P{{ mwi }}>{% if line.mwi_subscribe %}1{% else %}0{% endif %}</P{{ mwi }}>
    <P{{ srtp }}>{% if line.srtp == "required" %}2{% elif line.srtp == "optional" %}1{% else %}0{% endif %}</P{{ srtp }}>
{%- comment %}Eight choices; those beyond the line's codecs repeat the first. Opus has another number on newer phones.{% endcomment %}
{%- set spare = line.codecs.on.0.code %}
{%- if spare == "123" %}{% set spare = model.opus|default:"123" %}{% endif %}
{%- set at = codec %}
{%- for c in line.codecs.on %}
    <P{{ at }}>{% if c.code == "123" %}{{ model.opus|default:"123" }}{% else %}{{ c.code }}{% endif %}</P{{ at }}>
{%- set at = codec + c.priority %}
{%- endfor %}
{%- set count = line.codecs.on|length %}
{%- if count < 2 %}
    <P{{ codec + 1 }}>{{ spare }}</P{{ codec + 1 }}>
{%- endif %}
{%- if count < 3 %}
    <P{{ codec + 2 }}>{{ spare }}</P{{ codec + 2 }}>
{%- endif %}
{%- if count < 4 %}
    <P{{ codec + 3 }}>{{ spare }}</P{{ codec + 3 }}>
{%- endif %}
    <P{{ codec + 4 }}>{{ spare }}</P{{ codec + 4 }}>
    <P{{ codec + 5 }}>{{ spare }}</P{{ codec + 5 }}>
    <P{{ codec7 }}>{{ spare }}</P{{ codec7 }}>
    <P{{ codec8 }}>{{ spare }}</P{{ codec8 }}>
{%- comment %}"." repeats in other brands' digit maps, "+" here.{% endcomment %}
    <P{{ plan }}>{% if dialplan.digitmap %}{ {{ dialplan.digitmap|split:"."|join:"+" }} }{% else %}{ x+ | \+x+ | *x+ | *xx*x+ }{% endif %}</P{{ plan }}>
    <P{{ wait }}>{{ dialplan.timeout }}</P{{ wait }}>
{%- comment %}Star codes are the switch's.{% endcomment %}
    <P{{ features }}>0</P{{ features }}>
    <P{{ intercom }}>1</P{{ intercom }}>
    <P{{ answer }}>{% if line.auto_answer %}1{% else %}0{% endif %}</P{{ answer }}>
    <P{{ pickup }}>{{ codes.pickup }}</P{{ pickup }}>
    <P{{ noanswer }}>{% if line.forward.timeout > 120 %}120{% else %}{{ line.forward.timeout }}{% endif %}</P{{ noanswer }}>
{%- if n < 7 %}
    <P{{ 2312 + h }}></P{{ 2312 + h }}>
    <P{{ 2333 + h }}>{{ line.servers.1.address }}</P{{ 2333 + h }}>
    <P{{ 2301 + h }}>{% if line.dtmf == "inband" %}1{% else %}0{% endif %}</P{{ 2301 + h }}>
    <P{{ 2302 + h }}>{% if line.dtmf == "rfc2833" %}1{% else %}0{% endif %}</P{{ 2302 + h }}>
    <P{{ 2303 + h }}>{% if line.dtmf == "info" %}1{% else %}0{% endif %}</P{{ 2303 + h }}>
    <P{{ 26063 + h }}>{% if line.call_waiting %}1{% else %}2{% endif %}</P{{ 26063 + h }}>
    <P{{ 6751 + n }}>{% if codes.pickup %}1{% else %}0{% endif %}</P{{ 6751 + n }}>
    <P{{ 2350 + h }}>{{ line.music_on_hold }}</P{{ 2350 + h }}>
{%- set ring = (n - 1) * 6 + 1488 %}
    <P{{ ring }}>{{ line.ringtone_internal }}</P{{ ring }}>
    <P{{ ring + 1 }}>2</P{{ ring + 1 }}>
    <P{{ ring + 2 }}>{{ line.ringtone_external }}</P{{ ring + 2 }}>
    <P{{ ring + 3 }}>1</P{{ ring + 3 }}>
    <P{{ 29092 + h }}>{% if line.forward.always %}{{ line.forward.number }}{% endif %}</P{{ 29092 + h }}>
    <P{{ 29093 + h }}>{{ line.forward.busy_number }}</P{{ 29093 + h }}>
    <P{{ 29094 + h }}>{{ line.forward.no_answer_number }}</P{{ 29094 + h }}>
    <P{{ 2344 + h }}>{{ codes.dnd_on }}</P{{ 2344 + h }}>
    <P{{ 2345 + h }}>{{ codes.dnd_off }}</P{{ 2345 + h }}>
    <P{{ 26013 + h }}>{{ codes.forward_on }}</P{{ 26013 + h }}>
    <P{{ 26014 + h }}>{{ codes.forward_off }}</P{{ 26014 + h }}>
{%- comment %}A NOTIFY may restart the phone: it has to know the account's password, see P4428.{% endcomment %}
    <P{{ 26015 + h }}>1</P{{ 26015 + h }}>
{%- endif %}
{% endfor %}
{%- for n in unused_lines %}
{%- if n == 1 %}
    <P271>0</P271>
    <P270></P270>
    <P47></P47>
    <P48></P48>
    <P35></P35>
    <P36></P36>
    <P34></P34>
    <P3></P3>
{%- else %}
{%- set base = (n + 2) * 100 %}
{%- if n > 6 %}{% set base = (n + 499) * 100 %}{% elif n > 4 and not model.low_accounts %}{% set base = (n + 12) * 100 %}{% endif %}
    <P{{ base + 1 }}>0</P{{ base + 1 }}>
    <P{{ base + 17 }}></P{{ base + 17 }}>
    <P{{ base + 2 }}></P{{ base + 2 }}>
    <P{{ base + 3 }}></P{{ base + 3 }}>
    <P{{ base + 4 }}></P{{ base + 4 }}>
    <P{{ base + 5 }}></P{{ base + 5 }}>
    <P{{ base + 6 }}></P{{ base + 6 }}>
    <P{{ base + 7 }}></P{{ base + 7 }}>
{%- endif %}
{% endfor %}
{%- comment %}Of the phone, not of an account: what the first line's documents say.{% endcomment %}
    <P84>{% if not lines.0.keep_alive %}20{% elif lines.0.keep_alive < 10 %}10{% elif lines.0.keep_alive > 160 %}160{% else %}{{ lines.0.keep_alive }}{% endif %}</P84>
    <P91>{% if lines.0 and not lines.0.call_waiting %}1{% else %}0{% endif %}</P91>
