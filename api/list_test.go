package api_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dialtone/api"
	"dialtone/models"
	"dialtone/models/sqlstore/sqlstoretest"
)

// eachDatabase runs a test on SQLite and on the MySQL server that TEST_MYSQL
// names, which `make test` starts.
func eachDatabase(t *testing.T, test func(*testing.T, *bench)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, newBench(t)) })
	t.Run("mysql", func(t *testing.T) { test(t, newBenchOn(t, sqlstoretest.NewMySQL(t))) })
}

// names are the "name" members of a list, sorted.
func (r *reply) names() []string {
	r.Helper()
	out := []string{}
	for _, entry := range r.want(http.StatusOK).list() {
		name, _ := entry.(map[string]any)["name"].(string)
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func gregorianOf(m models.Meta) int64 { return m.Created.Unix() + 62167219200 }

func TestFilters(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b *bench) {
		ann, bob := strings.Repeat("a", 32), strings.Repeat("b", 32)
		for _, doc := range []string{
			`{"name":"one","mac_address":"00:04:F2:ab:7e:fd","owner_id":"` + ann + `","custom":{"n":300,"list":["x"],"zero":0,"no":"NULL","off":false},
				"provision":{"endpoint_brand":"yealink"},"sip":{"username":"Ann","password":"s3cret-1"}}`,
			`{"name":"two","mac_address":"0004f2ab7efe","owner_id":"` + bob + `","enabled":false,"custom":{"n":"300","list":[],"zero":"0","no":"undefined","empty":{}},
				"provision":{"endpoint_brand":"polycom"},"sip":{"username":"bob","password":"s3cret-2"}}`,
			`{"name":"three","custom":{"n":301,"nothing":null,"text":""}}`,
		} {
			b.device(doc)
		}
		const one, two, three = "one", "two", "three"
		tests := []struct {
			query string
			want  []string
		}{
			{"filter_name=one", []string{one}},
			{"filter_name=One", nil},
			{"filter_mac_address=0004f2ab7efd", []string{one}},
			{"filter_mac_address=00:04:F2:AB:7E:FD", []string{one}},
			{"filter_mac_address=0004f2ab7e", nil},
			{"filter_mac_address=zz", nil},
			{`filter_mac_address=["0004f2ab7efd","0004F2AB7EFE"]`, []string{one, two}},
			{"filter_not_mac_address=0004F2ab7efd", []string{three, two}},
			{"filter_owner_id=" + ann, []string{one}},
			{"filter_owner_id=", []string{three}},
			{"filter_not_owner_id=" + ann, []string{three, two}},
			{"filter_not_owner_id=", []string{one, two}},
			{`filter_owner_id=["` + ann + `","` + bob + `"]`, []string{one, two}},
			{`filter_not_owner_id=["` + ann + `","` + bob + `"]`, []string{three}},
			{"filter_owner_id=%ff", nil},
			{"filter_owner_id=" + ann + "%00", nil},
			{"filter_sip.username=Ann", []string{one}},
			{"filter_sip.username=ann", nil},
			{"filter_sip.username=%ff", nil},
			{"filter_provision.endpoint_brand=yealink", []string{one}},
			{"filter_provision.endpoint_brand=", []string{three}},
			{"filter_provision.endpoint_brand=Yealink", nil},
			{"filter_enabled=true", []string{one, three}},
			{"filter_enabled=false", []string{two}},
			{"filter_not_enabled=false", []string{one, three}},
			{"filter_enabled=perhaps", nil},
			{"filter_sip.method=password", []string{one, three, two}},
			{"filter_sip.expire_seconds=300", []string{one, three, two}},
			{"filter_sip.registration_expiration=300", []string{one, three, two}},
			{"key_missing=sip.registration_expiration", nil},
			{"filter_custom.n=300", []string{one, two}},
			{"filter_custom.n=[300,301]", []string{one, three, two}},
			{"filter_custom.n=[300", nil},
			{"filter_custom.n=3e2", nil},
			{"filter_custom.list=x", nil},
			{`filter_custom.list=["x"]`, nil},
			{"filter_custom.off=false", []string{one}},
			{"filter_custom.n=300&filter_enabled=false", []string{two}},
			{"filter_custom.n=300&filter_custom.n=301", nil},
			{"filter_pvt_type=device", []string{one, three, two}},
			{"filter_pvt_type=user", nil},
			{"filter_pvt_account_id=" + b.master.ID, []string{one, three, two}},
			{"filter_not_pvt_deleted=true", []string{one, three, two}},
			{"has_key=owner_id", []string{one, two}},
			{"has_key=custom.nothing", []string{three}},
			{"has_key=custom.nothing.below", nil},
			{"key_missing=owner_id", []string{three}},
			{"key_missing=custom.list&key_missing=custom.zero", []string{three}},
			{"has_value=mac_address", []string{one, two}},
			{"has_value=custom.list", []string{one}},
			{"has_value=custom.zero", nil},
			{"has_value=custom.no", nil},
			{"has_value=custom.off", []string{one}},
			{"has_value=custom.empty", nil},
			{"has_value=custom.nothing", nil},
			{"value_missing=mac_address", []string{three}},
			{"value_missing=custom.off", []string{three, two}},
			{"missing_value=mac_address", []string{three}},
			{"other=parameters&filter=x&filters_x=y", []string{one, three, two}},
			{"filter_=x", nil},
		}
		for _, tt := range tests {
			if diff := cmp.Diff(append([]string{}, tt.want...), b.do("GET", b.devices()+"?"+strings.ReplaceAll(tt.query, `"`, "%22"), "").names()); diff != "" {
				t.Errorf("%s: %s", tt.query, diff)
			}
		}
	})
}

