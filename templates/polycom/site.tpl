<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
{%- comment %}What is the same for every phone. An override folder may replace this file alone.{% endcomment %}
<polycomConfig>
  <prov>
    <prov.polling prov.polling.enabled="1" prov.polling.mode="random" prov.polling.period="86400" prov.polling.time="01:00" prov.polling.timeRandomEnd="05:00"/>
  </prov>
  <voIpProt>
    <voIpProt.SIP>
      <voIpProt.SIP.specialEvent>
        <voIpProt.SIP.specialEvent.checkSync voIpProt.SIP.specialEvent.checkSync.alwaysReboot="0" voIpProt.SIP.specialEvent.checkSync.downloadDirectory="1"/>
      </voIpProt.SIP.specialEvent>
    </voIpProt.SIP>
  </voIpProt>
  <msg msg.bypassInstantMessage="1"/>
  <up up.mwiVisible="1" up.oneTouchVoiceMail="1"/>
  <se>
    <se.rt>
      <se.rt.internal se.rt.internal.type="ring" se.rt.internal.ringer="ringer3"/>
      <se.rt.external se.rt.external.type="ring" se.rt.external.ringer="ringer2"/>
    </se.rt>
  </se>
  <log>
    <log.render>
      <log.render.file>
        <log.render.file.upload>
          <log.render.file.upload.append log.render.file.upload.append.sizeLimit="512" log.render.file.upload.append.limitMode="delete"/>
        </log.render.file.upload>
      </log.render.file>
    </log.render>
  </log>
</polycomConfig>
