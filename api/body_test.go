package api_test

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"dialtone/api"
	"dialtone/models"
)

// allocated is how many megabytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) >> 20
}

// A body of nearly 8 MB full of the smallest members that there are.
func fullOfMembers(begin, end string) string {
	var b strings.Builder
	b.WriteString(begin)
	for i := 0; b.Len() < 7_900_000; i++ {
		fmt.Fprintf(&b, `,"%05x":1`, i)
	}
	b.WriteString(end)
	return b.String()
}

// Who has not shown a valid token has little read, whatever it is.
func TestAnonymousBodies(t *testing.T) {
	b := newBench(t)
	members, spaces := fullOfMembers(`{"data":{}`, `}`), strings.Repeat(" ", 7_900_000)
	for _, path := range []string{"/v2/api_auth", "/v2/user_auth", "/v2/user_auth/recovery"} {
		for _, body := range []string{members, spaces, `{"data":{"api_key":"` + strings.Repeat("x", 70_000) + `"}}`} {
			used := allocated(func() { b.as("", "PUT", path, body).rejects("file: maxSize") })
			if used > 30 {
				t.Errorf("PUT %s with %d bytes: %d MB allocated", path, len(body), used)
			}
		}
	}
	b.as("", "PUT", b.devices(), members).fails(http.StatusUnauthorized, "invalid_credentials")
	b.as("dt_made-up", "PUT", b.devices(), members).fails(http.StatusUnauthorized, "invalid_credentials")
	b.as("", "PUT", "/v2/accounts/"+models.NewID()+"/devices", members).fails(http.StatusNotFound, "bad_identifier")
	b.as("", "PUT", "/v2/account/devices", members).fails(http.StatusUnauthorized, "invalid_credentials")

	// A token in the envelope is found in a body that anybody may send.
	in := func(size int) string {
		return `{"auth_token":"` + b.token + `","data":{"name":"x","note":"` + strings.Repeat("n", size) + `"}}`
	}
	b.as("", "PUT", b.devices(), in(60_000)).want(http.StatusCreated)
	b.as("", "PUT", b.devices(), in(70_000)).fails(http.StatusUnauthorized, "invalid_credentials")
	b.as("", "PUT", b.devices()+"?auth_token="+b.token, in(70_000)).want(http.StatusCreated)
}

// The envelope and data are measured before they are decoded.
func TestBodiesAreMeasuredFirst(t *testing.T) {
	b := newBench(t)
	form := []string{"Content-Type: application/x-www-form-urlencoded"}
	parts := []string{"Content-Type: multipart/form-data; boundary=b"}
	tests := []struct {
		name, method, body string
		headers            []string
	}{
		{"members beside data", "PUT", fullOfMembers(`{"data":{"name":"x"}`, `}`), nil},
		{"51 members beside data", "PUT", `{"data":{"name":"x"}` + strings.Repeat(`,"a":1`, 50) + `}`, nil},
		{"nested beside data", "PUT", `{"data":{"name":"x"},"a":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`, nil},
		{"members of data", "PUT", fullOfMembers(`{"data":{"name":"x"`, `}}`), nil},
		{"data of a GET", "GET", fullOfMembers(`{"data":{"name":"x"`, `}}`), nil},
		{"fields of a form", "PUT", "data=x" + strings.Repeat("&a", 3_900_000), form},
		{"parts", "PUT", strings.Repeat("--b\r\n\r\n\r\n", 700_000) + "--b--", parts},
	}
	for _, tt := range tests {
		b.subtest(tt.name, func() {
			if used := allocated(func() { b.do(tt.method, b.devices(), tt.body, tt.headers...).rejects("json: invalid") }); used > 60 {
				b.Errorf("%d MB allocated", used)
			}
		})
	}
	b.do("PUT", b.devices(), `{"data":{"name":"x"},"a":{"b":[1,2,{"c":3}]},"action":"x"}`, lenient).want(http.StatusCreated)
}

// A waitingStore creates large devices not before it is told to go on.
type waitingStore struct {
	api.Store
	waiting, goOn chan struct{}
}

func (w waitingStore) CreateDevice(ctx context.Context, d *models.Device) error {
	if d.Document.Text("note") != "" {
		w.waiting <- struct{}{}
		<-w.goOn
	}
	return w.Store.CreateDevice(ctx, d)
}

