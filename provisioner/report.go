package provisioner

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"dialtone/models"
)

// The provision states of a device and of its files.
const (
	StateNever  = "never"   // not fetched yet
	StateInSync = "in_sync" // what was delivered last is what would be rendered now
	StateBehind = "behind"  // the phone has something older, or not everything
	StateError  = "error"   // it cannot be rendered, or the last fetch failed on our side
)

// A Report tells which files a phone is given and what it has of them.
type Report struct {
	State    string
	Error    string // why State is "error"
	URL      string // of the account's provisioning folder
	Username string // HTTP digest credentials of the phone; "" without a MAC
	Password models.Secret
	Files    []FileReport

	Overrides []models.Upload // stored by the phone; they beat what it is given
	Missing   []MissingLine
}

// Why a phone does not get a line that its device names.
const (
	MissingDevice   = "not_found"       // there is no such device in the account
	MissingRoom     = "above_the_model" // the model has fewer lines
	MissingUsername = "no_username"     // the device has no sip.username
)

// A MissingLine is a line that a device names and its phone does not get.
type MissingLine struct {
	Number   int
	DeviceID string
	Reason   string // one of the Missing constants
}

// A FileReport is one file of a Report. ETag, ContentType and Bytes are of the
// file as it would be rendered now.
type FileReport struct {
	Role        string
	Name        string
	URL         string
	ETag        string
	ContentType string
	Bytes       int
	Settings    bool // counts for the state even when it was never fetched
	Phonebook   bool // holds what users change every day: unless it is Settings too, the state goes without it
	State       string
	LastFetch   *models.Fetch // nil: never fetched
	Error       string
}

// Report renders everything a phone could ask for and compares it with what it
// fetched last. A device without a MAC or of an unknown brand has no files, and the state
// "error" says why.
func (s *Service) Report(ctx context.Context, phone *models.Phone) (Report, error) {
	r := Report{URL: s.URL(phone.Account)}
	c := s.Catalog()
	b, known := c.brands[phone.Device.Provision.Brand]
	mac, hasMAC := phone.Device.MAC()
	switch {
	case !hasMAC:
		r.State, r.Error = StateError, "the device has no mac_address of 12 hex digits"
		return r, nil
	case !known:
		r.State, r.Error = StateError, fmt.Sprintf("provision.endpoint_brand %q is not in the catalogue", phone.Device.Provision.Brand)
		return r, nil
	}
	r.Username, r.Password = mac.String(), phone.Device.HTTPPassword
	fetches, err := s.lastFetches(ctx, phone.Device.ID)
	if err != nil {
		return Report{}, err
	}
	kept, err := s.uploads(ctx, phone.Device.ID)
	if err != nil {
		return Report{}, err
	}
	r.Overrides = c.overrides(phone.Device, kept)
	p := phone.Device.Provision
	model := b.model(p.Family, string(p.Model))
	r.Missing = missingLines(phone, model)
	for _, file := range b.deviceFiles(model, mac) {
		report := FileReport{Role: file.rule.Role, Name: file.name, Settings: file.rule.Settings, Phonebook: file.rule.Phonebook}
		if r.URL != "" {
			report.URL = r.URL + file.name
		}
		rendered, err := s.fileOf(ctx, c, phone, file)
		report.judge(rendered, err, fetches[strings.ToLower(file.name)])
		report.prefer(file.rule, kept)
		r.Files = append(r.Files, report)
	}
	r.State, r.Error = overallState(r.Files)
	return r, nil
}

// missingLines are those of the device that its phone does not get.
func missingLines(phone *models.Phone, model Model) []MissingLine {
	var missing []MissingLine
	for _, l := range phone.Device.Provision.Lines {
		i := slices.IndexFunc(phone.Lines, func(known models.Line) bool { return known.Number == l.Number })
		reason := ""
		switch {
		case i < 0:
			reason = MissingDevice
		case l.Number > model.Lines:
			reason = MissingRoom
		case phone.Lines[i].Phone.Device.SIP.Username == "":
			reason = MissingUsername
		default:
			continue
		}
		missing = append(missing, MissingLine{l.Number, l.DeviceID, reason})
	}
	return missing
}

func (s *Service) fileOf(ctx context.Context, c *Catalog, phone *models.Phone, file deviceFile) (File, error) {
	req, _ := c.match(file.name)
	if req.HasMAC {
		return s.deviceFile(ctx, c, phone, file.name, file.rule)
	}
	if known, ok := req.ruleFor(phone.Device); ok {
		return s.commonFile(ctx, c, phone.Account, phone.Firmware, known, modelOf(phone))
	}
	return File{}, fmt.Errorf("file %q: %w", file.name, models.ErrNotFound)
}

// lastFetches are the newest fetches by file name in lower case.
func (s *Service) lastFetches(ctx context.Context, deviceID string) (map[string]*models.Fetch, error) {
	fetches, err := s.store.LastFetches(ctx, deviceID)
	if err != nil {
		return nil, fmt.Errorf("device %s, fetches: %w", deviceID, err)
	}
	newest := map[string]*models.Fetch{}
	for i := range fetches {
		newest[fetches[i].File] = &fetches[i]
	}
	return newest, nil
}

// judge fills in what is rendered now and how it compares with the last fetch.
func (f *FileReport) judge(rendered File, err error, last *models.Fetch) {
	f.LastFetch = last
	f.ETag, f.ContentType, f.Bytes = rendered.ETag, rendered.ContentType, len(rendered.Body)
	switch {
	case err != nil:
		f.State, f.Error = StateError, err.Error()
	case last == nil:
		f.State = StateNever
	case last.Status >= http.StatusInternalServerError:
		f.State, f.Error = StateError, fmt.Sprintf("the last fetch was answered with %d", last.Status)
	case delivered(last) && last.ETag == f.ETag:
		f.State = StateInSync
	default:
		f.State = StateBehind
	}
}

// delivered reports whether the phone has the file after this fetch.
func delivered(f *models.Fetch) bool {
	return f.Status == http.StatusOK || f.Status == http.StatusNotModified
}

// overallState joins the states of the files. A file that carries settings
// must have been delivered; others count once they were asked for, and the
// phonebook does not.
func overallState(files []FileReport) (state, reason string) {
	asked, behind := false, false
	for _, f := range files {
		if f.Phonebook && !f.Settings {
			continue
		}
		asked = asked || f.LastFetch != nil
		switch {
		case f.State == StateError && (f.Settings || f.ETag == ""): // not rendered, or refused to the phone
			return StateError, fmt.Sprintf("%s: %s", f.Name, f.Error)
		case f.State == StateBehind && (f.Settings || delivered(f.LastFetch)):
			behind = true
		case f.State == StateNever && f.Settings:
			behind = true
		}
	}
	switch {
	case !asked:
		return StateNever, ""
	case behind:
		return StateBehind, ""
	}
	return StateInSync, ""
}
