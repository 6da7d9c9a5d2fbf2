package sip_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/ipv4"

	"dialtone/models"
	"dialtone/sip"
)

const (
	phoneMAC   = "001565aabbcc"
	profileURL = "http://127.0.0.1:8080/p/s3cret-token/"
	quiet      = 300 * time.Millisecond // for what must not happen
)

// asked keeps what phones said of themselves.
type asked struct {
	mu  sync.Mutex
	all []sip.ProfileRequest
}

// known tells the one phone there is where its configuration is.
func (a *asked) known(_ context.Context, r sip.ProfileRequest) (sip.Profile, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = append(a.all, r)
	switch r.MAC.String() {
	case phoneMAC:
		return sip.Profile{ContentType: "application/url", Body: []byte(profileURL)}, nil
	case "000000000500":
		return sip.Profile{}, models.ErrUnavailable
	}
	return sip.Profile{}, models.ErrNotFound
}

func (a *asked) list() []sip.ProfileRequest {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.all)
}

func (a *asked) count() int { return len(a.list()) }

// plug starts a server that phones may ask.
func plug(t *testing.T, change func(*sip.Config)) (*office, *asked) {
	t.Helper()
	seen := &asked{}
	o := open(t, func(c *sip.Config) {
		c.Profile = seen.known
		c.ProfileNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		if change != nil {
			change(c)
		}
	})
	t.Cleanup(func() {
		if strings.Contains(o.log.String(), "s3cret-token") {
			t.Error("the log holds the path token")
		}
	})
	return o, seen
}

// A subscribe is a SUBSCRIBE to write. Empty fields get what the usual phone
// would send.
type subscribe struct {
	user, event, callID, contact, uri string
	headers                           []string
}

func (s subscribe) text(transport string, local net.Addr) string {
	or := func(given, usual string) string {
		if given == "" {
			return usual
		}
		return given
	}
	user := or(s.user, "MAC%3a"+phoneMAC)
	lines := append([]string{
		"SUBSCRIBE " + or(s.uri, "sip:"+user+"@224.0.1.75") + " SIP/2.0",
		fmt.Sprintf("Via: SIP/2.0/%s %s;branch=z9hG4bK%d;rport", strings.ToUpper(transport), local, serial.Add(1)),
		"Max-Forwards: 70",
		"From: <sip:" + user + "@224.0.1.75>;tag=42",
		"To: <sip:" + user + "@224.0.1.75>",
		"Call-ID: " + or(s.callID, fmt.Sprintf("pnp-%d", serial.Add(1))),
		"CSeq: 1 SUBSCRIBE",
		"Contact: " + or(s.contact, fmt.Sprintf("<sip:%s>", local)),
		"Event: " + or(s.event, `ua-profile;profile-type="device";vendor="Yealink";model="T53W";version="96.87.0.16"`),
		"Accept: application/url",
		"Expires: 0",
	}, s.headers...)
	return strings.Join(append(lines, "Content-Length: 0", "", ""), "\r\n")
}

func (w *wire) subscribe(t *testing.T, s subscribe) {
	t.Helper()
	w.send(t, s.text(w.transport, w.LocalAddr()))
}

