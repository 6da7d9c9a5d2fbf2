package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dialtone/models"
)

func (b *bench) importCSV(query, file string) *reply {
	b.Helper()
	return b.do("POST", b.devices()+"/import"+query, file, "Content-Type: text/csv")
}

// wrong lists what an answer says is wrong: "line:column field code".
func (r *reply) wrong() []string {
	r.Helper()
	out := []string{}
	for _, item := range r.at("errors").([]any) {
		p := item.(map[string]any)
		column := fmt.Sprint(p["column"])
		if p["column"] == nil {
			column = "-"
		}
		line := fmt.Sprintf("%v:%s %v %v", p["line"], column, p["field"], p["code"])
		out = append(out, strings.Join(strings.Fields(line), " "))
		if p["message"] == "" {
			r.Errorf("no message: %v", p)
		}
	}
	return out
}

func (b *bench) deviceCount() int {
	b.Helper()
	return len(b.do("GET", b.devices()+"?paginate=false", "").want(http.StatusOK).list())
}

func TestImport(t *testing.T) {
	b := newBench(t)
	file := "\xef\xbb\xbfName;MAC;sip.username;password;brand;model;enabled;sip.expire_seconds;media.audio.codecs;custom.room;provision.combo_keys.0.type;\r\n" +
		"\"Desk; one\";00:15:65:AA:BB:01;ann;s3cret-1;yealink;t46u;false;600;\"[\"\"PCMA\"\",\"\"G722\"\"]\";12;line;\r\n" +
		";;;;;;;;;;;\r\n" +
		"Desk two;0015.65aa.bb02;;;;;;;;;;\r\n"
	dry := b.importCSV("?dry_run=true", file).want(http.StatusOK)
	if len(dry.wrong()) != 0 || asJSON(t, dry.at("good")) != "2" || asJSON(t, dry.at("stored")) != "0" || b.deviceCount() != 0 {
		t.Errorf("dry run: %s", dry.body)
	}
	r := b.importCSV("", file).want(http.StatusCreated)
	devices := r.at("devices").([]any)
	if asJSON(t, r.at("stored")) != "2" || len(devices) != 2 || asJSON(t, r.at("rows")) != "2" || b.deviceCount() != 2 {
		t.Fatalf("import: %s", r.body)
	}
	first := devices[0].(map[string]any)
	got := b.do("GET", b.devices()+"/"+first["id"].(string), "").want(http.StatusOK)
	for path, want := range map[string]string{
		"name": `"Desk; one"`, "mac_address": `"001565aabb01"`, "sip.username": `"ann"`, "sip.password": `"s3cret-1"`, "enabled": "false",
		"sip.expire_seconds": "600", "media.audio.codecs": `["PCMA","G722"]`, "custom.room": `"12"`, "provision.endpoint_model": `"t46u"`,
		"provision.combo_keys.0.type": `"line"`,
	} {
		if diff := cmp.Diff(asJSON(t, "["+want+"]"), asJSON(t, []any{got.at(path)})); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
	columns := r.at("columns").([]any)
	known := map[string]any{}
	for _, item := range columns {
		known[item.(map[string]any)["field"].(string)] = item.(map[string]any)["known"]
	}
	want := map[string]any{
		"name": true, "mac_address": true, "sip.username": true, "sip.password": true, "provision.endpoint_brand": true, "provision.endpoint_model": true,
		"enabled": true, "sip.expire_seconds": true, "media.audio.codecs": true, "custom.room": false, "provision.combo_keys.0.type": true, "": false,
	}
	if diff := cmp.Diff(want, known); diff != "" {
		t.Error(diff)
	}
	entries := b.do("GET", b.devices()+"/"+first["id"].(string)+"/audit", "").want(http.StatusOK).list()
	if len(entries) != 1 || entries[0].(map[string]any)["action"] != "create" || entries[0].(map[string]any)["request_id"] != r.envelope["request_id"] {
		t.Errorf("audit of an imported device: %v", entries)
	}
	if strings.Contains(r.body, secretMark) {
		t.Errorf("a password is answered: %s", r.body)
	}
	again := b.importCSV("", file).fails(http.StatusBadRequest, "import_failed")
	if diff := cmp.Diff([]string{"2:2 mac_address unique", "2:3 sip.username unique", "4:2 mac_address unique"}, again.wrong()); diff != "" {
		t.Error(diff)
	}
}

func TestImportReportsAllBadRows(t *testing.T) {
	b := newBench(t)
	id := models.NewID()
	b.device(`{"name":"there","id":"` + id + `","mac_address":"001565aabbcc"}`)
	file := strings.Join([]string{
		"name,mac_address,sip.username,sip.expire_seconds,id,owner_id",
		"good,001565aabb01,ann,,,",
		",001565aabb02,,,,",                      // 3: no name
		"x,001565AABBCC,,,,",                     // 4: MAC of a device
		"x,001565aabb03,,soon,,",                 // 5: no number
		"x,00:15:65:aa:bb:01,ANN,,,",             // 6: twice in the file
		"x,,,,nonsense,",                         // 7: no id
		"x,,,," + id + ",",                       // 8: id of a device
		"x,,,,22222222222222222222222222222222,", // 9
		"x,,,,22222222222222222222222222222222,", // 10: id twice in the file
		"x,,",                                    // 11: cells missing
		"\xff,,,,,",                              // 12: not UTF-8
		strings.Repeat("x", 200) + ",,,,,",       // 13: name too long
		"\"two\nlines\",,,,,",                    // 14 and 15: good
		"\"\n\",001565aabbcc,,,,",                // 16
	}, "\n")
	want := []string{
		"3:1 name required", "4:2 mac_address unique", "5:4 sip.expire_seconds type", "6:2 mac_address unique", "6:3 sip.username unique",
		"7:5 id pattern", "8:5 id unique", "10:5 id unique", "11:- columns", "12:1 name encoding", "13:1 name maxLength", "16:2 mac_address unique",
	}
	for _, query := range []string{"?dry_run=true", ""} {
		r := b.importCSV(query, file)
		if diff := cmp.Diff(want, r.wrong()); diff != "" {
			t.Errorf("%q: %s", query, diff)
		}
		if b.deviceCount() != 1 {
			t.Fatalf("%q stored something: %s", query, r.body)
		}
	}
	r := b.importCSV("?partial=true&dry_run=true", file).want(http.StatusOK)
	if b.deviceCount() != 1 {
		t.Fatalf("a dry run stored something: %s", r.body)
	}
	r = b.importCSV("?partial=true", file).want(http.StatusCreated)
	var lines []string
	for _, item := range r.at("devices").([]any) {
		lines = append(lines, fmt.Sprint(item.(map[string]any)["line"]))
	}
	if diff := cmp.Diff([]string{"2", "9", "14"}, lines); diff != "" || b.deviceCount() != 4 {
		t.Errorf("partial import: %s%s", diff, r.body)
	}
	b.importCSV("?partial=true", "name\n\"\n\"x").fails(http.StatusBadRequest, "import_failed") // no row is good
}

func TestImportOfBadFiles(t *testing.T) {
	b := newBench(t)
	tests := []struct{ name, file, want string }{
		{"empty", "", "1:- required"},
		{"header only", "name,mac\n", ""},
		{"a quote left open", "name\n\"x\ny", "2:- csv"},
		{"a stray quote", "name\nx\ny\"z", "3:- csv"},
		{"UTF-16", "\xff\xfen\x00a\x00", "1:- encoding"},
		{"a column twice", "mac,name,mac_address\n1,x,2", "1:3 header"},
		{"a column inside another", "sip,sip.username\n{},x", "1:2 header"},
		{"private", "name,pvt_x\nx,y", "1:2 header"},
		{"no path", "name,sip..username\nx,y", "1:2 header"},
		{"no names", ",\nx,y", "1:- header"},
		{"a value without a name", "name,\nx,y", "2:2 header"},
		{"too many columns", strings.Repeat("a,", 300) + "b\nx", "1:- maxColumns"},
		{"too many rows", "name\n" + strings.Repeat("x\n", 5001), "5002:- maxRows"},
		{"an endless number", "name,x\ny,[" + strings.Repeat("9", 2000) + "]", "2:- invalid"},
	}
	for _, tt := range tests {
		b.subtest(tt.name, func() {
			r := b.importCSV("?partial=true", tt.file).fails(http.StatusBadRequest, "import_failed")
			if got := strings.Join(r.wrong(), ", "); got != tt.want {
				b.Errorf("got %q, want %q: %s", got, tt.want, r.body)
			}
			if b.deviceCount() != 0 {
				b.Errorf("something was stored")
			}
		})
	}
}

// A row that is not stored keeps nothing from those that are.
func TestImportBesideBadRows(t *testing.T) {
	b := newBench(t)
	file := strings.Join([]string{
		"name,mac_address,sip.username,enabled,sync,reboot,label",
		",001565aabb01,ann,,,,",                 // 2: no name
		"one,001565aabb01,ann,FALSE,TRUE,,TRUE", // 3
		"two,001565aabb01,bob,True,,,",          // 4: the MAC of line 3
		"three,001565aabb02,bob,,,,",            // 5
	}, "\n")
	r := b.importCSV("?partial=true", file).want(http.StatusCreated)
	if diff := cmp.Diff([]string{"2:1 name required", "4:2 mac_address unique"}, r.wrong()); diff != "" || b.deviceCount() != 2 {
		t.Errorf("%s%s", diff, r.body)
	}
	for _, item := range r.at("columns").([]any) {
		if c := item.(map[string]any); c["known"] != (c["field"] != "label") {
			t.Errorf("column %v", c)
		}
	}
	one := b.do("GET", b.devices()+"/"+r.at("devices").([]any)[0].(map[string]any)["id"].(string), "").want(http.StatusOK)
	if one.at("enabled") != false || one.at("label") != "TRUE" || one.at("sync") != nil {
		t.Errorf("line 3 became %s", one.body)
	}
}

func TestImportRequests(t *testing.T) {
	b := newBench(t)
	path := b.devices() + "/import"
	b.do("POST", path, `{"data":{}}`).fails(http.StatusUnsupportedMediaType, "unsupported_media_type")
	b.do("PUT", b.devices(), "name\nx", "Content-Type: text/csv").fails(http.StatusUnsupportedMediaType, "unsupported_media_type")
	b.as("", "POST", path, "name\nx", "Content-Type: text/csv").fails(http.StatusUnauthorized, "invalid_credentials")
	_, key := b.account("Child", "child.example.com", b.master)
	b.as(b.login(key), "POST", path, "name\nx", "Content-Type: text/csv").fails(http.StatusForbidden, "forbidden")
	b.do("POST", path, "name\n"+strings.Repeat("x", 8_000_001), "Content-Type: text/csv; charset=utf-8").rejects("file: maxSize")
	if b.deviceCount() != 0 {
		t.Error("something was stored")
	}
	b.do("POST", path, "name\nx", "Content-Type: text/csv; charset=utf-8").want(http.StatusCreated)
}
