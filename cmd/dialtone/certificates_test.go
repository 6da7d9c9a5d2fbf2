package main

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
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Certificates of two kinds of keys stand side by side, for phones and for SIP,
// and are replaced while serving: by links that change, as Kubernetes and certbot
// do it, and by files that are written anew. Bad ones change nothing.
func TestCertificatesReloaded(t *testing.T) {
	dir := t.TempDir()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	// As Kubernetes mounts secrets: tls.crt -> ..data/cert.pem, ..data -> version.
	mount := filepath.Join(dir, "mount")
	version := func(serial int64) {
		t.Helper()
		folder := fmt.Sprint("..", serial)
		selfSignedWith(t, filepath.Join(mount, folder), ec, serial)
		link(t, folder, filepath.Join(mount, "..data"))
	}
	version(101)
	link(t, "..data/cert.pem", filepath.Join(mount, "tls.crt"))
	link(t, "..data/key.pem", filepath.Join(mount, "tls.key"))
	rsaCert, rsaKeyFile := selfSignedWith(t, filepath.Join(dir, "rsa"), rsaKey, 201)

	p := start(t, dir, "--db.url", sqliteURL(dir), "--phones.tls_addr", "127.0.0.1:0", "--sip.tls_addr", "127.0.0.1:0",
		"--phones.tls_cert", mount+"/tls.crt,"+rsaCert, "--phones.tls_key", mount+"/tls.key, "+rsaKeyFile)
	listeners := []string{p.listener(t, "phones-tls"), p.listener(t, "sip-tls")}
	served := func(suite uint16, want int64) {
		t.Helper()
		for _, addr := range listeners {
			wait(t, fmt.Sprintf("certificate %d at %s", want, addr), func() bool { return serialOf(t, addr, suite) == want })
		}
	}
	const onlyEC, onlyRSA = tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
	served(onlyEC, 101)
	served(onlyRSA, 201)
	p.waitLog(t, "certificate expires soon", rsaCert)

	version(102)
	served(onlyEC, 102)
	served(onlyRSA, 201)

	writeFile(t, rsaCert, "no certificate")
	p.waitLog(t, "certificates not reloaded", rsaCert)
	served(onlyRSA, 201)
	selfSignedWith(t, filepath.Join(dir, "rsa"), rsaKey, 202)
	served(onlyRSA, 202)
	served(onlyEC, 102)
}

// link makes a link, or replaces one at once.
func link(t *testing.T, to, at string) {
	t.Helper()
	if err := os.Symlink(to, at+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(at+".new", at); err != nil {
		t.Fatal(err)
	}
}

// serialOf is the serial number of the certificate that a TLS 1.2 client with one
// cipher suite is given.
func serialOf(t *testing.T, addr string, suite uint16) int64 {
	t.Helper()
	config := &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite}}
	conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func TestCertificateSettings(t *testing.T) {
	dir := t.TempDir()
	cert, key := selfSigned(t, dir)
	for want, args := range map[string][]string{
		"needed by phones.tls_addr": {"--phones.tls_addr", "127.0.0.1:0"},
		"want a key for each":       {"--phones.tls_cert", cert + "," + cert, "--phones.tls_key", key},
		"api.tls_cert and":          {"--api.tls_cert", cert},
		"no such file":              {"--phones.tls_cert", cert + "x", "--phones.tls_key", key},
		"failed to find":            {"--api.tls_cert", key, "--api.tls_key", cert},
	} {
		cmd := dialtone(t, dir, append(serveArgs("--db.url", sqliteURL(dir)), args...)...)
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() == exitOK || !strings.Contains(string(out), want) {
			t.Errorf("%v: got exit code %d and %s, want %q", args, cmd.ProcessState.ExitCode(), out, want)
		}
	}
}

