package main

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// curl runs curl and gives the status of the answer; the body goes to a file.
func curl(t *testing.T, body string, args ...string) string {
	t.Helper()
	args = append([]string{"-s", "-S", "-o", body, "-w", "%{http_code}"}, args...)
	out, err := exec.CommandContext(t.Context(), "curl", args...).Output()
	if err != nil {
		t.Fatalf("curl: %v after %s", err, out)
	}
	return string(out)
}

// An upload by another client than Go's, and what an administrator does to it.
func TestUploadWithCurl(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir, "--db.url", sqliteURL(dir))
	a := newAdmin(t, p, dir, "--db.url", sqliteURL(dir))
	device := a.must(t, http.StatusCreated, "PUT", "devices", polycomDevice).id(t)
	file, back := filepath.Join(dir, "override.cfg"), filepath.Join(dir, "back")
	writeFile(t, file, "<PHONE_CONFIG/>\n")
	url := a.url + "0004f2aabbcc-phone.cfg"
	for _, step := range []struct {
		want string
		args []string
	}{
		{"404", []string{"-I", url}}, {"201", []string{"-T", file, url}}, {"204", []string{"-T", file, url}},
		{"204", []string{"--data-binary", "@" + file, url}}, {"200", []string{"-I", url}}, {"200", []string{url}},
		{"405", []string{"-T", file, a.url + "0004f2aabbcc.cfg"}},
	} {
		if got := curl(t, back, step.args...); got != step.want {
			t.Errorf("curl %s: got %s, want %s", step.args[0], got, step.want)
		}
	}
	curl(t, back, url)
	if raw, err := os.ReadFile(back); err != nil || string(raw) != "<PHONE_CONFIG/>\n" {
		t.Errorf("served back: got %q, %v", raw, err)
	}
	provision := a.must(t, http.StatusOK, "GET", "devices/"+device+"/provision", "")
	if !strings.Contains(string(provision.Data), `"overrides":[{`) {
		t.Errorf("the report shows no override: %s", provision.Data)
	}
	a.must(t, http.StatusOK, "DELETE", "devices/"+device+"/uploads?overrides=true", "")
	if got := curl(t, back, url); got != "404" {
		t.Errorf("cleared: got %s, want 404", got)
	}
}

// Firmware is fetched in parts, and a download that broke off is resumed.
func TestAssetsWithCurl(t *testing.T) {
	dir, assets := t.TempDir(), t.TempDir()
	rom := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // 4 MiB
	writeFile(t, filepath.Join(assets, "3111-48840-001.sip.ld"), string(rom))
	p := start(t, dir, "--db.url", sqliteURL(dir), "--assets.dir", assets)
	a := newAdmin(t, p, dir, "--db.url", sqliteURL(dir))
	part := filepath.Join(dir, "part")
	for _, url := range []string{a.url + "3111-48840-001.sip.ld", a.url + "assets/3111-48840-001.sip.ld"} {
		_ = os.Remove(part)
		if got := curl(t, part, "-r", "0-1000000", url); got != "206" {
			t.Errorf("the first part: got %s, want 206", got)
		}
		if got := curl(t, part, "-C", "-", url); got != "206" {
			t.Errorf("resumed: got %s, want 206", got)
		}
		if raw, err := os.ReadFile(part); err != nil || !bytes.Equal(raw, rom) {
			t.Errorf("resumed: got %d bytes, %v, not the %d of the file", len(raw), err, len(rom))
		}
	}
	for _, path := range []string{"assets/", "assets/../dialtone.db", "../dialtone.db", "assets/%2e%2e/dialtone.db"} {
		if got := curl(t, part, "--path-as-is", a.url+path); got != "404" {
			t.Errorf("%s: got %s, want 404", path, got)
		}
	}
}

// A phone that reads its firmware slowly does not hold up the end.
func TestStopDuringDownload(t *testing.T) {
	dir, assets := t.TempDir(), t.TempDir()
	rom := filepath.Join(assets, "large.rom")
	writeFile(t, rom, "")
	if err := os.Truncate(rom, 256<<20); err != nil {
		t.Fatal(err)
	}
	p := start(t, dir, "--db.url", sqliteURL(dir), "--assets.dir", assets)
	a := newAdmin(t, p, dir, "--db.url", sqliteURL(dir))
	req, err := http.NewRequestWithContext(context.Background(), "GET", a.url+"assets/large.rom", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req) // and nothing of it is read
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if code := p.stop(t); code != exitOK {
		t.Errorf("exit code: got %d, want 0\n%s", code, p.log)
	}
}

// The software phone's logs are kept: as new at its first boot, in place of the
// old ones at the second.
func TestPhoneUploadsItsLogs(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir, "--db.url", sqliteURL(dir))
	a := newAdmin(t, p, dir, "--db.url", sqliteURL(dir))
	a.must(t, http.StatusCreated, "PUT", "devices", polycomDevice)
	uploads := regexp.MustCompile(`(?m)^(PUT|HEAD) \S+ \d+`)
	for boot, want := range []string{
		"PUT 0004f2aabbcc-boot.log 201, HEAD 0004f2aabbcc-app.log 404, PUT 0004f2aabbcc-app.log 201",
		"PUT 0004f2aabbcc-boot.log 204, HEAD 0004f2aabbcc-app.log 200, PUT 0004f2aabbcc-app.log 204",
	} {
		out := output(t, dir, "phone", "--brand", "polycom", "--model", "vvx450", "--mac", "0004f2aabbcc", "--url", a.url, "--once")
		if got := strings.Join(uploads.FindAllString(string(out), -1), ", "); got != want {
			t.Errorf("boot %d: got %s, want %s\n%s", boot+1, got, want, out)
		}
	}
}
