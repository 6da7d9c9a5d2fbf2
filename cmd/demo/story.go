package main

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The people and things of the story.
const (
	realm    = "acme.example.com"
	oldName  = "Ann Lee"
	newFirst = "Anna"
	newName  = "Anna Lee"
	keyLabel = "Front desk"
	keyValue = "1002"
)

// How long single things may take.
const (
	waitTime = 15 * time.Second // anything that is waited for
	stopTime = 5 * time.Second  // a program's end after SIGTERM
)

// deviceFiles are the device documents, one a phone. The last one is changed
// in the story, the others must not notice.
//
//go:embed devices
var deviceFiles embed.FS

// A story is a demonstration under way.
type story struct {
	program string // path of dialtone
	folder  string
	out     io.Writer

	server  *process
	addrs   map[string]string // by service: the server's bound addresses
	api     restClient
	account string // id
	user    string // id
	url     string // the account's provisioning URL, a secret
	devices []*device
}

// A device is one phone of the story.
type device struct {
	doc    object
	id     string
	name   string
	brand  string
	model  string
	mac    string
	phone  *process
	booted int // lines the phone had printed when it was registered
}

// A step is one line of the story. do returns the end of the line, then lines
// to show below it.
type step struct {
	title string
	do    func(context.Context) ([]string, error)
}

func (s *story) steps() []step {
	return []step{
		{"server started", s.startServer},
		{"account created", s.createAccount},
		{"logged in", s.logIn},
		{"user created", s.createUser},
		{"devices created", s.createDevices},
		{"phones booted", s.bootPhones},
		{"both are registered", s.checkRegistered},
		{"their logs are stored", s.checkUploads},
		{"user renamed", s.renameUser},
		{"device changed", s.changeDevice},
		{"the phone fetched again", s.checkRefetched},
		{"the server knows", s.checkReport},
		{"the other phone was left alone", s.checkUntouched},
		{"stopped", s.stopAll},
	}
}

// changed is the device that the story changes, untouched are the others.
func (s *story) changed() *device     { return s.devices[len(s.devices)-1] }
func (s *story) untouched() []*device { return s.devices[:len(s.devices)-1] }

func (s *story) database() string { return "sqlite:" + filepath.Join(s.folder, "dialtone.db") }