// The REST API speaks HTTPS where it has a certificate, and then nothing else.
func TestAPIOverTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key := selfSigned(t, dir)
	p := start(t, dir, "--db.url", sqliteURL(dir), "--api.tls_cert", cert, "--api.tls_key", key)
	_, addr, _ := strings.Cut(p.api, "//")
	external(t, "curl", "-sSf", "--cacert", cert, "-o", os.DevNull, "https://"+addr+"/readyz")
	if got := curl(t, filepath.Join(dir, "answer"), "http://"+addr+"/readyz"); got != "400" {
		t.Errorf("without TLS: got %s, want 400", got)
	}
	selfSignedWith(t, dir, newKey(t), 2)
	wait(t, "the new certificate", func() bool { return serialOf(t, addr, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256) == 2 })
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// A maker issues certificates of phones.
type maker struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func newMaker(t *testing.T, name string) maker {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return maker{cert, key}
}

// pem is the maker's own certificate.
func (m maker) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: m.cert.Raw}))
}

// phone writes a phone's certificate and key to one file, and gives its name.
func (m maker) phone(t *testing.T, dir, name string) string {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, m.cert, key.Public(), m.key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, m.cert.Subject.CommonName+"-"+name+".pem")
	writeFile(t, file, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))+
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})))
	return file
}

// A phone shows its maker's certificate to the real listener. Makers come and go
// while it serves.
func TestClientCertificatesWithCurl(t *testing.T) {
	dir := t.TempDir()
	cert, key := selfSigned(t, dir)
	one, two := newMaker(t, "one"), newMaker(t, "two")
	folder := filepath.Join(dir, "makers")
	writeFile(t, filepath.Join(folder, "yealink-one.pem"), one.pem())
	p := start(t, dir, "--db.url", sqliteURL(dir), "--phones.tls_addr", "127.0.0.1:0", "--phones.tls_cert", cert, "--phones.tls_key", key,
		"--phones.client_ca_dir", folder)
	a := newAdmin(t, p, dir, "--db.url", sqliteURL(dir))
	a.must(t, http.StatusOK, "PATCH", "/v2/accounts/"+a.account, `{"data":{"provision":{"access":{"certificate":true}}}}`)
	a.must(t, http.StatusCreated, "PUT", "devices", yealinkDevice)
	get := func(certificate string) string {
		t.Helper()
		return curl(t, filepath.Join(dir, "answer"), "--cacert", cert, "--cert", certificate, "https://"+p.listener(t, "phones-tls")+"/001565aabbcc.cfg")
	}
	byOne, byTwo := one.phone(t, dir, "001565aabbcc"), two.phone(t, dir, "001565aabbcc")
	for certificate, want := range map[string]string{byOne: "200", byTwo: "401", one.phone(t, dir, "001565aabbcd"): "401", one.phone(t, dir, "generic"): "401"} {
		if got := get(certificate); got != want {
			t.Errorf("%s: got %s, want %s", certificate, got, want)
		}
	}
	writeFile(t, filepath.Join(folder, "yealink-two.pem"), two.pem())
	wait(t, "the new maker's phone to be let in", func() bool { return get(byTwo) == "200" })
	writeFile(t, filepath.Join(folder, "yealink-two.pem"), "nothing")
	p.waitLog(t, "authorities of phones' certificates not reloaded")
	if got := get(byTwo); got != "200" {
		t.Errorf("after a bad file: got %s, want 200", got)
	}
	if err := os.Remove(filepath.Join(folder, "yealink-two.pem")); err != nil {
		t.Fatal(err)
	}
	wait(t, "the maker that is gone to count no more", func() bool { return get(byTwo) == "401" })
	if got := get(byOne); got != "200" {
		t.Errorf("the other maker's: got %s, want 200", got)
	}
}

// sendRaw sends bytes and gives what comes back until the server closes or is
// silent for long.
func sendRaw(t *testing.T, conn net.Conn, request string) string {
	t.Helper()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	var answer []byte
	buffer := make([]byte, 64<<10)
	for {
		n, err := conn.Read(buffer)
		answer = append(answer, buffer[:n]...)
		if err != nil {
			return string(answer)
		}
	}
}
