package phonesim

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"
	"github.com/icholy/digest"

	"dialtone/provisioner"
)

func TestBootXML(t *testing.T) {
	r := newRegistrar(t)
	files := newFileServer(t, map[string]string{
		"000000000000.cfg": `<APPLICATION APP_FILE_PATH="sip.ld" CONFIG_FILES="phone.cfg, missing.cfg,sub/site.cfg"/>`,
		"phone.cfg": fmt.Sprintf(`<c><reg reg.1.address="ann" reg.1.auth.password="s3cret" reg.1.displayName="Ann &quot;A&quot; Lee"
			reg.1.outboundProxy.address="127.0.0.1" reg.1.outboundProxy.port="%d" reg.1.server.1.expires="300"/></c>`, r.port),
		"site.cfg":                   `<c><reg reg.1.address="wrong" reg.1.server.1.address="acme.example.com"/></c>`,
		"000000000000-directory.xml": `<directory/>`,
	})
	var out transcript
	phone := testPhone(t, xmlScript(), Options{URL: files.URL + "/p/tok", Once: true, Out: &out})
	if err := phone.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"PUT /p/tok/001565aabb01-boot.log",
		"GET /p/tok/001565aabb01.cfg",
		"GET /p/tok/000000000000.cfg",
		"GET /p/tok/phone.cfg",
		"GET /p/tok/missing.cfg",
		"GET /p/tok/sub/site.cfg",
		"GET /p/tok/001565aabb01-directory.xml",
		"GET /p/tok/000000000000-directory.xml",
		"HEAD /p/tok/001565aabb01-app.log",
	}
	if diff := cmp.Diff(want, files.asked()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	wantOut := []string{
		"PUT 001565aabb01-boot.log 403",
		"GET 001565aabb01.cfg 404",
		"GET 000000000000.cfg 200 88 bytes",
		fmt.Sprintf("GET phone.cfg 200 %d bytes", len(files.files["phone.cfg"])),
		"GET missing.cfg 404",
		"GET site.cfg 200 77 bytes",
		"GET 001565aabb01-directory.xml 404",
		"GET 000000000000-directory.xml 200 12 bytes",
		"HEAD 001565aabb01-app.log 404",
		"REGISTER sip:acme.example.com 401",
		"REGISTER sip:acme.example.com 200 expires 300",
		"REGISTER sip:acme.example.com 401",
		"REGISTER sip:acme.example.com 200 expires 0",
	}
	if diff := cmp.Diff(wantOut, out.lines()); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
	if got, want := files.request(0).UserAgent(), "FileTransport X-T1-UA/1.0 Type/Updater"; got != want {
		t.Errorf("User-Agent of the step: got %q, want %q", got, want)
	}
	if got, want := files.request(1).UserAgent(), "FileTransport X-T1-UA/6.4.3 Type/Application"; got != want {
		t.Errorf("User-Agent: got %q, want %q", got, want)
	}
	register := r.registers()[0]
	if got, want := register.GetHeader("User-Agent").Value(), "X-T1-UA/6.4.3"; got != want {
		t.Errorf("SIP User-Agent: got %q, want %q", got, want)
	}
	if got, want := register.From().Value(), `"Ann \"A\" Lee" <sip:ann@acme.example.com>`; !strings.HasPrefix(got, want) {
		t.Errorf("From: got %q, want %q", got, want)
	}
	if got := register.Contact().Address; got.User != "ann" || got.Host != "127.0.0.1" || got.HostPort() != register.Source() {
		t.Errorf("Contact: got %s, sent from %s", got.String(), register.Source())
	}
	if r.users() != 0 {
		t.Error("still registered after Once")
	}
}

func TestBootINI(t *testing.T) {
	r := newRegistrar(t)
	tests := []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{
			"boot file",
			map[string]string{
				"001565aabb01.boot": "#!version:1.0.0.1\ninclude:config <common.cfg>\n" + `include:config "001565aabb01.cfg"` + "\noverwrite_mode = 1\n",
				"common.cfg":        "account.1.user_name = wrong\n",
				"001565aabb01.cfg":  r.config("ann", "s3cret"),
			},
			[]string{"GET /001565aabb01.boot", "GET /common.cfg", "GET /001565aabb01.cfg"},
		},
		{
			"no boot file",
			map[string]string{
				"y000000000108.cfg": "account.1.user_name = wrong\n",
				"001565aabb01.cfg":  r.config("ann", "s3cret"),
			},
			[]string{"GET /001565aabb01.boot", "GET /y000000000000.boot", "GET /y000000000108.cfg", "GET /001565aabb01.cfg"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := newFileServer(t, tt.files)
			phone := testPhone(t, iniScript(), Options{URL: files.URL, Once: true})
			if err := phone.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, files.asked()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			if phone.line.user != "ann" {
				t.Errorf("the last value should count: got user %q", phone.line.user)
			}
			if got, want := files.request(0).UserAgent(), "Y SIP-T1 108.86.0.20 00:15:65:aa:bb:01"; got != want {
				t.Errorf("User-Agent: got %q, want %q", got, want)
			}
		})
	}
}

