package sip

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	sipmsg "github.com/emiago/sipgo/sip"

	"dialtone/models"
)

// A uri is a parsed SIP or SIPS URI (RFC 3261, section 19.1.1).
type uri struct {
	scheme  string // "sip" or "sips"
	user    string // with password, as written
	host    string // lower-case, IPv6 without brackets
	port    int    // 0 = none given
	params  map[string]string
	headers string
}

// parseURI reads a SIP or SIPS URI; anything else is models.ErrInvalid.
func parseURI(s string) (uri, error) {
	if !isClean(s) || strings.ContainsAny(s, " <>\"") {
		return uri{}, fmt.Errorf("%w URI: stray characters", models.ErrInvalid)
	}
	scheme, rest, _ := strings.Cut(s, ":")
	u := uri{scheme: strings.ToLower(scheme)}
	if u.scheme != "sip" && u.scheme != "sips" {
		return uri{}, fmt.Errorf("%w URI: neither sip nor sips", models.ErrInvalid)
	}
	if user, host, ok := strings.Cut(rest, "@"); ok {
		u.user, rest = user, host
	}
	rest, u.headers, _ = strings.Cut(rest, "?")
	hostport, params, _ := strings.Cut(rest, ";")
	if err := u.setHostPort(hostport); err != nil {
		return uri{}, err
	}
	u.params = map[string]string{}
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(param, "=")
		if name != "" {
			u.params[strings.ToLower(name)] = value
		}
	}
	return u, nil
}

func (u *uri) setHostPort(s string) error {
	host, port := s, ""
	if i := strings.LastIndexByte(s, ':'); i > strings.LastIndexByte(s, ']') {
		host, port = s[:i], s[i+1:]
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return fmt.Errorf("%w URI: port %q", models.ErrInvalid, port)
		}
		u.port = int(n)
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		if host, ok = strings.CutSuffix(inner, "]"); !ok {
			return fmt.Errorf("%w URI: host %q", models.ErrInvalid, s)
		}
	} else if strings.Contains(host, ":") {
		return fmt.Errorf("%w URI: host %q", models.ErrInvalid, s)
	}
	u.host = strings.ToLower(host)
	if !isHost(u.host) {
		return fmt.Errorf("%w URI: host %q", models.ErrInvalid, s)
	}
	return nil
}

// transport is what the URI asks for, "udp" when it does not say.
func (u *uri) transport() string {
	named := strings.ToLower(u.params["transport"])
	switch {
	case u.scheme == "sips", named == transportTLS:
		return transportTLS
	case named == transportTCP:
		return transportTCP
	default:
		return transportUDP
	}
}

// hostPort is where the URI points to, with the transport's port by default.
func (u *uri) hostPort() string {
	port := u.port
	if port == 0 {
		port = sipmsg.DefaultPort(u.transport())
	}
	return net.JoinHostPort(u.host, strconv.Itoa(port))
}

// equivalent compares as RFC 3261, section 19.1.4, does: some parameters count
// only when both URIs have them.
func (u *uri) equivalent(v *uri) bool {
	if u.scheme != v.scheme || u.host != v.host || u.port != v.port ||
		unescape(u.user) != unescape(v.user) || u.headers != v.headers {
		return false
	}
	for _, name := range []string{"user", "ttl", "method", "maddr", "transport"} {
		_, inU := u.params[name]
		_, inV := v.params[name]
		if inU != inV {
			return false
		}
	}
	for name, value := range u.params {
		if other, ok := v.params[name]; ok && !strings.EqualFold(value, other) {
			return false
		}
	}
	return true
}

// sameURI reports whether two contacts are one binding.
func sameURI(a, b string) bool {
	if a == b {
		return true
	}
	u, err := parseURI(a)
	if err != nil {
		return false
	}
	v, err := parseURI(b)
	return err == nil && u.equivalent(&v)
}

func unescape(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}

// escapeUser writes a username as the user part of a URI.
func escapeUser(name string) string {
	const plain = "-_.!~*'()&=+$,;?/"
	var b strings.Builder
	for _, c := range []byte(name) {
		if isLetter(c) || '0' <= c && c <= '9' || strings.IndexByte(plain, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// aorURI is a phone's address of record as a URI.
func aorURI(p *models.Phone) string {
	return "sip:" + escapeUser(p.Device.SIP.Username) + "@" + p.Realm()
}

// stackURI is a URI that the stack writes out exactly as given: it keeps the
// text of schemes it does not know.
func stackURI(s string) sipmsg.Uri {
	scheme, rest, _ := strings.Cut(s, ":")
	var u sipmsg.Uri
	_ = sipmsg.ParseUri("verbatim:"+rest, &u) // not parsed, so it cannot fail
	u.Scheme = strings.ToLower(scheme)
	return u
}

// isHost reports whether s, in lower case, is made of what host names and
// addresses are made of.
func isHost(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && strings.IndexByte(".-_:%", c) < 0 {
			return false
		}
	}
	return s != "" && len(s) <= 255
}

// isClean reports whether s can be stored and written into a header.
func isClean(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, isControl) < 0
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }
