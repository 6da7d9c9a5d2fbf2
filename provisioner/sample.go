package provisioner

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"dialtone/internal/nearest"
	"dialtone/models"
)

// A sample is <brand>/samples/<name>.json: documents as the API takes them,
// each with its id, to try templates with.
type sample struct {
	name   string
	file   string
	models []string     // models it is rendered for; all when empty
	phone  models.Phone // with the firmware that it has
	users  []*models.User
}

// What every sample is rendered with, so that its output never changes.
const (
	sampleURL       = "http://phones.example.com:8080"
	sampleToken     = "0123456789abcdef0123456789abcdef"
	sampleRegistrar = "sip.example.com:5060"
	samplePassword  = "sample-http-password"
)

var sampleNow = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

// loadSamples reads a brand's samples; a brand without any cannot be checked.
func loadSamples(fsys fs.FS, brand string) ([]sample, error) {
	files, err := fs.Glob(fsys, path.Join(brand, samplesFolder, "*.json"))
	if err != nil || len(files) == 0 {
		return nil, &FileError{File: path.Join(brand, samplesFolder), Reason: "no sample to check the templates with"}
	}
	var samples []sample
	for _, file := range files {
		if strings.HasPrefix(path.Base(file), ".") {
			continue
		}
		s, err := readSample(fsys, file)
		if err != nil {
			return nil, err
		}
		samples = append(samples, s)
	}
	return samples, nil
}

// sampleParts are the members of a sample.
type sampleParts struct {
	samplePhone
	Models   []string               `json:"models"`
	Firmware string                 `json:"firmware"`
	Account  json.RawMessage        `json:"account"`
	Users    []json.RawMessage      `json:"users"`
	Lines    map[string]samplePhone `json:"lines"`
}

// readSample reads one sample. Any error is a FileError.
func readSample(fsys fs.FS, file string) (sample, error) {
	raw, err := fs.ReadFile(fsys, file)
	if err != nil {
		return sample{}, &FileError{File: file, Reason: err.Error()}
	}
	parts, err := parseSample(file, raw)
	if err != nil {
		return sample{}, err
	}
	s, err := parts.sample(file)
	if err != nil {
		return sample{}, &FileError{File: file, Reason: strings.ReplaceAll(err.Error(), "\n", "; ")}
	}
	return s, nil
}

// parseSample tells the place of what is no JSON, and of members that a sample
// has not.
func parseSample(file string, raw []byte) (parts sampleParts, err error) {
	at := func(offset int, reason, hint string) error {
		before := raw[:min(offset, len(raw))]
		return &FileError{File: file, Line: 1 + bytes.Count(before, []byte("\n")), Reason: reason, Hint: hint}
	}
	if err := json.Unmarshal(raw, &parts); err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			return parts, at(int(syntax.Offset), err.Error(), "")
		}
		if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return parts, at(int(kind.Offset), fmt.Sprintf("%s: %s is not what belongs there", kind.Field, kind.Value), "")
		}
		return parts, at(0, err.Error(), "")
	}
	var members map[string]json.RawMessage
	_ = json.Unmarshal(raw, &members) // it is an object: it was read before
	known := []string{"account", "device", "firmware", "lines", "models", "owner", "users"}
	for _, name := range sortedKeys(members) {
		if !slices.Contains(known, name) {
			return parts, at(max(bytes.Index(raw, []byte(strconv.Quote(name))), 0), fmt.Sprintf("unknown member %q", name), nearest.Hint(name, known))
		}
	}
	return parts, nil
}

func (parts sampleParts) sample(file string) (sample, error) {
	s := sample{name: strings.TrimSuffix(path.Base(file), ".json"), file: file, models: parts.Models}
	account := &models.Account{}
	err := readDocument("account", parts.Account, &account.Meta, account.SetDocument)
	phone, phoneErr := parts.read(account)
	if err = errors.Join(err, phoneErr); err != nil {
		return s, err
	}
	s.phone, s.phone.Firmware = *phone, parts.Firmware
	if phone.Owner != nil {
		s.users = append(s.users, phone.Owner)
	}
	for _, raw := range parts.Users {
		u := &models.User{}
		err = errors.Join(err, readDocument("users", raw, &u.Meta, u.SetDocument))
		s.users = append(s.users, u)
	}
	for _, number := range sortedKeys(parts.Lines) {
		n, numberErr := strconv.Atoi(number)
		line, lineErr := parts.Lines[number].read(account)
		err = errors.Join(err, numberErr, lineErr)
		s.phone.Lines = append(s.phone.Lines, models.Line{Number: n, Phone: line})
	}
	slices.SortFunc(s.phone.Lines, func(a, b models.Line) int { return cmp.Compare(a.Number, b.Number) })
	if _, ok := s.phone.Device.MAC(); err == nil && !ok {
		err = errors.New("device has no mac_address")
	}
	return s, err
}

