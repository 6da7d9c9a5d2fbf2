package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"dialtone/internal/syncbuf"
)

// A brand that is nothing but a folder is linted, served, previewed and booted
// by a server that runs already.
func TestBrandFromAFolder(t *testing.T) {
	dir := t.TempDir()
	own := filepath.Join(dir, "templates")
	writeFile(t, filepath.Join(own, "readme.txt"), "mine\n")
	p := start(t, dir, "--templates.dir", own)
	a := newAdmin(t, p, dir)

	output(t, dir, "template", "init", "acme", "--dir", own)
	if findings := output(t, dir, "template", "lint", "acme", "--templates.dir", own); len(findings) > 0 {
		t.Errorf("findings:\n%s", findings)
	}
	p.waitLog(t, "templates reloaded")

	device := a.must(t, http.StatusCreated, "PUT", "devices", `{"data":{"name":"Hall","mac_address":"001122aabbcc",
		"sip":{"username":"hall","password":"s3cret-hall"},"provision":{"endpoint_brand":"acme","endpoint_model":"desk2"}}}`).id(t)
	resp, body := fetch(t, a.url+"001122aabbcc.cfg")
	if resp.StatusCode != http.StatusOK || !strings.Contains(body, "line.1.password = s3cret-hall\n") || !strings.Contains(body, "key.8.type = 0\n") {
		t.Errorf("served: %d\n%s", resp.StatusCode, body)
	}

	preview := a.must(t, http.StatusOK, "GET", "devices/"+device+"/provision/files/001122aabbcc.cfg?explain=true", "")
	var file struct {
		Body  string
		Lines []struct {
			Text      string
			Templates []struct {
				File string
				Line int
			}
			Origins []struct{ Layer, Member string }
		}
	}
	if err := json.Unmarshal(preview.Data, &file); err != nil || strings.Contains(file.Body, "s3cret") {
		t.Errorf("preview: %v\n%s", err, file.Body)
	}
	explained := ""
	for _, line := range file.Lines {
		if line.Text == "line.1.display_name = Hall" {
			explained = fmt.Sprint(line.Templates, line.Origins)
		}
	}
	if !strings.HasPrefix(explained, "[{acme/settings.tpl 5}] [{device name}") {
		t.Errorf("explained: %s", explained)
	}

	phone := output(t, dir, "phone", "--once", "--brand", "acme", "--model", "desk2", "--mac", "001122aabbcc", "--url", a.url, "--templates", own)
	if !strings.Contains(string(phone), "REGISTER") {
		t.Errorf("the phone:\n%s", phone)
	}
}

// What a change makes of the samples is shown, once it is saved; so is a
// mistake, and that it was mended.
func TestTemplateDev(t *testing.T) {
	dir := t.TempDir()
	output(t, dir, "template", "init", "acme", "--dir", ".")
	cmd := dialtone(t, dir, "template", "dev", "--templates.dir", ".")
	shown := &syncbuf.Buffer{}
	cmd.Stdout, cmd.Stderr = shown, shown
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	see := func(texts ...string) {
		t.Helper()
		for _, text := range texts {
			wait(t, fmt.Sprintf("%q", text), func() bool { return strings.Contains(shown.String(), text) })
		}
	}
	see("27 files rendered")

	writeFile(t, filepath.Join(dir, "acme", "common.tpl"), "provisioning.interval = 3600\n")
	see("-provisioning.interval = 86400\n+provisioning.interval = 3600\n")
	writeFile(t, filepath.Join(dir, "acme", "common.tpl"), "provisioning.interval = {{ nonsense }}\n")
	see(`acme/common.tpl:1:28: unknown variable "nonsense"`)
	writeFile(t, filepath.Join(dir, "acme", "common.tpl"), "not a setting\n")
	see("acme/common.tpl: made a broken ini file: line 1: want key = value")
	writeFile(t, filepath.Join(dir, "acme", "common.tpl"), "provisioning.interval = 7200\n")
	see("-provisioning.interval = 3600\n+provisioning.interval = 7200\n")
	writeFile(t, filepath.Join(dir, "acme", "desk", "desk1", "boot.tpl"), "include \"acme-common.cfg\"\n")
	see("-include \"001122334455.cfg\"\n", "3 files rendered")
}

func TestTemplateExitCodes(t *testing.T) {
	dir := t.TempDir()
	output(t, dir, "template", "init", "acme", "--dir", ".")
	output(t, dir, "template", "init", "other", "--dir", "changed")
	writeFile(t, filepath.Join(dir, "changed", "other", "common.tpl"), "provisioning.intervall = 3600\n")
	tests := []struct {
		want int
		args string
	}{
		{exitOK, "lint acme --templates.dir ."},
		{exitFound, "lint other --templates.dir changed"},
		{exitFailed, "lint --templates.dir nowhere"},
		{exitUsage, "lint --nonsense"},
		{exitOK, "test --templates.dir ."},
		{exitDiffer, "test --templates.dir changed"},
		{exitUsage, "test -update"},
		{exitOK, "diff --against changed"},
		{exitUsage, "diff"},
		{exitUsage, "render"},
		{exitUsage, "render --device x --sample y"},
		{exitFailed, "render --sample acme/nothing --templates.dir ."},
		{exitUsage, "explain desk1"},
		{exitUsage, "dev"},
		{exitUsage, "init"},
		{exitFailed, "init acme"},
	}
	for _, tt := range tests {
		cmd := dialtone(t, dir, append([]string{"template"}, strings.Fields(tt.args)...)...)
		out, _ := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != tt.want {
			t.Errorf("dialtone template %s: got exit code %d, want %d\n%s", tt.args, got, tt.want, out)
		}
	}
}
