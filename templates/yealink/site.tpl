{%- comment %}
How every phone behaves. An override folder may replace this file alone.
check-sync reboots only when it says so, and a phone that missed one asks by itself once a day.
{%- endcomment %}
sip.notify_reboot_enable = 0
{{ static }}auto_provision.power_on = 1
{{ static }}auto_provision.repeat.enable = 1
{{ static }}auto_provision.repeat.minutes = 1440
{%- if generation == 80 %}
static.auto_provision.power_on = 1
static.auto_provision.repeat.enable = 1
static.auto_provision.repeat.minutes = 1440
{%- endif %}
