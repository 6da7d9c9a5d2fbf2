package phonehttp_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"dialtone/models"
	"dialtone/provisioner/phonehttp"
)

// An authority issues certificates of phones.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newCertificate(t *testing.T, name string, by *authority, until time.Time) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until,
		IsCA: by == nil, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	cert, key := newCertificate(t, name, nil, time.Now().Add(time.Hour))
	return &authority{cert, key}
}

// clientCAs is a folder with the certificate of an authority for each brand.
func clientCAs(t *testing.T, byBrand map[string]*authority) *phonehttp.ClientCAs {
	t.Helper()
	folder := t.TempDir()
	for brand, a := range byBrand {
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
		if err := os.WriteFile(filepath.Join(folder, brand+"-root.pem"), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cas, err := phonehttp.LoadClientCAs(folder, builtin(t).Brands())
	if err != nil {
		t.Fatal(err)
	}
	return cas
}

// A certificate of the phone's maker lets in the phone whose MAC it names, and
// no other; generic ones, those of another brand's maker, and old ones do not.
func TestCertificates(t *testing.T) {
	yealink, polycom, stranger := newAuthority(t, "Yealink"), newAuthority(t, "Polycom"), newAuthority(t, "Stranger")
	s := newSite(t, func(c *phonehttp.Config) {
		c.ClientCAs = clientCAs(t, map[string]*authority{"yealink": yealink, "polycom": polycom})
	})
	server := httptest.NewUnstartedServer(s.Config.Handler)
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	defer server.Close()
	get := func(file string, by *authority, name string, until time.Time) int {
		t.Helper()
		config := server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		if by != nil {
			cert, key := newCertificate(t, name, by, until)
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				return &tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}, nil
			}
		}
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/"+file, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		return resp.StatusCode
	}
	soon, past := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	if got := get("001565aabbcc.cfg", yealink, "001565AABBCC", soon); got != http.StatusUnauthorized {
		t.Errorf("where the account does not accept certificates: got %d, want 401", got)
	}
	s.setAccess(t, `{"token":false,"password":false,"certificate":true}`)
	tests := []struct {
		name  string
		file  string
		by    *authority
		cn    string
		until time.Time
		want  int
		rule  models.RefusalRule
	}{
		{"its own", "001565aabbcc.cfg", yealink, "001565AABBCC", soon, 200, ""},
		{"its own, lower case", "001565aabbcc.boot", yealink, "001565aabbcc", soon, 200, ""},
		{"a common file", "y000000000108.cfg", yealink, "001565aabbcc", soon, 200, ""},
		{"another brand", "0004f2aabbcc.cfg", polycom, "0004F2AABBCC", soon, 200, ""},
		{"another phone's file", "0004f2aabbcc.cfg", yealink, "001565aabbcc", soon, 401, models.RefusedForeign},
		{"the MAC of another brand's phone", "0004f2aabbcc.cfg", yealink, "0004f2aabbcc", soon, 401, models.RefusedCertificateMAC},
		{"a generic one", "001565aabbcc.cfg", yealink, "yealinkequipment.com", soon, 401, models.RefusedCertificate},
		{"more than a MAC", "001565aabbcc.cfg", yealink, "x001565aabbcc", soon, 401, models.RefusedCertificate},
		{"one that anybody made", "001565aabbcc.cfg", stranger, "001565aabbcc", soon, 401, models.RefusedCertificate},
		{"one that is over", "001565aabbcc.cfg", yealink, "001565aabbcc", past, 401, models.RefusedCertificate},
		{"none", "001565aabbcc.cfg", nil, "", soon, 401, models.RefusedNothing},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.forget()
			if got := get(tt.file, tt.by, tt.cn, tt.until); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
			if tt.rule != "" {
				if last := s.lastRefusal(t); last.Rule != tt.rule {
					t.Errorf("recorded as %q, want %q", last.Rule, tt.rule)
				}
			}
		})
	}
}

func TestClientCAFolder(t *testing.T) {
	good := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: newAuthority(t, "x").cert.Raw})
	for name, files := range map[string]map[string][]byte{
		"empty":         {},
		"unknown brand": {"acme.pem": good},
		"half a name":   {"yealinker.pem": good},
		"no PEM":        {"yealink.pem": []byte("x")},
	} {
		folder := t.TempDir()
		for file, text := range files {
			if err := os.WriteFile(filepath.Join(folder, file), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := phonehttp.LoadClientCAs(folder, builtin(t).Brands()); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