func TestTimeFilters(t *testing.T) {
	b := newBench(t)
	path := b.device(`{"name":"x"}`)
	d, err := b.store.Device(t.Context(), b.master.ID, path[len(path)-32:])
	if err != nil {
		t.Fatal(err)
	}
	created := gregorianOf(d.Meta)
	for _, of := range []string{"created", "modified"} {
		for query, want := range map[string]int{
			fmt.Sprintf("%s_from=%d", of, created):                                     1,
			fmt.Sprintf("%s_from=%d", of, created+3600):                                0,
			fmt.Sprintf("%s_to=%d", of, created+3600):                                  1,
			fmt.Sprintf("%s_to=%d", of, created-1):                                     0,
			fmt.Sprintf("%s_from=%d&%s_to=%d", of, created, of, created+3600):          1,
			of + "_from=yesterday":                                                     0,
			of + "_to=":                                                                0,
			of + "_to=" + strings.Repeat("9", 40):                                      1,
			of + "_from=-" + strings.Repeat("9", 40):                                   1,
			of + "_from=" + strings.Repeat("9", 40):                                    0,
			fmt.Sprintf("filter_pvt_%s=%d", of, created+3600):                          0,
			fmt.Sprintf("has_value=pvt_%s&filter_not_pvt_%s=%d", of, of, created+3600): 1,
		} {
			var headers []string
			if strings.Contains(query, "yesterday") || strings.HasSuffix(query, "=") || strings.Contains(query, strings.Repeat("9", 40)) {
				headers = append(headers, lenient)
			}
			if got := b.do("GET", b.devices()+"?"+query, "", headers...).names(); len(got) != want {
				t.Errorf("%s: %d documents, want %d", query, len(got), want)
			}
		}
	}
	b.do("GET", b.devices()+fmt.Sprintf("?filter_pvt_created=%d", created), "").want(http.StatusOK)
}

func TestUserFilters(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b *bench) {
		for _, name := range []string{"ann", "bob"} {
			b.do("PUT", b.users(), `{"data":{"first_name":"`+name+`","last_name":"X","username":"`+name+`","password":"s3cret-`+name+`",
				"email":"`+name+`@example.com","hotdesk":{"id":"`+name+`","pin":"1234"}}}`).want(http.StatusCreated)
		}
		for query, want := range map[string]int{
			"filter_username=ann":                1,
			"filter_username=Ann":                0,
			"filter_first_name=bob":              1,
			"filter_not_username=ann":            1,
			"filter_pvt_type=user":               2,
			"filter_hotdesk.id=ann":              1,
			"filter_hotdesk.pin=1234":            0,
			"has_key=pvt_md5_auth":               0,
			"key_missing=pvt_md5_auth":           0,
			"filter_not_pvt_sha1_auth=x":         0,
			"filter_priv_level=user&page_size=1": 1,
		} {
			if got := b.do("GET", b.users()+"?"+query, "").names(); len(got) != want {
				t.Errorf("%s: %d users, want %d", query, len(got), want)
			}
		}
	})
}

