<?xml version="1.0" encoding="UTF-8"?>
{%- comment %}
The older form: modules, lists of entries that an ID tells apart, other names. What is set is what the newer form sets, as far as
names are known. All requests go to the outbound proxy when there is one.
{%- endcomment %}
<VOIP_CONFIG_FILE>
  <version>2.0002</version>
  <GLOBAL_CONFIG_MODULE>
{%- block region %}
    <Enable_SNTP>1</Enable_SNTP>
    <SNTP_Server>{{ time.ntp_server }}</SNTP_Server>
    <Time_Zone>{{ time.offset / 900 }}</Time_Zone>
    <Time_Zone_Name>UTC{% if time.offset %}{{ time.offset_text }}{% endif %}</Time_Zone_Name>
{%- if time.dst %}
    <Enable_DST>2</Enable_DST>
    <DST_Fixed_Type>2</DST_Fixed_Type>
    <DST_Min_Offset>{{ time.saving }}</DST_Min_Offset>
    <DST_Start_Mon>{{ time.start.month }}</DST_Start_Mon>
    <DST_Start_Week>{{ time.start.week }}</DST_Start_Week>
    <DST_Start_Wday>{{ time.start.weekday % 7 }}</DST_Start_Wday>
    <DST_Start_Hour>{{ time.start.hour }}</DST_Start_Hour>
    <DST_End_Mon>{{ time.stop.month }}</DST_End_Mon>
    <DST_End_Week>{{ time.stop.week }}</DST_End_Week>
    <DST_End_Wday>{{ time.stop.weekday % 7 }}</DST_End_Wday>
    <DST_End_Hour>{{ time.stop.hour }}</DST_End_Hour>
{%- else %}
    <Enable_DST>0</Enable_DST>
{%- endif %}
{%- comment %}Languages have numbers here: 0 English, 3 Dutch, 4 French, 7 Italian, 10 Spanish, 16 German. Others stay.{% endcomment %}
{%- if language in "en nl fr it es de" and language %}
    <Language>{% if language == "nl" %}3{% elif language == "fr" %}4{% elif language == "it" %}7{% elif language == "es" %}10{% elif language == "de" %}16{% else %}0{% endif %}</Language>
{%- endif %}
{%- endblock %}
  </GLOBAL_CONFIG_MODULE>
  <TELE_CONFIG_MODULE>
{%- block calls %}
    <Dial_by_Timeout>1</Dial_by_Timeout>
    <Dial_Timeout_value>{{ dialplan.timeout }}</Dial_Timeout_value>
    <Port_Config>
      <Port_Config_Entry>
        <ID>P1</ID>
        <CallWaiting>{% if lines.0 and not lines.0.call_waiting %}0{% else %}1{% endif %}</CallWaiting>
      </Port_Config_Entry>
    </Port_Config>
{%- endblock %}
  </TELE_CONFIG_MODULE>
  <DSP_CONFIG_MODULE>
    <Alert_Info_Ring>
      <Alert_Info_Ring_Entry>
        <ID>Alert1</ID>
        <Text>{{ lines.0.ringtone_internal }}</Text>
        <Ring_Type>2</Ring_Type>
      </Alert_Info_Ring_Entry>
      <Alert_Info_Ring_Entry>
        <ID>Alert2</ID>
        <Text>{{ lines.0.ringtone_external }}</Text>
        <Ring_Type>1</Ring_Type>
      </Alert_Info_Ring_Entry>
    </Alert_Info_Ring>
  </DSP_CONFIG_MODULE>
  <SIP_CONFIG_MODULE>
    <Notify_Reboot>1</Notify_Reboot>
    <SIP_Line_List>
{%- block registration %}
{%- for line in lines %}
{%- set proxied = line.outbound %}
{%- if line.servers|length > 1 %}{% set proxied = true %}{% endif %}
      <SIP_Line_List_Entry>
        <ID>SIP{{ line.number }}</ID>
        <Phone_Number>{{ line.username }}</Phone_Number>
        <Display_Name>{{ line.display_name }}</Display_Name>
        <Register_Addr>{{ line.realm }}</Register_Addr>
        <Register_Port>{% if proxied and line.proxy_port %}5060{% else %}{{ line.proxy_port }}{% endif %}</Register_Port>
        <Register_User>{{ line.auth_name }}</Register_User>
        <Register_Pswd>{{ line.password }}</Register_Pswd>
        <Register_TTL>{{ line.expires }}</Register_TTL>
        <Enable_Reg>{% if line.enabled %}1{% else %}0{% endif %}</Enable_Reg>
        <Proxy_Addr>{% if proxied %}{{ line.servers.0.host }}{% endif %}</Proxy_Addr>
        <Proxy_Port>{% if proxied %}{{ line.proxy_port }}{% else %}5060{% endif %}</Proxy_Port>
        <Proxy_User>{% if proxied %}{{ line.auth_name }}{% endif %}</Proxy_User>
        <Proxy_Pswd>{% if proxied %}{{ line.password }}{% endif %}</Proxy_Pswd>
        <BakProxy_Addr>{{ line.servers.1.host }}</BakProxy_Addr>
        <BakProxy_Port>{% if line.servers.1 %}{{ line.servers.1.port }}{% else %}5060{% endif %}</BakProxy_Port>
        <Enable_Failbac>{% if line.servers.1 %}1{% else %}0{% endif %}</Enable_Failbac>
        <Media_Crypto>{% if line.srtp == "required" %}2{% elif line.srtp == "optional" %}1{% else %}0{% endif %}</Media_Crypto>
        <Always_FWD>{% if line.forward.always %}1{% else %}0{% endif %}</Always_FWD>
        <Always_FWD_Num>{% if line.forward.always %}{{ line.forward.number }}{% endif %}</Always_FWD_Num>
        <Busy_FWD>{% if line.forward.busy %}1{% else %}0{% endif %}</Busy_FWD>
        <Busy_FWD_Num>{{ line.forward.busy_number }}</Busy_FWD_Num>
        <No_Answer_FWD>{% if line.forward.no_answer %}1{% else %}0{% endif %}</No_Answer_FWD>
        <NoAnswer_FWD_N>{{ line.forward.no_answer_number }}</NoAnswer_FWD_N>
        <FWD_Timer>{{ line.forward.timeout }}</FWD_Timer>
        <Pickup_Num>{{ codes.pickup }}</Pickup_Num>
        <NAT_UDPUpdate>{% if line.keep_alive %}2{% else %}0{% endif %}</NAT_UDPUpdate>
        <UDPUpdate_TTL>{{ line.keep_alive|default:30 }}</UDPUpdate_TTL>
        <DTMF_Mode>{% if line.dtmf == "inband" %}0{% elif line.dtmf == "info" %}2{% else %}1{% endif %}</DTMF_Mode>
        <Subscribe>{% if line.mwi_subscribe %}1{% else %}0{% endif %}</Subscribe>
        <Transport>{% if line.transport == "auto" %}0{% else %}{{ line.transport }}{% endif %}</Transport>
        <DNS_SRV>{% if line.proxy_port %}0{% else %}1{% endif %}</DNS_SRV>
        <DNS_Mode>{% if line.proxy_port %}0{% else %}1{% endif %}</DNS_Mode>
        <MWI_Num>{{ line.voicemail_number }}</MWI_Num>
        <Auto_Answer>{% if line.auto_answer %}1{% else %}0{% endif %}</Auto_Answer>
        <VoiceCodecMap>{% for codec in line.codecs.on %}{% if not forloop.First %},{% endif %}{% if codec.code == "PCMU" %}G711U{% elif codec.code == "PCMA" %}G711A{% else %}{{ codec.code }}{% endif %}{% endfor %}</VoiceCodecMap>
        <Enable_DND>{% if line.dnd %}1{% else %}0{% endif %}</Enable_DND>
        <Enable_SCA>{% if line.shared %}1{% else %}0{% endif %}</Enable_SCA>
      </SIP_Line_List_Entry>
{%- endfor %}
{%- for n in unused_lines %}
      <SIP_Line_List_Entry>
        <ID>SIP{{ n }}</ID>
        <Phone_Number></Phone_Number>
        <Display_Name></Display_Name>
        <Register_Addr></Register_Addr>
        <Register_User></Register_User>
        <Register_Pswd></Register_Pswd>
        <Enable_Reg>0</Enable_Reg>
        <Proxy_Addr></Proxy_Addr>
        <Proxy_User></Proxy_User>
        <Proxy_Pswd></Proxy_Pswd>
      </SIP_Line_List_Entry>
{%- endfor %}
{%- endblock %}
    </SIP_Line_List>
  </SIP_CONFIG_MODULE>
{%- if security.admin_password %}
  <MMI_CONFIG_MODULE>
    <MMI_Account>
      <MMI_Account_Entry>
        <ID>Account1</ID>
        <Name>{{ security.admin_name }}</Name>
        <Password>{{ security.admin_password }}</Password>
        <Level>10</Level>
      </MMI_Account_Entry>
      <MMI_Account_Entry>
        <ID>Account2</ID>
        <Name>{{ security.user_name }}</Name>
        <Password>{{ security.user_password }}</Password>
        <Level>5</Level>
      </MMI_Account_Entry>
    </MMI_Account>
  </MMI_CONFIG_MODULE>
{%- endif %}
  <QOS_CONFIG_MODULE>
{%- if device.provision.network %}
    <Enable_VLAN>{% if network.vlan %}1{% else %}0{% endif %}</Enable_VLAN>
    <VLAN_ID>{{ network.vlan|default:256 }}</VLAN_ID>
    <Enable_PVID>{% if network.vlan_pc %}1{% else %}0{% endif %}</Enable_PVID>
    <PVID_Value>{{ network.vlan_pc|default:254 }}</PVID_Value>
    <LLDP_Transmit>{% if network.lldp %}1{% else %}0{% endif %}</LLDP_Transmit>
    <LLDP_Learn_Policy>{% if network.lldp %}1{% else %}0{% endif %}</LLDP_Learn_Policy>
{%- endif %}
    <Enable_diffServ>1</Enable_diffServ>
    <Singalling_DSCP>{{ network.dscp_signalling }}</Singalling_DSCP>
    <Voice_DSCP>{{ network.dscp_audio }}</Voice_DSCP>
  </QOS_CONFIG_MODULE>
  <AAA_CONFIG_MODULE>
    <Enable_Syslog>{% if logs.syslog_host %}1{% else %}0{% endif %}</Enable_Syslog>
    <Syslog_address>{{ logs.syslog_host|default:"0.0.0.0" }}</Syslog_address>
    <Syslog_port>{{ logs.syslog_port }}</Syslog_port>
  </AAA_CONFIG_MODULE>
  <PHONE_CONFIG_MODULE>
{%- block phone %}
{%- if security.user_password %}
    <Menu_Password>{{ security.user_password }}</Menu_Password>
{%- endif %}
    <LCD_Title>{{ lines.0.label }}</LCD_Title>
    <Time_Display_Style>{% if time.format_24h %}0{% else %}1{% endif %}</Time_Display_Style>
    <Xml_PhoneBook>
      <Xml_PhoneBook_Entry>
        <ID>XML-PBook1</ID>
        <Name>{% if phonebook.url %}{{ phonebook.name }}{% endif %}</Name>
        <Addr>{{ phonebook.url }}</Addr>
      </Xml_PhoneBook_Entry>
    </Xml_PhoneBook>
{%- endblock %}
{%- block keys %}
{%- if model.line_keys %}
    <Function_Key>
{%- for key in keys.line %}
      <Function_Key_Entry>
        <ID>Fkey{{ key.position }}</ID>
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
      </Function_Key_Entry>
{%- endfor %}
    </Function_Key>
{%- endif %}
{%- endblock %}
  </PHONE_CONFIG_MODULE>
  <AUTOUPDATE_CONFIG_MODULE>
{%- block provisioning %}
{%- if server.url %}
    <Download_Username>{{ server.username }}</Download_Username>
    <Download_Password>{{ server.password }}</Download_Password>
    <Download_Server_IP>{{ server.url|slice:":-1" }}</Download_Server_IP>
    <Config_File_Name>$mac.cfg</Config_File_Name>
    <Download_Protocol>{% if server.scheme == "https" %}5{% else %}4{% endif %}</Download_Protocol>
{%- endif %}
    <Download_Mode>1</Download_Mode>
    <Download_Interval>24</Download_Interval>
    <Download_DeviceConf>1</Download_DeviceConf>
    <Save_Provision_Info>1</Save_Provision_Info>
    <Enable_Auto_Upgrade>{% if firmware.url %}1{% else %}0{% endif %}</Enable_Auto_Upgrade>
    <Upgrade_Server_1>{{ firmware.url }}</Upgrade_Server_1>
    <Auto_Upgrade_intval>24</Auto_Upgrade_intval>
{%- endblock %}
{%- block extra %}{% endblock %}
  </AUTOUPDATE_CONFIG_MODULE>
</VOIP_CONFIG_FILE>
