{%- comment %}
The phone itself. A VLAN that somebody set at the phone stays until a document speaks of provision.network: a phone can be cut
off by it.
{%- endcomment %}
{%- if security.admin_password %}
  <web>
    <account index="1">
      <Name>{{ security.admin_name }}</Name>
      <Password>{{ security.admin_password }}</Password>
      <Level>10</Level>
    </account>
    <account index="2">
      <Name>{{ security.user_name }}</Name>
      <Password>{{ security.user_password }}</Password>
      <Level>5</Level>
    </account>
  </web>
{%- endif %}
  <qos>
{%- if device.provision.network %}
    <EnableVLAN>{% if network.vlan %}1{% else %}0{% endif %}</EnableVLAN>
    <VLANID>{{ network.vlan|default:256 }}</VLANID>
    <EnablePVID>{% if network.vlan_pc %}1{% else %}0{% endif %}</EnablePVID>
    <PVIDValue>{{ network.vlan_pc|default:254 }}</PVIDValue>
    <LLDPTransmit>{% if network.lldp %}1{% else %}0{% endif %}</LLDPTransmit>
    <LLDPLearnPolicy>{% if network.lldp %}1{% else %}0{% endif %}</LLDPLearnPolicy>
{%- endif %}
    <EnablediffServ>1</EnablediffServ>
    <SignalDSCP>{{ network.dscp_signalling }}</SignalDSCP>
    <VoiceDSCP>{{ network.dscp_audio }}</VoiceDSCP>
  </qos>
  <log>
    <Level>{% if logs.level == "error" %}ERROR{% elif logs.level == "warning" %}WARN{% elif logs.level == "info" %}INFO{% else %}DEBUG{% endif %}</Level>
    <OutputDevice>{% if logs.syslog_host %}syslog{% else %}stdout{% endif %}</OutputDevice>
    <SyslogServer>{{ logs.syslog_host|default:"0.0.0.0" }}</SyslogServer>
    <SyslogServerPort>{{ logs.syslog_port }}</SyslogServerPort>
  </log>
  <fwCheck>
    <EnableAutoUpgrade>{% if firmware.url %}1{% else %}0{% endif %}</EnableAutoUpgrade>
    <UpgradeServer1>{{ firmware.url }}</UpgradeServer1>
    <AutoUpgradeInterval>24</AutoUpgradeInterval>
  </fwCheck>
  <ap>
{%- if server.url %}
    <DefaultUsername>{{ server.username }}</DefaultUsername>
    <DefaultPassword>{{ server.password }}</DefaultPassword>
    <FlashServerIP>{{ server.url|slice:":-1" }}</FlashServerIP>
    <FlashFileName>$mac.cfg</FlashFileName>
    <FlashProtocol>{% if server.scheme == "https" %}5{% else %}4{% endif %}</FlashProtocol>
{%- endif %}
{%- if not model.common %}
{%- include "fanvil/site.tpl" with section="ap" %}
{%- endif %}
  </ap>
