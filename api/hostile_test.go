package api_test

import (
	"net/http"
	"runtime"
	"strings"
	"testing"

	"dialtone/models"
)

// What no client means is refused with a 4xx that says why, by every route
// that takes a document, and costs a bounded amount of memory.
func TestHostileBodies(t *testing.T) {
	b := newBench(t)
	device := b.device(`{"name":"a"}`)
	user := b.do("PUT", b.users(), `{"data":{"first_name":"a","last_name":"b"}}`).want(http.StatusCreated).header.Get("Location")
	routes := [][2]string{
		{"PUT", b.devices()}, {"POST", device}, {"PATCH", device}, {"PUT", device}, {"POST", device + "/notify"},
		{"PUT", b.users()}, {"POST", user}, {"PATCH", user},
		{"PUT", "/v2/accounts"}, {"PUT", "/v2/accounts/" + b.master.ID}, {"PUT", "/v2/api_auth"},
	}
	in := func(data string) string {
		return `{"action":"notify","data":{"name":"x","first_name":"x","last_name":"y","event":"e",` + data + `}}`
	}
	nested := func(open, value, end string, depth int) string {
		return strings.Repeat(open, depth) + value + strings.Repeat(end, depth)
	}
	bodies := map[string]string{
		"10,000 arrays deep":           in(`"a":` + nested("[", "1", "]", 10_000)),
		"10,000 objects deep":          in(`"a":` + nested(`{"a":`, "1", "}", 10_000)),
		"10,000 deep, never closed":    `{"data":` + strings.Repeat("[", 10_000),
		"a million deep":               in(`"a":` + nested("[", "1", "]", 1_000_000)),
		"9 MB":                         in(`"a":"` + strings.Repeat("x", 9_000_000) + `"`),
		"9 MB of spaces":               strings.Repeat(" ", 9_000_000),
		"a million values":             in(`"a":[0` + strings.Repeat(",0", 1_000_000) + `]`),
		"a million members":            in(`"a":{"b":0` + strings.Repeat(`,"b":0`, 1_000_000) + `}`),
		"invalid UTF-8":                in("\"a\":\"\xff\xfe\""),
		"invalid UTF-8 in a name":      in("\"\xc3\x28\":1"),
		"a member twice":               in(`"a":1,"a":2`),
		"a member twice, escaped":      in(`"a":1,"\u0061":2`),
		"a member twice, deep inside":  in(`"a":[{"b":{"c":1,"d":2,"c":3}}]`),
		"data twice":                   `{"data":{"name":"x"},"data":{"name":"y"}}`,
		"a huge number":                in(`"a":` + strings.Repeat("9", 5000)),
		"a huge exponent":              in(`"a":1e99999999`),
		"a tiny exponent":              in(`"a":-1e-99999999`),
		"an exponent beyond computers": in(`"a":1e` + strings.Repeat("9", 500)),
		"not a number":                 in(`"a":NaN`),
		"half":                         `{"data":{"name":"x"`,
		"a zero byte":                  "\x00",
		"a byte order mark":            "\ufeff" + `{"data":{"name":"x"}}`,
	}
	for name, body := range bodies {
		on := routes
		if len(body) > 100_000 {
			on = routes[:3] // all routes read bodies in one way
		}
		for _, route := range on {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r := b.do(route[0], route[1], body)
			runtime.ReadMemStats(&after)
			if text, _ := r.envelope["message"].(string); r.status < 400 || r.status > 499 || text != "validation error" {
				t.Errorf("%s: %s %s: %d %.200s", name, route[0], route[1], r.status, r.body)
			}
			if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 100 {
				t.Errorf("%s: %s %s: %d MB allocated", name, route[0], route[1], used)
			}
			if len(r.body) > 10_000 {
				t.Errorf("%s: %s %s: the answer has %d bytes", name, route[0], route[1], len(r.body))
			}
		}
	}
	if r := b.do("GET", device, "").want(http.StatusOK); !strings.HasPrefix(r.envelope["revision"].(string), "1-") {
		t.Errorf("the device was changed: %s", r.body)
	}
}

// Paths and query strings that no client means get a 4xx too.
func TestHostileRequests(t *testing.T) {
	b := newBench(t)
	device := b.device(`{"name":"a"}`)
	long := strings.Repeat("9", 100_000)
	for _, path := range []string{
		b.devices() + "/" + long, b.devices() + "/%00", b.devices() + "/%ff%fe", b.devices() + "/..%2f..%2fetc", b.devices() + "/' OR 1=1 --%20",
		device + "/" + long, device + "/%2e%2e/sync", "/v2/accounts/" + long, "/v2/accounts/%27%3b--", "/v2/" + strings.Repeat("accounts/", 1000),
		b.users() + "/" + strings.ToUpper(models.NewID()), b.devices() + "?page_size=" + long, b.devices() + "?start_key=" + long,
		b.devices() + "?page_size[]=1&page_size=x", b.users() + "?page_size=-" + long,
	} {
		for _, method := range []string{"GET", "PATCH", "DELETE"} {
			path := strings.ReplaceAll(path, " ", "%20")
			if r := b.do(method, path, ""); r.status < 400 || r.status > 499 || r.envelope["message"] == "" {
				t.Errorf("%s %.100s: %d %.200s", method, path, r.status, r.body)
			}
		}
	}
}