// TestHTTPDigest has a server challenge every request that does not answer the
// nonce of the hour.
func TestHTTPDigest(t *testing.T) {
	tests := []struct {
		name    string
		options func(url string) Options
		wantErr bool
	}{
		{"flags", func(url string) Options { return Options{URL: url, HTTPUser: "ann", HTTPPassword: "pw"} }, false},
		{"userinfo", func(url string) Options {
			return Options{URL: strings.Replace(url, "http://", "http://ann:pw@", 1)}
		}, false},
		{"wrong password", func(url string) Options { return Options{URL: url, HTTPUser: "ann", HTTPPassword: "no"} }, true},
		{"none", func(url string) Options { return Options{URL: url} }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRegistrar(t)
			files := newFileServer(t, map[string]string{"001565aabb01.cfg": r.config("ann", "s3cret")})
			files.setAnswer(func(w http.ResponseWriter, req *http.Request) bool { return challenges(w, req) })
			var out transcript
			o := tt.options(files.URL + "/")
			o.Once, o.Out = true, &out
			err := testPhone(t, iniScript(), o).Run(t.Context())
			if (err != nil) != tt.wantErr {
				t.Fatalf("Run: got %v, want an error: %t\n%s", err, tt.wantErr, &out)
			}
			if files.request(0).Header.Get("Authorization") != "" {
				t.Error("the first request already carried an Authorization header")
			}
			if tt.wantErr {
				return
			}
			want := []string{
				"GET 001565aabb01.boot 401", "GET 001565aabb01.boot 404", "GET y000000000000.boot 404",
				"GET y000000000108.cfg 404", fmt.Sprintf("GET 001565aabb01.cfg 200 %d bytes", len(files.files["001565aabb01.cfg"])),
			}
			if diff := cmp.Diff(want, out.lines()[:len(want)]); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
		})
	}
}

func challenges(w http.ResponseWriter, r *http.Request) bool {
	asked := digest.Challenge{Realm: "phones", Nonce: "n", Algorithm: "MD5", QOP: []string{"auth"}}
	got, err := digest.ParseCredentials(r.Header.Get("Authorization"))
	if err == nil {
		want, _ := digest.Digest(&asked, digest.Options{
			Method: r.Method, URI: got.URI, Count: got.Nc, Cnonce: got.Cnonce, Username: "ann", Password: "pw",
		})
		if want != nil && want.Response == got.Response && got.URI == r.URL.RequestURI() {
			return false
		}
	}
	w.Header().Set("WWW-Authenticate", asked.String())
	w.WriteHeader(http.StatusUnauthorized)
	return true
}

