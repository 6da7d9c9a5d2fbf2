package phonesim

import (
	"cmp"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode"

	"dialtone/models"
	"dialtone/provisioner"
	"dialtone/templates"
)

// beyondLimits is the sample whose values phones do not take as they are.
const beyondLimits = "limits"

// Each model of each brand boots with each sample, and reads out of its files
// the line that the documents say.
func TestModelsBoot(t *testing.T) {
	catalog, err := provisioner.Parse(templates.FS)
	if err != nil {
		t.Fatal(err)
	}
	for _, brand := range catalog.Brands() {
		trials, err := catalog.Trials(templates.FS, brand)
		if err != nil {
			t.Fatal(err)
		}
		for _, trial := range trials {
			if trial.Model.Family == "" || trial.Override {
				continue // no model that can be named
			}
			if trial.Sample == beyondLimits {
				continue
			}
			t.Run(brand+"/"+trial.Sample+"/"+trial.Model.Name, func(t *testing.T) { bootTrial(t, catalog, trial) })
		}
	}
}

func bootTrial(t *testing.T, catalog *provisioner.Catalog, trial provisioner.Trial) {
	t.Helper()
	server := httptest.NewServer(serveTrial(t, trial))
	defer server.Close()
	mac, _ := trial.Phone.Device.MAC()
	phone, err := New(Options{Catalog: catalog, Brand: trial.Model.Brand, Model: trial.Model.Name, MAC: mac, URL: server.URL, Out: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	config, err := phone.boot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := newLine(&phone.script, config)
	if errors.Is(err, errNoUser) {
		err = errDisabled // some brands say it that way
	}
	want, wantErr := documentLine(trial.Phone)
	if got.displayName, want.displayName = oneLine(got.displayName), oneLine(want.displayName); got != want || !errors.Is(err, wantErr) {
		t.Errorf("got %+v, %v\nwant %+v, %v", got, err, want, wantErr)
	}
}

// serveTrial gives a phone the files of its trial, for the firmware that it
// tells.
func serveTrial(t *testing.T, trial provisioner.Trial) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		phone := *trial.Phone
		phone.Firmware = trial.Service.UserAgent(r.UserAgent()).Firmware
		file, err := trial.Service.DeviceFile(r.Context(), &phone, strings.TrimPrefix(r.URL.Path, "/"))
		switch {
		case errors.Is(err, models.ErrNotFound):
			http.NotFound(w, r)
		case err != nil:
			t.Error(err)
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			_, _ = w.Write(file.Body)
		}
	})
}

// documentLine is the line of a sample's documents. Without a proxy, requests
// go to the registrar that all samples have.
func documentLine(phone *models.Phone) (line, error) {
	sip := phone.Device.Document
	if !phone.Enabled() {
		return line{}, errDisabled
	}
	transport := cmp.Or(sip.Text("sip.transport"), "udp")
	if transport == "tls" {
		return line{}, errNoTLS
	}
	proxy, _, _ := strings.Cut(cmp.Or(sip.Text("sip.proxy"), "sip.example.com:5060"), ",")
	if _, _, err := net.SplitHostPort(proxy); err != nil {
		proxy = net.JoinHostPort(proxy, "5060")
	}
	expires, ok := sip.Int("sip.expire_seconds")
	if !ok {
		expires = 300
	}
	return line{
		user: sip.Text("sip.username"), authUser: sip.Text("sip.username"), password: sip.Text("sip.password"),
		displayName: phone.Device.Name, domain: phone.Realm(), server: proxy, transport: transport, expires: int(expires),
	}, nil
}

// oneLine is a text without what no setting can hold.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }), " ")
}
