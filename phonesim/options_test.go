package phonesim_test

import (
	"errors"
	"io"
	"testing"

	"dialtone/models"
	"dialtone/phonesim"
	"dialtone/provisioner"
	"dialtone/templates"
)

func builtIn(t *testing.T) *provisioner.Catalog {
	t.Helper()
	catalog, err := provisioner.Parse(templates.FS)
	if err != nil {
		t.Fatal(err)
	}
	return catalog
}

// TestEveryModel makes a phone of each model in each manifest.
func TestEveryModel(t *testing.T) {
	catalog := builtIn(t)
	for _, brand := range catalog.Brands() {
		manifest, _ := catalog.Manifest(brand)
		for _, family := range manifest.Families {
			for model, rule := range family.Models {
				for _, spelling := range append([]string{model}, rule.Aliases...) {
					_, err := phonesim.New(phonesim.Options{
						Catalog: catalog, Brand: brand, Model: spelling, URL: "http://127.0.0.1/", Out: io.Discard,
					})
					if err != nil {
						t.Errorf("%s %s: %v", brand, spelling, err)
					}
				}
			}
		}
	}
}

func TestBadOptions(t *testing.T) {
	catalog := builtIn(t)
	good := phonesim.Options{
		Catalog: catalog, Brand: "yealink", Model: "t46u", MAC: models.MAC{5: 1}, URL: "http://127.0.0.1/p/t", Out: io.Discard,
	}
	tests := []struct {
		name   string
		change func(*phonesim.Options)
		count  int
		want   string // the option to blame, "" = none
	}{
		{"good", func(*phonesim.Options) {}, 1, ""},
		{"brand", func(o *phonesim.Options) { o.Brand = "acme" }, 1, "brand"},
		{"model", func(o *phonesim.Options) { o.Model = "t999" }, 1, "model"},
		{"no URL", func(o *phonesim.Options) { o.URL = "" }, 1, "url"},
		{"scheme", func(o *phonesim.Options) { o.URL = "tftp://127.0.0.1/" }, 1, "url"},
		{"address", func(o *phonesim.Options) { o.SIPListen = "5060" }, 1, "sip-listen"},
		{"port", func(o *phonesim.Options) { o.SIPListen = "127.0.0.1:sip" }, 1, "sip-listen"},
		{"no phones", func(*phonesim.Options) {}, 0, "count"},
		{"fleet on one port", func(o *phonesim.Options) { o.SIPListen = ":5060" }, 2, "sip-listen"},
		{"fleet", func(o *phonesim.Options) { o.SIPListen = ":0" }, 2, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := good
			tt.change(&o)
			_, err := phonesim.NewFleet(o, tt.count)
			got := ""
			if bad, ok := errors.AsType[*phonesim.OptionError](err); ok {
				got = bad.Option
			} else if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("got %v, want an error of option %q", err, tt.want)
			}
		})
	}
}
