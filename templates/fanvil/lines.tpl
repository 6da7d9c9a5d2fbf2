{%- comment %}
All requests go to the outbound proxy when there is one; the registrar is the SIP domain then. The second of sip.proxy is its
backup, more a phone does not take. Where no document says a port, with transport auto, the phone asks the DNS: port 0.
{%- endcomment %}
{%- for line in lines %}
{%- set proxied = line.outbound %}
{%- if line.servers|length > 1 %}{% set proxied = true %}{% endif %}
    <line index="{{ line.number }}">
      <EnableReg>{% if line.enabled %}1{% else %}0{% endif %}</EnableReg>
      <PhoneNumber>{{ line.username }}</PhoneNumber>
      <DisplayName>{{ line.display_name }}</DisplayName>
      <RegisterAddr>{{ line.realm }}</RegisterAddr>
      <RegisterPort>{% if proxied and line.proxy_port %}5060{% else %}{{ line.proxy_port }}{% endif %}</RegisterPort>
      <RegisterUser>{{ line.auth_name }}</RegisterUser>
      <RegisterPswd>{{ line.password }}</RegisterPswd>
      <RegisterTTL>{{ line.expires }}</RegisterTTL>
      <ProxyAddr>{% if proxied %}{{ line.servers.0.host }}{% endif %}</ProxyAddr>
      <ProxyPort>{% if proxied %}{{ line.proxy_port }}{% else %}5060{% endif %}</ProxyPort>
      <ProxyUser>{% if proxied %}{{ line.auth_name }}{% endif %}</ProxyUser>
      <ProxyPswd>{% if proxied %}{{ line.password }}{% endif %}</ProxyPswd>
      <BakProxyAddr>{{ line.servers.1.host }}</BakProxyAddr>
      <BakProxyPort>{% if line.servers.1 %}{{ line.servers.1.port }}{% else %}5060{% endif %}</BakProxyPort>
      <EnableFailback>{% if line.servers.1 %}1{% else %}0{% endif %}</EnableFailback>
      <Transport>{% if line.transport == "auto" %}0{% else %}{{ line.transport }}{% endif %}</Transport>
      <DNSSRV>{% if line.proxy_port %}0{% else %}1{% endif %}</DNSSRV>
      <DNSMode>{% if line.proxy_port %}0{% else %}1{% endif %}</DNSMode>
      <NATUDPUpdate>{% if line.keep_alive %}2{% else %}0{% endif %}</NATUDPUpdate>
      <UDPUpdateTTL>{{ line.keep_alive|default:30 }}</UDPUpdateTTL>
      <MediaCrypto>{% if line.srtp == "required" %}2{% elif line.srtp == "optional" %}1{% else %}0{% endif %}</MediaCrypto>
      <DTMFMode>{% if line.dtmf == "inband" %}0{% elif line.dtmf == "info" %}2{% else %}1{% endif %}</DTMFMode>
      <VoiceCodecMap>{% for codec in line.codecs.on %}{% if not forloop.First %},{% endif %}{{ codec.code }}{% endfor %}</VoiceCodecMap>
{%- if model.video %}
      <VideoCodecMap>{% for codec in line.video_codecs.on %}{% if not forloop.First %},{% endif %}{{ codec.code }}{% endfor %}</VideoCodecMap>
{%- endif %}
      <MWINum>{{ line.voicemail_number }}</MWINum>
      <Subscribe>{% if line.mwi_subscribe %}1{% else %}0{% endif %}</Subscribe>
      <PickupNum>{{ codes.pickup }}</PickupNum>
      <MohServer>{{ line.music_on_hold }}</MohServer>
      <EnableSCA>{% if line.shared %}1{% else %}0{% endif %}</EnableSCA>
      <AutoAnswer>{% if line.auto_answer %}1{% else %}0{% endif %}</AutoAnswer>
      <EnableDND>{% if line.dnd %}1{% else %}0{% endif %}</EnableDND>
      <AlwaysFWD>{% if line.forward.always %}1{% else %}0{% endif %}</AlwaysFWD>
      <AlwaysFWDNum>{% if line.forward.always %}{{ line.forward.number }}{% endif %}</AlwaysFWDNum>
      <BusyFWD>{% if line.forward.busy %}1{% else %}0{% endif %}</BusyFWD>
      <BusyFWDNum>{{ line.forward.busy_number }}</BusyFWDNum>
      <NoAnswerFWD>{% if line.forward.no_answer %}1{% else %}0{% endif %}</NoAnswerFWD>
      <NoAnswerFWDNum>{{ line.forward.no_answer_number }}</NoAnswerFWDNum>
      <FWDTimer>{{ line.forward.timeout }}</FWDTimer>
    </line>
{%- endfor %}
{%- for n in unused_lines %}
    <line index="{{ n }}">
      <EnableReg>0</EnableReg>
      <PhoneNumber></PhoneNumber>
      <DisplayName></DisplayName>
      <RegisterAddr></RegisterAddr>
      <RegisterUser></RegisterUser>
      <RegisterPswd></RegisterPswd>
      <ProxyAddr></ProxyAddr>
      <ProxyUser></ProxyUser>
      <ProxyPswd></ProxyPswd>
    </line>
{%- endfor %}