// What a secret is must never decide what a list shows.
func TestFiltersAreNoOracle(t *testing.T) {
	b := newBench(t)
	path := b.device(`{"name":"x","sip":{"username":"ann","password":"s3cret-1"},"provision":{"admin_password":"s3cret-1","user_password":"s3cret-1"}}`)
	d, err := b.store.Device(t.Context(), b.master.ID, path[len(path)-32:])
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"sip.password", "sip.password.x", "provision.admin_password", "provision.user_password", "password", "pvt_http_password", "pvt_md5_auth", "pvt_api_key", "_anything"} {
		for _, value := range []string{"s3cret-1", "wrong", "", d.HTTPPassword.Reveal(), `["s3cret-1"]`} {
			for _, filter := range []string{"filter_", "filter_not_"} {
				if got := b.do("GET", b.devices()+"?"+filter+secret+"="+url.QueryEscape(value), "").names(); len(got) != 0 {
					t.Errorf("%s%s answers %v", filter, secret, got)
				}
			}
		}
		for _, filter := range []string{"has_key", "key_missing", "has_value", "value_missing", "missing_value"} {
			if got := b.do("GET", b.devices()+"?"+filter+"="+secret, "").names(); len(got) != 0 {
				t.Errorf("%s=%s answers %v", filter, secret, got)
			}
		}
	}
	for _, value := range []string{`{"password":"s3cret-1","username":"ann"}`, `[{"password":"s3cret-1"}]`} {
		if got := b.do("GET", b.devices()+"?filter_sip="+url.QueryEscape(value), "").names(); len(got) != 0 {
			t.Errorf("filter_sip=%s answers %v", value, got)
		}
	}
}

func TestTooManyFilters(t *testing.T) {
	b := newBench(t)
	b.do("GET", b.devices()+"?"+strings.Repeat("has_key=a&", 50), "").want(http.StatusOK)
	b.do("GET", b.devices()+"?"+strings.Repeat("has_key=a&", 51), "").rejects("filter: maxItems")
	b.do("GET", b.devices()+"?filter_name="+strings.Repeat("%5B", 100_000), "").want(http.StatusOK)
}

// walk follows next_start_key to the end and gives the ids in the order seen.
// It tells the channels of each page, without waiting for their readers.
func (b *bench) walk(path, query string, turned ...chan<- struct{}) []string {
	b.Helper()
	var ids []string
	start := ""
	for pages := 0; ; pages++ {
		for _, page := range turned {
			select {
			case page <- struct{}{}:
			default:
			}
		}
		r := b.do("GET", path+"?"+query+start, "").want(http.StatusOK)
		for _, entry := range r.list() {
			ids = append(ids, entry.(map[string]any)["id"].(string))
		}
		next, more := r.envelope["next_start_key"].(string)
		if !more {
			return ids
		}
		if pages > 10_000 {
			b.Fatal("the walk does not end")
		}
		start = "&start_key=" + next
	}
}

