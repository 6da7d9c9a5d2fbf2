package models

import (
	"net/netip"
	"slices"
)

// Access says what lets a phone of an account fetch its files:
// provision.access of the account's document.
type Access struct {
	Token       bool           // the secret in the provisioning URL is enough
	Password    bool           // so are the device's own credentials
	Certificate bool           // so is a certificate of the phone's maker that names its MAC
	Networks    []netip.Prefix // from where nothing has to be presented
	RequireTLS  bool           // files with secrets are not sent in the clear
	Decoys      []MAC          // of phones that do not exist: who asks for one is a scanner
}

// accessOf reads provision.access of an account's document. What is not of the
// right form counts as absent.
func accessOf(doc Document) Access {
	a := Access{
		Token:       doc.Flag("provision.access.token", true),
		Password:    doc.Flag("provision.access.password", true),
		Certificate: doc.Flag("provision.access.certificate", false),
		RequireTLS:  doc.Flag("provision.access.require_tls_for_secrets", false),
	}
	for _, text := range doc.Texts("provision.access.networks") {
		if network, err := netip.ParsePrefix(text); err == nil {
			a.Networks = append(a.Networks, network.Masked())
		}
	}
	for _, text := range doc.Texts("provision.access.decoys") {
		if mac, err := ParseMAC(text); err == nil {
			a.Decoys = append(a.Decoys, mac)
		}
	}
	return a
}

// From reports whether a source may fetch without presenting anything.
func (a Access) From(source netip.Addr) bool {
	source = source.Unmap().WithZone("")
	return slices.ContainsFunc(a.Networks, func(network netip.Prefix) bool { return network.Contains(source) })
}
