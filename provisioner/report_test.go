package provisioner

import (
	"errors"
	"strings"
	"testing"
	"time"

	"dialtone/models"
)

func TestReport(t *testing.T) {
	catalog := loadAcme(t, nil)
	etags := map[string]string{}
	for _, name := range []string{"001122334455.txt", "001122334455.xml", "m11.txt"} {
		f, err := NewService(&fakeStore{}, catalog, Options{}).DeviceFile(t.Context(), acmePhone(t), name)
		if err != nil {
			t.Fatal(err)
		}
		etags[name] = f.ETag
	}
	fetch := func(file string, status int, etag string) models.Fetch {
		return models.Fetch{File: file, Method: "GET", Status: status, ETag: etag, At: time.Unix(100, 0)}
	}
	const settings, page, common = "001122334455.txt", "001122334455.xml", "m11.txt"
	tests := []struct {
		name    string
		fetches []models.Fetch
		want    string
	}{
		{"never", nil, StateNever},
		{"delivered", []models.Fetch{fetch(settings, 200, etags[settings])}, StateInSync},
		{"not modified", []models.Fetch{fetch(settings, 304, etags[settings])}, StateInSync},
		{"an older one", []models.Fetch{fetch(settings, 200, "0123")}, StateBehind},
		{"refused", []models.Fetch{fetch(settings, 404, "")}, StateBehind},
		{"failed", []models.Fetch{fetch(settings, 503, "")}, StateError},
		{"settings not yet", []models.Fetch{fetch(page, 200, etags[page])}, StateBehind},
		{"another file is older", []models.Fetch{fetch(settings, 200, etags[settings]), fetch(common, 200, "0123")}, StateBehind},
		{"another file was refused", []models.Fetch{fetch(settings, 200, etags[settings]), fetch(page, 404, "")}, StateInSync},
		{"another file failed", []models.Fetch{fetch(settings, 200, etags[settings]), fetch(page, 503, "")}, StateInSync},
		{"a file we do not have", []models.Fetch{fetch("001122334455-app.log", 404, "")}, StateNever},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := NewService(&fakeStore{fetches: tt.fetches}, catalog, Options{BaseURL: "http://host"})
			r, err := s.Report(t.Context(), acmePhone(t))
			if err != nil {
				t.Fatal(err)
			}
			if r.State != tt.want {
				t.Errorf("state %q (%s), want %q; files %+v", r.State, r.Error, tt.want, r.Files)
			}
			if len(r.Files) != 3 || r.Files[1].Name != common || r.Files[1].URL != "http://host/p/token/m11.txt" || r.Files[1].ETag != etags[common] {
				t.Errorf("files %+v", r.Files)
			}
			if r.Username != "001122334455" || r.Password.Reveal() != "http-secret" || r.URL != "http://host/p/token/" {
				t.Errorf("credentials %q, %q at %q", r.Username, r.Password.Reveal(), r.URL)
			}
		})
	}
}

func TestReportFailures(t *testing.T) {
	catalog := loadAcme(t, map[string]string{"acme/page.tpl": "<a{% if device.name == \"boom\" %}<{% endif %}/>\n"})
	phone := acmePhone(t)
	phone.Device.Document.Set("name", "boom")
	r, err := NewService(&fakeStore{}, catalog, Options{}).Report(t.Context(), phone)
	if err != nil || r.State != StateError || r.Error == "" || r.Files[2].State != StateError || r.Files[0].State != StateNever {
		t.Errorf("a file that cannot be rendered: %+v, %v", r, err)
	}
	if _, err := NewService(&fakeStore{err: models.ErrUnavailable}, catalog, Options{}).Report(t.Context(), phone); !errors.Is(err, models.ErrUnavailable) {
		t.Errorf("store down: got %v", err)
	}
	for name, document := range map[string]string{"no MAC": `{"provision": {"endpoint_brand": "acme"}}`, "unknown brand": `{"mac_address": "001122334455"}`} {
		r, err := NewService(&fakeStore{}, catalog, Options{}).Report(t.Context(), newPhone(t, `{}`, "", document))
		if err != nil || r.State != StateError || r.Error == "" || len(r.Files) != 0 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

// A phonebook that is older than what would be rendered now is no reason to
// send a phone for its settings, unless they are in the same file.
func TestReportWithoutPhonebook(t *testing.T) {
	for rule, want := range map[string]string{"phonebook: true": StateInSync, "phonebook: true, settings: true": StateBehind} {
		manifest := strings.Replace(acmeManifest, "files:\n", `files:
  - {role: book, path: "{mac}-book.txt", template: page.tpl, format: xml, content_type: text/xml, `+rule+"}\n", 1)
		catalog := loadAcme(t, map[string]string{"acme/manifest.yaml": manifest})
		settings, err := NewService(&fakeStore{}, catalog, Options{}).DeviceFile(t.Context(), acmePhone(t), "001122334455.txt")
		if err != nil {
			t.Fatal(err)
		}
		store := &fakeStore{fetches: []models.Fetch{
			{File: settings.Name, Method: "GET", Status: 200, ETag: settings.ETag, At: time.Unix(100, 0)},
			{File: "001122334455-book.txt", Method: "GET", Status: 200, ETag: "0123", At: time.Unix(100, 0)},
		}}
		r, err := NewService(store, catalog, Options{}).Report(t.Context(), acmePhone(t))
		if err != nil || r.State != want || r.Files[0].State != StateBehind {
			t.Errorf("%s: state %q, %v, want %q; files %+v", rule, r.State, err, want, r.Files)
		}
	}
}
