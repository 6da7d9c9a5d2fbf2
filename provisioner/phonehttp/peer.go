package phonehttp

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/netip"
	"slices"
)

// A peer is the phone at the other end of a request.
type peer struct {
	source       netip.Addr
	secure       bool                // what it sends and is sent goes over TLS, all the way
	weak         bool                // that TLS is of an old version, or has a weak cipher
	certificates []*x509.Certificate // that it presented, its own first
	garbled      bool                // it presented one that cannot be read
}

// peerOf is who sent a request. Headers that tell of somebody behind the
// connection are believed from trusted proxies alone: anybody can write them.
func peerOf(r *http.Request, proxies Proxies) (peer, error) {
	remote, _ := netip.ParseAddrPort(r.RemoteAddr)
	p := peer{source: remote.Addr().Unmap(), secure: r.TLS != nil}
	if proxies.trusted(p.source) && isForwarded(r.Header) {
		return proxies.peer(p.source, r.Header)
	}
	if p.secure {
		p.certificates, p.weak = r.TLS.PeerCertificates, isWeak(r.TLS)
	}
	return p, nil
}

// isWeak reports whether others may find a way to read the connection.
func isWeak(c *tls.ConnectionState) bool {
	return c.Version < tls.VersionTLS12 ||
		slices.ContainsFunc(tls.InsecureCipherSuites(), func(s *tls.CipherSuite) bool { return s.ID == c.CipherSuite })
}