// A samplePhone is a device of a sample with its owner, if it has one.
type samplePhone struct {
	Owner  json.RawMessage `json:"owner"`
	Device json.RawMessage `json:"device"`
}

func (p samplePhone) read(account *models.Account) (*models.Phone, error) {
	phone := &models.Phone{Account: account, Device: &models.Device{}}
	err := readDocument("device", p.Device, &phone.Device.Meta, phone.Device.SetDocument)
	if p.Owner == nil {
		return phone, err
	}
	phone.Owner = &models.User{}
	return phone, errors.Join(err, readDocument("owner", p.Owner, &phone.Owner.Meta, phone.Owner.SetDocument))
}

func readDocument(member string, raw json.RawMessage, meta *models.Meta, set func(models.Document) error) error {
	if raw == nil {
		return fmt.Errorf("%s is missing", member)
	}
	doc, err := models.ParseDocument(raw)
	if err == nil {
		meta.ID = doc.Text("id")
		err = set(doc)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", member, err)
	}
	return nil
}

// forTarget is the sample's phone with the device made one of that model.
func (s sample) forTarget(t target) (*models.Phone, error) {
	m, doc := t.model, s.phone.Device.Document.Clone()
	doc.Set("provision.id", t.id)
	doc.Set("provision.endpoint_brand", m.Brand)
	doc.Set("provision.endpoint_family", m.Family)
	doc.Set("provision.endpoint_model", m.Name)
	device := &models.Device{Meta: s.phone.Device.Meta, HTTPPassword: samplePassword}
	if err := device.SetDocument(doc); err != nil {
		return nil, err
	}
	phone := s.phone
	phone.Device = device
	return &phone, nil
}

// unlistedModel stands for every model that no manifest lists.
const unlistedModel = "unlisted"

// A target is what a sample is rendered as.
type target struct {
	model Model
	id    string // provision.id, "" = none
}

// targets are the models a sample is meant for: those it names, else all of
// the manifest and one that is not in it.
func (b *brand) targets(s sample) []target {
	if len(s.models) > 0 {
		var named []target
		for _, name := range s.models {
			named = append(named, target{model: b.model("", name)})
		}
		return named
	}
	all := []target{{model: b.model("", unlistedModel)}}
	for _, key := range b.modelKeys() {
		all = append(all, target{model: b.model(key.family, key.model)})
	}
	return all
}

// overrideTargets are those for which there are templates, in folders that no
// manifest lists: <id>, a family, or a model.
func (c *Catalog) overrideTargets(b *brand) []target {
	seen := map[[3]string]bool{}
	var all []target
	for _, file := range sortedKeys(c.templates.files) {
		parts := strings.Split(file, "/")
		if parts[0] != b.Brand || len(parts) < 3 || len(parts) > 4 {
			continue
		}
		var id, family, model string
		switch {
		case parts[1] == idFolder && len(parts) == 4:
			id, model = parts[2], unlistedModel
		case len(parts) == 4:
			family, model = parts[1], parts[2]
		default:
			family, model = parts[1], unlistedModel
		}
		if key := [3]string{id, family, model}; !seen[key] {
			seen[key] = true
			all = append(all, target{id: id, model: b.model(family, model)})
		}
	}
	return all
}

// renderSample renders every file of a target for a sample.
func (c *Catalog) renderSample(s sample, t target) error {
	trial, err := c.trial(s, t)
	if err != nil {
		return &FileError{File: s.file, Reason: err.Error()}
	}
	for _, file := range trial.Service.FilesOf(trial.Phone) {
		ctx := context.Background() // nothing of a sample is read from outside
		if _, err := trial.Service.DeviceFile(ctx, trial.Phone, file.Name); err != nil {
			return sampleError(err, s, t, file.Name)
		}
	}
	return nil
}

// sampleError tells with which sample a template failed.
func sampleError(err error, s sample, t target, file string) error {
	located := &FileError{}
	if !errors.As(err, &located) {
		return &FileError{File: s.file, Reason: err.Error()}
	}
	reason := fmt.Sprintf("%s (file %s, model %s, sample %s)", located.Reason, file, t.model.Name, s.name)
	return &FileError{File: located.File, Line: located.Line, Reason: reason}
}

// prove renders everything once: a broken edit is found here, not by a phone.
func (c *Catalog) prove(fsys fs.FS, brands []string) error {
	var problems []error
	for _, name := range brands {
		samples, err := loadSamples(fsys, name)
		problems = append(problems, err)
		for _, s := range samples {
			problems = append(problems, c.proveSample(c.brands[name], s))
		}
	}
	return errors.Join(problems...)
}

// proveSample stops at the first mistake: the others are mostly the same one.
func (c *Catalog) proveSample(b *brand, s sample) error {
	for _, t := range append(b.targets(s), c.overrideTargets(b)...) {
		if err := c.renderSample(s, t); err != nil {
			return err
		}
	}
	return nil
}
