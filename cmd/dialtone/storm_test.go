package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// A storm of phones boots over TLS and registers, all of them; the figures add
// up.
func TestStorm(t *testing.T) {
	const phones = 60
	dir := t.TempDir()
	cert, key := selfSigned(t, dir)
	p := start(t, dir, "--db.url", sqliteURL(dir), "--phones.tls_addr", "127.0.0.1:0", "--phones.tls_cert", cert, "--phones.tls_key", key,
		"--limits.exempt", "127.0.0.0/8")
	a := newAdmin(t, p, dir, "--db.url", sqliteURL(dir))
	csv := "name,mac,username,password,brand,family,model\n"
	for n := range phones {
		csv += fmt.Sprintf("Phone %d,001565%06x,user%d,secret-%d,yealink,t4x,t46u\n", n, n, n, n)
	}
	a.importCSV(t, csv)
	url := strings.Replace(a.url, p.phones, "https://"+p.listener(t, "phones-tls"), 1)
	storm := []string{
		"phone", "--storm", "--brand", "yealink", "--model", "t46u", "--mac", "001565000000", "--url", url, "--ca", cert, "--at-once", "16", "--output", "json",
	}

	var got map[string]string
	must(t, json.Unmarshal(output(t, dir, append(storm, "--count", fmt.Sprint(phones))...), &got))
	if got["phones"] != fmt.Sprint(phones) || got["failed"] != "0" || got["status_200"] == "" || got["boot_p99_ms"] == "" || got["register_p50_ms"] == "0.0" {
		t.Errorf("figures: got %v", got)
	}
	if status := a.status(t); strings.Count(status, `"registered":true`) != phones {
		t.Errorf("registered: got %s, want %d devices", status, phones)
	}

	// One phone more than there are devices.
	cmd := dialtone(t, dir, append(storm, "--count", fmt.Sprint(phones+1))...)
	out, _ := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(string(out), "1 phones: the line has no SIP username") || !strings.Contains(string(out), "1 of 61 phones did not come up") {
		t.Errorf("a phone that nobody knows: got exit %d\n%s", code, out)
	}
}

// A storm spares other machines, and what it is told wrong it says.
func TestStormIsBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, test := range []struct{ name, url, flag, want string }{
		{"another machine", "http://192.0.2.1:8080/p/x/", "", "--url: 192.0.2.1: not on this machine: give --yes"},
		{"no phones", "http://127.0.0.1:1/p/x/", "--count=0", "--count: 0 phones"},
		{"none at once", "http://127.0.0.1:1/p/x/", "--at-once=0", "--at-once: 0 phones"},
		{"no authorities", "http://127.0.0.1:1/p/x/", "--ca=missing.pem", "--ca: open missing.pem"},
		{"once", "http://127.0.0.1:1/p/x/", "--once", "[once storm]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			args := []string{"phone", "--storm", "--brand", "yealink", "--model", "t46u", "--mac", "001565000000", "--url", test.url}
			if test.flag != "" {
				args = append(args, test.flag)
			}
			cmd := dialtone(t, dir, args...)
			out, _ := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != exitUsage || !strings.Contains(string(out), test.want) {
				t.Errorf("got exit %d\n%swant exit %d and %q", code, out, exitUsage, test.want)
			}
		})
	}
}
