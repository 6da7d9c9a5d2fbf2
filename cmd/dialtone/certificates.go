package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
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
	if (c.Phones.TLSAddr != "" || c.SIP.TLSAddr != "") && len(phones) == 0 {
		return errors.New("phones.tls_cert and phones.tls_key: needed by phones.tls_addr and sip.tls_addr")
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

// loadCertificates reads the certificates of one part; nil when it has none.
func loadCertificates(part, certificates, keys string, log *slog.Logger) (*certs.Files, error) {
	files, err := pairs(part, certificates, keys)
	if err != nil || len(files) == 0 {
		return nil, err
	}
	loaded, err := certs.Load(files, log, time.Now)
	if err != nil {
		return nil, fmt.Errorf("%s.tls_cert and %s.tls_key: %w", part, part, err)
	}
	return loaded, nil
}

// http1 is HTTP/1.1, as TLS names it. No phone speaks HTTP/2.
const http1 = "http/1.1"

// overTLS is the configuration of a listener with these certificates, for these
// protocols if any are named; nil when there are no certificates.
func overTLS(certificates *certs.Files, protocols ...string) *tls.Config {
	if certificates == nil {
		return nil
	}
	return &tls.Config{GetCertificate: certificates.Certificate, MinVersion: tls.VersionTLS12, NextProtos: protocols}
}

// phonesTLS is the configuration of the phones' listener. It asks for a
// certificate where authorities for those are known; which brand's it has to be
// is known when it is known what the phone asks for.
func (s *server) phonesTLS() *tls.Config {
	config := overTLS(s.phoneCerts, http1)
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
