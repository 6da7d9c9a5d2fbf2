{%- comment %}
How every phone behaves, by section. An override folder may replace this file alone. A phone asks when it starts and when it is
told to; FlashMode 2 asks every FlashInterval hours instead.
{%- endcomment %}
{%- if section == "sip" %}
    <NotifyReboot>1</NotifyReboot>
{%- elif section == "ap" %}
    <DownloadCommonConf>1</DownloadCommonConf>
    <DownloadDeviceConf>1</DownloadDeviceConf>
    <SaveProvisionInfo>1</SaveProvisionInfo>
    <FlashMode>1</FlashMode>
    <FlashInterval>24</FlashInterval>
{%- endif %}
