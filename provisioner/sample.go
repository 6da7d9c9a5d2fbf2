package provisioner

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"dialtone/models"
)

// A sample is <brand>/samples/<name>.json: documents as the API takes them,
// each with its id, to try templates with.
type sample struct {
	name   string
	file   string
	models []string // models it is rendered for; all when empty
	phone  models.Phone
	users  []*models.User
}

// What every sample is rendered with, so that its output never changes.
const (
	sampleURL       = "http://phones.example.com:8080/p/0123456789abcdef0123456789abcdef/"
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
			return nil, &FileError{File: file, Reason: err.Error()}
		}
		samples = append(samples, s)
	}
	return samples, nil
}

func readSample(fsys fs.FS, file string) (sample, error) {
	raw, err := fs.ReadFile(fsys, file)
	if err != nil {
		return sample{}, err
	}
	var parts struct {
		Models  []string          `json:"models"`
		Account json.RawMessage   `json:"account"`
		Owner   json.RawMessage   `json:"owner"`
		Users   []json.RawMessage `json:"users"`
		Device  json.RawMessage   `json:"device"`
	}
	if err := json.Unmarshal(raw, &parts); err != nil {
		return sample{}, err
	}
	s := sample{name: strings.TrimSuffix(path.Base(file), ".json"), file: file, models: parts.Models}
	s.phone.Account, s.phone.Device = &models.Account{}, &models.Device{}
	err = errors.Join(
		readDocument("account", parts.Account, &s.phone.Account.Meta, s.phone.Account.SetDocument),
		readDocument("device", parts.Device, &s.phone.Device.Meta, s.phone.Device.SetDocument),
	)
	if parts.Owner != nil {
		s.phone.Owner = &models.User{}
		err = errors.Join(err, readDocument("owner", parts.Owner, &s.phone.Owner.Meta, s.phone.Owner.SetDocument))
		s.users = append(s.users, s.phone.Owner)
	}
	for _, raw := range parts.Users {
		u := &models.User{}
		err = errors.Join(err, readDocument("users", raw, &u.Meta, u.SetDocument))
		s.users = append(s.users, u)
	}
	if _, ok := s.phone.Device.MAC(); err == nil && !ok {
		err = errors.New("device has no mac_address")
	}
	return s, err
}

func readDocument(member string, raw json.RawMessage, meta *models.Meta, set func(models.Document) error) error {
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

// forModel is the sample's phone with the device made one of that model.
func (s sample) forModel(m Model) (*models.Phone, error) {
	doc := s.phone.Device.Document.Clone()
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

// sampleModels are the models a sample is rendered for.
func (b *brand) sampleModels(s sample) []Model {
	if len(s.models) > 0 {
		var listed []Model
		for _, name := range s.models {
			listed = append(listed, b.model("", name))
		}
		return listed
	}
	all := []Model{b.model("", unlistedModel)}
	for _, key := range b.modelKeys() {
		all = append(all, b.model(key.family, key.model))
	}
	return all
}

// renderSample renders every file of a model for a sample.
func (c *Catalog) renderSample(b *brand, s sample, m Model) ([]File, error) {
	phone, err := s.forModel(m)
	if err != nil {
		return nil, err
	}
	mac, _ := phone.Device.MAC()
	own, err := b.deviceInput(phone, s.users, sampleRegistrar)
	if err != nil {
		return nil, err
	}
	var files []File
	for _, file := range b.deviceFiles(m, mac) {
		in := own
		if !strings.Contains(file.rule.Path, "{"+macPlaceholder+"}") {
			if in, err = b.commonInput(phone.Account, b.owner[m.Name]); err != nil {
				return nil, err
			}
			in.server.URL = sampleURL
		} else {
			in.server = server{URL: sampleURL, Username: mac.String(), Password: phone.Device.HTTPPassword}
		}
		in.now = sampleNow
		f, err := c.renderFile(file.name, file.rule, in)
		if err != nil {
			return nil, fmt.Errorf("%w (sample %s, model %s, file %s)", err, s.name, m.Name, file.name)
		}
		files = append(files, f)
	}
	return files, nil
}

// prove renders everything once: a broken edit is found here, not by a phone.
func (c *Catalog) prove(fsys fs.FS) error {
	var problems []error
	for _, name := range c.Brands() {
		samples, err := loadSamples(fsys, name)
		problems = append(problems, err)
		for _, s := range samples {
			problems = append(problems, c.proveSample(c.brands[name], s))
		}
	}
	return errors.Join(problems...)
}

func (c *Catalog) proveSample(b *brand, s sample) error {
	for _, m := range b.sampleModels(s) {
		if _, err := c.renderSample(b, s, m); err != nil {
			if isFileError(err) {
				return err
			}
			return &FileError{File: s.file, Reason: err.Error()}
		}
	}
	return nil
}
