package api_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dialtone/models"
)

func TestCatalogue(t *testing.T) {
	b := newBench(t)
	const brands = "/v2/provisioner/brands"
	list := b.do("GET", brands, "").want(http.StatusOK).list()
	if len(list) < 2 {
		t.Fatalf("brands: %v", list)
	}
	for _, item := range list {
		brand := item.(map[string]any)
		families := brand["families"].([]any)
		if brand["name"] == "" || len(families) == 0 {
			t.Errorf("brand %v", brand)
		}
		shown := b.do("GET", brands+"/"+brand["id"].(string), "").want(http.StatusOK)
		if len(shown.at("families").([]any)) != len(families) || len(shown.at("codecs").([]any)) == 0 || len(shown.at("transports").([]any)) == 0 ||
			len(shown.at("files").([]any)) == 0 || shown.at("template_ids") == nil {
			t.Errorf("brand %s", shown.body)
		}
	}

	family := b.do("GET", brands+"/yealink/t4x", "").want(http.StatusOK)
	var t46u map[string]any
	for _, item := range family.at("models").([]any) {
		if model := item.(map[string]any); model["id"] == "t46u" {
			t46u = model
		}
	}
	if t46u == nil || family.at("brand") != "yealink" {
		t.Fatalf("family %s", family.body)
	}
	number := func(name string) int {
		n, _ := strconv.Atoi(fmt.Sprint(t46u[name]))
		return n
	}
	if all := 27 + number("expansion_modules")*number("expansion_keys"); number("combo_keys") != all || number("feature_keys") != all-1 {
		t.Errorf("room for %v combo and %v feature keys on %d keys", t46u["combo_keys"], t46u["feature_keys"], all)
	}
	for _, name := range []string{"attributes", "expansion_modules", "expansion_keys", "combo_keys", "feature_keys"} {
		delete(t46u, name)
	}
	want := `{"id":"t46u","name":"T46U","aliases":["sip-t46u"],"lines":16,"line_keys":27}`
	if diff := cmp.Diff(asJSON(t, want), asJSON(t, t46u)); diff != "" {
		t.Error(diff)
	}

	for _, path := range []string{"/acme", "/acme/t4x", "/yealink/acme"} {
		b.do("GET", brands+path, "").fails(http.StatusNotFound, "bad_identifier")
	}
	b.as("", "GET", brands, "").fails(http.StatusUnauthorized, "invalid_credentials")
}

func TestPreview(t *testing.T) {
	b := newBench(t)
	path := b.device(`{"name":"Desk","mac_address":"001565aabbcc","sip":{"username":"ann","password":"s3cret-sip"},
		"provision":{"endpoint_brand":"yealink","endpoint_family":"t4x","endpoint_model":"t46u"}}`)
	files := path + "/provision/files/"
	id := path[len(path)-32:]
	d, err := b.store.Device(t.Context(), b.master.ID, id)
	if err != nil {
		t.Fatal(err)
	}
	secrets := []string{"s3cret-sip", d.HTTPPassword.Reveal(), b.master.PathToken.Reveal()}

	r := b.do("GET", files+"001565aabbcc.cfg", "").want(http.StatusOK)
	masked := r
	body := r.at("body").(string)
	if !strings.Contains(body, "account.1.password = REDACTED") || !strings.Contains(body, "account.1.user_name = ann") || r.at("revealed") != false || r.at("etag") != nil {
		t.Errorf("preview: %s", r.body)
	}
	for _, secret := range secrets {
		if strings.Contains(r.body, secret) {
			t.Errorf("the preview holds the secret %q", secret)
		}
	}
	if r.at("role") != "settings" || r.at("content_type") != "text/plain" || r.at("name") != "001565aabbcc.cfg" {
		t.Errorf("preview: %s", r.body)
	}
	if got := b.do("GET", path+"/audit", "").list(); len(got) != 1 {
		t.Errorf("a masked preview was audited: %v", got)
	}

	r = b.do("GET", files+"001565AABBCC.cfg?reveal=true", "", "X-Request-ID: show-it").want(http.StatusOK)
	if body := r.at("body").(string); !strings.Contains(body, "account.1.password = s3cret-sip") || r.at("revealed") != true || r.at("etag") == nil {
		t.Errorf("revealed: %s", r.body)
	}
	entry := b.do("GET", path+"/audit", "").list()[0].(map[string]any)
	if entry["action"] != "reveal" || entry["detail"] != "001565aabbcc.cfg" || entry["request_id"] != "show-it" || entry["object_id"] != id {
		t.Errorf("audit of a reveal: %v", entry)
	}

	explained := b.do("GET", files+"001565aabbcc.cfg?explain=true", "").want(http.StatusOK)
	for _, secret := range secrets {
		if strings.Contains(explained.body, secret) {
			t.Errorf("the explanation holds the secret %q", secret)
		}
	}
	found := false
	for _, line := range explained.at("lines").([]any) {
		line := line.(map[string]any)
		if line["text"] == "account.1.user_name = ann" {
			found = true
			if got := fmt.Sprint(line["origins"]); got != "[map[layer:device member:sip.username]]" {
				t.Errorf("origins: %s", got)
			}
			if source := line["templates"].([]any)[0].(map[string]any); !strings.HasPrefix(source["file"].(string), "yealink/") || fmt.Sprint(source["line"]) == "0" {
				t.Errorf("template: %v", source)
			}
		}
	}
	if !found || explained.at("body") != masked.at("body") || explained.at("etag") != nil || explained.at("complete") != true {
		t.Errorf("explained: %s", explained.body)
	}

	if r := b.do("GET", files+"y000000000108.cfg", "").want(http.StatusOK); r.at("role") != "common" {
		t.Errorf("common file: %s", r.body)
	}
	for _, name := range []string{"", "nonsense", "001565aabbcd.cfg", "0004f2aabbcc.cfg", "../../x", "001565aabbcd.cfg?reveal=true"} {
		b.do("GET", files+name, "").want(http.StatusNotFound)
	}
	b.do("GET", b.devices()+"/"+models.NewID()+"/provision/files/001565aabbcc.cfg", "").fails(http.StatusNotFound, "bad_identifier")
	if got := b.do("GET", path+"/audit", "").list(); len(got) != 2 {
		t.Errorf("%d audit entries after failed reveals, want 2", len(got))
	}
}
