// Package author is what helps to write templates: it finds mistakes, shows
// and compares what templates make, and begins a new brand. It looks at
// templates through the provisioner, which knows nothing of it.
package author
