package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// warmPhones have files that are kept by Dialtone, and that nginx has, too.
const warmPhones = 1000

// A lab has the servers that are compared.
type lab struct {
	options
	folder string
	out    io.Writer

	sqlite, mariadb, cold, nginx *server
	servers                      []*server
	handshakes                   float64 // that nginx answers per second
}

// A server is a running program and where the files of its phones are.
type server struct {
	cmd         *exec.Cmd
	url, tlsURL string // folders
	path        string // of these
	settings    []string
}

func cores() int { return runtime.NumCPU() }

// prepare starts all servers and fills them.
func (l *lab) prepare(ctx context.Context) (err error) {
	if err := l.certify(); err != nil {
		return err
	}
	mysql := os.Getenv("TEST_MYSQL")
	if mysql == "" {
		return errors.New("TEST_MYSQL names no MySQL server (user:pass@host:port): `make bench` starts one")
	}
	database := fmt.Sprintf("bench_%d", os.Getpid())
	if _, err := mariadb(ctx, mysql, "CREATE DATABASE "+database); err != nil { // it goes with the server
		return err
	}
	if l.sqlite, err = l.dialtone(ctx, "sqlite:"+filepath.Join(l.folder, "bench.db"), l.phones); err != nil {
		return err
	}
	if l.mariadb, err = l.dialtone(ctx, "mysql://"+mysql+"/"+database, warmPhones); err != nil {
		return err
	}
	if l.cold, err = l.dialtone(ctx, "sqlite:"+filepath.Join(l.folder, "cold.db"), l.phones, "--phones.cache_bytes", smallest); err != nil {
		return err
	}
	l.nginx, err = l.startNginx(ctx)
	return err
}

// smallest is the least that phones.cache_bytes may be.
const smallest = "1048576"

// close stops everything and removes it.
func (l *lab) close() error {
	for _, s := range l.servers {
		if s.cmd.ProcessState == nil {
			_ = s.stop() // not killed: nginx's workers would stay
		}
	}
	return os.RemoveAll(l.folder)
}

// stop ends a server before the others.
func (s *server) stop() error {
	return errors.Join(s.cmd.Process.Signal(syscall.SIGTERM), s.cmd.Wait())
}

// certify makes the P-256 certificate of all servers.
func (l *lab) certify() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(l.path("cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(l.path("key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600),
	)
}

func (l *lab) path(name string) string { return filepath.Join(l.folder, name) }

// dialtone fills a database with phones and serves it.
func (l *lab) dialtone(ctx context.Context, database string, phones int, settings ...string) (*server, error) {
	keyset := l.path(fmt.Sprintf("keyset-%d", len(l.servers)))
	db := []string{"--db.url", database, "--secrets.keyset", keyset}
	const base = "http://127.0.0.1"
	var account struct {
		ID              string `json:"id"`
		ProvisioningURL string `json:"provisioning_url"`
	}
	if err := l.command(ctx, &account, append(db, "account", "create", "--name", "Bench", "--realm", "bench.example.com", "--phones.url", base, "--output", "json")...); err != nil {
		return nil, err
	}
	if err := l.importPhones(ctx, phones, append(db, "--account", account.ID)); err != nil {
		return nil, err
	}
	return l.serve(ctx, append(db, settings...), strings.TrimPrefix(account.ProvisioningURL, base))
}

// serve runs a server of a database, which has files of phones under a path.
func (l *lab) serve(ctx context.Context, settings []string, path string) (*server, error) {
	ports, err := freePorts(4)
	if err != nil {
		return nil, err
	}
	base := "https://" + local(ports[2])
	s := &server{url: "http://" + local(ports[1]) + path, tlsURL: base + path, path: path, settings: settings}
	args := append([]string{
		"serve", "--api.addr", local(ports[0]), "--phones.addr", local(ports[1]), "--phones.tls_addr", local(ports[2]), "--sip.addr", local(ports[3]),
		"--phones.tls_cert", l.path("cert.pem"), "--phones.tls_key", l.path("key.pem"), "--phones.url", base,
		"--limits.exempt", "127.0.0.0/8",
	}, settings...)
	return s, l.start(ctx, s, fileOf(0), l.program, args...)
}