func TestPagingDirections(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b *bench) {
		var ids []string
		for i := range 23 {
			path := b.device(fmt.Sprintf(`{"name":"x%d","custom":%d}`, i, i%2))
			ids = append(ids, path[len(path)-32:])
		}
		slices.Sort(ids)
		down := slices.Clone(ids)
		slices.Reverse(down)
		for query, want := range map[string][]string{
			"page_size=7":                                          ids,
			"page_size=7&ascending=true":                           ids,
			"page_size=7&descending=false":                         ids,
			"page_size=7&descending=true":                          down,
			"page_size=7&ascending=false":                          down,
			"page_size=7&descending=true&ascending=true":           down,
			"page_size=23&descending=true":                         down,
			"page_size=5000&descending=true":                       down,
			"page_size=7&filter_pvt_type=device":                   ids,
			"paginate=false":                                       ids,
			"paginate=false&descending=true":                       down,
			"paginate=false&start_key=" + key(ids[3]):              ids,
			"page_size=7&start_key=" + key(ids[3]):                 ids[4:],
			"page_size=7&descending=true&start_key=" + key(ids[3]): down[20:],
		} {
			if strings.Contains(query, "start_key") && !strings.Contains(query, "paginate") {
				r := b.do("GET", b.devices()+"?"+query, "").want(http.StatusOK)
				got := r.list()[0].(map[string]any)["id"]
				if got != want[0] || r.envelope["start_key"] == nil {
					t.Errorf("%s starts at %v, want %s (start_key %v)", query, got, want[0], r.envelope["start_key"])
				}
				continue
			}
			if diff := cmp.Diff(want, b.walk(b.devices(), query)); diff != "" {
				t.Errorf("%s: %s", query, diff)
			}
		}
		r := b.do("GET", b.devices()+"?page_size=7&filter_custom=1", "").want(http.StatusOK)
		if len(r.list()) != 7 || r.envelope["next_start_key"] == nil {
			t.Errorf("a filtered page is not filled: %s", r.body)
		}
		r = b.do("GET", b.devices()+"?page_size=11&filter_custom=1", "").want(http.StatusOK)
		if len(r.list()) != 11 || r.envelope["next_start_key"] != nil {
			t.Errorf("the last page promises another: %s", r.body)
		}
		if got := b.walk(b.devices(), "page_size=2&filter_custom=0&descending=true"); len(got) != 12 {
			t.Errorf("filtered walk: %d", len(got))
		}
	})
}

// key is what an earlier answer would have named the page after id.
func key(id string) string { return base64.RawURLEncoding.EncodeToString([]byte(id)) }

func TestPagingNonsense(t *testing.T) {
	b := newBench(t)
	b.device(`{"name":"x"}`)
	for _, query := range []string{
		"page_size=0", "page_size=-1", "page_size=many", "page_size=1.5", "page_size=1e3", "page_size=0x10", "page_size=%00", "page_size=%ff",
		"page_size=" + strings.Repeat("9", 10_000), "page_size=+", "start_key=x", "start_key=" + key("x"), "start_key=" + key(strings.Repeat("A", 32)),
		"start_key=" + strings.Repeat("A", 100_000), "start_key=%00", "start_key=" + key(models.NewID()) + "%3D", "start_key=..%2F..",
	} {
		b.do("GET", b.devices()+"?"+query, "").fails(http.StatusNotFound, "faulty_request")
	}
	for query, headers := range map[string][]string{
		"start_key=": nil, "page_size=9223372036854775807": nil, "page_size=07": nil,
		"page_size=": {lenient}, "descending=maybe": {lenient}, "ascending=maybe": {lenient}, "paginate=maybe": {lenient},
	} {
		if r := b.do("GET", b.devices()+"?"+query, "", headers...).want(http.StatusOK); len(r.list()) != 1 {
			t.Errorf("%s: %s", query, r.body)
		}
	}
	// As Kazoo looks parameters up, a body may carry them too.
	b.do("GET", b.devices(), `{"page_size":0,"data":{}}`).fails(http.StatusNotFound, "faulty_request")
	b.do("GET", b.devices(), `{"data":{"page_size":"none"}}`).fails(http.StatusNotFound, "faulty_request")
}

// A longList has made-up devices, more than a test would store.
type longList struct {
	api.Store
	devices int
	read    *int
}