// startServer starts `dialtone serve` on free ports and learns them.
func (s *story) startServer(ctx context.Context) ([]string, error) {
	var err error
	s.server, err = startProcess(ctx, s.program, "serve", "--db.url", s.database(),
		"--api.addr", "127.0.0.1:0", "--phones.addr", "127.0.0.1:0", "--sip.addr", "127.0.0.1:0", "--log.format", "json")
	if err != nil {
		return nil, err
	}
	services := []string{"api", "phones", "sip-udp", "sip-tcp"}
	err = poll(ctx, func() error {
		s.addrs = listening(s.server.since(0))
		for _, service := range services {
			if s.addrs[service] == "" {
				if err := s.server.alive(); err != nil {
					return err
				}
				return fmt.Errorf("no listening line of %s", service)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.api.base = "http://" + s.addrs["api"] + "/v2"
	return []string{fmt.Sprintf("REST on %s, phones on %s, SIP on %s", s.addrs["api"], s.addrs["phones"], s.addrs["sip-udp"])}, nil
}

// listening reads the bound addresses out of the server's log.
func listening(log []string) map[string]string {
	addrs := map[string]string{}
	for _, text := range log {
		var line struct{ Msg, Service, Addr string }
		if json.Unmarshal([]byte(text), &line) == nil && line.Msg == "listening" {
			addrs[line.Service] = line.Addr
		}
	}
	return addrs
}

func (s *story) createAccount(ctx context.Context) ([]string, error) {
	cmd := exec.CommandContext(ctx, s.program, "account", "create", "--name", "Acme", "--realm", realm, //nolint:gosec // the program under demonstration
		"--db.url", s.database(), "--phones.url", "http://"+s.addrs["phones"], "--output", "json")
	printed, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	if err != nil {
		return nil, err
	}
	var account struct {
		ID  string `json:"id"`
		Key string `json:"api_key"`
		URL string `json:"provisioning_url"`
	}
	if err := json.Unmarshal(printed, &account); err != nil {
		return nil, fmt.Errorf("account create printed no JSON object: %w", err)
	}
	if account.ID == "" || account.Key == "" || account.URL == "" {
		return nil, errors.New("account create did not print id, api_key and provisioning_url")
	}
	s.account, s.api.token, s.url = account.ID, account.Key, account.URL
	return []string{"Acme, realm " + realm}, nil
}

// logIn trades the API key for a token.
func (s *story) logIn(ctx context.Context) ([]string, error) {
	key := s.api.token
	s.api.token = ""
	e, err := s.api.call(ctx, "PUT", "/api_auth", object{"api_key": key}, nil)
	if err != nil {
		return nil, errors.New(strings.ReplaceAll(err.Error(), key, "********")) // the API names the key it does not know
	}
	if e.AuthToken == "" {
		return nil, errors.New("PUT /v2/api_auth gave no auth_token")
	}
	s.api.token = e.AuthToken
	return []string{"PUT /v2/api_auth with the account's API key"}, nil
}

func (s *story) createUser(ctx context.Context) ([]string, error) {
	first, last, _ := strings.Cut(oldName, " ")
	var user struct{ ID string }
	_, err := s.api.call(ctx, "PUT", s.path("users"), object{"first_name": first, "last_name": last, "presence_id": "1001"}, &user)
	s.user = user.ID
	return []string{oldName}, err
}

// path is a path of the account's resources.
func (s *story) path(parts ...string) string {
	return "/accounts/" + s.account + "/" + strings.Join(parts, "/")
}

func (s *story) createDevices(ctx context.Context) ([]string, error) {
	names, err := fs.Glob(deviceFiles, "devices/*.json")
	if err != nil {
		return nil, err
	}
	lines := []string{"with PUT /v2/accounts/{A}/devices"}
	for _, name := range names {
		d, err := s.readDevice(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		var created struct{ ID string }
		if _, err := s.api.call(ctx, "PUT", s.path("devices"), d.doc, &created); err != nil {
			return nil, err
		}
		d.id = created.ID
		s.devices = append(s.devices, d)
		lines = append(lines, fmt.Sprintf("%s, %s", d.name, d.mac))
	}
	return lines, nil
}

// readDevice reads a device document and gives it an owner and a new password.
func (s *story) readDevice(name string) (*device, error) {
	raw, err := deviceFiles.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var about struct {
		Name      string
		MAC       string `json:"mac_address"`
		Provision struct {
			Brand string `json:"endpoint_brand"`
			Model string `json:"endpoint_model"`
		}
	}
	d := &device{}
	if err := errors.Join(json.Unmarshal(raw, &d.doc), json.Unmarshal(raw, &about)); err != nil {
		return nil, err
	}
	sip, ok := d.doc["sip"].(object)
	if !ok {
		return nil, errors.New("no sip object")
	}
	sip["password"] = rand.Text()
	d.doc["owner_id"] = s.user
	d.name, d.mac, d.brand, d.model = about.Name, about.MAC, about.Provision.Brand, about.Provision.Model
	return d, nil
}

// bootPhones starts a software phone for each device and waits until all are
// registered.
func (s *story) bootPhones(ctx context.Context) ([]string, error) {
	for _, d := range s.devices {
		var err error
		d.phone, err = startProcess(ctx, s.program, "phone", "--brand", d.brand, "--model", d.model, "--mac", d.mac, "--url", s.url)
		if err != nil {
			return nil, err
		}
	}
	lines := []string{"with the accounts they found in their files"}
	for _, d := range s.devices {
		err := poll(ctx, func() error {
			if err := d.phone.alive(); err != nil {
				return fmt.Errorf("%s: %w", d.name, err)
			}
			d.booted = d.phone.printed()
			if !slices.ContainsFunc(d.phone.since(0), isRegistered) {
				return fmt.Errorf("%s has not registered", d.name)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		lines = append(lines, d.name)
		for _, line := range d.phone.since(0) {
			lines = append(lines, "  "+line)
		}
	}
	return lines, nil
}

func isRegistered(line string) bool {
	return strings.HasPrefix(line, "REGISTER ") && strings.Contains(line, " 200 expires ")
}

func (s *story) checkRegistered(ctx context.Context) ([]string, error) {
	err := poll(ctx, func() error {
		var status []struct {
			ID         string `json:"device_id"`
			Registered bool
		}
		if _, err := s.api.call(ctx, "GET", s.path("devices", "status"), nil, &status); err != nil {
			return err
		}
		registered := 0
		for _, d := range s.devices {
			for _, entry := range status {
				if entry.ID == d.id && entry.Registered {
					registered++
				}
			}
		}
		if registered != len(s.devices) || len(status) != len(s.devices) {
			return fmt.Errorf("devices/status lists %d devices, %d of them ours", len(status), registered)
		}
		return nil
	})
	return []string{"GET devices/status lists them"}, err
}

// checkUploads looks for every file that the phones say they stored.
func (s *story) checkUploads(ctx context.Context) ([]string, error) {
	var lines []string
	for _, d := range s.devices {
		var kept []struct{ Name string }
		if _, err := s.api.call(ctx, "GET", s.path("devices", d.id, "uploads"), nil, &kept); err != nil {
			return nil, err
		}
		for _, line := range d.phone.since(0) {
			request, isPut := strings.CutPrefix(line, "PUT ")
			if !isPut {
				continue
			}
			name, status, _ := strings.Cut(request, " ")
			if !slices.ContainsFunc(kept, func(file struct{ Name string }) bool { return file.Name == name }) {
				return nil, fmt.Errorf("%s was answered %s for %s, and GET uploads lists %v", d.name, status, name, kept)
			}
			lines = append(lines, name)
		}
	}
	if len(lines) == 0 {
		return nil, errors.New("no phone stored anything")
	}
	return append([]string{"GET uploads lists them"}, lines...), nil
}

func (s *story) renameUser(ctx context.Context) ([]string, error) {
	_, err := s.api.call(ctx, "PATCH", s.path("users", s.user), object{"first_name": newFirst}, nil)
	return []string{"PATCH makes " + oldName + " " + newName}, err
}

// changeDevice adds a key to one device and has its phone told.
func (s *story) changeDevice(ctx context.Context) ([]string, error) {
	d := s.changed()
	change := object{
		"provision": object{"combo_keys": object{
			"3": object{"type": "speed_dial", "value": object{"label": keyLabel, "value": keyValue}},
		}},
		"sync": true,
	}
	_, err := s.api.call(ctx, "PATCH", s.path("devices", d.id), change, nil)
	return []string{fmt.Sprintf("PATCH gives %s a key %q, with \"sync\": true", d.name, keyLabel)}, err
}

// checkRefetched waits until the phone has shown what the change did to it.
func (s *story) checkRefetched(ctx context.Context) ([]string, error) {
	d := s.changed()
	err := poll(ctx, func() error {
		lines := d.phone.since(d.booted)
		for _, want := range []struct {
			what  string
			shown func(string) bool
		}{
			{"a NOTIFY", func(line string) bool {
				return strings.HasPrefix(line, "NOTIFY check-sync") && strings.HasSuffix(line, " 200")
			}},
			{"a GET", func(line string) bool { return strings.HasPrefix(line, "GET ") && strings.Contains(line, " 200 ") }},
			{"a setting with the old name gone", func(line string) bool {
				return strings.HasPrefix(line, "- ") && strings.HasSuffix(line, " = "+oldName)
			}},
			{"a setting with the new name", func(line string) bool {
				return strings.HasPrefix(line, "+ ") && strings.HasSuffix(line, " = "+newName)
			}},
			{"the key's label", func(line string) bool {
				return strings.HasPrefix(line, "+ ") && strings.HasSuffix(line, " = "+keyLabel)
			}},
			{"the key's value", func(line string) bool {
				return strings.HasPrefix(line, "+ ") && strings.HasSuffix(line, " = "+keyValue)
			}},
		} {
			if !slices.ContainsFunc(lines, want.shown) {
				return fmt.Errorf("%s did not show %s", d.name, want.what)
			}
		}
		return nil
	})
	return append([]string{d.name + " obeyed its NOTIFY"}, d.phone.since(d.booted)...), err
}

// checkReport asks the server what became of the change.
func (s *story) checkReport(ctx context.Context) ([]string, error) {
	d := s.changed()
	var report struct {
		State string
		Error string
	}
	err := poll(ctx, func() error {
		if _, err := s.api.call(ctx, "GET", s.path("devices", d.id, "provision"), nil, &report); err != nil {
			return err
		}
		if report.State != "in_sync" {
			return fmt.Errorf("GET provision says %q %s, want \"in_sync\"", report.State, report.Error)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var told []struct {
		State string
		Event string
		Code  int
	}
	err = poll(ctx, func() error {
		if _, err := s.api.call(ctx, "GET", s.path("devices", d.id, "notifications"), nil, &told); err != nil {
			return err
		}
		if len(told) != 1 || told[0].State != "accepted" {
			return fmt.Errorf("GET notifications says %+v, want one that is accepted", told)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return []string{fmt.Sprintf("GET provision says in_sync, GET notifications says %s %s, %d", told[0].Event, told[0].State, told[0].Code)}, nil
}

// checkUntouched looks for any sign that another phone was told, too.
func (s *story) checkUntouched(ctx context.Context) ([]string, error) {
	var names []string
	for _, d := range s.untouched() {
		if lines := d.phone.since(d.booted); len(lines) > 0 {
			return nil, fmt.Errorf("%s printed %q", d.name, lines)
		}
		var told []object
		if _, err := s.api.call(ctx, "GET", s.path("devices", d.id, "notifications"), nil, &told); err != nil {
			return nil, err
		}
		if len(told) > 0 {
			return nil, fmt.Errorf("%s was sent %d NOTIFYs", d.name, len(told))
		}
		names = append(names, d.name)
	}
	return []string{strings.Join(names, ", ") + " got no NOTIFY and made no request"}, nil
}

// stopAll ends every program by SIGTERM, the server last.
func (s *story) stopAll(context.Context) ([]string, error) {
	for _, d := range s.devices {
		if err := d.phone.stop(); err != nil {
			return nil, fmt.Errorf("%s: %w", d.name, err)
		}
	}
	asked := time.Now()
	if err := s.server.stop(); err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	return []string{fmt.Sprintf("phones de-registered, server exited 0 within %s of SIGTERM", time.Since(asked).Round(time.Millisecond))}, nil
}

// killAll ends what a failed step left behind.
func (s *story) killAll() {
	all := []*process{s.server}
	for _, d := range s.devices {
		all = append(all, d.phone)
	}
	for _, p := range all {
		if p != nil && p.alive() == nil {
			_ = p.stop()
		}
	}
}
