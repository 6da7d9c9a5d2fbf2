package phonesim

import (
	"encoding/xml"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dialtone/provisioner"
)

func TestParseConfig(t *testing.T) {
	tests := []struct {
		name, format, body string
		want               []setting
		unread             []int
		err                string // part of it, "" = none
	}{
		{
			"ini", "ini",
			"\ufeff#!version:1.0.0.1\r\n# x = 1\r\n\r\n a = 1 \r\nb=\r\nc = x = y\nd = %NULL%\ne = %EMPTY%\nno setting\n= 3\n",
			[]setting{{"a", "1"}, {"b", ""}, {"c", "x = y"}, {"d", ""}, {"e", ""}},
			[]int{9, 10},
			"",
		},
		{"empty ini", "ini", "#!version:1.0.0.1\n", nil, nil, ""},
		{"not ini", "ini", "<html>\n<body>\n", nil, nil, "line 1:"},
		{
			"xml", "xml", `<?xml version="1.0"?><c xmlns:x="u" x:s="s"><a reg.1.address="1" b="x &amp; y"><z reg.1.address="2"/></a></c>`,
			[]setting{{"reg.1.address", "1"}, {"b", "x & y"}, {"reg.1.address", "2"}},
			nil,
			"",
		},
		{"broken xml", "xml", "<c>\n<a b=1></c>", nil, nil, "line 2"},
		{"attribute twice", "xml", "<c>\n<a b='1' b='2'/></c>", nil, nil, "line 2: attribute b is there twice"},
		{"cut short", "xml", "<c><a b='1'/>", nil, nil, "element c is not closed"},
		{"two roots", "xml", "<a/><b/>", nil, nil, "2 root elements"},
		{"no xml at all", "xml", "", nil, nil, "0 root elements"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, unread, err := parseConfig(tt.format, provisioner.ParameterRules{}, []byte(tt.body))
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got error %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(setting{})); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.unread, unread); diff != "" {
				t.Errorf("unread lines (-want +got):\n%s", diff)
			}
		})
	}
}

// Settings may be elements, told apart by an attribute, by name or by path.
func TestParseElements(t *testing.T) {
	const body = `<?xml version="1.0"?>
<s><p e="2"><user idx="1" perm="R"> ann &amp; bob
</user><user idx="2"/><zone/></p><line idx="2"><!-- here --><reg><user>carl</user></reg></line></s>`
	tests := []struct {
		rules provisioner.ParameterRules
		want  []setting
	}{
		{
			provisioner.ParameterRules{Style: provisioner.StyleElements, Index: "idx"},
			[]setting{{"user.1", "ann & bob"}, {"user.2", ""}, {"zone", ""}, {"user", "carl"}},
		},
		{
			provisioner.ParameterRules{Style: provisioner.StylePaths, Index: "idx"},
			[]setting{{"p.user.1", "ann & bob"}, {"p.user.2", ""}, {"p.zone", ""}, {"line.2.reg.user", "carl"}},
		},
		{
			provisioner.ParameterRules{Style: provisioner.StylePaths},
			[]setting{{"p.user", "ann & bob"}, {"p.user", ""}, {"p.zone", ""}, {"line.reg.user", "carl"}},
		},
		{
			provisioner.ParameterRules{Style: provisioner.StyleAttributes, Index: "idx"},
			[]setting{{"e", "2"}, {"idx", "1"}, {"perm", "R"}, {"idx", "2"}, {"idx", "2"}},
		},
	}
	for _, tt := range tests {
		got, _, err := parseConfig("xml", tt.rules, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(setting{})); diff != "" {
			t.Errorf("%+v: settings (-want +got):\n%s", tt.rules, diff)
		}
	}
	for _, broken := range []string{"", "<a><b></a>", "<a/><b/>", `<a><b c="1" c="2"/></a>`} {
		if _, _, err := parseConfig("xml", tests[0].rules, []byte(broken)); err == nil {
			t.Errorf("%q: no error", broken)
		}
	}
}

// What a brand says otherwise than most: backups and a transport with the
// proxy, and minutes.
func TestLineOfOtherForms(t *testing.T) {
	script := provisioner.PhoneScript{Settings: provisioner.PhoneSettings{
		Username: "user", Domain: "host", Proxy: "outbound", Transport: "over", Expires: "minutes", ExpiresUnit: 60,
	}, Transports: map[string]string{"0": "udp", "1": "tcp"}}
	tests := []struct {
		outbound, over, minutes    string
		server, transport, problem string
		expires                    int
	}{
		{"a.example.com:5070;transport=tcp, b.example.com", "0", "10", "a.example.com:5070", "tcp", "", 600},
		{"a.example.com;lr;Transport=UDP", "1", "0", "a.example.com:5060", "udp", "", 10},
		{"a.example.com:5061;transport=tls", "", "5", "", "", "TLS", 0},
		{"a.example.com,b.example.com", "1", "99999999999", "a.example.com:5060", "tcp", "", maxExpires},
		{" ", "1", "", "acme.example.com:5060", "tcp", "", defaultExpires},
	}
	for _, tt := range tests {
		got, err := newLine(&script, settings{"user": "ann", "host": "acme.example.com", "outbound": tt.outbound, "over": tt.over, "minutes": tt.minutes})
		if tt.problem != "" {
			if err == nil || !strings.Contains(err.Error(), tt.problem) {
				t.Errorf("%q: got %v, want an error of %s", tt.outbound, err, tt.problem)
			}
			continue
		}
		if err != nil || got.server != tt.server || got.transport != tt.transport || got.expires != tt.expires {
			t.Errorf("%q: got %+v, %v", tt.outbound, got, err)
		}
	}
}

