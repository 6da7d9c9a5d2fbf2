package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"dialtone/internal/certs"
)

// checkCertificates refuses listeners that would have no certificate.
func (c Config) checkCertificates() error {
	phones, err := pairs("phones", c.Phones.TLSCert, c.Phones.TLSKey)
	if err != nil {
		return err
	}
	if acme := items(c.Phones.ACMEDomains); len(acme) > 0 {
		switch {
		case len(phones) > 0:
			return errors.New("phones.acme_domains and phones.tls_cert: want one of them")
		case c.Phones.Addr == "" && c.Phones.TLSAddr == "":
			return errors.New("phones.acme_domains: needs phones.addr or phones.tls_addr, where the authority asks")
		}
	} else if (c.Phones.TLSAddr != "" || c.Phones.TLSOldAddr != "" || c.SIP.TLSAddr != "") && len(phones) == 0 {
		return errors.New("phones.tls_cert and phones.tls_key: needed by phones.tls_addr, phones.tls_old_addr and sip.tls_addr, unless there is phones.acme_domains")
	}
	_, err = pairs("api", c.API.TLSCert, c.API.TLSKey)
	return err
}

// pairs reads the settings tls_cert and tls_key of one part: lists of files, as
// many of the one as of the other.
func pairs(part, certificates, keys string) ([]certs.Pair, error) {
	certFiles, keyFiles := items(certificates), items(keys)
	if len(certFiles) != len(keyFiles) {
		return nil, fmt.Errorf("%s.tls_cert and %s.tls_key: want a key for each certificate, got %d certificates and %d keys", part, part, len(certFiles), len(keyFiles))
	}
	var all []certs.Pair
	for i := range certFiles {
		all = append(all, certs.Pair{Cert: certFiles[i], Key: keyFiles[i]})
	}
	return all, nil
}

// items splits a setting at its commas; what is empty is left out.
func items(setting string) []string {
	var all []string
	for part := range strings.SplitSeq(setting, ",") {
		if part = strings.TrimSpace(part); part != "" {
			all = append(all, part)
		}
	}
	return all
}

// certificates are those of TLS listeners, kept up to date while Run runs.
type certificates interface {
	Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error)
	NotAfter() time.Time // the first end of one
	Run(context.Context) error
}

// loadCertificates reads the certificates of one part; nil when it has none.
func loadCertificates(part, certFiles, keys string, log *slog.Logger) (certificates, error) {
	files, err := pairs(part, certFiles, keys)
	if err != nil || len(files) == 0 {
		return nil, err
	}
	loaded, err := certs.Load(files, log, time.Now)
	if err != nil {
		return nil, fmt.Errorf("%s.tls_cert and %s.tls_key: %w", part, part, err)
	}
	return loaded, nil
}

// loadPhoneCertificates are those of files, or those that an authority issues.
func loadPhoneCertificates(c Config, log *slog.Logger) (certificates, *certs.Managed, error) {
	domains := items(c.Phones.ACMEDomains)
	if len(domains) == 0 {
		files, err := loadCertificates("phones", c.Phones.TLSCert, c.Phones.TLSKey, log)
		return files, nil, err
	}
	acme := certs.NewManaged(certs.ACME{
		Domains: domains, Email: c.Phones.ACMEEmail, CA: c.Phones.ACMECA, Dir: cmp.Or(c.Phones.ACMEDir, besideDatabase(c, "acme")),
		HTTPPort: port(c.Phones.Addr), TLSPort: port(c.Phones.TLSAddr),
	}, log)
	return acme, acme, nil
}

// port is that of an address; 0 = none.
func port(addr string) int {
	_, text, _ := net.SplitHostPort(addr)
	number, _ := strconv.Atoi(text)
	return number
}

// withACME lets an authority ask whose the names of the certificates are.
func (s *server) withACME(phones http.Handler) http.Handler {
	if s.acme == nil {
		return phones
	}
	return s.acme.Handler(phones)
}

// The protocols of HTTP, as TLS names them.
const overHTTP1, overHTTP2 = "http/1.1", "h2"

// secured are the configurations of the TLS listeners; nil for those that have no
// certificates.
type secured struct{ api, phones, phonesOld, sip *tls.Config }

// secure makes the configurations of the TLS listeners. Phones resume sessions at
// any server of the database.
func (s *server) secure() error {
	phoneProtocols := []string{overHTTP2, overHTTP1}
	if s.acme != nil {
		phoneProtocols = append(phoneProtocols, certs.ACMEProtocol)
	}
	s.tls = secured{
		api:       overTLS(s.apiCerts, overHTTP2, overHTTP1),
		phones:    s.forPhones(overTLS(s.phoneCerts, phoneProtocols...)),
		phonesOld: s.forPhones(forOldPhones(overTLS(s.phoneCerts, overHTTP1))),
		sip:       overTLS(s.phoneCerts),
	}
	for service, config := range map[string]*tls.Config{"phones": s.tls.phones, "old phones": s.tls.phonesOld, "sip": s.tls.sip} {
		if config == nil {
			continue
		}
		if err := s.tickets.Keep(config, service); err != nil {
			return err
		}
	}
	return nil
}

// overTLS is the configuration of a listener with these certificates, for these
// protocols if any are named; nil when there are no certificates.
func overTLS(c certificates, protocols ...string) *tls.Config {
	if c == nil {
		return nil
	}
	return &tls.Config{GetCertificate: c.Certificate, MinVersion: tls.VersionTLS12, NextProtos: protocols}
}

// forOldPhones takes phones that know no TLS 1.2, and the ciphers of their time
// except RC4.
func forOldPhones(config *tls.Config) *tls.Config {
	if config == nil {
		return nil
	}
	config.MinVersion = tls.VersionTLS10
	for _, suite := range tls.CipherSuites() {
		config.CipherSuites = append(config.CipherSuites, suite.ID)
	}
	for _, suite := range tls.InsecureCipherSuites() {
		if !strings.Contains(suite.Name, "RC4") {
			config.CipherSuites = append(config.CipherSuites, suite.ID)
		}
	}
	return config
}

// forPhones asks phones for a certificate where authorities for those are known;
// which brand's it has to be is known when it is known what the phone asks for.
func (s *server) forPhones(config *tls.Config) *tls.Config {
	if config == nil || s.clientCAs == nil {
		return config
	}
	config.ClientAuth = tls.RequestClientCert
	outer := config.Clone()
	outer.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		now := config.Clone()
		now.ClientCAs = s.clientCAs.All() // as they are now
		return now, nil
	}
	return outer
}
