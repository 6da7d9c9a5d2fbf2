<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
{%- comment %}What is the same for every phone. An override folder may replace this file alone.{% endcomment %}
<polycomConfig>
  <prov>
    <prov.polling prov.polling.enabled="1" prov.polling.mode="random" prov.polling.period="86400" prov.polling.time="01:00" prov.polling.timeRandomEnd="05:00"/>
  </prov>
  <voIpProt>
    <voIpProt.SIP>
      <voIpProt.SIP.specialEvent>
        <voIpProt.SIP.specialEvent.checkSync voIpProt.SIP.specialEvent.checkSync.alwaysReboot="0"/>
      </voIpProt.SIP.specialEvent>
    </voIpProt.SIP>
  </voIpProt>
</polycomConfig>
