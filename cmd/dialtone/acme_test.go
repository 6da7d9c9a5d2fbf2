package main

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	pebbleca "github.com/letsencrypt/pebble/v2/ca"
	pebbledb "github.com/letsencrypt/pebble/v2/db"
	pebbleva "github.com/letsencrypt/pebble/v2/va"
	pebblewfe "github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"
)

// Certificates are obtained from a real ACME server, which asks by HTTP or by
// TLS, for phones and SIP alike; another server with the same folder has them at
// once.
func TestACME(t *testing.T) {
	const domain = "phones.example.com"
	for by, args := range map[string][]string{
		"http": {"--phones.addr", freeAddr(t)},
		"tls":  {"--phones.addr", "", "--phones.tls_addr", freeAddr(t)},
	} {
		t.Run(by, func(t *testing.T) {
			dir := t.TempDir()
			asked := port(args[len(args)-1])
			directory, roots := pebble(t, dir, asked)
			serve := func(db string, args ...string) *process {
				cmd := dialtone(t, dir, serveArgs(append([]string{
					"--db.url", "sqlite:" + filepath.Join(dir, db), "--sip.tls_addr", "127.0.0.1:0", "--phones.acme_domains", domain,
					"--phones.acme_email", "admin@dialtone.test", "--phones.acme_ca", directory, "--phones.acme_dir", filepath.Join(dir, "acme"),
				}, args...)...)...)
				cmd.Env = append(cmd.Env, "SSL_CERT_FILE="+roots)
				p := &process{Cmd: cmd, log: &logBuffer{}, done: make(chan struct{})}
				p.run(t)
				return p
			}
			served := func(p *process, service string) bool {
				config := &tls.Config{InsecureSkipVerify: true, ServerName: domain}
				conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", p.listener(t, service))
				if err != nil {
					return false
				}
				defer func() { _ = conn.Close() }()
				return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].VerifyHostname(domain) == nil
			}
			one := serve("one.db", args...)
			one.waitLog(t, "certificate obtained", domain)
			if !served(one, "sip-tls") || by == "tls" && !served(one, "phones-tls") {
				t.Error("the certificate is not served")
			}
			two := serve("two.db", "--phones.tls_addr", "127.0.0.1:0")
			wait(t, "the second server to serve it", func() bool { return served(two, "phones-tls") })
			if two.log.has([]string{"certificate obtained"}) {
				t.Error("the second server asked for a certificate of its own")
			}
		})
	}
}

// pebble runs an ACME server, which looks at a port of this machine for every name,
// until the test ends: its directory, and who stands for it.
func pebble(t *testing.T, dir string, port int) (directory, roots string) {
	t.Helper()
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	asked, err := net.Listen("tcp", "127.0.0.1:0") // pebble asks over TCP
	if err != nil {
		t.Fatal(err)
	}
	names := &dns.Server{Listener: asked, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, r *dns.Msg) {
		answer := new(dns.Msg).SetReply(r)
		if r.Question[0].Qtype == dns.TypeA {
			record, err := dns.NewRR(fmt.Sprintf("%s 60 IN A 127.0.0.1", r.Question[0].Name))
			if err == nil {
				answer.Answer = append(answer.Answer, record)
			}
		}
		_ = w.WriteMsg(answer)
	})}
	go func() { _ = names.ActivateAndServe() }()
	t.Cleanup(func() { _ = names.Shutdown() })

	quiet := log.New(&logBuffer{}, "", 0)
	db := pebbledb.NewMemoryStore()
	authority := pebbleca.New(quiet, db, "", "ecdsa", 0, 1, map[string]pebbleca.Profile{"default": {Description: "default"}})
	validator := pebbleva.New(quiet, port, port, false, asked.Addr().String(), db)
	front := pebblewfe.New(quiet, db, validator, authority, []string{"pebble.example.com"}, false, false, 1, 1)
	server := httptest.NewTLSServer(http.Handler(front.Handler()))
	t.Cleanup(server.Close)
	roots = filepath.Join(dir, "roots.pem")
	writeFile(t, roots, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	return server.URL + pebblewfe.DirectoryPath, roots
}
