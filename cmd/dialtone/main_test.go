package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// asDialtone makes the test binary be the program: tests run it as a process
// of its own, which can be killed.
const asDialtone = "RUN_AS_DIALTONE"

func TestMain(m *testing.M) {
	if os.Getenv(asDialtone) != "" {
		main()
	}
	testscript.Main(m, map[string]func(){"dialtone": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata"})
}

func TestExitCodes(t *testing.T) {
	tests := []struct {
		want int
		args string
	}{
		{exitOK, "version"},
		{exitOK, "--help"},
		{exitUsage, "nonsense"},
		{exitUsage, "serve --nonsense"},
		{exitUsage, "account create --name x"},
		{exitUsage, "device show"},
		{exitFailed, "device show 001565aabbcc"},
		{exitFailed, "serve --db.url nonsense"},
	}
	for _, tt := range tests {
		cmd := dialtone(t, t.TempDir(), strings.Fields(tt.args)...)
		out, _ := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != tt.want {
			t.Errorf("dialtone %s: got exit code %d, want %d\n%s", tt.args, got, tt.want, out)
		}
	}
}

// A process is a running `dialtone serve`.
type process struct {
	*exec.Cmd
	api    string // base URLs, from its "listening" lines
	phones string
	sip    string // host:port
	log    *logBuffer
	done   chan struct{}
}

// start runs `dialtone serve` in dir on free ports until the test ends.
func start(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	return startCommand(t, dialtone(t, dir, serveArgs(args...)...))
}

// serveArgs are those of a server on free ports.
func serveArgs(args ...string) []string {
	return append([]string{
		"serve", "--api.addr", "127.0.0.1:0", "--phones.addr", "127.0.0.1:0", "--sip.addr", "127.0.0.1:0", "--log.format", "json",
	}, args...)
}

// startCommand runs a server until the test ends.
func startCommand(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{Cmd: cmd, log: &logBuffer{}, done: make(chan struct{})}
	p.run(t)
	p.sip = p.listener(t, "sip-tcp") // the last to be bound, at the same port as UDP
	p.api, p.phones = "http://"+p.listener(t, "api"), "http://"+p.listener(t, "phones")
	return p
}

// run starts the process and collects its log until the test ends.
func (p *process) run(t *testing.T) {
	t.Helper()
	stderr, err := p.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		lines := bufio.NewScanner(stderr)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			p.log.add(lines.Text())
		}
	}()
	t.Cleanup(func() {
		p.kill(t)
		for _, secret := range []string{"s3cret", "secret-", "canary", "/p/"} { // every password of these tests, and provisioning URLs
			if strings.Contains(p.log.String(), secret) {
				t.Errorf("the log holds %q", secret)
			}
		}
	})
}

// listener waits for the address that a service logs when it is bound.
func (p *process) listener(t *testing.T, service string) string {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		for text := range strings.Lines(p.log.String()) {
			var line struct{ Msg, Service, Addr string }
			if json.Unmarshal([]byte(text), &line) == nil && line.Msg == "listening" && line.Service == service {
				return line.Addr
			}
		}
		select {
		case <-p.done:
			t.Fatalf("serve ended at once:\n%s", p.log)
		default:
		}
	}
	t.Fatalf("%s is not listening after 30 s:\n%s", service, p.log)
	return ""
}

// kill ends the process the hard way, if it still runs.
func (p *process) kill(t *testing.T) {
	t.Helper()
	_ = p.Process.Kill()
	<-p.done
	_ = p.Wait()
}

// stop sends SIGTERM and gives the exit code.
func (p *process) stop(t *testing.T) int {
	t.Helper()
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		t.Fatalf("still running 20 s after SIGTERM:\n%s", p.log)
	}
	_ = p.Wait()
	return p.ProcessState.ExitCode()
}

// waitLog waits for a line of the log that holds every one of the texts.
func (p *process) waitLog(t *testing.T, texts ...string) {
	t.Helper()
	wait(t, fmt.Sprintf("a log line with %q", texts), func() bool { return p.log.has(texts) })
}

// dialtone is the program with args, not started yet. It sees no setting of
// the environment that the test did not make.
func dialtone(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), os.Args[0], args...)
	cmd.Dir = dir
	cmd.Env = []string{asDialtone + "=1", "PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	return cmd
}

