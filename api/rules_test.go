package api_test

import (
	"net/http"
	"strings"
	"testing"
)

// What stands in a SIP message or in a column where blanks at the end do not
// count has to fit there.
func TestUnfitTexts(t *testing.T) {
	b := newBench(t)
	device := b.device(`{"name":"a","sip":{"username":"ann lee","realm":"sip.example.org"}}`)
	for _, text := range []string{`ab\r\nX: 1`, `ab\u0000`, ` ab`, `ab `, `ab\u2003`, `a\u0085b`} {
		b.do("PUT", b.devices(), `{"data":{"name":"x","sip":{"username":"`+text+`"}}}`).rejects("sip.username: pattern")
		b.do("PATCH", device, `{"data":{"sip":{"username":"`+text+`"}}}`).rejects("sip.username: pattern")
		b.do("PUT", b.users(), `{"data":{"first_name":"a","last_name":"b","hotdesk":{"id":"`+text+`"}}}`).rejects("hotdesk.id: pattern")
	}
	for _, member := range []string{"proxy", "transport", "route", "forward", "realm", "static_route", "static_invite", "custom_sip_interface"} {
		b.do("PATCH", device, `{"data":{"sip":{"`+member+`":"abc.example.com\r\nX: 1"}}}`).rejects("sip." + member + ": pattern")
	}
	for _, member := range []string{"check_sync_event", "check_sync_reboot", "check_sync_reload"} {
		b.do("PATCH", device, `{"data":{"provision":{"`+member+`":"check-sync\r\nX: 1"}}}`).rejects("provision." + member + ": pattern")
	}
	b.do("PATCH", device, `{"data":{"sip":{"proxy":"a.example.com, b.example.com","username":"a"},"provision":{"check_sync_event":"resync;reboot=true"}}}`).rejects("sip.username: minLength")
	b.do("PATCH", device, `{"data":{"sip":{"proxy":"a.example.com, b.example.com","username":"ab"},"provision":{"check_sync_event":"resync;reboot=true"}}}`).want(http.StatusOK)
}

// A proxy that phones could not reach is refused, also as one of a list.
func TestProxyHosts(t *testing.T) {
	b := newBench(t)
	device := b.device(`{"name":"a"}`)
	for _, proxy := range []string{"", ",,", "px", "192.0.2.1:5070", "[2001:db8::1]:5080", "sip:proxy.example.com", "<sip:px;lr>", "SIPS:px:5061;transport=tls, b.example.com"} {
		b.do("PATCH", device, `{"data":{"sip":{"proxy":"`+proxy+`"}}}`).want(http.StatusOK)
	}
	for _, proxy := range []string{"a b", "ok.example.com, a b", "sip:ann@px", "px:0", "px:65536", "https://px", "[]", "5060", "2001:db8::1"} {
		b.do("PATCH", device, `{"data":{"sip":{"proxy":"`+proxy+`"}}}`).rejects("sip.proxy: pattern")
	}
}

// A realm that is made up fits below the longest that there may be.
func TestRealmBelowALongOne(t *testing.T) {
	b := newBench(t)
	label := strings.Repeat("r", 62) + "."
	for _, realm := range []string{strings.Repeat(label, 3) + strings.Repeat("r", 59), strings.Repeat("r", 248), strings.Repeat("r.", 120) + "example"} {
		parent, _ := b.account("Parent", realm, b.master)
		child := b.do("PUT", "/v2/accounts/"+parent.ID, `{"data":{"name":"Child"}}`).want(http.StatusCreated)
		made, _ := child.at("realm").(string)
		if len(made) > 253 || !strings.Contains(made, ".sip") || strings.HasSuffix(made, ".") {
			t.Errorf("below %s: %s", realm, made)
		}
		if strings.Contains(realm, ".") && !strings.HasSuffix(realm, strings.SplitN(made, ".sip.", 2)[1]) {
			t.Errorf("below %s: %s, not a neighbour", realm, made)
		}
	}
}

// Of two names of one setting the one that was sent counts, and is complained of.
func TestNamesOfTheExpiry(t *testing.T) {
	b := newBench(t)
	const older, newer = "registration_expiration", "expire_seconds"
	path := b.device(`{"name":"a","sip":{"expire_seconds":100}}`)
	sip := func(member, value string) string {
		return `{"data":{"name":"a","sip":{"` + member + `":` + value + `}}}`
	}
	for member, other := range map[string]string{older: newer, newer: older} {
		for _, send := range [][2]string{{"PUT", b.devices()}, {"POST", path}, {"PATCH", path}} {
			b.do(send[0], send[1], sip(member, `"abc"`)).rejects("sip." + member + ": type")
			b.do(send[0], send[1], sip(member, `-1`)).rejects("sip." + member + ": minimum")
		}
		for _, method := range []string{"PATCH", "POST"} {
			r := b.do(method, path, sip(member, `700`)).want(http.StatusOK)
			if asJSON(t, r.at("sip."+other)) != "700" || asJSON(t, r.at("sip."+member)) != "700" {
				t.Errorf("%s of %s: %s", method, member, r.body)
			}
			b.do("PATCH", path, sip(other, `800`)).want(http.StatusOK)
		}
		if r := b.do("PATCH", path, sip(member, `null`)).want(http.StatusOK); asJSON(t, r.at("sip."+other)) != "300" {
			t.Errorf("%s deleted: %s", member, r.body)
		}
	}
}

// To delete from what is not there makes nothing.
func TestPatchDeletesFromNothing(t *testing.T) {
	b := newBench(t)
	path := b.device(`{"name":"a","text":"t","object":{"a":1}}`)
	r := b.do("PATCH", path, `{"data":{"x":{"y":null},"z":{"y":{"x":null}},"text":{"y":null},"object":{"a":null,"b":{"c":null}},"new":{"a":null,"b":{}}}}`).want(http.StatusOK)
	for member, want := range map[string]string{"text": "{}", "object": "{}", "new": `{"b":{}}`} {
		if asJSON(t, r.at(member)) != asJSON(t, want) {
			t.Errorf("%s: %s, want %s", member, asJSON(t, r.at(member)), want)
		}
	}
	for _, member := range []string{"x", "z"} {
		if _, present := r.data()[member]; present {
			t.Errorf("%s was made: %s", member, r.body)
		}
	}
}
