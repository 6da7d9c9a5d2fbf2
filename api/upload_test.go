package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dialtone/models"
)

const polycom = `{"data":{"name":"a","mac_address":"0004f2aabbcc","provision":{"endpoint_brand":"polycom","endpoint_family":"vvx","endpoint_model":"vvx450"}}}`

// upload stores a file as the phone would.
func (b *bench) upload(device, name, body string) {
	b.Helper()
	u := &models.Upload{DeviceID: device, Name: name, ContentType: "text/plain", ETag: "e-" + name, Bytes: int64(len(body)), Body: []byte(body)}
	if strings.HasSuffix(name, ".xml") {
		u.ContentType = "application/xml"
	}
	if _, err := b.store.SaveUpload(b.Context(), u, models.UploadQuota{Files: 10, Bytes: 1 << 20}); err != nil {
		b.Fatal(err)
	}
}

// auditActions are the newest entries of a device: "action detail".
func (b *bench) auditActions(path string) []string {
	b.Helper()
	var out []string
	for _, entry := range b.do("GET", path+"/audit", "").want(http.StatusOK).list() {
		e := entry.(map[string]any)
		out = append(out, strings.TrimSpace(e["action"].(string)+" "+e["detail"].(string)))
	}
	return out
}

func TestUploads(t *testing.T) {
	b := newBench(t)
	created := b.do("PUT", b.devices(), polycom).want(http.StatusCreated)
	path := b.devices() + "/" + created.id()
	uploads := path + "/uploads"
	if got := b.do("GET", uploads, "").want(http.StatusOK).names(); len(got) != 0 {
		t.Errorf("at first: got %v", got)
	}
	secret := `<ALL reg.1.auth.password="s3cret-override"/>`
	b.upload(created.id(), "0004f2aabbcc-web.cfg", secret)
	b.upload(created.id(), "0004f2aabbcc-app.log", "line\n")
	b.upload(created.id(), "0004f2aabbcc-directory.xml", "<script>alert(1)</script>")
	b.upload(created.id(), "old.log", "\xff\n")

	list := b.do("GET", uploads, "").want(http.StatusOK)
	if diff := cmp.Diff([]string{"0004f2aabbcc-app.log", "0004f2aabbcc-directory.xml", "0004f2aabbcc-web.cfg", "old.log"}, list.names()); diff != "" {
		t.Errorf("list:\n%s", diff)
	}
	entry := list.list()[2].(map[string]any)
	if entry["override"] != true || asJSON(t, entry["bytes"]) != asJSON(t, len(secret)) || entry["etag"] != "e-0004f2aabbcc-web.cfg" || entry["modified"] == nil {
		t.Errorf("got %v", entry)
	}
	if list.list()[0].(map[string]any)["override"] != false || strings.Contains(list.body, "s3cret") {
		t.Errorf("got %s", list.body)
	}
	b.do("GET", uploads, "", "If-None-Match: "+list.header.Get("ETag")).want(http.StatusNotModified)

	for name, want := range map[string]struct{ contentType, body string }{
		"0004f2aabbcc-web.cfg":       {"text/plain; charset=utf-8", secret},
		"0004f2aabbcc-directory.xml": {"application/octet-stream", "<script>alert(1)</script>"},
		"old.log":                    {"application/octet-stream", "\xff\n"},
	} {
		for _, accept := range []string{"text/plain", "application/json"} {
			got := b.do("GET", uploads+"/"+name, "", "Accept: "+accept).want(http.StatusOK)
			if got.body != want.body || got.header.Get("Content-Type") != want.contentType ||
				got.header.Get("Content-Disposition") != "attachment; filename="+name || got.header.Get("X-Content-Type-Options") != "nosniff" ||
				!strings.Contains(got.header.Get("Content-Security-Policy"), "sandbox") || got.header.Get("ETag") != `"e-`+name+`"` {
				t.Errorf("%s: got %v %q", name, got.header, got.body)
			}
		}
	}
	b.do("GET", uploads+"/0004f2aabbcc-web.cfg", "", `If-None-Match: "e-0004f2aabbcc-web.cfg"`).want(http.StatusNotModified)
	for _, name := range []string{"none", "", "../0004f2aabbcc-web.cfg", "0004F2AABBCC-web.cfg"} {
		if got := b.do("GET", uploads+"/"+name+"?x", ""); name != "" && got.status != http.StatusNotFound {
			t.Errorf("%q: got %d", name, got.status)
		}
	}
	if actions := b.auditActions(path); actions[0] != "reveal 0004f2aabbcc-web.cfg" {
		t.Errorf("audit: got %v", actions)
	}
}