func local(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// fileOf is the file that the phone with that number fetches.
func fileOf(phone int) string { return macOf(phone) + ".cfg" }
func macOf(phone int) string  { return fmt.Sprintf("001565%06x", phone) }

// importPhones stores devices.
func (l *lab) importPhones(ctx context.Context, phones int, settings []string) error {
	var csv strings.Builder
	csv.WriteString("name,mac,username,password,brand,family,model\n")
	for n := range phones {
		fmt.Fprintf(&csv, "Phone %d,%s,user%d,secret-%d,%s,%s,%s\n", n, macOf(n), n, n, l.brand, l.family, l.model)
	}
	if err := os.WriteFile(l.path("devices.csv"), []byte(csv.String()), 0o600); err != nil {
		return err
	}
	return l.command(ctx, nil, append([]string{"device", "import", l.path("devices.csv")}, settings...)...)
}

// command runs Dialtone to its end and reads the JSON that it prints, unless
// into is nil.
func (l *lab) command(ctx context.Context, into any, args ...string) error {
	cmd := exec.CommandContext(ctx, l.program, args...) //nolint:gosec // the program that is measured
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("dialtone: %w: %s", err, problems.String())
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(out, into)
}

// bootAll has `dialtone phone` boot all phones.
func (l *lab) bootAll(ctx context.Context) (map[string]string, error) {
	var figures map[string]string
	return figures, l.command(ctx, &figures, "phone", "--storm", "--brand", l.brand, "--model", l.model, "--mac", macOf(0),
		"--count", strconv.Itoa(l.phones), "--url", l.sqlite.tlsURL, "--ca", l.path("cert.pem"), "--output", "json")
}

// fleet is a server with so many phones that keeps nothing.
func (l *lab) fleet(ctx context.Context, phones int) (*server, error) {
	return l.dialtone(ctx, "sqlite:"+l.path(fmt.Sprintf("fleet-%d.db", phones)), phones, "--phones.cache_bytes", smallest)
}

// start runs a server and waits until it gives out a file.
func (l *lab) start(ctx context.Context, s *server, file, program string, args ...string) error {
	s.cmd = exec.CommandContext(ctx, program, args...) //nolint:gosec // one of the programs that are compared
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(syscall.SIGTERM) }
	var log strings.Builder
	s.cmd.Stderr = &log
	if err := s.cmd.Start(); err != nil {
		return err
	}
	l.servers = append(l.servers, s)
	for range 300 {
		if _, err := fetch(ctx, s.url+file); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("%s does not serve after 30 s: %s", filepath.Base(program), log.String())
}

// startNginx serves the same files under the same paths from disk.
func (l *lab) startNginx(ctx context.Context) (*server, error) {
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	_, path, _ := strings.Cut(strings.TrimPrefix(l.sqlite.url, "http://"), "/")
	files := filepath.Join(l.folder, "files", path)
	if err := os.MkdirAll(files, 0o755); err != nil { //nolint:gosec // nginx reads it as another user
		return nil, err
	}
	if err := os.Chmod(l.folder, 0o755); err != nil { //nolint:gosec // likewise
		return nil, err
	}
	for n := range warmPhones {
		body, err := fetch(ctx, l.sqlite.url+fileOf(n))
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(files, fileOf(n)), body, 0o644); err != nil { //nolint:gosec // likewise
			return nil, err
		}
	}
	config := fmt.Sprintf(`daemon off; pid %[1]s/nginx.pid; error_log %[1]s/nginx.log; worker_processes %[2]d;
events { worker_connections 4096; }
http {
	access_log off; sendfile on; keepalive_requests 1000000; open_file_cache max=2000; default_type text/plain;
	server {
		listen %[3]s backlog=4096; listen %[4]s ssl backlog=4096; root %[1]s/files;
		ssl_certificate %[1]s/cert.pem; ssl_certificate_key %[1]s/key.pem; ssl_protocols TLSv1.3; ssl_session_tickets off;
	}
}
`, l.folder, cores(), local(ports[0]), local(ports[1]))
	if err := os.WriteFile(l.path("nginx.conf"), []byte(config), 0o600); err != nil {
		return nil, err
	}
	s := &server{url: "http://" + local(ports[0]) + "/" + path, tlsURL: "https://" + local(ports[1]) + "/" + path}
	return s, l.start(ctx, s, fileOf(0), "nginx", "-p", l.folder, "-e", l.path("nginx.log"), "-c", l.path("nginx.conf"))
}

func fetch(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", res.StatusCode)
	}
	return io.ReadAll(res.Body)
}

// freePorts finds ports of 127.0.0.1 that nobody listens on.
func freePorts(count int) ([]int, error) {
	var ports []int
	for range count {
		l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // returns at once
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// A load is what wrk measured.
type load struct {
	rate     float64 // requests per second
	p50, p99 string
	seconds  float64 // p50
}

// asking is a wrk script: files of phones, at random, by who tells its firmware as
// phones do.
const asking = `
local phones, folder = %d, "%s"
math.randomseed(os.time())
wrk.headers["User-Agent"] = "%s"
request = function() return wrk.format("GET", folder .. string.format("001565%%06x.cfg", math.random(0, phones - 1))) end
`

var (
	rateLine    = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)
	latencyLine = regexp.MustCompile(`(?m)^\s+(50|99)%\s+([0-9.]+)(us|ms|s)`)
	failureLine = regexp.MustCompile(`(?m)^\s+(Non-2xx.*|Socket errors:.*)$`)
)

// wrk asks for files of phones for one round, over so many connections.
func (l *lab) wrk(ctx context.Context, url string, phones, connections int, reconnect bool) (load, error) {
	scheme, rest, _ := strings.Cut(url, "://")
	host, folder, _ := strings.Cut(rest, "/")
	script := l.path("ask-" + host + ".lua")
	if err := os.WriteFile(script, fmt.Appendf(nil, asking, phones, "/"+folder, l.agent), 0o600); err != nil {
		return load{}, err
	}
	args := []string{"-t", "1", "-c", strconv.Itoa(connections), "-d", fmt.Sprintf("%.0fs", l.round.Seconds()), "--latency", "-s", script}
	if reconnect {
		args = append(args, "-H", "Connection: close")
	}
	out, err := exec.CommandContext(ctx, "wrk", append(args, scheme+"://"+host+"/")...).CombinedOutput() //nolint:gosec // a URL of ours
	if err != nil {
		return load{}, fmt.Errorf("wrk: %w: %s", err, out)
	}
	if failure := failureLine.FindSubmatch(out); failure != nil {
		return load{}, fmt.Errorf("wrk: %s", failure[1])
	}
	return parseLoad(string(out))
}

func parseLoad(out string) (load, error) {
	rate := rateLine.FindStringSubmatch(out)
	latencies := latencyLine.FindAllStringSubmatch(out, -1)
	if rate == nil || len(latencies) != 2 {
		return load{}, fmt.Errorf("wrk printed something else: %s", out)
	}
	median, err := time.ParseDuration(latencies[0][2] + latencies[0][3])
	if err != nil {
		return load{}, err
	}
	perSecond, err := strconv.ParseFloat(rate[1], 64)
	return load{perSecond, latencies[0][2] + " " + latencies[0][3], latencies[1][2] + " " + latencies[1][3], median.Seconds()}, err
}
