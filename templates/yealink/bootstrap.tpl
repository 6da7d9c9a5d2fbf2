#!version:1.0.0.1
{%- comment %}
For a phone that comes without credentials while that is allowed: where to fetch, and as whom, in the names of all firmware.
{%- endcomment %}
auto_provision.server.url = {{ server.url }}
auto_provision.server.username = {{ server.username }}
auto_provision.server.password = {{ server.password }}
static.auto_provision.server.url = {{ server.url }}
static.auto_provision.server.username = {{ server.username }}
static.auto_provision.server.password = {{ server.password }}