// output runs the program to its end and gives what it printed.
func output(t *testing.T, dir string, args ...string) []byte {
	t.Helper()
	cmd := dialtone(t, dir, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("dialtone %s: %v\n%s", args[0], err, stderr.String())
	}
	return out
}

// An admin works on one account through REST.
type admin struct {
	api, account, token string
	url                 string // the account's provisioning URL
}

// newAdmin creates an account with the command line and logs in.
func newAdmin(t *testing.T, p *process, dir string, settings ...string) *admin {
	t.Helper()
	args := append([]string{"account", "create", "--name", "Acme", "--realm", "acme.example.com", "--output", "json", "--phones.url", p.phones}, settings...)
	var created struct {
		ID              string `json:"id"`
		APIKey          string `json:"api_key"`
		ProvisioningURL string `json:"provisioning_url"`
	}
	if err := json.Unmarshal(output(t, dir, args...), &created); err != nil {
		t.Fatal(err)
	}
	a := &admin{api: p.api, account: created.ID, url: created.ProvisioningURL}
	login := a.must(t, http.StatusCreated, "PUT", "/v2/api_auth", `{"data":{"api_key":"`+created.APIKey+`"}}`)
	a.token = login.AuthToken
	return a
}

// A reply is Kazoo's envelope.
type reply struct {
	Data      json.RawMessage `json:"data"`
	AuthToken string          `json:"auth_token"`
	Message   string          `json:"message"`
	status    int
	header    http.Header
}

// ask sends one request; paths below the account start without a slash.
func (a *admin) ask(ctx context.Context, method, path string, body io.Reader) (reply, error) {
	return a.send(ctx, method, path, "application/json", body)
}

func (a *admin) send(ctx context.Context, method, path, contentType string, body io.Reader) (reply, error) {
	if !strings.HasPrefix(path, "/") {
		path = "/v2/accounts/" + a.account + "/" + path
	}
	req, err := http.NewRequestWithContext(ctx, method, a.api+path, body)
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("X-Auth-Token", a.token)
	if _, piped := body.(*io.PipeReader); piped {
		req.Header.Set("Expect", "100-continue") // the body is sent once the server asks for it
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	r := reply{status: resp.StatusCode, header: resp.Header}
	raw, err := io.ReadAll(resp.Body)
	return r, cmp.Or(err, errors.Join(json.Unmarshal(raw, &r)))
}

// must is ask for a request that has to succeed.
func (a *admin) must(t *testing.T, status int, method, path, body string) reply {
	t.Helper()
	r, err := a.ask(t.Context(), method, path, strings.NewReader(body))
	if err != nil || r.status != status {
		t.Fatalf("%s %s: got %d %s %s, %v, want %d", method, path, r.status, r.Message, r.Data, err, status)
	}
	return r
}

// id is the id of the document in a reply.
func (r reply) id(t *testing.T) string {
	t.Helper()
	var doc struct{ ID string }
	if err := json.Unmarshal(r.Data, &doc); err != nil || doc.ID == "" {
		t.Fatalf("no id in %s: %v", r.Data, err)
	}
	return doc.ID
}

// fetch gets a file as a phone does.
func fetch(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

const (
	yealinkDevice = `{"data":{"name":"Desk","mac_address":"001565aabbcc","sip":{"username":"ann","password":"s3cret-ann"},
		"provision":{"endpoint_brand":"yealink","endpoint_family":"t4x","endpoint_model":"t46u"}}}`
	polycomDevice = `{"data":{"name":"Room","mac_address":"0004f2aabbcc","sip":{"username":"bob","password":"s3cret-bob"},
		"provision":{"endpoint_brand":"polycom","endpoint_family":"vvx","endpoint_model":"vvx450"}}}`
)

// A logBuffer collects lines while they are read.
type logBuffer struct {
	mu    sync.Mutex
	lines []string
}

func (b *logBuffer) add(line string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, line)
}

// Write makes a logBuffer the output of a program.
func (b *logBuffer) Write(text []byte) (int, error) {
	b.add(string(text))
	return len(text), nil
}

func (b *logBuffer) has(texts []string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, line := range b.lines {
		all := true
		for _, text := range texts {
			all = all && strings.Contains(line, text)
		}
		if all {
			return true
		}
	}
	return false
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.lines, "\n")
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func sqliteURL(dir string) string { return fmt.Sprintf("sqlite:%s/dialtone.db", dir) }
