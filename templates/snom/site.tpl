{%- comment %}
How every phone behaves. An override folder may replace this file alone. A phone that missed a check-sync asks by itself once a
day; what it does at one, the event says.
{%- endcomment %}
    <settings_refresh_timer perm="R">86400</settings_refresh_timer>
    <checksync_action perm="R"></checksync_action>
    <mwi_notification perm="RW">silent</mwi_notification>
    <mwi_dialtone perm="RW">stutter</mwi_dialtone>
