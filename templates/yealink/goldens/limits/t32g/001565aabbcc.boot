#!version:1.0.0.1
include:config "y000000000032.cfg"
include:config "001565aabbcc.cfg"
# Parameters that no file names keep their values.
overwrite_mode = 0