func TestMerge(t *testing.T) {
	files := [][]setting{{{"a", "1"}, {"a", "2"}, {"b", ""}}, {{"a", "3"}, {"b", "4"}, {"c", "5"}}}
	if diff := cmp.Diff(settings{"a": "1", "b": "", "c": "5"}, merge(files, true)); diff != "" {
		t.Errorf("first wins (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(settings{"a": "3", "b": "4", "c": "5"}, merge(files, false)); diff != "" {
		t.Errorf("last wins (-want +got):\n%s", diff)
	}
}

func TestParseIndex(t *testing.T) {
	tests := []struct {
		name, format, lists, body string
		want                      []string
		err                       bool
	}{
		{"xml", "xml", "CONFIG_FILES", `<A><B CONFIG_FILES=" a.cfg ,,http://h/b.cfg"/></A>`, []string{"a.cfg", "http://h/b.cfg"}, false},
		{"xml without", "xml", "CONFIG_FILES", `<A APP_FILE_PATH="x"/>`, nil, false},
		{"broken xml", "xml", "CONFIG_FILES", `<A`, nil, true},
		{
			"ini", "ini", "include:config",
			"#!version:1.0.0.1\ninclude:config <a.cfg>\ninclude:config \"b.cfg\"\n#include:config c.cfg\ninclude:config d.cfg\noverwrite_mode = 1\n",
			[]string{"a.cfg", "b.cfg", "d.cfg"}, false,
		},
		{"too many", "ini", "include:config", strings.Repeat("include:config x.cfg\n", maxListed+1), nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseIndex(tt.format, tt.lists, []byte(tt.body))
			if (err != nil) != tt.err {
				t.Fatalf("got error %v, want one: %t", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"7": 7 * time.Second, "": defaultBusyDelay, "soon": defaultBusyDelay, "-1": defaultBusyDelay,
		"9999": maxBusyDelay, "Fri, 02 Jan 2026 03:04:15 GMT": 10 * time.Second, "Fri, 02 Jan 2026 03:04:00 GMT": 0,
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("retryAfter(%q): got %s, want %s", header, got, want)
		}
	}
}

func TestMasker(t *testing.T) {
	p := &Phone{fetch: newFetcher("", "httppw", nil), config: settings{"account.1.password": "old"}}
	p.script = iniScript()
	p.script.Settings.Secrets = "P2 P406"
	hide := p.masker(settings{"account.1.password": "new"})
	tests := []struct{ name, value, want string }{
		{"account.1.label", "Ann", "Ann"},
		{"account.1.password", "new", masked},
		{"Static.Security.USER_PASSWORD", "x", masked},
		{"sip.line.2.RegisterPswd", "x", masked},
		{"user_pass.2", "x", masked},
		{"P406", "x", masked},
		{"x", "user=a;pw=old", masked},
		{"x", "httppw", masked},
		{"url", "http://h:8080/p/tok/x.cfg", "http://h:8080/" + masked},
		{"url", "https://u:p@h/", "https://h/" + masked},
		{"url", "http://h/", "http://h/"},
		{"url", "http://%zz", "http://" + masked},
	}
	for _, tt := range tests {
		if got := hide(tt.name, tt.value); got != tt.want {
			t.Errorf("%s = %s: got %q, want %q", tt.name, tt.value, got, tt.want)
		}
	}
}

func TestPrinterKeepsLinesWhole(t *testing.T) {
	var out transcript
	newPrinter(&out).as("001565aabb01").printf("+ a = %s", "1\r\n- b = 2\x1b[2J")
	if got, want := out.String(), "001565aabb01 + a = 1??- b = 2?[2J\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzParseXML(f *testing.F) {
	f.Add([]byte(`<c><a reg.1.address="1" b="x &amp; y"/></c>`))
	f.Add([]byte(`<a b='1' b='2'>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		list, err := parseAttributes(body)
		elements, err2 := parseXML(provisioner.ParameterRules{Style: provisioner.StylePaths, Index: "b"}, body)
		if (err == nil) != (err2 == nil) {
			t.Errorf("%q: attributes give %v, elements %v", body, err, err2)
		}
		for _, s := range slices.Concat(list, elements) {
			if s.name == "" {
				t.Errorf("a setting without a name in %q", body)
			}
		}
		if err == nil && xml.Unmarshal(body, new(struct{})) != nil {
			t.Errorf("accepted what is not XML: %q", body)
		}
		if names, err := parseIndex("xml", "b", body); err == nil && len(names) > maxListed {
			t.Errorf("%d names", len(names))
		}
	})
}

func FuzzParseINI(f *testing.F) {
	f.Add([]byte("#!version:1.0.0.1\na = 1\ninclude:config <x.cfg>\n"))
	f.Add([]byte("\ufeffa=%NULL%\r\n=\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		list, unread, err := parseINI(body)
		if lines := strings.Count(string(body), "\n") + 1; len(list)+len(unread) > lines {
			t.Errorf("%d settings and %d unread in %d lines", len(list), len(unread), lines)
		}
		var again strings.Builder
		again.WriteString("#\n") // a byte order mark counts at the very start only
		for _, s := range list {
			if s.name != strings.TrimSpace(s.name) || strings.ContainsAny(s.name+s.value, "\n") {
				t.Errorf("setting %q = %q", s.name, s.value)
			}
			again.WriteString(s.name + " = " + s.value + "\n")
		}
		second, _, err2 := parseINI([]byte(again.String()))
		if err == nil && (err2 != nil || !cmp.Equal(list, second, cmp.AllowUnexported(setting{}))) {
			t.Errorf("%q read again: got %q, want %q", body, second, list)
		}
		if names, err := parseIndex("ini", "include:config", body); err == nil && len(names) > maxListed {
			t.Errorf("%d names", len(names))
		}
	})
}
