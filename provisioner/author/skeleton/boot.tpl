# Names the files to fetch. Of one parameter in several files the last counts.
include "BRAND-common.cfg"
include "{{ device.mac }}.cfg"