func TestClearUploads(t *testing.T) {
	b := newBench(t)
	created := b.do("PUT", b.devices(), polycom).want(http.StatusCreated)
	path := b.devices() + "/" + created.id()
	uploads := path + "/uploads"
	for _, name := range []string{"0004f2aabbcc-web.cfg", "0004f2aabbcc-phone.cfg", "0004f2aabbcc-app.log", "0004f2aabbcc-calls.xml"} {
		b.upload(created.id(), name, "s3cret-x")
	}
	gone := b.do("DELETE", uploads+"/0004f2aabbcc-calls.xml", "").want(http.StatusOK)
	if gone.at("name") != "0004f2aabbcc-calls.xml" || strings.Contains(gone.body, "s3cret") {
		t.Errorf("deleted: got %s", gone.body)
	}
	b.do("DELETE", uploads+"/0004f2aabbcc-calls.xml", "").fails(http.StatusNotFound, "bad_identifier")
	overrides := b.do("DELETE", uploads+"?overrides=true", "").want(http.StatusOK)
	if diff := cmp.Diff([]string{"0004f2aabbcc-phone.cfg", "0004f2aabbcc-web.cfg"}, overrides.names()); diff != "" {
		t.Errorf("overrides:\n%s", diff)
	}
	if got := b.do("GET", uploads, "").names(); len(got) != 1 || got[0] != "0004f2aabbcc-app.log" {
		t.Errorf("left: got %v", got)
	}
	if all := b.do("DELETE", uploads, "").want(http.StatusOK).names(); len(all) != 1 {
		t.Errorf("all: got %v", all)
	}
	if none := b.do("DELETE", uploads, "").want(http.StatusOK).names(); len(none) != 0 {
		t.Errorf("nothing left: got %v", none)
	}
	want := []string{"clear 0004f2aabbcc-app.log", "clear 0004f2aabbcc-web.cfg", "clear 0004f2aabbcc-phone.cfg", "clear 0004f2aabbcc-calls.xml", "create"}
	if diff := cmp.Diff(want, b.auditActions(path)); diff != "" {
		t.Errorf("audit:\n%s", diff)
	}
	if audit := b.do("GET", path+"/audit", "").body; strings.Contains(audit, "s3cret") {
		t.Errorf("the audit holds what was in a file: %s", audit)
	}
	b.do("DELETE", b.devices()+"/"+models.NewID()+"/uploads", "").fails(http.StatusNotFound, "bad_identifier")
	b.do("PUT", uploads, `{"data":{}}`).fails(http.StatusMethodNotAllowed, "invalid_method")
}

func TestUploadsWithoutStore(t *testing.T) {
	b := newBench(t)
	path := b.device(`{"name":"a"}`) + "/uploads"
	if err := b.store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"GET", "DELETE"} {
		b.do(method, path, "").fails(http.StatusServiceUnavailable, "datastore_unreachable")
		b.do(method, path+"/x", "").fails(http.StatusServiceUnavailable, "datastore_unreachable")
	}
}

// What a phone stored goes when its place is given to another phone.
func TestUploadsGoWithTheMAC(t *testing.T) {
	b := newBench(t)
	created := b.do("PUT", b.devices(), polycom).want(http.StatusCreated)
	path := b.devices() + "/" + created.id()
	left := func() []string { return b.do("GET", path+"/uploads", "").want(http.StatusOK).names() }
	b.upload(created.id(), "0004f2aabbcc-web.cfg", "x")
	b.do("PATCH", path, `{"data":{"name":"b","mac_address":"00:04:F2:AA:BB:CC"}}`).want(http.StatusOK)
	if got := left(); len(got) != 1 {
		t.Errorf("the same MAC: got %v", got)
	}
	b.do("PATCH", path, `{"data":{"mac_address":"0004f2aabbcd"}}`).want(http.StatusOK)
	if got := left(); len(got) != 0 {
		t.Errorf("another MAC: got %v", got)
	}
	if got := b.auditActions(path); !slices.Contains(got[:2], "clear 0004f2aabbcc-web.cfg") {
		t.Errorf("audit: got %v", got)
	}
	b.upload(created.id(), "0004f2aabbcd-app.log", "x")
	b.do("PATCH", path, `{"data":{"mac_address":null}}`).want(http.StatusOK)
	if got := left(); len(got) != 0 {
		t.Errorf("no MAC: got %v", got)
	}
}
