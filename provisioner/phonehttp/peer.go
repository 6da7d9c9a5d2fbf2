package phonehttp

import (
	"crypto/x509"
	"net/http"
	"net/netip"
)

// A peer is the other end of a request.
type peer struct {
	source       netip.Addr
	secure       bool                // it came over TLS
	certificates []*x509.Certificate // that it presented, its own first
}

// peerOf is who sent a request. Forwarding headers are not believed: anybody
// can write them.
func peerOf(r *http.Request) peer {
	remote, _ := netip.ParseAddrPort(r.RemoteAddr)
	p := peer{source: remote.Addr().Unmap(), secure: r.TLS != nil}
	if p.secure {
		p.certificates = r.TLS.PeerCertificates
	}
	return p
}
