package provisioner

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"dialtone/models"
)

func TestMatch(t *testing.T) {
	s := NewService(nil, builtinCatalog(t), Options{})
	tests := []struct {
		name   string
		want   string // Request.Name, "" = no match
		mac    string
		brands []string
	}{
		{"001565aabbcc.cfg", "001565aabbcc.cfg", "001565aabbcc", []string{"fanvil", "polycom", "yealink"}},
		{"001565AABBCC.cfg", "001565aabbcc.cfg", "001565aabbcc", []string{"fanvil", "polycom", "yealink"}},
		{"001565aabbcc.boot", "001565aabbcc.boot", "001565aabbcc", []string{"yealink"}},
		{"0004f2aabbcc-settings.cfg", "0004f2aabbcc-settings.cfg", "0004f2aabbcc", []string{"polycom"}},
		{"000000000000.cfg", "000000000000.cfg", "", []string{"polycom"}},
		{"000000000000.boot", "", "", nil},
		{"000000000000-settings.cfg", "", "", nil},
		{"y000000000108.cfg", "y000000000108.cfg", "", []string{"yealink"}},
		{"y000000000095.cfg", "y000000000095.cfg", "", []string{"yealink"}},
		{"y000000000999.cfg", "", "", nil},
		{"y000000000000.boot", "", "", nil},
		{"site.cfg", "site.cfg", "", []string{"polycom"}},
		{"SITE.cfg", "site.cfg", "", []string{"polycom"}},
		{"001565aabbcg.cfg", "", "", nil},
		{"00:15:65:aa.cfg", "", "", nil},
		{"001565aabbcc.CFG", "001565aabbcc.cfg", "001565aabbcc", []string{"fanvil", "polycom", "yealink"}},
		{"x/001565aabbcc.cfg", "", "", nil},
		{"../001565aabbcc.cfg", "", "", nil},
		{"0004F2aabbcc-phone.cfg", "0004f2aabbcc-phone.cfg", "0004f2aabbcc", []string{"polycom"}},
		{"001565aabbcc-boot.log", "001565aabbcc-boot.log", "001565aabbcc", []string{"polycom", "yealink"}},
		{"000000000000-directory.xml", "000000000000-directory.xml", "", []string{"polycom"}},
		{"000000000000-license.cfg", "", "", nil},
		{"001565aabbcc-license.cfg", "", "", nil},
		{"SnomD785-000413AABBCC.htm", "snomd785-000413aabbcc.htm", "000413aabbcc", []string{"snom"}},
		{"snomD785.htm", "snomd785.htm", "", []string{"snom"}},
		{"snomD799.htm", "", "", nil},
		{"cfgc074adaabbcc.xml", "cfgc074adaabbcc.xml", "c074adaabbcc", []string{"grandstream"}},
		{"cfgc074adaabbcc", "", "", nil},
		{"cfggrp2614.xml", "cfggrp2614.xml", "", []string{"grandstream"}},
		{"c074adaabbcc/phonebook.xml", "c074adaabbcc/phonebook.xml", "c074adaabbcc", []string{"grandstream"}},
		{"f0v0v6500000.cfg", "f0v0v6500000.cfg", "", []string{"fanvil"}},
		{"", "", "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := s.Match(tt.name)
			if ok != (tt.want != "") {
				t.Fatalf("matched is %v", ok)
			}
			if !ok {
				return
			}
			mac := ""
			if got.HasMAC {
				mac = got.MAC.String()
			}
			if upload := strings.Contains(tt.name, "-phone") || strings.Contains(tt.name, ".log"); got.Upload != upload {
				t.Errorf("may be stored: got %v, want %v", got.Upload, upload)
			}
			if got.Name != tt.want || mac != tt.mac {
				t.Errorf("got name %q, MAC %q, want %q, %q", got.Name, mac, tt.want, tt.mac)
			}
			if diff := cmp.Diff(tt.brands, got.Brands); diff != "" {
				t.Errorf("brands (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever a phone asks for: a match has a canonical name that matches the
// same, and never the zero MAC.
func FuzzMatch(f *testing.F) {
	c, err := builtin()
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"001565AABBCC.cfg", "000000000000.cfg", "y000000000108.cfg", "\xff.cfg", "0:1:5:6:5:a.cfg"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		req, ok := c.match(name)
		if !ok {
			return
		}
		if !strings.EqualFold(req.Name, name) || len(req.files) == 0 || len(req.Brands) == 0 {
			t.Errorf("%q gives %q and %d files", name, req.Name, len(req.files))
		}
		if req.HasMAC && req.MAC == (models.MAC{}) {
			t.Errorf("%q gives the zero MAC", name)
		}
		again, ok := c.match(req.Name)
		if diff := cmp.Diff(req, again, cmpopts.IgnoreUnexported(Request{})); !ok || diff != "" {
			t.Errorf("%q again (-first +second):\n%s", req.Name, diff)
		}
	})
}

func TestTemplateFor(t *testing.T) {
	c := loadAcme(t, map[string]string{
		"acme/t1x/settings.tpl":         "name = family\n",
		"acme/t1x/t11/settings.tpl":     "name = model\n",
		"acme/id/special/settings.tpl":  "name = special\n",
		"acme/t9x/settings.tpl":         "name = unlisted family\n",
		"acme/t1x/t19/settings.tpl":     "name = unlisted model\n",
		"acme/f2x/settings.tpl":         "name = a family that begins with f\n",
		"acme/fallback/id/settings.tpl": "name = not an id folder\n",
	})
	tests := []struct{ name, family, model, id, want string }{
		{"id wins", "t1x", "t11", "special", "acme/id/special/settings.tpl"},
		{"unknown id", "t1x", "t11", "other", "acme/t1x/t11/settings.tpl"},
		{"an id leads nowhere else", "t1x", "t12", "../t1x/t11", "acme/t1x/settings.tpl"},
		{"id of dots", "t1x", "t12", "..", "acme/t1x/settings.tpl"},
		{"model", "t1x", "t11", "", "acme/t1x/t11/settings.tpl"},
		{"model by alias", "t1x", "T11P", "", "acme/t1x/t11/settings.tpl"},
		{"family", "t1x", "t12", "", "acme/t1x/settings.tpl"},
		{"family of a listed model", "", "t12", "", "acme/t1x/settings.tpl"},
		{"leading f", "ft1x", "t11", "", "acme/t1x/t11/settings.tpl"},
		{"a family's own f", "f2x", "x20", "", "acme/f2x/settings.tpl"},
		{"unlisted model", "t1x", "t99", "", "acme/t1x/settings.tpl"},
		{"unlisted model with templates", "t1x", "T19", "", "acme/t1x/t19/settings.tpl"},
		{"unlisted family with templates", "t9x", "any", "", "acme/t9x/settings.tpl"},
		{"unlisted family", "zzz", "any", "", "acme/settings.tpl"},
		{"nothing known", "", "", "", "acme/settings.tpl"},
		{"family leads nowhere else", "..", "t1x", "", "acme/settings.tpl"},
		{"family with a slash", "t1x/t11", "", "", "acme/settings.tpl"},
		{"the id folder is no family", "id", "special", "", "acme/settings.tpl"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := c.Model("acme", tt.family, tt.model)
			if got := c.templateFor(m, tt.id, "settings.tpl"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestModel(t *testing.T) {
	c := builtinCatalog(t)
	tests := []struct {
		brand, family, model string
		name, resolvedFamily string
		label                string
		lines, lineKeys      int
	}{
		{"yealink", "t4x", "T46U", "t46u", "t4x", "T46U", 16, 27},
		{"yealink", "ft4x", "t46", "t46g", "t4x", "T46G", 16, 27},
		{"yealink", "", "t54w", "t54w", "t5x", "T54W", 16, 27},
		{"yealink", "t4x", "T99", "t99", "t4x", "T4X", 1, 27},
		{"polycom", "vvx", "VVX_450", "vvx450", "vvx", "VVX_450", 12, 12},
		{"polycom", "", "450", "vvx450", "vvx", "VVX_450", 12, 12},
		{"Polycom", "vvx", "vvx450", "vvx450", "vvx", "", 0, 0}, // brands are compared exactly
		{"", "", "", "", "", "", 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.brand+" "+tt.model, func(t *testing.T) {
			m := c.Model(tt.brand, tt.family, tt.model)
			if m.Name != tt.name || m.Family != tt.resolvedFamily || m.Label != tt.label || m.Lines != tt.lines || m.LineKeys != tt.lineKeys {
				t.Errorf("got %+v", m)
			}
		})
	}
}

func TestUserAgent(t *testing.T) {
	s := NewService(nil, builtinCatalog(t), Options{})
	tests := []struct{ header, firmware, mac string }{
		{"Yealink SIP-T46S 66.84.0.15 00:15:65:aa:bb:cc", "66.84.0.15", "001565aabbcc"},
		{"yealink SIP-T42G 29.70.0.140 00:15:65:aa:bb:cc", "29.70.0.140", "001565aabbcc"},
		{"Yealink SIP-T56A  58.80.0.25 001565f429a4", "58.80.0.25", "001565f429a4"},
		{"Yealink SIP VP-T49G 51.80.0.10 00:15:65:aa:bb:cc", "51.80.0.10", "001565aabbcc"},
		{"Yealink SIP-T20P 9.72.0.30 00:15:6525ef16a7c", "9.72.0.30", ""},
		{"Yealink-T46G 28.71.0.81 28.1.0.128.0.0.0", "28.71.0.81", ""},
		{"Yealink SIP-T54W 96.85.0.5", "96.85.0.5", ""},
		{"curl/8.0", "", ""},
		{"", "", ""},
		{"FileTransport PolycomVVX-VVX_400-UA/4.1.4.7430 Type/Application", "4.1.4.7430", ""},
		{"FileTransport PolycomVVX-VVX_450-UA/5.9.7.3477 (SN:0004f2aabbcc) Type/Application", "5.9.7.3477", "0004f2aabbcc"},
		{"FileTransport PolycomVVX-VVX_400-UA/5.0.3.1667 Type/Updater", "", ""},
		{"FileTransport PolycomVVX-VVX_400-UA/5.0.3.1667 (SN:0004f2aabbcc) Type/Updater", "", "0004f2aabbcc"},
		{"PolycomVVX-VVX_450-UA/6.4.3.5017", "6.4.3.5017", ""},
		{"Yealink SIP-T46S 66.84.0.15 00:15:65:aa:bb:cc" + strings.Repeat(" ", 1000), "", ""},
	}
	for _, tt := range tests {
		got := s.UserAgent(tt.header)
		mac := ""
		if got.MAC != (models.MAC{}) {
			mac = got.MAC.String()
		}
		if got.Firmware != tt.firmware || mac != tt.mac {
			t.Errorf("%q: got %+v, want %q and %q", tt.header, got, tt.firmware, tt.mac)
		}
	}
}

// A path may have the MAC in upper case. What is asked for has one name,
// whatever the case, and the phone is shown the brand's way to write it.
func TestUpperCaseMAC(t *testing.T) {
	manifest := strings.Replace(acmeManifest, `path: "{mac}.txt"`, `path: "Acme-{MAC}.txt"`, 1)
	store := &fakeStore{}
	s := NewService(store, loadAcme(t, map[string]string{"acme/manifest.yaml": manifest}), Options{})
	phone := acmePhone(t)
	mac := models.MAC{0x00, 0x1a, 0x2b, 0x3c, 0x4d, 0xef}
	phone.Device.MACAddress = mac.String()
	req, ok := s.Match("ACME-001a2b3C4Def.TXT")
	if !ok || req.Name != "acme-001a2b3c4def.txt" || req.MAC != mac {
		t.Fatalf("got %+v, %v", req, ok)
	}
	file, err := s.DeviceFile(t.Context(), phone, req.Name)
	if err != nil || file.Name != "Acme-001A2B3C4DEF.txt" || s.FilesOf(phone)[0].Name != file.Name {
		t.Fatalf("got %+v, %v", file, err)
	}
	store.fetches = []models.Fetch{{File: req.Name, Status: http.StatusOK, ETag: file.ETag}}
	report, err := s.Report(t.Context(), phone)
	if err != nil || report.Files[0].Name != file.Name || report.Files[0].State != StateInSync {
		t.Errorf("got %+v, %v", report, err)
	}
	double := strings.Replace(acmeManifest, `path: "{mac}.txt"`, `path: "{MAC}-{mac}.txt"`, 1)
	if _, err := Load(acme(map[string]string{"acme/manifest.yaml": double})); err == nil || !strings.Contains(err.Error(), "only once") {
		t.Errorf("two MACs: got %v", err)
	}
}
