// Package templates holds the built-in brands: one folder each, with its
// manifest, templates, samples and goldens. All vendor knowledge lives there;
// docs/templates.md tells how to write it.
package templates

import "embed"

// FS is the tree as provisioner.Load reads it.
//
//go:embed all:*
var FS embed.FS
