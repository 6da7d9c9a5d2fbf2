package provisioner

import "flag"

var update = flag.Bool("update", false, "rewrite the goldens under templates/ and generated parts of docs/")

// Update is the flag for tests from outside.
var Update = update
