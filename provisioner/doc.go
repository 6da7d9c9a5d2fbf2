// Package provisioner turns an account, its users and a device into the files
// a phone asks for. A Catalog holds what is known about each brand (manifest
// and templates, read from a tree of files), a Service renders with it.
//
// No brand is named here: what differs between brands is data of the tree.
package provisioner