func TestCheckSync(t *testing.T) {
	r := newRegistrar(t)
	config := r.config("ann", "s3cret") + "linekey.1.label = Ann Lee\nlinekey.2.value = %NULL%\nlinekey.3.value = 1\nstatic.auto_provision.server.url = http://h/p/tok1/\n"
	files := newFileServer(t, map[string]string{"001565aabb01.cfg": config})
	var out transcript
	stop := switchOn(t, testPhone(t, iniScript(), Options{URL: files.URL + "/p/tok1/", Out: &out}).Run)
	eventually(t, "registered", func() bool { return r.users() == 1 })
	eventually(t, "registration printed", func() bool { return strings.Contains(out.String(), "200 expires 300") })
	before := len(out.lines())

	for i, tt := range []struct {
		method sip.RequestMethod
		event  string
		want   int
	}{{sip.NOTIFY, "message-summary", 489}, {sip.OPTIONS, "", 200}, {sip.MESSAGE, "", 405}, {"FANCY", "", 501}} {
		if got := r.send(tt.method, "ann", tt.event); got != tt.want {
			t.Errorf("%s %s: got %d, want %d", tt.method, tt.event, got, tt.want)
		}
		eventually(t, "the answer printed", func() bool { return len(out.lines()) == before+i+1 })
	}
	config = strings.NewReplacer("Ann Lee", "Anna Lee", "tok1", "tok2", "linekey.3.value = 1", "linekey.3.value =").Replace(config)
	files.set("001565aabb01.cfg", config+"static.auto_provision.password = pw2\nlinekey.2.value = 1002\n")
	if got := r.send(sip.NOTIFY, "ann", "check-sync;reboot=false"); got != 200 {
		t.Errorf("NOTIFY check-sync: got %d, want 200", got)
	}
	eventually(t, "fetched again", func() bool { return len(files.asked()) == 8 })
	eventually(t, "changes printed", func() bool { return strings.Contains(out.String(), "auto_provision.server.url") })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"NOTIFY message-summary 489",
		"OPTIONS 200",
		"MESSAGE 405",
		"FANCY 501",
		"NOTIFY check-sync;reboot=false 200",
		"GET 001565aabb01.boot 404",
		"GET y000000000000.boot 404",
		"GET y000000000108.cfg 404",
		fmt.Sprintf("GET 001565aabb01.cfg 200 %d bytes", len(files.files["001565aabb01.cfg"])),
		"- linekey.1.label = Ann Lee",
		"+ linekey.1.label = Anna Lee",
		"+ linekey.2.value = 1002",
		"- linekey.3.value = 1",
		"+ static.auto_provision.password = ********",
		"- static.auto_provision.server.url = http://h/********",
		"+ static.auto_provision.server.url = http://h/********",
		"REGISTER sip:acme.example.com 401",
		"REGISTER sip:acme.example.com 200 expires 0",
	}
	if diff := cmp.Diff(want, out.lines()[before:]); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
	if r.users() != 0 {
		t.Error("still registered after the end")
	}
}

// TestLineChanges changes what decides the registration, one thing at a time.
func TestLineChanges(t *testing.T) {
	r := newRegistrar(t)
	files := newFileServer(t, map[string]string{"001565aabb01.cfg": r.config("ann", "s3cret")})
	var out transcript
	switchOn(t, testPhone(t, iniScript(), Options{URL: files.URL, Out: &out}).Run)
	eventually(t, "ann registered", func() bool { return r.users() == 1 })
	first := r.contact("ann")

	r.mu.Lock()
	r.password = "changed"
	r.mu.Unlock()
	files.set("001565aabb01.cfg", r.config("ann", "changed"))
	r.send(sip.NOTIFY, "ann", "check-sync")
	eventually(t, "ann registered with the new password", func() bool { return len(r.registers()) == 2 })
	if got := r.contact("ann"); got != first {
		t.Errorf("a new password moved the contact from %s to %s", first, got)
	}
	for _, secret := range []string{"s3cret", "changed"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("the password %q was printed:\n%s", secret, &out)
		}
	}

	files.set("001565aabb01.cfg", r.config("bob", "changed")+"account.1.sip_server.1.transport_type = 1\n")
	r.send(sip.NOTIFY, "ann", "check-sync;reboot=true")
	eventually(t, "bob registered, ann not any more", func() bool { return r.contact("bob") != "" && r.contact("ann") == "" })

	files.set("001565aabb01.cfg", r.config("bob", "changed")+"account.1.enable = 0\n")
	if got := r.send(sip.NOTIFY, "bob", "check-sync"); got != 200 { // over TCP
		t.Errorf("NOTIFY over TCP: got %d", got)
	}
	eventually(t, "nobody registered", func() bool { return r.users() == 0 })
	eventually(t, "reason printed", func() bool {
		return strings.Contains(out.String(), "not registering: the line is switched off")
	})
}

func TestRefresh(t *testing.T) {
	r := newRegistrar(t)
	files := newFileServer(t, map[string]string{"001565aabb01.cfg": r.config("ann", "s3cret")})
	phone := testPhone(t, iniScript(), Options{URL: files.URL})
	if err := phone.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { phone.switchOff(t.Context()) })
	granted := phone.line.expires
	due := phone.due
	if err := phone.resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := r.registers(); len(got) != 2 || got[0].CallID().Value() != got[1].CallID().Value() {
		t.Errorf("want two REGISTERs of one Call-ID, got %d", len(got))
	}
	if granted != 300 || !phone.due.After(due) {
		t.Errorf("asked for %d s; the second refresh at %s, the first at %s", granted, phone.due, due)
	}
}