// Few large bodies are worked on at once: the others are asked to come again.
func TestLargeBodiesAtOnce(t *testing.T) {
	b := newBench(t)
	store := waitingStore{b.store, make(chan struct{}), make(chan struct{})}
	b.config.Store = store
	b.handler = b.serve(b.config)
	large := `{"data":{"name":"x","note":"` + strings.Repeat("n", 70_000) + `"}}`
	replies := make(chan *reply)
	for range api.MaxLarge {
		go func() { replies <- b.do("PUT", b.devices(), large) }()
	}
	for range api.MaxLarge {
		<-store.waiting
	}
	if r := b.do("PUT", b.devices(), large).fails(http.StatusTooManyRequests, "too_many_requests"); r.header.Get("Retry-After") == "" {
		t.Error("it is not told when to come again")
	}
	b.do("PUT", b.devices(), `{"data":{"name":"x"}}`).want(http.StatusCreated)
	close(store.goOn)
	for range api.MaxLarge {
		(<-replies).want(http.StatusCreated)
	}
	go func() { <-store.waiting }()
	b.do("PUT", b.devices(), large).want(http.StatusCreated)
}

// A body that is not there has the right type, whichever it is said to have.
func TestEmptyBodies(t *testing.T) {
	b := newBench(t)
	path := b.device(`{"name":"a"}`)
	for _, contentType := range []string{"text/csv", "text/xml", "image/png", "multipart/form-data", "application/x-www-form-urlencoded"} {
		b.do("GET", b.devices(), "", "Content-Type: "+contentType).want(http.StatusOK)
		b.do("POST", path+"/sync", " \r\n", "Content-Type: "+contentType).want(http.StatusOK)
		b.do("PUT", b.devices(), "", "Content-Type: "+contentType, lenient).rejects("name: required")
	}
}

// What is wrong with a request is told in Kazoo's order.
func TestOrderOfChecks(t *testing.T) {
	b := newBench(t)
	unknown, xml := b.devices()+"/"+models.NewID(), "Content-Type: text/xml"
	path, user := b.device(`{"name":"a"}`), b.users()+"/"+models.NewID()
	b.do("PUT", unknown, `{"data":{}}`).fails(http.StatusNotFound, "bad_identifier")
	b.do("PUT", unknown, `{"action":"dance","data":{}}`).fails(http.StatusNotFound, "bad_identifier")
	b.do("GET", path, "<x/>", xml).want(http.StatusOK)
	b.do("GET", unknown, "<x/>", xml).fails(http.StatusNotFound, "bad_identifier")
	for _, method := range []string{"PUT", "POST", "PATCH", "DELETE"} {
		b.do(method, unknown, "<x/>", xml).fails(http.StatusNotFound, "bad_identifier")
		b.do(method, unknown, "<x/>", xml, "Accept: text/html").fails(http.StatusNotAcceptable, "not_acceptable")
		b.do(method, path, "<x/>", xml).fails(http.StatusUnsupportedMediaType, "unsupported_media_type")
	}
	b.do("PATCH", user, "<x/>", xml).fails(http.StatusNotFound, "bad_identifier")
	b.do("GET", user+"/devices", "<x/>", xml).fails(http.StatusNotFound, "bad_identifier")
	b.as("", "PATCH", path, "<x/>", xml).fails(http.StatusUnauthorized, "invalid_credentials")
	r := b.do("POST", b.devices()+"/import", `{"data":{}}`).fails(http.StatusUnsupportedMediaType, "unsupported_media_type")
	if text, _ := r.at("message").(string); !strings.Contains(text, "CSV") {
		t.Errorf("the answer does not say what is read: %s", r.body)
	}
}

// Numbers that no float64 can hold are numbers.
func TestLargeNumbers(t *testing.T) {
	b := newBench(t)
	path := b.device(`{"name":"x","a":1e999,"b":{"c":-1e999}}`)
	if r := b.do("GET", path, "").want(http.StatusOK); !strings.Contains(r.body, `"a":1e999`) || !strings.Contains(r.body, `"c":-1e999`) {
		t.Errorf("answer %s", r.body)
	}
	r := b.do("PATCH", path, `{"data":{"a":1,"a":1e999}}`).rejects("json: invalid")
	if !strings.Contains(r.body, "one name") {
		t.Errorf("the reason is not told: %s", r.body)
	}
}