func (l longList) ListDevices(_ context.Context, accountID string, part models.Listing) ([]*models.Device, error) {
	first := 0
	if part.After != "" {
		_, _ = fmt.Sscanf(part.After, "%032x", &first)
		first++
	}
	var out []*models.Device
	for i := first; i < min(l.devices, first+part.Limit); i++ {
		d := &models.Device{AccountID: accountID}
		d.ID = fmt.Sprintf("%032x", i)
		if err := d.SetDocument(models.Document{"name": fmt.Sprint(i)}); err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	*l.read += len(out)
	return out, nil
}

func (l longList) RegisteredDevices(_ context.Context, _, after string, limit int) ([]string, error) {
	first := 0
	if after != "" {
		at, err := strconv.ParseInt(after, 16, 64)
		if err != nil {
			return nil, err
		}
		first = int(at) + 1
	}
	var ids []string
	for i := first; i < min(l.devices, first+limit); i++ {
		ids = append(ids, fmt.Sprintf("%032x", i))
	}
	*l.read += len(ids)
	return ids, nil
}

// All registered devices are told at once, as many as one answer holds; pages tell
// any number of them.
func TestStatusIsBounded(t *testing.T) {
	b := newBench(t)
	read := 0
	cfg := b.config
	cfg.Store = longList{b.store, 20_000, &read}
	b.handler = b.serve(cfg)
	all := b.do("GET", b.devices()+"/status", "").want(http.StatusOK)
	if len(all.list()) != 20_000 || all.envelope["next_start_key"] != nil || all.envelope["page_size"] != nil {
		t.Errorf("%d devices, next %v", len(all.list()), all.envelope["next_start_key"])
	}
	read = 0
	cfg.Store = longList{b.store, 20_001, &read}
	b.handler = b.serve(cfg)
	b.do("GET", b.devices()+"/status", "").fails(http.StatusRequestedRangeNotSatisfiable, "range not satisfiable")
	b.do("GET", b.devices()+"/status?page_size=none", "").fails(http.StatusNotFound, "faulty_request")
	b.do("GET", b.devices()+"/status?start_key=none", "").fails(http.StatusNotFound, "faulty_request")
	devices, pages := 0, 0
	for start := ""; pages == 0 || start != ""; pages++ {
		read = 0
		r := b.do("GET", b.devices()+"/status?page_size=1000&start_key="+start, "").want(http.StatusOK)
		devices += len(r.list())
		start, _ = r.envelope["next_start_key"].(string)
		if read > 1001 {
			t.Fatalf("%d read for a page", read)
		}
	}
	if devices != 20_001 || pages != 21 {
		t.Errorf("%d devices on %d pages", devices, pages)
	}
}

// One request reads a bounded number of documents, and says where to go on.
func TestFilteringIsBounded(t *testing.T) {
	b := newBench(t)
	read := 0
	cfg := b.config
	cfg.Store = longList{b.store, 25_000, &read}
	b.handler = b.serve(cfg)

	r := b.do("GET", b.devices()+"?filter_name=24999", "").want(http.StatusOK)
	if len(r.list()) != 0 || r.envelope["next_start_key"] == nil || read != 10_000 {
		t.Errorf("%d documents read, %d found, next %v", read, len(r.list()), r.envelope["next_start_key"])
	}
	if got := b.walk(b.devices(), "filter_name=24999"); len(got) != 1 {
		t.Errorf("the walk found %d, want 1", len(got))
	}
	read = 0
	b.do("GET", b.devices()+"?paginate=false", "").fails(http.StatusRequestedRangeNotSatisfiable, "range not satisfiable")
	b.do("GET", b.devices()+"?paginate=false&filter_name=1", "").fails(http.StatusRequestedRangeNotSatisfiable, "range not satisfiable")
	if read > 2*20_001 {
		t.Errorf("%d documents read", read)
	}
	read = 0
	b.do("GET", b.devices()+"?page_size=7", "").want(http.StatusOK)
	if read != 8 {
		t.Errorf("%d documents read for a page of 7", read)
	}

	cfg.Store = longList{b.store, 20_000, &read}
	b.handler = b.serve(cfg)
	if r := b.do("GET", b.devices()+"?paginate=false", "").want(http.StatusOK); len(r.list()) != 20_000 {
		t.Errorf("%d documents", len(r.list()))
	}
}

// The document says in words, and not for every route, what this answers.
func TestJSONP(t *testing.T) {
	b := newBench(t)
	b.device(`{"name":"line\u2028separator</script>"}`)
	for query, status := range map[string]int{"": http.StatusOK, "&page_size=0": http.StatusNotFound} {
		w := httptest.NewRecorder()
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, b.devices()+"?jsonp=portal.on_list$1&auth_token="+b.token+query, nil)
		b.handler.(*contract).next.ServeHTTP(w, req)
		inside, isCall := strings.CutPrefix(strings.TrimSpace(w.Body.String()), "portal.on_list$1(")
		inside, ends := strings.CutSuffix(inside, ");")
		if w.Code != status || !isCall || !ends || !json.Valid([]byte(inside)) || strings.Contains(inside, "\u2028") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if got := w.Header().Get("Content-Type"); got != "application/javascript" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("Content-Type %q", got)
		}
	}
	for _, name := range []string{"alert(1)//", "a;b", "1a", "a..b", "<script>", strings.Repeat("a", 65), "a.b.c.d.e", "%00"} {
		b.do("GET", b.devices()+"?jsonp="+url.QueryEscape(name), "").rejects("jsonp: pattern")
	}
}

