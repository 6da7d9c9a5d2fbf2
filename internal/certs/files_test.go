package certs_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"dialtone/internal/certs"
)

// pair writes a certificate for a name, and its key.
func pair(t *testing.T, name string, key crypto.Signer, until time.Time) certs.Pair {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p := certs.Pair{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	for file, block := range map[string]*pem.Block{p.Cert: {Type: "CERTIFICATE", Bytes: der}, p.Key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// A client is given the certificate that it can use and that names what it asked
// for; when none does, still one that it can use.
func TestCertificate(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	soon, later := time.Now().Add(time.Hour).UTC().Truncate(time.Second), time.Now().Add(2*time.Hour)
	files, err := certs.Load([]certs.Pair{
		pair(t, "a.example.com", ec, later), pair(t, "a.example.com", rsaKey, soon), pair(t, "b.example.com", ec, later),
	}, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if got := files.NotAfter(); !got.Equal(soon) {
		t.Errorf("the first end: got %v, want %v", got, soon)
	}
	tests := []struct {
		name, server string
		suite        uint16
		want         string
	}{
		{"the first", "", tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "a.example.com ECDSA"},
		{"RSA alone", "a.example.com", tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "a.example.com RSA"},
		{"by name", "b.example.com", tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "b.example.com ECDSA"},
		{"RSA alone, by a name that none has", "c.example.com", tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "a.example.com RSA"},
		{"RSA alone, by a name that only another has", "b.example.com", tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "a.example.com RSA"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := files.Certificate(&tls.ClientHelloInfo{
				ServerName: tt.server, CipherSuites: []uint16{tt.suite}, SupportedVersions: []uint16{tls.VersionTLS12},
				SupportedCurves: []tls.CurveID{tls.CurveP256}, SupportedPoints: []uint8{0},
				SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256, tls.PSSWithSHA256, tls.PKCS1WithSHA256},
			})
			if err != nil {
				t.Fatal(err)
			}
			if is := got.Leaf.Subject.CommonName + " " + got.Leaf.PublicKeyAlgorithm.String(); is != tt.want {
				t.Errorf("got %s, want %s", is, tt.want)
			}
		})
	}
}