func TestBusyServerKeepsConfiguration(t *testing.T) {
	r := newRegistrar(t)
	files := newFileServer(t, map[string]string{"001565aabb01.cfg": r.config("ann", "s3cret")})
	var out transcript
	switchOn(t, testPhone(t, iniScript(), Options{URL: files.URL, Out: &out}).Run)
	eventually(t, "registered", func() bool { return r.users() == 1 })

	files.setAnswer(func(w http.ResponseWriter, req *http.Request) bool {
		if !strings.HasSuffix(req.URL.Path, "/001565aabb01.cfg") {
			return false
		}
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	r.send(sip.NOTIFY, "ann", "check-sync")
	eventually(t, "given up", func() bool {
		return strings.Contains(out.String(), "boot failed: GET 001565aabb01.cfg: 503 Service Unavailable; the old configuration stays")
	})
	if got := strings.Count(out.String(), "GET 001565aabb01.cfg 503"); got != 1+maxBusyRetries {
		t.Errorf("got %d tries, want %d", got, 1+maxBusyRetries)
	}
	if r.users() != 1 {
		t.Error("the phone gave its registration up")
	}

	files.setAnswer(nil)
	files.set("001565aabb01.cfg", r.config("ann", "s3cret")+"linekey.1.label = new\n")
	r.send(sip.NOTIFY, "ann", "check-sync")
	eventually(t, "the next check-sync works", func() bool { return strings.Contains(out.String(), "+ linekey.1.label = new") })
}

func TestOnceFails(t *testing.T) {
	r := newRegistrar(t)
	tests := []struct {
		name  string
		files map[string]string
		want  string // "" = success
	}{
		{"nothing there", nil, "boot: no configuration file found"},
		{"broken file", map[string]string{"001565aabb01.cfg": "<html>\noops\n"}, "boot: 001565aabb01.cfg: line 1: no name = value, nor on any other line"},
		{"wrong password", map[string]string{"001565aabb01.cfg": r.config("ann", "wrong")}, "REGISTER refused: 403 Forbidden"},
		{"no username", map[string]string{"001565aabb01.cfg": r.config("", "s3cret")}, ""},
		{"forbidden scheme", map[string]string{"001565aabb01.boot": "include:config tftp://h/x.cfg\n"}, `boot: file "x.cfg": this phone fetches by http and https only`},
		{"TLS", map[string]string{"001565aabb01.cfg": r.config("ann", "s3cret") + "account.1.sip_server.1.transport_type = 2\n"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := newFileServer(t, tt.files)
			err := testPhone(t, iniScript(), Options{URL: files.URL, Once: true}).Run(t.Context())
			if got := fmt.Sprint(err); got != tt.want && (err != nil || tt.want != "") {
				t.Errorf("Run: got %v, want %q", err, tt.want)
			}
		})
	}
}

// TestUnreachable checks that no error or line shows the secret in the URL.
func TestUnreachable(t *testing.T) {
	files := newFileServer(t, nil)
	url := files.URL + "/p/t0ken/"
	files.Close()
	var out transcript
	err := testPhone(t, iniScript(), Options{URL: url, Once: true, Out: &out}).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("Run: got %v", err)
	}
	if text := out.String() + fmt.Sprint(err); strings.Contains(text, "t0ken") {
		t.Errorf("the token was printed:\n%s", text)
	}
}

func TestFleet(t *testing.T) {
	const size = 20
	r := newRegistrar(t)
	files := newFileServer(t, map[string]string{})
	fleet, out := &Fleet{}, &transcript{}
	shared, booths := newPrinter(out), make(chan struct{}, 4)
	mac := testMAC
	for i := range size {
		files.set(mac.String()+".cfg", r.config(fmt.Sprint("user", i), "s3cret"))
		phone := testPhone(t, iniScript(), Options{URL: files.URL, MAC: mac})
		phone.join(shared, booths)
		fleet.phones = append(fleet.phones, phone)
		mac = mac.Next()
	}
	stop := switchOn(t, fleet.Run)
	eventually(t, "all registered", func() bool { return r.users() == size })
	if got := r.send(sip.NOTIFY, "user7", "check-sync"); got != 200 {
		t.Errorf("NOTIFY: got %d", got)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if r.users() != 0 {
		t.Errorf("%d phones still registered", r.users())
	}
	if got := strings.Count(out.String(), "NOTIFY"); got != 1 {
		t.Errorf("%d phones were notified, want 1", got)
	}
	for _, line := range out.lines() {
		if !strings.HasPrefix(line, "001565aabb") {
			t.Errorf("line without its MAC: %q", line)
		}
	}
	if !slices.Contains(out.lines(), "001565aabb08 NOTIFY check-sync 200") {
		t.Errorf("the wrong phone was notified:\n%s", out)
	}
}

func TestNewLine(t *testing.T) {
	script := iniScript()
	base := settings{
		"account.1.user_name": "ann", "account.1.password": "pw", "account.1.sip_server.1.address": "Acme.example.com",
	}
	tests := []struct {
		name string
		set  settings
		want line
		err  error
	}{
		{"defaults", nil, line{
			user: "ann", authUser: "ann", password: "pw", domain: "acme.example.com", server: "Acme.example.com:5060",
			transport: "udp", expires: 3600,
		}, nil},
		{"everything", settings{
			"account.1.enable": "1", "account.1.auth_name": "a", "account.1.display_name": "Ann",
			"account.1.sip_server.1.port": "5070", "account.1.sip_server.1.transport_type": "1", "account.1.sip_server.1.expires": "60",
		}, line{
			user: "ann", authUser: "a", password: "pw", displayName: "Ann", domain: "acme.example.com",
			server: "Acme.example.com:5070", transport: "tcp", expires: 60,
		}, nil},
		{"proxy with port", settings{"account.1.outbound_proxy.1.address": "10.0.0.1:5080", "account.1.outbound_proxy.1.port": "0"}, line{
			user: "ann", authUser: "ann", password: "pw", domain: "acme.example.com", server: "10.0.0.1:5080",
			transport: "udp", expires: 3600,
		}, nil},
		{"user with host", settings{"account.1.user_name": "ann@realm.example", "account.1.sip_server.1.address": "10.0.0.1"}, line{
			user: "ann", authUser: "ann", password: "pw", domain: "realm.example", server: "10.0.0.1:5060",
			transport: "udp", expires: 3600,
		}, nil},
		{"expiry too short", settings{"account.1.sip_server.1.expires": "-1"}, line{
			user: "ann", authUser: "ann", password: "pw", domain: "acme.example.com", server: "Acme.example.com:5060",
			transport: "udp", expires: minExpires,
		}, nil},
		{"off", settings{"account.1.enable": "0"}, line{}, errDisabled},
		{"no user", settings{"account.1.user_name": ""}, line{}, errNoUser},
		{"no server", settings{"account.1.sip_server.1.address": ""}, line{}, errNoServer},
		{"TLS", settings{"account.1.sip_server.1.transport_type": "2"}, line{}, errNoTLS},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := settings{}
			for _, layer := range []settings{base, tt.set} {
				for name, value := range layer {
					v[name] = value
				}
			}
			got, err := newLine(&script, v)
			if !errors.Is(err, tt.err) || got != tt.want {
				t.Errorf("got %+v, %v\nwant %+v, %v", got, err, tt.want, tt.err)
			}
		})
	}
	for _, bad := range []string{"a b", "a\r\nX: y", "<sip:x>", ":5060"} {
		v := settings{"account.1.user_name": "ann", "account.1.sip_server.1.address": bad}
		if l, err := newLine(&script, v); err == nil {
			t.Errorf("server %q: got %+v, want an error", bad, l)
		}
	}
}

