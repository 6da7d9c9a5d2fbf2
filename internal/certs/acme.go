package certs

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
)

// ACMEProtocol is what an authority asks for in TLS when it proves who owns a
// name (RFC 8737): listeners have to offer it.
const ACMEProtocol = "acme-tls/1"

// ACME is how certificates are obtained from an authority, and renewed.
type ACME struct {
	Domains  []string
	Email    string // of whom the authority may write to; "" = nobody
	CA       string // URL of its directory; "" = Let's Encrypt
	Dir      string // where certificates and keys are kept, shared by servers
	HTTPPort int    // where Handler is served; 0 = nowhere
	TLSPort  int    // where a TLS listener offers ACMEProtocol; 0 = nowhere
}

// Managed are certificates that an authority issues. Their renewal, and the
// answers to the authority's questions, may be any server's that shares the folder.
type Managed struct {
	domains []string
	config  *certmagic.Config
	cache   *certmagic.Cache
	issuer  *certmagic.ACMEIssuer
}

// NewManaged asks for nothing yet.
func NewManaged(a ACME, log *slog.Logger) *Managed {
	m := &Managed{domains: a.Domains}
	quiet := zap.NewNop() // what matters is told by events
	m.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return m.config, nil },
		Logger:           quiet,
	})
	m.config = certmagic.New(m.cache, certmagic.Config{
		Storage:           &certmagic.FileStorage{Path: a.Dir},
		DefaultServerName: a.Domains[0],
		OCSP:              certmagic.OCSPConfig{DisableStapling: true},
		OnEvent: func(ctx context.Context, event string, data map[string]any) error {
			tell(ctx, log, event, data)
			return nil
		},
		Logger: quiet,
	})
	m.issuer = certmagic.NewACMEIssuer(m.config, certmagic.ACMEIssuer{
		CA: a.CA, Email: a.Email, Agreed: true,
		AltHTTPPort: a.HTTPPort, DisableHTTPChallenge: a.HTTPPort == 0,
		AltTLSALPNPort: a.TLSPort, DisableTLSALPNChallenge: a.TLSPort == 0,
		Logger: quiet,
	})
	m.config.Issuers = []certmagic.Issuer{m.issuer}
	return m
}

// tell logs what becomes of a certificate.
func tell(ctx context.Context, log *slog.Logger, event string, data map[string]any) {
	switch event {
	case "cert_obtained":
		log.InfoContext(ctx, "certificate obtained", "domain", data["identifier"], "renewal", data["renewal"])
	case "cert_failed":
		log.ErrorContext(ctx, "certificate not obtained: the next attempt is made later", "domain", data["identifier"], "renewal", data["renewal"], "err", data["error"])
	}
}

// Certificate is the one for a client.
func (m *Managed) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return m.config.GetCertificate(hello)
}

// Handler answers the authority's questions, and hands what is none to next.
func (m *Managed) Handler(next http.Handler) http.Handler { return m.issuer.HTTPChallengeHandler(next) }

// Run obtains and renews certificates until ctx ends.
func (m *Managed) Run(ctx context.Context) error {
	defer m.cache.Stop()
	if err := m.config.ManageAsync(ctx, m.domains); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// NotAfter is when the first of the certificates expires; the beginning of Unix
// time while one is missing.
func (m *Managed) NotAfter() time.Time {
	var first time.Time
	for _, domain := range m.domains {
		has := m.cache.AllMatchingCertificates(domain)
		if len(has) == 0 {
			return time.Unix(0, 0)
		}
		for _, c := range has {
			if first.IsZero() || c.Leaf.NotAfter.Before(first) {
				first = c.Leaf.NotAfter
			}
		}
	}
	return first
}