// isTold reads the answer and the NOTIFY, and accepts that.
func (w *wire) isTold(t *testing.T) *message {
	t.Helper()
	res := w.read(t)
	if res.code() != 200 || res.get("Expires") != "0" || res.get("CSeq") != "1 SUBSCRIBE" || res.get("Contact") == "" {
		t.Fatalf("answer: %v", res)
	}
	notify := w.read(t)
	_, tag, _ := strings.Cut(res.get("To"), ";tag=")
	for name, want := range map[string]string{
		"From":               "<sip:MAC%3a" + phoneMAC + "@224.0.1.75>;tag=" + tag,
		"To":                 "<sip:MAC%3a" + phoneMAC + "@224.0.1.75>;tag=42",
		"Call-ID":            res.get("Call-ID"),
		"Event":              `ua-profile;profile-type="device";vendor="Yealink";model="T53W";version="96.87.0.16"`,
		"Subscription-State": "terminated;reason=timeout",
		"Content-Type":       "application/url",
	} {
		if got := notify.get(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	if !strings.HasPrefix(notify.start, "NOTIFY sip:") || notify.body != profileURL || tag == "" {
		t.Errorf("NOTIFY: %v", notify)
	}
	w.respond(t, notify, "200 OK")
	return notify
}

// isIgnored waits for nothing.
func (w *wire) isIgnored(t *testing.T, why string) {
	t.Helper()
	if m, err := w.tryRead(quiet); err == nil {
		t.Errorf("%s: got %v", why, m)
	}
}

func TestProfile(t *testing.T) {
	o, seen := plug(t, nil)
	for _, w := range []*wire{o.udp(t), o.tcp(t)} {
		w.subscribe(t, subscribe{})
		w.isTold(t)
	}
	want := sip.ProfileRequest{
		MAC: models.MAC{0x00, 0x15, 0x65, 0xaa, 0xbb, 0xcc}, Vendor: "Yealink", Model: "T53W", Version: "96.87.0.16", Source: netip.MustParseAddr("127.0.0.1"),
	}
	for _, got := range seen.list() {
		if got != want {
			t.Errorf("asked for %+v, want %+v", got, want)
		}
	}
	eventually(t, "the outcome in the log", func() bool {
		return strings.Contains(o.log.String(), `msg="phone told where its configuration is" mac=001565aabbcc vendor=Yealink model=T53W`)
	})
}

func TestProfileForms(t *testing.T) {
	o, seen := plug(t, nil)
	w := o.udp(t)
	for _, user := range []string{"MAC%3A001565AABBCC", "MAC:001565aabbcc", "MAC001565aabbcc", "MAC=001565aabbcc", "mac%3d001565AABBCC"} {
		before := seen.count()
		w.subscribe(t, subscribe{user: user})
		if res := w.read(t); res.code() != 200 {
			t.Errorf("%s: %v", user, res)
		}
		w.respond(t, w.read(t), "200 OK")
		if got := seen.list()[before].MAC.String(); got != phoneMAC {
			t.Errorf("%s: got %s", user, got)
		}
	}
}

// A phone repeats its SUBSCRIBE until it is answered, and is told once.
func TestProfileRepeated(t *testing.T) {
	o, _ := plug(t, nil)
	w := o.udp(t)
	w.subscribe(t, subscribe{callID: "same"})
	w.isTold(t)
	w.subscribe(t, subscribe{callID: "same"})
	if res := w.read(t); res.code() != 200 || res.get("CSeq") != "1 SUBSCRIBE" {
		t.Errorf("second answer: %v", res)
	}
	w.isIgnored(t, "second SUBSCRIBE")
	o.clock.advance(time.Minute)
	w.subscribe(t, subscribe{callID: "same"})
	w.isTold(t)
}

// The URL is told to nobody but who asked, whatever the Contact says; a phone may
// have another port for it.
func TestProfileContact(t *testing.T) {
	o, _ := plug(t, nil)
	w, elsewhere := o.udp(t), dialWire(t, "udp", o.Addrs().UDP, nil)
	w.subscribe(t, subscribe{contact: "<sip:thief@127.0.0.9:5060>"})
	if notify := w.isTold(t); notify.start != "NOTIFY sip:thief@127.0.0.9:5060 SIP/2.0" {
		t.Errorf("NOTIFY: %v", notify)
	}
	w.subscribe(t, subscribe{contact: fmt.Sprintf("<sip:%s>", elsewhere.LocalAddr())})
	if res := w.read(t); res.code() != 200 {
		t.Errorf("answer: %v", res)
	}
	if notify := elsewhere.read(t); notify.body != profileURL {
		t.Errorf("NOTIFY: %v", notify)
	} else {
		elsewhere.respond(t, notify, "200 OK")
	}
	w.subscribe(t, subscribe{contact: "nonsense"})
	if notify := w.isTold(t); notify.start != "NOTIFY sip:"+w.LocalAddr().String()+" SIP/2.0" {
		t.Errorf("NOTIFY: %v", notify)
	}
}

func TestProfileIgnored(t *testing.T) {
	o, seen := plug(t, nil)
	w := o.udp(t)
	tests := map[string]subscribe{
		"unknown phone":        {user: "MAC%3a001565000000"},
		"storage down":         {user: "MAC%3a000000000500"},
		"no MAC":               {user: "00000001"},
		"half a MAC":           {user: "MAC%3a001565"},
		"a user's profile":     {event: `ua-profile;profile-type="user"`},
		"open quote":           {event: `ua-profile;vendor="Yealink`},
		"endless vendor":       {event: `ua-profile;vendor="` + strings.Repeat("x", 65) + `"`},
		"endless Event":        {event: "ua-profile" + strings.Repeat(";x", 300)},
		"another header twice": {headers: []string{"CSeq: 2 SUBSCRIBE"}},
		"extension":            {headers: []string{"Require: magic"}},
		"tel URI":              {uri: "tel:1"},
	}
	for why, s := range tests {
		w.subscribe(t, s)
		w.isIgnored(t, why)
	}
	if got := seen.count(); got != 2 {
		t.Errorf("%d phones were looked up, want the two with a MAC", got)
	}
	w.subscribe(t, subscribe{event: "presence"})
	if res := w.read(t); res.code() != 405 {
		t.Errorf("another event: %v", res)
	}
	if !strings.Contains(o.log.String(), "phone not told where its configuration is") || !strings.Contains(o.log.String(), "phone not looked up") {
		t.Error("the log does not say why")
	}

	o, seen = plug(t, func(c *sip.Config) { c.ProfileNetworks = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
	w = o.udp(t)
	w.subscribe(t, subscribe{})
	w.isIgnored(t, "strange network")
	if seen.count() != 0 {
		t.Error("a phone of a strange network was looked up")
	}

	off := open(t, nil).udp(t)
	off.subscribe(t, subscribe{})
	if res := off.read(t); res.code() != 405 {
		t.Errorf("off: %v", res)
	}
}

// A flood of SUBSCRIBEs makes no flood of look-ups and NOTIFYs.
func TestProfileFlood(t *testing.T) {
	o, seen := plug(t, nil)
	w := o.udp(t)
	for range 1000 {
		w.subscribe(t, subscribe{})
	}
	o.ann(t)
	o.udp(t).mustRegister(t, "<sip:ann@10.0.0.1>") // others are served
	if got := seen.count(); got > 500 {
		t.Errorf("%d of 1000 requests at once were looked up", got)
	}
}

// groupWire is a socket that sends to a group over loopback.
func groupWire(t *testing.T, group netip.AddrPort) *wire {
	t.Helper()
	conn, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	loopback, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(ipv4.NewPacketConn(conn).SetMulticastInterface(loopback), ipv4.NewPacketConn(conn).SetMulticastLoopback(true)); err != nil {
		t.Fatal(err)
	}
	return newWire(&groupConn{conn.(*net.UDPConn), group}, "udp")
}

type groupConn struct {
	*net.UDPConn
	group netip.AddrPort
}

func (c *groupConn) Write(b []byte) (int, error) { return c.WriteToUDPAddrPort(b, c.group) }

// Phones that know nothing yet ask a group.
func TestProfileMulticast(t *testing.T) {
	for _, shared := range []bool{false, true} {
		t.Run(fmt.Sprintf("shared port %v", shared), func(t *testing.T) {
			// The group has the port of a listener that takes any address, and any other.
			free, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp4", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			port := free.LocalAddr().(*net.UDPAddr).Port
			_ = free.Close()
			group := netip.AddrPortFrom(netip.MustParseAddr("224.0.1.75"), uint16(port))
			o, seen := plug(t, func(c *sip.Config) {
				c.ProfileGroup, c.ProfileInterface = group.String(), "lo"
				if shared {
					c.Addr = fmt.Sprintf("0.0.0.0:%d", port)
				}
			})
			w := groupWire(t, group)
			w.subscribe(t, subscribe{user: "MAC%3a001565000000"})
			w.isIgnored(t, "unknown phone")
			w.subscribe(t, subscribe{})
			res, notify := w.read(t), w.read(t)
			if res.code() != 200 || notify.body != profileURL {
				t.Fatalf("got %v and %v", res, notify)
			}
			w.Conn = &groupConn{w.Conn.(*groupConn).UDPConn, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), o.Addrs().UDP.Port())}
			w.respond(t, notify, "200 OK")
			eventually(t, "the outcome in the log", func() bool { return strings.Contains(o.log.String(), "code=200 reason=OK") })
			if seen.count() != 2 {
				t.Errorf("%d phones looked up, want 2", seen.count())
			}
		})
	}
}

func TestProfileConfiguration(t *testing.T) {
	seen := &asked{}
	base := sip.Config{Addr: "127.0.0.1:0", NonceKey: []byte("key"), Log: discard, Profile: seen.known}
	noUDP := base
	noUDP.Addr = ""
	if _, err := sip.New(noUDP); !errors.Is(err, models.ErrInvalid) {
		t.Errorf("without a listener: %v", err)
	}
	for group, device := range map[string]string{"127.0.0.1:5060": "", "224.0.1.75": "", "[ff02::1]:5060": "", "224.0.1.75:5062": "no-such-interface"} {
		c := base
		c.ProfileGroup, c.ProfileInterface = group, device
		s, err := sip.New(c)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Listen(t.Context()); err == nil {
			t.Errorf("group %s on %q: no error", group, device)
		}
	}
}