func TestEscapeUser(t *testing.T) {
	for in, want := range map[string]string{
		"ann.lee+1": "ann.lee+1", "a b": "a%20b", "a\r\nVia: x": "a%0D%0AVia%3A%20x", "ü": "%C3%BC", "a@b:c": "a%40b%3Ac",
	} {
		if got := escapeUser(in); got != want {
			t.Errorf("escapeUser(%q): got %q, want %q", in, got, want)
		}
	}
}

func TestExpand(t *testing.T) {
	if _, err := expand(provisioner.PhoneScript{UserAgent: "Acme {part}"}, map[string]string{"mac": "x"}); err == nil {
		t.Error("an unknown placeholder passed")
	}
	script := provisioner.PhoneScript{Boot: []provisioner.BootStep{{Get: []string{"{part}.ld"}}, {Config: []string{"{mac}.cfg", "{part}.cfg"}}}}
	got, err := expand(script, map[string]string{"mac": "x"})
	if err != nil || len(got.Boot[0].Get) > 0 || len(got.Boot[1].Config) != 1 || got.Boot[1].Config[0] != "x.cfg" {
		t.Errorf("without a part: got %+v, %v", got.Boot, err)
	}
	got, err = expand(script, map[string]string{"mac": "x", "part": "3111"})
	if err != nil || got.Boot[0].Get[0] != "3111.ld" || script.Boot[0].Get[0] != "{part}.ld" {
		t.Errorf("got %q, %v; the manifest now says %q", got.Boot[0].Get, err, script.Boot[0].Get)
	}
}