// The document says in words, and not for every route, what is read here.
func TestMultipart(t *testing.T) {
	b := newBench(t)
	b.handler = b.handler.(*contract).next
	form := func(parts ...string) string {
		return "--B\r\n" + strings.Join(parts, "\r\n--B\r\n") + "\r\n--B--\r\n"
	}
	const (
		data  = "Content-Disposition: form-data; name=\"data\"\r\n\r\n{\"name\":\"x\"}"
		verb  = "Content-Disposition: form-data; name=\"verb\"\r\n\r\nput"
		whole = "Content-Type: application/json\r\n\r\n{\"data\":{\"name\":\"x\"}}"
		wrong = "Content-Disposition: form-data; name=\"data\"\r\n\r\n{\"name\":"
	)
	b.do("PUT", b.devices(), form(data), "Content-Type: multipart/form-data; boundary=B").want(http.StatusCreated)
	b.do("POST", b.devices(), form(verb, data), "Content-Type: multipart/form-data; boundary=B").want(http.StatusCreated)
	b.do("PUT", b.devices(), form("Content-Type: text/plain\r\n\r\nhello", whole), "Content-Type: multipart/mixed; boundary=B").want(http.StatusCreated)
	b.do("PUT", b.devices(), form(verb), "Content-Type: multipart/form-data; boundary=B").rejects("data: required")
	b.do("GET", b.devices(), "", "Content-Type: multipart/form-data; boundary=B").want(http.StatusOK)
	for body, want := range map[string]string{
		form(data, data): "json: invalid", form(wrong): "json: invalid", form(data)[:60]: "json: invalid", "no parts": "data: required",
	} {
		b.do("PUT", b.devices(), body, "Content-Type: multipart/form-data; boundary=B").rejects(want)
	}
	b.do("PUT", b.devices(), form(data), "Content-Type: multipart/form-data").rejects("json: invalid")
}

// Chunks change nothing about the answer; a chunk size that makes no sense is
// refused.
func TestChunks(t *testing.T) {
	b := newBench(t)
	for i := range 3 {
		b.device(fmt.Sprintf(`{"name":"d%d"}`, i))
	}
	for _, more := range []string{"", "&paginate=false"} {
		plain := b.do("GET", b.devices()+"?page_size=2"+more, "").want(http.StatusOK)
		for _, query := range []string{"is_chunked=true", "is_chunked=true&chunk_size=1", "is_chunked=true&chunk_size=50", "is_chunked=false&chunk_size=7"} {
			r := b.do("GET", b.devices()+"?page_size=2&"+query+more, "").want(http.StatusOK)
			for _, member := range []string{"data", "page_size", "next_start_key", "revision"} {
				if diff := cmp.Diff(plain.envelope[member], r.envelope[member]); diff != "" {
					t.Errorf("%s%s: %s: %s", query, more, member, diff)
				}
			}
		}
	}
	for _, size := range []string{"0", "51", "-1", "x", "1.5"} {
		for _, path := range []string{b.devices(), b.users(), "/v2/accounts"} {
			b.do("GET", path+"?is_chunked=true&chunk_size="+size, "").fails(http.StatusNotFound, "faulty_request")
		}
	}
}
